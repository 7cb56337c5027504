"""The rules of JSON-RPC, in each era that the server speaks: what is answered, how, and what must not be.

`protocol_mcp` and `protocol_modern` have the rules of MCP on top, `protocol_flow` those of several requests at a time,
`protocol_http` those of HTTP, and `protocol_messages` looks at everything that was said.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any, cast

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, check
from labkit.testbench.raw import Answer, Json, RawWire, parsed
from labkit.testbench.raw_http import RawHttp
from labkit.testbench.raw_stdio import RawStdio

METHOD_NOT_FOUND = -32601
SOON = 3.0
"""Seconds to wait for the answer to something trivial."""
HUGE = 1024 * 1024
"""Characters of padding in the large request."""


async def goes_on(wire: RawWire) -> Answer | None:
    """None when the server still answers; else what it does instead."""
    answer = await wire.request(wire.trivial, timeout=SOON)
    return None if answer.came in ("result", "error") else answer


async def send(wire: RawWire, lines: Sequence[str]) -> list[Answer]:
    """Send these texts as they are: over HTTP one by one, with an answer each; over stdio all, with none."""
    if isinstance(wire, RawHttp):
        said: list[Answer] = []
        for line in lines:
            message = parsed(line)
            said.append(await wire.post(line, wire.headers(message), id=message.get("id"), timeout=SOON))
        return said
    assert isinstance(wire, RawStdio)
    try:
        await wire.write("".join(line + "\n" for line in lines).encode())
    except Exception as error:  # the pipe's own kinds differ by system
        return [Answer("closed", lines[0], str(error))]
    return []


async def survives(bench: Bench, era: str, lines: Sequence[str]) -> tuple[list[str], Finding | None, list[Answer]]:
    """Send lines and see whether it goes on: what it said before, the finding if it did not, and answers over HTTP."""
    wire = await bench.shared(era)
    answers = await send(wire, lines)
    after = await wire.request(wire.trivial, timeout=SOON)
    if after.came in ("result", "error"):
        return after.before, None, answers
    ended = await _end(wire, after)
    await bench.drop(era)
    # Which of them it was is found out one by one, each on a fresh process: only when something is wrong.
    for line in lines if len(lines) > 1 else ():
        async with bench.wire(era) as own:
            await send(own, [line])
            if (dead := await goes_on(own)) is not None:
                return after.before, Finding(await _end(own, dead), sent=line, received=dead.received, era=era), answers
    return after.before, Finding(ended, sent="\n".join(lines), received=after.received, era=era), answers


async def _end(wire: RawWire, answer: Answer) -> str:
    # Its output closes a moment before the process is gone.
    if isinstance(wire, RawStdio) and not wire.alive and await wire.gone(1.0):
        return f"the server {wire.how_it_ended} after it.{wire.log.last_words()}".rstrip("\n")
    return f"after it, the server gives {answer.what} to an ordinary request"


@check(
    "protocol.unknown-method",
    "An unknown method gets error -32601",
    severity="error",
    spec="basic#responses",
    fix="Answer requests that you have no handler for with code -32601, method not found.",
)
async def unknown_method(bench: Bench) -> AsyncGenerator[Finding]:
    """Clients tell by this code that a feature is not there."""
    for era in bench.eras:
        wire = await bench.shared(era)
        answer = await wire.request("testbench/no-such-method", timeout=SOON)
        if answer.code != METHOD_NOT_FOUND:
            yield Finding(f"an unknown method got {answer.what}", answer.sent, answer.received, era=era)
        elif answer.status is not None and wire.modern and answer.status != 404:
            yield Finding(f"its HTTP status is {answer.status}, not 404", answer.sent, era=era, severity="warning")
        if answer.came in ("closed", "silence"):
            await bench.drop(era)


@check(
    "protocol.ids",
    "An answer repeats the request's id, text or number",
    severity="error",
    spec="basic#requests",
    fix="Copy the id of the request into the answer unchanged: 7 stays 7, '7' stays '7'.",
)
async def ids(bench: Bench) -> AsyncGenerator[Finding]:
    """An id that changes its type matches no request."""
    for era in bench.eras:
        for id in (990_001, "text-id", "990002", 0):
            wire = await bench.shared(era)
            method = wire.trivial
            answer = await wire.request(method, id=id, timeout=SOON)
            if answer.came not in ("result", "error"):
                came = answer.before[-1] if answer.before else answer.received
                yield Finding(f"{method} with id {id!r} got {answer.what}", answer.sent, came, era=era)
                await bench.drop(era)
                break  # the others would wait as long, to say the same


@check(
    "protocol.null-id",
    "A request whose id is null is not carried out",
    severity="warning",
    spec="basic#requests",
    fix="Refuse it with error -32600, or ignore it: in MCP an id is a string or an integer.",
)
async def null_id(bench: Bench) -> AsyncGenerator[Finding]:
    """Nobody can match its answer; a server that answers it lets clients believe that it is allowed."""
    for era in bench.eras:
        wire = await bench.shared(era)
        line = json.dumps(wire.frame(wire.trivial, id="null") | {"id": None})
        before, dead, answers = await survives(bench, era, [line])
        if dead:
            dead.severity = "error"
            yield dead
        for text in [*before, *(a.received for a in answers)]:
            if (message := parsed(text)).get("id", 0) is None and "result" in message:
                yield Finding("a request with id null got a result", line, text, era=era)


GARBAGE = (
    '{"jsonrpc": "2.0", "id": 1, "method":',
    "this is not JSON",
    '{"jsonrpc": "2.0", "id": 2, "method": "ping"}}',
    "\ufeff{}",
)
"""Lines that are not JSON."""

ODD = (
    "[]",
    '"ping"',
    "42",
    "null",
    "{}",
    '{"jsonrpc": "2.0"}',
    '{"jsonrpc": "2.0", "method": 7}',
    '{"jsonrpc": "1.0", "id": 990101, "method": 7}',
    '{"jsonrpc": "2.0", "id": {"a": 1}, "method": "ping"}',
    '{"jsonrpc": "2.0", "id": 990102, "method": "ping", "params": "text"}',
    '{"jsonrpc": "2.0", "id": 990103, "method": "ping", "params": [1, 2]}',
    '{"jsonrpc": "2.0", "id": 990104, "result": {}}',
    '{"jsonrpc": "2.0", "id": 990105, "error": {"code": 1, "message": "x"}}',
)
"""JSON that is no request of any revision."""


def _judged(lines: Sequence[str], answers: Sequence[Answer], era: str) -> list[Finding]:
    """Over HTTP what cannot be read must be refused with a status of 4xx."""
    return [
        Finding(f"it got HTTP {answer.status}, not a refusal (4xx)", line, answer.received, era=era, severity="warning")
        for line, answer in zip(lines, answers, strict=False)
        if answer.status is not None and not 400 <= answer.status < 500
    ]


@check(
    "protocol.malformed",
    "A line that is not JSON does no harm",
    severity="error",
    spec="basic#responses",
    fix="Catch what the JSON parser raises, answer with error -32700 or skip the line, and go on reading.",
)
async def malformed(bench: Bench) -> AsyncGenerator[Finding]:
    """One bad line must not end the session of everyone else's."""
    for era in bench.eras:
        before, dead, answers = await survives(bench, era, GARBAGE)
        if dead:
            yield dead
        for finding in _judged(GARBAGE, answers, era):
            yield finding
        for text in before:
            message = parsed(text)
            if "result" in message:
                yield Finding("a line that is not JSON got a result", received=text, era=era)
            elif "error" in message and _code(message) not in (-32700, -32600):
                said = f"a line that is not JSON got error {_code(message)}, not -32700"
                yield Finding(said, received=text, era=era, severity="warning")


def _code(message: Json) -> Any:
    error = message.get("error")
    return cast(Json, error).get("code") if isinstance(error, dict) else None


@check(
    "protocol.not-a-request",
    "JSON that is no message does no harm",
    severity="error",
    spec="basic#messages",
    fix="Check that a message is an object with jsonrpc, a method that is a string and params that are an object;"
    " answer -32600 otherwise, and go on.",
)
async def not_a_request(bench: Bench) -> AsyncGenerator[Finding]:
    """What is not checked ends in an exception, often in the read loop, and that is the end of the server."""
    for era in bench.eras:
        before, dead, _ = await survives(bench, era, ODD)
        if dead:
            yield dead
        for text in before:
            if "result" in (message := parsed(text)) and message.get("id") in (990101, 990104, 990105, None):
                yield Finding("something that is no request got a result", received=text, era=era)


@check(
    "protocol.batch",
    "A batch is not carried out",
    severity="warning",
    spec="basic#messages",
    fix="Refuse an array with error -32600: batches were taken out of MCP in 2025-06-18.",
)
async def batch(bench: Bench) -> AsyncGenerator[Finding]:
    """A gateway that checks single messages does not see what stands in a batch."""
    for era in bench.eras:
        wire = await bench.shared(era)
        line = json.dumps([wire.frame(wire.trivial, id=f"batch-{n}") for n in range(2)])
        before, dead, answers = await survives(bench, era, [line])
        if dead:
            dead.severity = "error"
            yield dead
        for text in [*before, *(a.received for a in answers)]:
            if '"batch-0"' in text and '"result"' in text:
                yield Finding("the requests of a batch were carried out", line, text, era=era)
                break


@check(
    "protocol.notifications",
    "A notification gets no answer",
    severity="error",
    spec="basic#notifications",
    fix="Answer only messages that have an id; ignore notifications that you do not know.",
)
async def notifications(bench: Bench) -> AsyncGenerator[Finding]:
    """An answer that nobody waits for is taken for a fault of the connection."""
    for era in bench.eras:
        known = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "testbench-none"}}
        unknown = {"jsonrpc": "2.0", "method": "notifications/testbench/unknown", "params": {"x": 1}}
        lines = [json.dumps(known), json.dumps(unknown)]
        before, dead, answers = await survives(bench, era, lines)
        if dead:
            yield dead
        for text in before:
            message = parsed(text)
            if "method" not in message and ({"result", "error"} & message.keys()):
                yield Finding("a notification got an answer", "\n".join(lines), text, era=era)
        for line, answer in zip(lines, answers, strict=False):
            if answer.status is not None and (answer.status >= 500 or answer.status == 200):
                said = f"a notification got HTTP {answer.status}, not 202 Accepted"
                yield Finding(said, line, answer.received, era=era, severity="warning")


@check(
    "protocol.huge-message",
    "A message of 1 MB is answered or refused",
    severity="error",
    spec="basic/transports",
    fix="Read lines of any length up to a limit of yours, refuse what is longer, and go on.",
    profile="full",
)
async def huge_message(bench: Bench) -> AsyncGenerator[Finding]:
    """Files travel in arguments. A reader that stops at 64 KB hangs, or dies with the first picture."""

    for era in bench.eras:
        wire = await bench.shared(era)
        answer = await wire.request(wire.trivial, {"_meta": {"testbench/padding": "x" * HUGE}})
        if answer.came in ("result", "error") or answer.status == 413:
            continue
        if isinstance(wire, RawHttp) and answer.came == "closed" and await goes_on(wire) is None:
            continue  # it stopped reading, which is a refusal too
        yield Finding(f"1 MB got {answer.what}: {await _end(wire, answer)}", sent=answer.sent[:300], era=era)
        await bench.drop(era)
