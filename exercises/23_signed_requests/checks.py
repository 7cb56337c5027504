"""Checks of 23_signed_requests. Keys, requests, times and nonces are made from the seed."""

import random
import string
from collections.abc import Callable
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

WINDOW, AHEAD = 300, 30
Request = dict[str, Any]


class Line:
    """Between a client and a door."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission, self.rng = submission, rng
        self.now = rng.randint(10**9, 2 * 10**9)
        self.keys = {self.word(): self.word(32) for _ in range(3)}
        self.name = next(iter(self.keys))

    def word(self, length: int = 8) -> str:
        return "".join(self.rng.choices(string.ascii_lowercase, k=length))

    def request(self, **fields: Any) -> Request:
        plain = {
            "method": "POST",
            "path": f"/{self.word()}/1",
            "query": f"to={self.word()}",
            "body": f'{{"n":{self.rng.random()}}}',
        }
        return {**plain, "headers": {"mcp-name": self.word(), "accept": "*/*"}, **fields}

    def sign(
        self, request: Request, *, name: str = "", now: int | None = None, nonce: str = "", secret: str = ""
    ) -> Request:
        """The request as the answer signs it."""
        name = name or self.name
        when = self.now if now is None else now
        signed = self._submission.call("sign", request, name, secret or self.keys[name], when, nonce or self.word(16))
        expect({**signed, "headers": {}}, {**request, "headers": {}}, "a signed request, but for its headers")
        return signed

    def decide(self, *events: tuple[int, Request]) -> list[Any]:
        return self._submission.call("rehearse", self.keys, [list(event) for event in events])["accepted"]

    def remembered(self, *events: tuple[int, Request]) -> int:
        return self._submission.call("rehearse", self.keys, [list(event) for event in events])["remembered"]

    def refused(self, request: Request, how: str) -> None:
        expect(self.decide((self.now, request)), [False], f"{how}: accepted")

    def accepted(self, request: Request, how: str, now: int | None = None) -> None:
        expect(self.decide((self.now if now is None else now, request)), [True], f"{how}: accepted")


def with_headers(request: Request, **headers: str | None) -> Request:
    """With other headers; None takes one out."""
    changed = {**request["headers"], **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {**request, "headers": {name: value for name, value in changed.items() if value is not None}}


@check(
    "attack: no signature, or half of one",
    points=3,
    reason="Who leaves the signature out has not been checked: absence is failure.",
    about="accepts",
)
def test_absent(submission: Submission, rng: random.Random) -> None:
    line = Line(submission, rng)
    request = line.request()
    signed = line.sign(request)
    line.refused(request, "no signature at all")
    for name in ("x-signature", "x-key", "x-time", "x-nonce"):
        for value in (None, ""):
            less = with_headers(signed, **{name: value})
            line.refused(less, f"{name} {'is missing' if value is None else 'is empty'}")
    line.refused(with_headers(request, x_signature="0" * 64), "zeros for a signature, and nothing else")
    for unknown in (line.word(), "", "root", "None"):
        forged = line.sign(request, secret=line.word())
        line.refused(with_headers(forged, x_key=unknown), f"the key {unknown!r}, which there is not")


@check(
    "attack: something was changed",
    points=3,
    reason="What is not signed is anybody's to write.",
    about="canonical",
)
def test_changed(submission: Submission, rng: random.Random) -> None:
    line = Line(submission, rng)
    signed = line.sign(line.request())
    line.accepted(signed, "a request that is signed and was not changed")
    other = list(line.keys)[1]
    changes: dict[str, Request] = {
        "another method": {**signed, "method": "PUT"},
        "another path": {**signed, "path": signed["path"] + "2"},
        "another query": {**signed, "query": signed["query"] + "x"},
        "no query": {**signed, "query": ""},
        "another body": {**signed, "body": signed["body"] + " "},
        "no body": {**signed, "body": ""},
        "another tool": with_headers(signed, mcp_name=line.word()),
        "no tool": with_headers(signed, mcp_name=None),
        "an empty tool": with_headers(signed, mcp_name=""),
        "another time": with_headers(signed, x_time=str(line.now - 1)),
        "a later time": with_headers(signed, x_time=str(line.now + 1)),
        "another nonce": with_headers(signed, x_nonce=line.word(16)),
        "another key": with_headers(signed, x_key=other),
        "a signature in capitals": with_headers(signed, x_signature=signed["headers"]["x-signature"].upper()),
        "a signature of another kind": with_headers(signed, x_signature="ü"),
        "a shorter signature": with_headers(signed, x_signature=signed["headers"]["x-signature"][:-1]),
    }
    for what, request in changes.items():
        line.refused(request, what)
    bare = line.sign(with_headers(line.request(), mcp_name=None))
    line.accepted(bare, "a request without mcp-name")
    for value in ("", "None", "null"):
        line.refused(with_headers(bare, mcp_name=value), f"an mcp-name {value!r} that was added")
    expect_true(
        "compare_digest" in submission.source, "signatures are compared with ==, which takes longer the more fits"
    )


@check(
    "attack: two requests that read the same",
    points=4,
    reason="A signature for one of them is a signature for the other.",
    about="canonical",
)
def test_ambiguous(submission: Submission, rng: random.Random) -> None:
    line = Line(submission, rng)
    a, b, c = line.word(), line.word(), line.word()
    for mark in ("", "|", ":", "&", "?", ";", ",", " ", "/", ".", "-", "=", '"', "', '", '","', "#"):
        moved: list[tuple[Request, Request]] = [
            ({"path": f"/{a}{mark}{b}", "query": c}, {"path": f"/{a}", "query": f"{b}{mark}{c}"}),
            ({"query": f"{a}{mark}{b}", "body": c}, {"query": a, "body": f"{b}{mark}{c}"}),
            ({"method": f"{a}{mark}{b}", "path": c}, {"method": a, "path": f"{b}{mark}{c}"}),
        ]
        for one, two in moved:
            base = line.request()
            signed = line.sign({**base, **one})
            line.refused({**signed, **two}, f"{one} was signed, and {two} was sent")
        for kept, given in (("body", "mcp-name"), ("query", "mcp-name")):
            base = line.request(**{kept: f"{a}{mark}{b}"})
            signed = line.sign(with_headers(base, mcp_name=c))
            sent = with_headers({**signed, kept: a}, mcp_name=f"{b}{mark}{c}")
            line.refused(sent, f"a part of the {kept} was moved into {given}, with {mark!r} between")
        base = line.request()
        signed = line.sign(base, nonce=f"{a}{mark}{b}")
        time = signed["headers"]["x-time"]
        line.refused(with_headers(signed, x_time=f"{time}{mark}{a}", x_nonce=b), f"nonce to time, with {mark!r}")
    for one, two in (("\n", ""), ("a\nb", "a"), ("", "\n")):
        signed = line.sign(line.request(query="", body=one))
        line.refused({**signed, "body": two}, f"the body {one!r} was signed, and {two!r} was sent")


@check(
    "attack: the same request again, or much later",
    points=4,
    reason="What was seen on the way is signed well. Only its time and its nonce can tell that it was there before.",
    about="accepts",
)
def test_replay(submission: Submission, rng: random.Random) -> None:
    line = Line(submission, rng)
    for start in (0, AHEAD, AHEAD - 1):
        first = line.sign(line.request(), now=line.now + start)
        times = [line.now, line.now, line.now + start + 1, line.now + start + WINDOW - 1]
        decided = line.decide(*((when, first) for when in times))
        expect(decided, [True, False, False, False], f"one request, signed {start} s from now, at {times}: accepted")
    between = [line.sign(line.request(), now=line.now + second) for second in (1, 100, 250)]
    first = line.sign(line.request())
    events = [(line.now, first), *((line.now + s, each) for s, each in zip((1, 100, 250), between, strict=True))]
    decided = line.decide(*events, (line.now + WINDOW - 1, first))
    expect(
        decided, [True] * 4 + [False], "a request, three others, and the first one again just before its end: accepted"
    )
    signed = line.sign(line.request())
    for late in (WINDOW, WINDOW + 1, 10**6):
        expect(line.decide((line.now + late, signed)), [False], f"{late} s after it was signed: accepted")
    for early in (AHEAD + 1, 10**6):
        expect(line.decide((line.now - early, signed)), [False], f"{early} s before it was signed: accepted")
    nonce = line.word(16)
    again = [line.sign(line.request(), nonce=nonce) for _ in range(2)]
    expect(line.decide(*((line.now, each) for each in again)), [True, False], "two requests with one nonce: accepted")


@check(
    "use: requests are signed and accepted, with each key",
    points=2,
    reason="While keys are exchanged there are two of them, and both are good.",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    line = Line(submission, rng)
    for name in line.keys:
        for fields in ({}, {"query": "", "body": ""}, {"method": "GET", "body": ""}, {"path": "/ü", "body": "ü\n\0"}):
            request = line.request(**fields)
            nonce = line.word(16)
            signed = line.sign(request, name=name, nonce=nonce)
            headers = signed["headers"]
            expect(
                [headers.get(each) for each in ("x-key", "x-time", "x-nonce")],
                [name, str(line.now), nonce],
                "the headers",
            )
            kept = {each: value for each, value in headers.items() if not each.startswith("x-")}
            expect(kept, request["headers"], "the headers that were there")
            for offset in (-AHEAD, 0, WINDOW - 1):
                line.accepted(signed, f"signed with {name}, {offset} s later", line.now + offset)
    nonce = line.word(16)
    both = [line.sign(line.request(), nonce=nonce, name=name) for name in line.keys]
    expect(line.decide(*((line.now, each) for each in both)), [True] * 3, "one nonce, of three keys: accepted")
    signed = [line.sign(line.request()) for _ in range(5)]
    expect(line.decide(*((line.now, each) for each in signed)), [True] * 5, "five requests in one second: accepted")


@check(
    "near miss: forged nonces, other headers, a long day",
    points=2,
    reason="What somebody else sends must not stand in the way of what is honest.",
)
def test_near_miss(submission: Submission, rng: random.Random) -> None:
    line = Line(submission, rng)
    signed = line.sign(line.request())
    decisions: list[Callable[[Request], Request]] = [
        lambda r: {**r, "body": "forged"},
        lambda r: with_headers(r, x_signature="0" * 64),
        lambda r: with_headers(r, x_key="nobody"),
        lambda r: with_headers(r, x_time=str(line.now + 1)),
    ]
    for forge in decisions:
        decided = line.decide((line.now, forge(signed)), (line.now, signed))
        expect(decided, [False, True], "a forged request with the nonce, and then the one that was signed: accepted")
    early = line.decide((line.now - AHEAD - 1, signed), (line.now, signed))
    expect(early, [False, True], "a request that comes too early, and then in time: accepted")
    for headers in ({"accept": "text/html"}, {"x_forwarded_for": "10.0.0.1"}, {"accept": None}):
        line.accepted(with_headers(signed, **headers), f"{headers} on the way")
    day = [line.now + step * 100 for step in range(40)]
    events = [(when, line.sign(line.request(), now=when)) for when in day]
    left = line.remembered(*events)
    expect_true(0 < left <= 10, f"after {len(events)} requests in {len(events) * 100} s, {left} things are remembered")
