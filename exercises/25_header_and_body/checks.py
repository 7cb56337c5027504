"""Checks of 25_header_and_body. Names come from the seed."""

import base64
import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

Headers = list[list[str]]
KEYS = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
MISMATCH, INVALID, FORBIDDEN = -32020, -32602, -32003


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=6))


def encoded(data: str | bytes) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return f"=?base64?{base64.b64encode(raw).decode()}?="


class Caller:
    """Somebody who may use one name of each kind, and not another."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission, self._id = submission, rng.randint(1, 999)
        self.mine, self.other = word(rng), word(rng)
        self.grants = {method: [self.mine] for method in KEYS}

    def body(self, method: str, name: Any) -> dict[str, Any]:
        self._id += 1
        return {"jsonrpc": "2.0", "id": self._id, "method": method, "params": {KEYS.get(method, "x"): name}}

    def ask(self, headers: Headers, body: dict[str, Any]) -> tuple[str, Any]:
        """("ran", what), or ("error", code)."""
        answer = self._submission.call("gateway", headers, body, self.grants)
        what = f"the answer to the headers {headers} and the body {body}"
        expect_true(isinstance(answer, dict) and answer.get("id") == body["id"], f"{what} is {answer}")
        if "error" in answer:
            said = answer["error"].get("message")
            expect_true(isinstance(said, str) and said, f"{what} is an error without a message: {answer}")
            return "error", answer["error"]["code"]
        return "ran", answer["result"]["ran"]

    def runs(self, headers: Headers, method: str, name: str) -> None:
        got = self.ask(headers, self.body(method, name))
        expect(got, ("ran", [method, name]), f"headers {headers}, body {method} {name!r}, allowed {self.grants}")

    def refused(self, headers: Headers, method: str, name: Any, code: int = MISMATCH) -> None:
        got = self.ask(headers, self.body(method, name))
        expect(got, ("error", code), f"headers {headers}, body {method} {name!r}, allowed {self.grants}")


def headers(method: str, name: str) -> Headers:
    return [["Host", "gateway.example"], ["Mcp-Method", method], ["Mcp-Name", name], ["Accept", "*/*"]]


@check(
    "header and body have to say the same",
    points=4,
    reason="A header that names what is allowed, over a body that does what is not: the guard reads one of them.",
    about="gateway",
)
def test_mismatch(submission: Submission, rng: random.Random) -> None:
    caller = Caller(submission, rng)
    for method in KEYS:
        for name in (caller.mine, caller.other):
            wrong = caller.other if name == caller.mine else caller.mine
            caller.refused(headers(method, wrong), method, name)
            caller.refused(headers(method, name.upper()), method, name)
            caller.refused(headers(method, encoded(f"{name} ")), method, name)
            for other in {*KEYS, "tools/list", method.upper()} - {method}:
                caller.refused(headers(other, name), method, name)
    caller.refused(headers("tools/call", caller.mine), "tools/list", caller.mine)


@check(
    "no header is as bad as a wrong one",
    points=2,
    reason="Leaving out is the simplest way of not disagreeing.",
    about="gateway",
)
def test_absent(submission: Submission, rng: random.Random) -> None:
    caller = Caller(submission, rng)
    for method in KEYS:
        for name in (caller.mine, caller.other):
            caller.refused([["Mcp-Method", method]], method, name)
            caller.refused([["Mcp-Name", name]], method, name)
            caller.refused([], method, name)
    caller.refused([["Accept", "*/*"]], "tools/list", "x")


@check(
    "two headers are refused, even if they agree",
    points=3,
    reason="Of two values some take the first, some the last, some both: each reader on the way sees another request.",
    about="gateway",
)
def test_twice(submission: Submission, rng: random.Random) -> None:
    caller = Caller(submission, rng)
    for method in KEYS:
        for name in (caller.mine, caller.other):
            right = headers(method, name)
            for value in (caller.mine, caller.other, encoded(name)):
                caller.refused([["mcp-name", value], *right], method, name)
                caller.refused([*right, ["MCP-NAME", value]], method, name)
            for value in (method, "tools/list"):
                caller.refused([["mcp-method", value], *right], method, name)
                caller.refused([*right, ["mcp-method", value]], method, name)


@check(
    "encoded values are read, broken ones refused",
    points=3,
    reason="Names need not be ASCII. A header that is decoded carelessly says one thing here and another thing there.",
    about="gateway",
)
def test_encoded(submission: Submission, rng: random.Random) -> None:
    caller = Caller(submission, rng)
    for method in KEYS:
        for name in (f"{word(rng)} größe", f"{word(rng)}\n", caller.mine, encoded(word(rng)), f"=?base64?{word(rng)}"):
            caller.grants[method] = [caller.mine, name]
            caller.runs(
                headers(method, name if name.startswith("=?") and not name.endswith("?=") else encoded(name)),
                method,
                name,
            )
        mine = encoded(caller.mine)
        broken = [encoded(b"\xff\xfe"), mine.replace("?=", "!?="), "=?base64?A?=", encoded(caller.other), "=?base64??="]
        for value in [*broken, mine[:12] + "\u00a0" + mine[12:], mine[:12] + "-" + mine[12:]]:
            caller.refused(headers(method, value), method, caller.mine)
        literal = encoded(caller.other)
        caller.grants[method] = [literal, caller.other]
        caller.refused(headers(method, literal), method, literal)


@check(
    "what is right goes through",
    points=3,
    reason="A guard that stops honest callers is switched off within a week.",
    about="gateway",
)
def test_legitimate(submission: Submission, rng: random.Random) -> None:
    caller = Caller(submission, rng)
    for method in KEYS:
        for case in (str.lower, str.upper, str.title):
            spelled = [[case(name), value] for name, value in headers(method, caller.mine)]
            caller.runs(rng.sample(spelled, len(spelled)), method, caller.mine)
    for method in ("tools/list", "prompts/list", "server/discover"):
        body = {"jsonrpc": "2.0", "id": rng.randint(1, 99), "method": method}
        for each in (body, {**body, "params": {"cursor": "x"}}):
            expect(caller.ask([["mcp-method", method]], each), ("ran", [method, None]), f"{each} with Mcp-Method alone")
        caller.grants = {}


@check(
    "only what is granted is run",
    points=2,
    reason="Comparing is no permission. Who is honest about what he wants may still not have it.",
    about="gateway",
)
def test_allowed(submission: Submission, rng: random.Random) -> None:
    caller = Caller(submission, rng)
    for method in KEYS:
        caller.refused(headers(method, caller.other), method, caller.other, FORBIDDEN)
        for name in (None, 7, [caller.mine]):
            for value in (caller.mine, encoded(b"\xff")):
                kind, code = caller.ask(headers(method, value), caller.body(method, name))
                expect_true(kind == "error" and code in (INVALID, MISMATCH), f"{method} of {name!r}: {kind} {code}")
        kind, code = caller.ask([["Mcp-Method", method]], {"id": 1, "method": method})
        expect_true(kind == "error" and code in (INVALID, MISMATCH), f"{method} without params: {kind} {code}")
    caller.grants = {"tools/call": [caller.mine]}
    caller.refused(headers("prompts/get", caller.mine), "prompts/get", caller.mine, FORBIDDEN)
