"""Checks of 26_fallback_conditions. Servers and results come from the seed."""

import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

Hints = dict[str, Any]
SILENT, AWAY = "no answer", "unreachable"
READS: Hints = {"readOnlyHint": True}
TWICE: Hints = {"idempotentHint": True, "destructiveHint": True}
UNSAFE: list[Hints] = [
    {},
    {"readOnlyHint": False, "idempotentHint": False},
    {"destructiveHint": False},
    {"readOnlyHint": "false", "idempotentHint": 1},
    {"openWorldHint": True, "destructiveHint": True},
]


class Servers:
    """Names, results, and rehearsals with them."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission, self._rng = submission, rng
        self.names = ["".join(rng.choices("bcdfghjklmnpqrstvwxz", k=6)) for _ in range(5)]

    def result(self, error: bool = False, **meta: Any) -> dict[str, Any]:
        content = [{"type": "text", "text": str(self._rng.randint(1, 9999))}]
        return {"content": content, "isError": error} | ({"_meta": meta} if meta else {})

    def busy(self) -> dict[str, Any]:
        return self.result(True, **{"labkit/reason": "unavailable", "labkit/retryAfter": self._rng.randint(1, 9)})

    def rehearse(self, hints: Hints | None, *behave: Any) -> tuple[dict[str, Any], list[str], str]:
        """What came of it, whom was asked, and what it was; None behaves like a server that has not got the tool."""
        script = {name: each for name, each in zip(self.names, behave, strict=False) if each is not None}
        tool = {"name": "x"} if hints is None else {"name": "x", "annotations": hints}
        found = self._submission.call("rehearse", script, self.names[: len(behave)], tool)
        return found, found.pop("asked"), f"servers {self.names[: len(behave)]} that behave as {script}, hints {hints}"

    def gives(self, hints: Hints | None, *behave: Any, place: int, result: Any) -> None:
        """It is this result, the server at this place has given it, and nobody was asked after that."""
        found, asked, what = self.rehearse(hints, *behave)
        expect(found, {"result": result}, f"what came of {what}")
        wanted = [name for name, each in zip(self.names[: place + 1], behave, strict=False) if each is not None]
        expect(asked, wanted, f"who was asked, of {what}")

    def marked(self, result: dict[str, Any], place: int, tried: list[list[str]]) -> dict[str, Any]:
        note = {"labkit/source": self.names[place], "labkit/instead-of": tried}
        return {**result, "_meta": {**result.get("_meta", {}), **note}}

    def fails(self, hints: Hints | None, *behave: Any, tried: list[str], unknown: bool) -> None:
        found, asked, what = self.rehearse(hints, *behave)
        have = [name for name, each in zip(self.names, behave, strict=False) if each is not None][: len(tried)]
        pairs = [[name, outcome] for name, outcome in zip(have, tried, strict=True)]
        expect(found, {"tried": pairs, "unknown": unknown}, f"what came of {what}")
        expect(asked, have, f"who was asked, of {what}")


@check(
    "an answer is the answer, good or bad",
    points=3,
    reason="The caller's mistakes are wrong on every server. Asking all of them is slow, and hides what was wrong.",
    about="call",
)
def test_answers(submission: Submission, rng: random.Random) -> None:
    servers = Servers(submission, rng)
    results = [servers.result(), servers.result(True), servers.result(x=rng.randint(1, 9)), servers.result(True, x=1)]
    results += [servers.result(True, **{"labkit/reason": reason}) for reason in ("invalid", "forbidden", "not-found")]
    results += [servers.result(False, **{"labkit/reason": "unavailable"})]
    for result in results:
        for hints in (None, READS, TWICE):
            servers.gives(hints, result, servers.result(), place=0, result=result)


@check(
    "what is not done goes to the next one that has the tool",
    points=3,
    reason="Nothing has happened for certain: this is what a fallback is for, for writing tools as well.",
    about="call",
)
def test_elsewhere(submission: Submission, rng: random.Random) -> None:
    servers = Servers(submission, rng)
    for hints in (None, READS, *UNSAFE):
        result = servers.result()
        found, asked, what = servers.rehearse(hints, None, AWAY, None, servers.busy(), result)
        expect(found.get("result", {}).get("content"), result["content"], f"the content from {what}")
        expect(asked, [servers.names[1], servers.names[3], servers.names[4]], f"who was asked, of {what}")
    servers.gives({}, None, None, result := servers.result(), place=2, result=result)


@check(
    "what may be done is repeated only if that does no harm",
    points=4,
    reason="The first server may just be slow to confirm. Two orders are worse than an error.",
    about="call",
)
def test_maybe(submission: Submission, rng: random.Random) -> None:
    servers = Servers(submission, rng)
    for hints in (None, *UNSAFE):
        servers.fails(hints, SILENT, servers.result(), tried=[SILENT], unknown=True)
    for hints in (READS, TWICE, {**READS, **TWICE}):
        result = servers.result()
        found, asked, what = servers.rehearse(hints, SILENT, SILENT, result, servers.result())
        expect(found.get("result", {}).get("content"), result["content"], f"the content from {what}")
        expect(asked, servers.names[:3], f"who was asked, of {what}")


@check(
    "a result says where it comes from",
    points=2,
    reason="Another server may know less, or know yesterday's. Whoever reads the result has to be able to see that.",
    about="call",
)
def test_provenance(submission: Submission, rng: random.Random) -> None:
    servers = Servers(submission, rng)
    one, _, three = servers.names[:3]
    for result in (servers.result(), servers.result(x=1, y=[2]), servers.result(True, **{"labkit/reason": "invalid"})):
        wanted = servers.marked(result, 1, [[one, AWAY]])
        servers.gives(None, AWAY, result, place=1, result=wanted)
        tried = [[one, "unavailable"], [three, SILENT]]
        servers.gives(READS, servers.busy(), None, SILENT, result, place=3, result=servers.marked(result, 3, tried))


@check(
    "when nobody has answered, it says so, and what may be done",
    points=4,
    reason="Nothing was done, and somebody may have done it, are two messages: after the first one may try again.",
    about="call",
)
def test_unknown(submission: Submission, rng: random.Random) -> None:
    servers = Servers(submission, rng)
    for hints in (None, READS, TWICE):
        servers.fails(hints, AWAY, servers.busy(), None, AWAY, tried=[AWAY, "unavailable", AWAY], unknown=False)
        servers.fails(hints, None, None, tried=[], unknown=False)
    servers.fails(TWICE, SILENT, AWAY, tried=[SILENT, AWAY], unknown=True)
    servers.fails(TWICE, AWAY, SILENT, servers.busy(), tried=[AWAY, SILENT, "unavailable"], unknown=True)
    servers.fails({}, servers.busy(), SILENT, AWAY, tried=["unavailable", SILENT], unknown=True)
    servers.fails(READS, SILENT, SILENT, tried=[SILENT, SILENT], unknown=False)
    servers.fails({"readOnlyHint": "yes", **TWICE}, SILENT, tried=[SILENT], unknown=True)


@check(
    "what is not a server's failure goes through",
    points=1,
    reason="A user who cancels does not want somebody else to be asked.",
    about="call",
)
def test_through(submission: Submission, rng: random.Random) -> None:
    servers = Servers(submission, rng)
    for before in ([], [AWAY]):
        found, asked, what = servers.rehearse(READS, *before, "cancelled", servers.result())
        expect(found, {"cancelled": True}, f"what came of {what}")
        expect(asked, servers.names[: len(before) + 1], f"who was asked, of {what}")
