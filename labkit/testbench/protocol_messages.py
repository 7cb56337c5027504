"""Everything that the server said while the other checks ran, message by message. The last of its section."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, cast

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.protocol import goes_on
from labkit.testbench.raw import MODERN, PREFIX, Json, RawWire, is_message, parsed
from labkit.testbench.shapes import methods_of, shape_problems
from labkit.testbench.tour import tour

MOST = 5
"""Findings of one kind that are told."""


async def _toured(bench: Bench) -> list[RawWire]:
    """Every wire there was, after the tours: without them little has been said."""
    for era in bench.eras:
        await tour(bench, era)
        wire = await bench.shared(era)
        await goes_on(wire)  # what came late is heard before this is answered
    return bench.opened


def heard(wire: RawWire) -> Iterator[tuple[str, Json]]:
    """The messages that the server sent on this wire."""
    for way, text in wire.transcript:
        if way == "received" and is_message(text):
            yield text, parsed(text)


async def _judged(bench: Bench, wrong: Callable[[Json], str]) -> AsyncGenerator[Finding]:
    """What `wrong` says about messages of the server; about the first few of them."""
    told = 0
    for wire in await _toured(bench):
        for text, message in heard(wire):
            if (said := wrong(message)) and (told := told + 1) <= MOST:
                yield Finding(said, received=text, era=wire.era)


@check(
    "protocol.exactly-one",
    "An answer has a result or an error, and never both",
    severity="error",
    spec="basic#responses",
    fix="Leave the error member out of a result, and the result member out of an error; null counts as there.",
)
async def exactly_one(bench: Bench) -> AsyncGenerator[Finding]:
    """One client looks for the error first, another for the result: they disagree about what happened."""

    def wrong(message: Json) -> str:
        return "an answer has both a result and an error" if {"result", "error"} <= message.keys() else ""

    async for finding in _judged(bench, wrong):
        yield finding


@check(
    "protocol.error-shape",
    "An error has an integer code and a message",
    severity="error",
    spec="basic#error-responses",
    fix='Send {"code": INTEGER, "message": TEXT}, with details in data.',
)
async def error_shape(bench: Bench) -> AsyncGenerator[Finding]:
    """Clients show the message and decide by the code."""
    async for finding in _judged(bench, _wrong_error):
        yield finding


def _wrong_error(message: Json) -> str:
    if "error" not in message or "result" in message:
        return ""
    error: Any = message["error"]
    if not isinstance(error, dict):
        return f"the error is {type(error).__name__}, not an object"
    code, said = cast(Json, error).get("code"), cast(Json, error).get("message")
    if not isinstance(code, int) or isinstance(code, bool):
        return f"the code of an error is {code!r}, not an integer"
    return "" if isinstance(said, str) else f"the message of an error is {said!r}, not a text"


@check(
    "protocol.answers-once",
    "A request is answered once",
    severity="error",
    spec="basic#responses",
    fix="Leave the handler after the answer was sent: often an exception handler sends a second one.",
    transports=["stdio"],
)
async def answers_once(bench: Bench) -> AsyncGenerator[Finding]:
    """The second answer belongs to nothing, or to a later request that has the same id."""
    told = 0
    for wire in await _toured(bench):
        asked, answered = _counted(wire, "sent"), _counted(wire, "received")
        for key, texts in answered.items():
            if len(texts) > max(1, len(asked.get(key, []))) and (told := told + 1) <= MOST:
                yield Finding(
                    f"request {key[1]!r} was answered {len(texts)} times", received="\n".join(texts), era=wire.era
                )


def _counted(wire: RawWire, way: str) -> dict[tuple[str, Any], list[str]]:
    """Messages of one direction by id: requests that were sent, answers that were received."""
    found: dict[tuple[str, Any], list[str]] = {}
    for direction, text in wire.transcript:
        message = parsed(text) if direction == way else {}
        wanted = "method" in message if way == "sent" else bool({"result", "error"} & message.keys())
        if wanted and isinstance(id := message.get("id"), int | str):
            found.setdefault((type(id).__name__, id), []).append(text)
    return found


@check(
    "protocol.no-server-requests",
    "In the modern era the server sends no requests",
    severity="error",
    spec="basic/transports/stdio#receiving-messages",
    fix="Answer with resultType input_required and the questions in inputRequests; the client calls again.",
)
async def no_server_requests(bench: Bench) -> AsyncGenerator[Finding]:
    """There is no way back to the server: a modern client does not answer, and the tool waits for ever."""
    if MODERN not in bench.eras:
        raise NotApplicable("the server does not speak 2026-07-28")
    for wire in await _toured(bench):
        for text, message in heard(wire) if wire.modern else ():
            if "method" in message and "id" in message:
                yield Finding(f"the server sent the request {message['method']}", received=text, era=wire.era)
                return


@check(
    "protocol.unasked",
    "Nothing is told that was not asked for",
    severity="warning",
    spec="server/utilities/logging#requesting-log-messages",
    fix="Send log messages only for requests with a logLevel in _meta, progress only for those with a progressToken,"
    " and changes only to those who listen.",
)
async def unasked(bench: Bench) -> AsyncGenerator[Finding]:
    """A modern request says what it wants to hear; everything else is noise, and may be someone else's."""
    told = set[str]()
    for wire in await _toured(bench):
        tokens, listening = _wanted(wire)
        for text, message in heard(wire):
            method, given = str(message.get("method", "")), cast(Json, message.get("params") or {})
            meta = cast(Json, given.get("_meta") or {}) if isinstance(given.get("_meta"), dict) else {}
            said = ""
            if method == "notifications/progress" and given.get("progressToken") not in tokens:
                said = "progress was told to a request without a progressToken"
            elif wire.modern and method == "notifications/message":
                said = "a log message was sent, and no request had a logLevel"
            elif (
                wire.modern
                and method.endswith(("list_changed", "/updated"))
                and meta.get(f"{PREFIX}subscriptionId") not in listening
            ):
                said = f"{method} was sent outside of a subscription"
            if said and said + wire.era not in told:
                told.add(said + wire.era)
                yield Finding(said, received=text, era=wire.era)


def _wanted(wire: RawWire) -> tuple[list[Any], list[Any]]:
    """The progress tokens that were given on this wire, and the ids of its subscriptions."""
    tokens: list[Any] = []
    listening: list[Any] = []
    for way, text in wire.transcript:
        message = parsed(text) if way == "sent" else {}
        if message.get("method") == "subscriptions/listen":
            listening.append(message.get("id"))
        if '"progressToken"' in text and isinstance(given := message.get("params"), dict):
            tokens.append(cast(Json, cast(Json, given).get("_meta") or {}).get("progressToken"))
    return tokens, listening


@check(
    "protocol.schema",
    "Every message has the shape that the published schema gives it",
    severity="error",
    spec="schema",
    fix="Build messages with the types of an SDK; leave members out that have no value instead of sending null.",
)
async def schema(bench: Bench) -> AsyncGenerator[Finding]:
    """Typed clients refuse the whole message, and with it the list or the result, for one member of the wrong type."""
    told = dict[str, Finding]()
    for wire in await _toured(bench):
        methods = methods_of(wire)
        for text, message in heard(wire):
            what, wrong = shape_problems(wire, message, methods)
            if not wrong:
                continue
            sent = next((sent for sent in _requests(wire, message)), "")
            finding = Finding(f"{what}: {'; '.join(wrong)}", sent, text, era=wire.era)
            told.setdefault(f"{wire.era} {what} {wrong[0]}", finding)
    for finding in list(told.values())[: 2 * MOST]:
        yield finding


def _requests(wire: RawWire, answer: Json) -> Iterator[str]:
    needle = json.dumps(answer.get("id"))
    for way, text in wire.transcript:
        if way == "sent" and needle in text and parsed(text).get("id") == answer.get("id"):
            yield text
