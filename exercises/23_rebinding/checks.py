"""Checks of 23_rebinding. The note, the names and the ports are made from the seed."""

import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import HttpAnswer, Submission

CALL: dict[str, Any] = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "read_note", "arguments": {}}}


class Browser:
    """Sends what a browser sends for a page."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission, self._rng = submission, rng
        self.canary = f"canary-{self.word(12)}"
        self.port = rng.randint(1024, 65535)
        self.name = f"{self.word()}.lab.test"
        self.names = [self.name, f"localhost.{self.word()}.test", f"127-0-0-1.{self.word()}.test"]

    def word(self, length: int = 7) -> str:
        return "".join(self._rng.choices(string.ascii_lowercase, k=length))

    def __call__(
        self, host: str | None, origin: str | None = None, *, names: str | None = None, **more: str
    ) -> HttpAnswer:
        given = [("accept", "application/json, text/event-stream"), ("content-type", "application/json")]
        given += [("host", host)] if host is not None else []
        given += [("origin", origin)] if origin is not None else []
        given += [(name.replace("_", "-"), value) for name, value in more.items()]
        env = {"RANGE_CANARY": self.canary, "RANGE_NAMES": ",".join(self.names) if names is None else names}
        return self._submission.http(env, headers=given, body={**CALL, "id": self._rng.randint(1, 10**6)})

    def refused(self, host: str | None, origin: str | None = None, **more: str) -> None:
        answer = self(host, origin, **more)
        how = f"Host {host!r}, Origin {origin!r}{f', {more}' if more else ''}"
        expect_true(self.canary not in answer.body, f"{how}: the page has read the note")
        expect_true(answer.status in (403, 421), f"{how}: HTTP {answer.status}, and not 421 or 403")

    def answered(self, host: str, origin: str | None = None, **more: str) -> None:
        answer = self(host, origin, **more)
        how = f"Host {host!r}, Origin {origin!r}{f', {more}' if more else ''}"
        expect_true(answer.status == 200 and self.canary in answer.body, f"{how}: {answer.status} {answer.body[:100]}")
        expect(answer.headers.get("content-type"), "application/json", f"{how}: content type")


@check(
    "attack: another name that means this machine",
    points=4,
    reason="After rebinding, the Host is the attacker's name: the one thing that the page cannot change.",
)
def test_host(submission: Submission, rng: random.Random) -> None:
    ask = Browser(submission, rng)
    evil, port, name = f"{ask.word()}.example", ask.port, ask.name
    hosts = [
        evil,
        f"{evil}:{port}",
        f"localhost.{evil}:{port}",
        f"127.0.0.1.{evil}:{port}",
        f"not-localhost:{port}",
        f"{evil}-localhost:{port}",
        f"x127.0.0.1:{port}",
        f"127x0x0x1:{port}",
        f"0.0.0.0:{port}",
        f"{name}.{evil}",
        f"x{name}",
        f"x.{name}",
        name.replace(".", "x", 1),
        "lab.test",
        "test",
        f"{ask.names[0]},{ask.names[1]}",
        f"{evil}:{port}@localhost:{port}",
        f"localhost@{evil}:{port}",
        "*",
    ]
    for host in hosts:
        for origin in (f"http://{host}", f"http://localhost:{port}", None):
            ask.refused(host, origin)
    for more in ({"x_forwarded_host": f"localhost:{port}"}, {"forwarded": f"host=localhost:{port}"}, {"x_host": name}):
        ask.refused(evil, None, **more)
    for nothing in (None, ""):
        ask.refused(nothing)
    given = [("host", "x"), ("accept", "application/json, text/event-stream")]
    answer = submission.http({}, headers=given, body={**CALL, "id": 1})
    expect_true(answer.status in (403, 421), f"Host 'x' without a list of names: HTTP {answer.status}")
    answer = ask(name, names="")
    expect_true(answer.status in (403, 421), f"Host {name!r} when no name is listed: HTTP {answer.status}")


@check(
    "attack: a page of another site",
    points=4,
    reason="Without rebinding the Host is right, and the page may still send: the Origin says whose page it is.",
)
def test_origin(submission: Submission, rng: random.Random) -> None:
    ask = Browser(submission, rng)
    evil, port, name = f"{ask.word()}.example", ask.port, ask.name
    origins = [
        f"http://{evil}",
        f"https://{evil}:{port}",
        "null",
        f"http://localhost.{evil}:{port}",
        f"http://127.0.0.1.{evil}",
        f"http://{evil}?http://localhost:{port}",
        f"http://{evil}#https://{name}",
        f"https://{name}.{evil}",
        f"https://x{name}",
        f"https://x.{name}",
        f"https://{name.replace('.', 'x', 1)}",
        f"http://{name}",
        f"file://localhost:{port}",
        f"xhttp://localhost:{port}",
        "https://lab.test",
        name,
        f"localhost:{port}",
        "https://",
        "*",
    ]
    for origin in origins:
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", name):
            ask.refused(host, origin)
    answer = ask(f"localhost:{port}", "https://", names=f"{name},,")
    expect_true(answer.status in (403, 421), f"Origin 'https://' with an empty name in the list: HTTP {answer.status}")


@check(
    "use: the user's own clients and pages, straight and through a proxy",
    points=3,
    reason="The protection was switched off because it was in the way.",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    ask = Browser(submission, rng)
    port, name = ask.port, ask.name
    own = [f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"]
    for host in (*own, name):
        ask.answered(host)
        for origin in (*(f"http://{each}" for each in own), f"https://{name}", f"http://localhost:{port % 1000 + 1}"):
            ask.answered(host, origin)
    for default in ({}, {"RANGE_NAMES": ""}):
        given = [("host", f"localhost:{port}"), ("accept", "application/json, text/event-stream")]
        answer = submission.http(default, headers=given, body={**CALL, "id": 1})
        expect_true('"canary"' in answer.body, f"with the settings {default}: HTTP {answer.status} {answer.body[:100]}")
    for names in ("", name, f" {name} , {ask.names[1]},"):
        for host in own if not names else [*own, name]:
            answer = ask(host, names=names)
            expect(answer.status, 200, f"Host {host!r} with RANGE_NAMES {names!r}: status")


@check(
    "near miss: names that look like loopback, headers that say nothing",
    points=3,
    reason="A list of what is suspicious grows until it has honest names in it.",
)
def test_near_miss(submission: Submission, rng: random.Random) -> None:
    ask = Browser(submission, rng)
    evil = f"{ask.word()}.example"
    for name in ask.names:
        ask.answered(name)
        ask.answered(name, f"https://{name}")
    for more in (
        {"x_forwarded_host": evil},
        {"x_forwarded_for": "203.0.113.7"},
        {"referer": f"https://{evil}/"},
        {"user_agent": f"Mozilla ({evil})"},
        {"sec_fetch_site": "cross-site"},
    ):
        ask.answered(f"localhost:{ask.port}", f"http://localhost:{ask.port}", **more)
        ask.answered(ask.name, f"https://{ask.name}", **more)
