"""One call with arguments that may do harm, and what went wrong with it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psutil

from labkit.testbench.bench import Bench
from labkit.testbench.check import Severity
from labkit.testbench.raw import Answer
from labkit.testbench.raw_stdio import RawStdio
from labkit.testbench.tour import objects

SOON, LATE = 2.0, 6.0
"""Seconds after which a call is suspected to hang, and after which it does."""
INTERNAL = -32603

WORDS = {
    "crash": "the server ended",
    "hang": f"there was no answer within {LATE:g} s, while it answered other requests",
    "stuck": f"there was no answer within {LATE:g} s, to this nor to anything else",
    "garbage": "what came was no JSON-RPC answer",
    "internal": "it answered with error -32603, internal error",
    "traceback": "it answered with a traceback, which helps no caller and shows its insides",
    "silent": "it answered with an error that says nothing",
    "content": "its result has no list of content",
}
"""By what may go wrong with a call, how it is told."""
MILD: dict[str, Severity] = {"internal": "warning", "traceback": "warning", "silent": "warning", "content": "warning"}


async def ask(bench: Bench, tool: str, arguments: Any, *, patience: float = SOON) -> tuple[str, Answer]:
    """Call a tool on the shared wire: what went wrong, a key of WORDS or '', and the answer."""
    era = bench.eras[-1]
    wire = await bench.shared(era)
    # What reports progress is at work, and does not hang.
    params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": "testbench"}}
    answer = await wire.request("tools/call", params, timeout=patience)
    if answer.came == "silence":
        alive = await wire.request("tools/list", timeout=min(patience, 1.0))
        if alive.came == "silence":
            if isinstance(wire, RawStdio) and wire.pid:
                with suppress(psutil.Error):  # it heeds nothing: asking it to end would cost seconds each time
                    psutil.Process(wire.pid).kill()
            await bench.drop(era)
            return "stuck", answer
        await wire.give_up(answer)
        if any('"notifications/progress"' in line for line in answer.before):
            return "", answer
        return ("hang" if alive.came in ("result", "error") else "crash"), answer
    if answer.came == "closed":
        return "crash", answer
    if answer.came == "other":
        return "garbage", answer
    return _said(answer), answer


def _said(answer: Answer) -> str:
    if answer.came == "error":
        return "internal" if answer.code == INTERNAL else ""
    if answer.result.get("resultType", "complete") != "complete":
        return ""
    if not isinstance(answer.result.get("content"), list):
        return "content"
    if answer.result.get("isError") is True:
        texts = " ".join(str(part.get("text", "")) for part in objects(answer.result["content"]))
        if "Traceback (most recent call last)" in texts:
            return "traceback"
        return "" if texts.strip() or "structuredContent" in answer.result else "silent"
    return ""


async def confirmed(bench: Bench, tool: str, arguments: Any, kind: str) -> Answer | None:
    """The answer when the same goes wrong again, in a server that has just begun, with all patience; else None."""
    await bench.drop(bench.eras[-1])
    again, answer = await ask(bench, tool, arguments, patience=LATE)
    same = again == kind or {again, kind} <= {"hang", "stuck"}
    return answer if same else None
