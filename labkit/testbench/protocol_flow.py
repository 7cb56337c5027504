"""Several requests at a time: answered each under its id, cancelled, waited for, and listened to."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Any, cast

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.protocol import goes_on
from labkit.testbench.raw import HANDSHAKE, MODERN, PREFIX, Answer, Json, RawWire, answer_of, came_of, parsed
from labkit.testbench.raw_http import RawHttp
from labkit.testbench.raw_stdio import RawStdio
from labkit.testbench.tour import tour

CROWD = 12
"""Requests under way at the same time."""
NAP = 1.5
"""Seconds that the slow tool is asked to take."""


async def at_once(wire: RawWire, messages: list[Json], timeout: float = 10.0) -> list[Answer]:
    """Send all before the first is answered; the answers in the order of the requests."""
    if not isinstance(wire, RawStdio):
        return list(await asyncio.gather(*(wire.ask(message, timeout=timeout) for message in messages)))
    texts = [json.dumps(message) for message in messages]
    answers = [Answer("silence", text) for text in texts]
    began = time.perf_counter()
    try:
        await wire.write("".join(text + "\n" for text in texts).encode())
    except Exception:  # the pipe's own kinds differ by system
        return [Answer("closed", text) for text in texts]
    missing = set(range(len(messages)))
    while missing and (left := timeout - (time.perf_counter() - began)) > 0:
        if (line := await wire.next(left)) is None:
            break
        for number in sorted(missing):
            if (message := answer_of(line, messages[number]["id"])) is not None:
                taken = time.perf_counter() - began
                answers[number] = Answer(came_of(message), texts[number], line, message, taken)
                missing.discard(number)
                break
    return answers


@check(
    "protocol.concurrent",
    "Requests sent together are answered each under its own id",
    severity="error",
    spec="basic#requests",
    fix="Keep the id with its request, not in a variable of the connection, and read on while handlers run.",
)
async def concurrent(bench: Bench) -> AsyncGenerator[Finding]:
    """Hosts call several tools at a time; an answer under another's id goes to the wrong one."""
    for era in bench.eras:
        wire = await bench.shared(era)
        lists = [method for method in ("tools/list", "prompts/list") if bench.capability(era, method.partition("/")[0])]
        methods = [wire.trivial, "testbench/no-such-method", *lists]
        asked = [(methods[n % len(methods)], f"crowd-{n}" if n % 2 else 980_000 + n) for n in range(CROWD)]
        frames = [wire.frame(method, id=id) for method, id in asked]
        answers = await at_once(wire, frames, timeout=4.0)
        unanswered = [answer for answer in answers if answer.came not in ("result", "error")]
        if unanswered:
            said = f"of {CROWD} requests sent together, {len(unanswered)} got {unanswered[0].what}"
            yield Finding(said, "\n".join(a.sent for a in answers), unanswered[0].received, era=era)
            await bench.drop(era)
            continue
        for (method, _), answer in zip(asked, answers, strict=True):
            wanted = "error" if method.startswith("testbench/") else "result"
            member = method.partition("/")[0] if method in lists else None
            if answer.came != wanted or (member and member not in answer.result):
                said = f"{method}, sent together with others, got what is not its answer: {answer.what}"
                yield Finding(said, answer.sent, answer.received, era=era)
                break


async def slow_tool(bench: Bench, era: str) -> tuple[str, Json]:
    """A read-only tool that takes long. Raises NotApplicable when none was seen."""
    if not bench.capability(era, "tools") or (found := (await tour(bench, era)).slow) is None:
        raise NotApplicable("no tool that is marked read-only takes long, or has a parameter that says how long")
    return found


@check(
    "protocol.blocking",
    "A slow tool does not hold up everything else",
    severity="warning",
    spec="basic#requests",
    fix="Run slow work in a thread or await it: time.sleep in an async function stops the whole server.",
    profile="full",
)
async def blocking(bench: Bench) -> AsyncGenerator[Finding]:
    """While one tool works, the host cannot even ask whether the server lives, or cancel the call."""
    era = bench.eras[-1]
    name, given = await slow_tool(bench, era)
    async with bench.wire(era) as wire:
        call = wire.frame("tools/call", {"name": name, "arguments": given}, id="slow-call")
        slow, quick = await at_once(wire, [call, wire.frame(wire.trivial, id="quick-call")], timeout=NAP + 6)
        if slow.came == "result" and slow.seconds > 0.5 and quick.seconds > slow.seconds * 0.8:
            said = f"{wire.trivial} waited {quick.seconds:.1f} s for {name}, which took {slow.seconds:.1f} s"
            yield Finding(said, quick.sent, quick.received, subject=name, era=era)


@check(
    "protocol.cancellation",
    "A cancelled request gets no answer, and the server goes on",
    severity="warning",
    spec="basic/patterns/cancellation",
    fix="Read messages while handlers run, stop the handler of a cancelled request, and send nothing for it.",
    profile="full",
)
async def cancellation(bench: Bench) -> AsyncGenerator[Finding]:
    """The user has pressed stop: work that goes on costs, and its late answer is for nobody."""
    if bench.transport == "http" and HANDSHAKE not in bench.eras:
        raise NotApplicable("over HTTP a modern client cancels by closing the stream: whether work stops is not seen")
    if bench.transport == "http" and not bench.hellos[HANDSHAKE].headers.get("mcp-session-id"):
        raise NotApplicable("over HTTP without sessions a cancellation cannot be matched with its request")
    eras = bench.eras if bench.transport == "stdio" else [HANDSHAKE]
    tool = await slow_tool(bench, eras[-1])
    for found in await asyncio.gather(*(_cancelled(bench, era, *tool) for era in eras)):
        if found:
            yield found


async def _cancelled(bench: Bench, era: str, name: str, given: Json) -> Finding | None:
    async with bench.wire(era) as wire:
        call = wire.frame("tools/call", {"name": name, "arguments": given}, id="cancelled-call")
        pace, wire.pace = wire.pace, 1.0  # here it is silence that is waited for
        waiting = asyncio.create_task(wire.ask(call, timeout=NAP + 1.5))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)  # it must have arrived, and be under way
        if done:
            return None
        began = time.perf_counter()
        await wire.notify("notifications/cancelled", {"requestId": "cancelled-call", "reason": "testbench"})
        answer, wire.pace = await waiting, pace
        late = time.perf_counter() - began
        if (dead := await goes_on(wire)) is not None:
            said = f"after {name} was cancelled the server gives {dead.what}"
            return Finding(said, answer.sent, dead.received, subject=name, era=era, severity="error")
        if answer.came == "result" and late > 0.3 and not answer.result.get("isError"):
            said = f"{name} was cancelled after 0.2 s, and went on: its result came {late:.1f} s later"
            return Finding(said, answer.sent, answer.received, subject=name, era=era)
        if answer.came in ("result", "error"):
            said = f"{name} was cancelled, and stopped; but got {answer.what}, where nothing should be sent"
            return Finding(said, answer.sent, answer.received, subject=name, era=era, severity="info")
        return None


FILTERS = {
    "toolsListChanged": ("tools", "listChanged"),
    "promptsListChanged": ("prompts", "listChanged"),
    "resourcesListChanged": ("resources", "listChanged"),
}
"""What can be listened to, and the capability that announces it."""


@check(
    "protocol.subscriptions",
    "subscriptions/listen is acknowledged, if it is announced",
    severity="error",
    spec="basic/patterns/subscriptions#acknowledgment",
    fix="Send notifications/subscriptions/acknowledged first, with the id of the request as subscriptionId in _meta.",
)
async def subscriptions(bench: Bench) -> AsyncGenerator[Finding]:
    """Without the acknowledgement a client does not know that changes will be told, and must ask again and again."""
    wanted = _announced(bench)
    wire = await bench.shared(MODERN)
    for id in ("listen-1", 970_001):
        frame = wire.frame("subscriptions/listen", {"notifications": wanted}, id=id)
        text = json.dumps(frame)
        first = await _first(wire, frame, text)
        said = _acknowledges(first, id, wanted)
        if said:
            yield Finding(said, text, first, era=MODERN)
            await bench.drop(MODERN)
            return
        if isinstance(wire, RawStdio):
            await wire.notify("notifications/cancelled", {"requestId": id})
    if (dead := await goes_on(wire)) is not None:
        yield Finding(f"after the subscription was cancelled the server gives {dead.what}", era=MODERN)
        await bench.drop(MODERN)


def _announced(bench: Bench) -> Json:
    if MODERN not in bench.eras:
        raise NotApplicable("the server does not speak 2026-07-28")
    capabilities: Any = bench.hellos[MODERN].result.get("capabilities")
    found: Json = {}
    for name, (capability, member) in FILTERS.items():
        offered = cast(Json, capabilities).get(capability) if isinstance(capabilities, dict) else None
        if isinstance(offered, dict) and cast(Json, offered).get(member) is True:
            found[name] = True
    if not found:
        raise NotApplicable("the server announces no listChanged")
    return found


async def _first(wire: RawWire, frame: Json, text: str) -> str:
    """The first message for the subscription; "" when none comes."""
    id = frame["id"]
    if isinstance(wire, RawHttp):
        answer = await wire.post(text, wire.headers(frame), id=id, timeout=5.0, enough=1)
        return answer.before[0] if answer.before else answer.received
    assert isinstance(wire, RawStdio)
    await wire.write(text.encode() + b"\n")
    deadline = time.perf_counter() + 5.0
    while (left := deadline - time.perf_counter()) > 0 and (line := await wire.next(left)) is not None:
        if answer_of(line, id) is not None or "subscriptionId" in line:
            return line
    return ""


def _acknowledges(text: str, id: Any, wanted: Json) -> str:
    """What is wrong with the first message; "" when nothing is."""
    message = parsed(text)
    if not message:
        return "subscriptions/listen got nothing within 5 s, though changes are announced"
    if message.get("method") != "notifications/subscriptions/acknowledged":
        what = message.get("method") or ("an error" if "error" in message else "a result")
        return f"the first message of a subscription is {what}, not its acknowledgement"
    given = cast(Json, message.get("params") or {})
    found = cast(Json, given.get("_meta") or {}).get(f"{PREFIX}subscriptionId")
    if type(found) is not type(id) or found != id:
        return f"the acknowledgement has the subscriptionId {found!r}, not that of its request, {id!r}"
    more = set(cast(Json, given.get("notifications") or {})) - set(wanted)
    return f"the acknowledgement has what was not asked for: {', '.join(sorted(more))}" if more else ""
