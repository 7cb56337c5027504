"""Checks of 23_headers. What the export has in it, ids and arguments are made from the seed."""

import base64
import json
import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import HttpAnswer, Submission

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
OWN = "io.modelcontextprotocol/"
OPEN, SECRET = "count_orders", "export_orders"
ADA, BEN = "Bearer demo-token-of-ada", "Bearer demo-token-of-ben"
Frame = dict[str, Any]
Headers = list[tuple[str, str]]


def encoded(name: str) -> str:
    return f"=?base64?{base64.b64encode(name.encode()).decode()}?="


def said(method: str, *names: str) -> Headers:
    """The headers that say a method and a name."""
    return [("mcp-method", method), *(("mcp-name", name) for name in names)]


class Street:
    """In front of the door."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission, self.rng = submission, rng
        self.canary = "canary-" + "".join(rng.choices(string.ascii_lowercase, k=12))

    def call(self, name: str, version: str, method: str = "tools/call") -> Frame:
        """A request as a body."""
        params: Frame = {"name": name, "arguments": {}} if method == "tools/call" else {}
        if version == MODERN:
            params["_meta"] = {f"{OWN}protocolVersion": MODERN, f"{OWN}clientCapabilities": {}}
        return {"jsonrpc": "2.0", "id": self.rng.randint(1, 10**6), "method": method, "params": params}

    def send(self, version: str, headers: Headers, body: Frame | str, token: str = BEN) -> HttpAnswer:
        """The answer to a request."""
        given: Headers = [
            ("host", "127.0.0.1:8000"),
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
        ]
        given += [("mcp-protocol-version", version)] if version else []
        given += [("authorization", token)] if token else []
        env = {"RANGE_CANARY": self.canary} if self.canary else {}
        return self._submission.http(env, headers=[*given, *headers], body=body)

    def closed(self, answer: HttpAnswer, how: str) -> None:
        """Fail when the export got out."""
        expect_true(
            self.canary not in answer.body, f"{how}: the export was run, HTTP {answer.status} {answer.body[:200]}"
        )

    def runs(self, answer: HttpAnswer, wanted: str, how: str) -> None:
        """Fail unless the answer is a good one."""
        good = answer.status == 200 and wanted in answer.body and '"error"' not in answer.body
        good = good and answer.headers.get("content-type") == "application/json"
        expect_true(good, f"{how}: HTTP {answer.status} {answer.body[:200]}")


def code(answer: HttpAnswer) -> Any:
    """The code of an error that is one, or None."""
    frame = answer.frames[0] if answer.frames else {}
    error = frame.get("error", {})
    whole = frame.get("jsonrpc") == "2.0" and "id" in frame and isinstance(error.get("message"), str)
    return error.get("code") if whole and len(error["message"]) > len(SECRET) else None


@check(
    "attack: 2026-07-28, and the headers say something else",
    points=5,
    reason="Who decides by one and runs the other has decided about something that never happens.",
    about="Door",
)
def test_modern(submission: Submission, rng: random.Random) -> None:
    street = Street(submission, rng)
    for name in (SECRET, OPEN):
        other = OPEN if name == SECRET else SECRET
        body = street.call(name, MODERN)
        lies = [
            said("tools/call", other),
            said("tools/call", encoded(other)),
            said("tools/list", name),
            said("Tools/Call", name),
            said("tools/call"),
            said("tools/call", name, name),
            said("tools/call", name, other),
            said("tools/call", other, name),
            [*said("tools/call", name), ("mcp-method", "tools/list")],
            [("mcp-method", "tools/list"), *said("tools/call", name)],
            [("mcp-name", name)],
            [],
        ]
        for headers in lies:
            for token in (ADA, BEN, ""):
                answer = street.send(MODERN, headers, body, token)
                how = f"{token[21:] or 'nobody'}, body {name}, headers {headers}"
                if token != ADA:
                    street.closed(answer, how)
                expect((answer.status, code(answer)), (400, -32020), how)
    for version in ("2099-01-01", "2026-07-29", "2026-07-28 "):
        answer = street.send(version, said("tools/call", SECRET), street.call(SECRET, MODERN))
        street.closed(answer, f"ben, an honest call but for the version {version!r} in the header")
    for token in (BEN, "", "Bearer x", BEN.upper()):
        for headers in (said("tools/call", SECRET), said("tools/call", encoded(SECRET))):
            answer = street.send(MODERN, headers, street.call(SECRET, MODERN), token)
            street.closed(answer, f"{token or 'nobody'}, an honest call of {SECRET}")
        answer = street.send(MODERN, said("tools/call", SECRET), street.call(SECRET, MODERN), token)
        got = (answer.status, code(answer), SECRET in answer.body)
        expect(got, (403, -32003, True), f"{token or 'nobody'}, an honest call of {SECRET}: status, code, names it")


@check(
    "attack: last year's requests, which need no headers",
    points=4,
    reason="The server speaks both eras. In the older one nobody compares the headers, and most clients send none.",
    about="Door",
)
def test_last_year(submission: Submission, rng: random.Random) -> None:
    street = Street(submission, rng)
    lies = [
        [],
        said("tools/call", OPEN),
        said("tools/call", encoded(OPEN)),
        said("tools/list"),
        said("tools/call", OPEN, SECRET),
        said("tools/call", SECRET),
    ]
    for version in (HANDSHAKE, "2025-06-18", ""):
        for headers in lies:
            for token in (BEN, ""):
                answer = street.send(version, headers, street.call(SECRET, version), token)
                how = f"{token[21:] or 'nobody'}, version {version or 'none'}, headers {headers}"
                street.closed(answer, how)
                expect(answer.status, 403, f"{how}: status")
    for token in ("", "Bearer x"):
        answer = street.send(HANDSHAKE, [], street.call(OPEN, HANDSHAKE), token)
        expect(answer.status, 403, f"{token or 'nobody'} calls {OPEN}: status")


@check(
    "attack: bodies that are written in odd ways",
    points=3,
    reason="The server has a parser. A door that reads the text in another way reads another request.",
    about="Door",
)
def test_bodies(submission: Submission, rng: random.Random) -> None:
    street = Street(submission, rng)
    for version in (MODERN, HANDSHAKE):
        plain = json.dumps(street.call(SECRET, version))
        empty = '"arguments": {}'
        digits = "".join(rng.choices("123456789", k=5000))
        bodies = {
            "a number of 5000 digits": plain.replace(empty, f'"arguments": {{"n": {digits}}}'),
            "the name twice": plain.replace(f'"{SECRET}"', f'"{OPEN}", "name": "{SECRET}"'),
            "the method twice": plain.replace('"method"', '"method": "tools/list", "method"'),
            "the params twice": plain.replace('"params"', '"params": {}, "params"'),
            "the name with escapes": plain.replace(SECRET, "".join(f"\\u{ord(c):04x}" for c in SECRET)),
            "a key with escapes": plain.replace('"name"', '"n\\u0061me"'),
            "NaN": plain.replace(empty, '"arguments": {"n": NaN}'),
            "white space": f"\r\n\t {plain} \r\n",
            "much nesting": plain.replace(empty, f'"arguments": {{"n": {"[" * 150}{"]" * 150}}}'),
            "a list of requests": f"[{plain}]",
        }
        for what, body in bodies.items():
            for headers in (said("tools/call", SECRET), said("tools/call", OPEN), said("tools/list")):
                street.closed(street.send(version, headers, body), f"{version}, {what}, headers {headers}")


@check(
    "use: granted calls, lists and whole conversations",
    points=3,
    reason="A door that is always shut needs no guard.",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    street = Street(submission, rng)
    for version in (MODERN, HANDSHAKE, ""):
        modern = version == MODERN
        for token, name, wanted in (
            (ADA, OPEN, "12"),
            (ADA, SECRET, f"Ada Lovelace, {street.canary}"),
            (BEN, OPEN, "12"),
        ):
            headers = said("tools/call", name) if modern else []
            answer = street.send(version, headers, street.call(name, version), token)
            street.runs(answer, wanted, f"{token[21:]} calls {name}, version {version or 'none'}")
        for token in (BEN, ""):
            for method in ("tools/list", "server/discover") if modern else ("tools/list", "ping"):
                headers = said(method) if modern else []
                answer = street.send(version, headers, street.call("", version, method), token)
                street.runs(answer, "result", f"{method}, version {version or 'none'}, token {token!r}")
    long = street.call(OPEN, HANDSHAKE) | {"x": "x" * (3 << 19)}
    expect(street.send(HANDSHAKE, [], long).status, 413, "a body of a megabyte and a half: status")
    street.runs(street.send(HANDSHAKE, [], long | {"x": "x" * (1 << 19)}), "12", "a body of half a megabyte")
    street.canary = ""
    answer = street.send(HANDSHAKE, [], street.call(SECRET, HANDSHAKE), ADA)
    street.runs(answer, 'Ada Lovelace, canary"', "without a setting")
    hello = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    answer = street.send("", [], {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}, "")
    street.runs(answer, "serverInfo", "initialize")


@check(
    "near miss: encoded names, odd headers, names as arguments",
    points=3,
    reason="Looking like an attack is no attack.",
)
def test_near_miss(submission: Submission, rng: random.Random) -> None:
    street = Street(submission, rng)
    body = street.call(OPEN, MODERN)
    named = street.call(OPEN, MODERN)
    named["params"]["arguments"] = {"name": SECRET, "uri": SECRET, "method": "tools/list"}
    for headers, frame in (
        (said("tools/call", encoded(OPEN)), body),
        (said("tools/call", OPEN)[::-1], body),
        ([("MCP-METHOD", "tools/call"), ("Mcp-Name", OPEN), ("x-mcp-name", SECRET)], body),
        (said("tools/call", OPEN), named),
        (said("tools/call", OPEN), {**body, "id": rng.choice(["tools/list", SECRET])}),
    ):
        street.runs(street.send(MODERN, headers, frame), "12", f"headers {headers}, body {frame}")
    for headers in (said("tools/call", OPEN), said("tools/call", encoded(OPEN)), said("tools/call")):
        answer = street.send(HANDSHAKE, headers, street.call(OPEN, HANDSHAKE))
        street.runs(answer, "12", f"a client of last year sends {headers}")
    notice = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    expect(street.send(HANDSHAKE, [], notice).status, 202, "a notification: status")
    answer = street.send(MODERN, said("tools/call", OPEN), "{")
    expect((answer.status, code(answer)), (400, -32700), "half a body: status and code")
