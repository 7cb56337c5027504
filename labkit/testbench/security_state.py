"""What a server remembers of its clients, and hands out to them: handles that can be guessed, and state that can be
changed on its way back.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import Any

from labkit.testbench.bench import Bench
from labkit.testbench.canary import word
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.inputs import call_line
from labkit.testbench.raw import MODERN, PREFIX, Answer, Json, RawWire
from labkit.testbench.schemas import as_object
from labkit.testbench.security import SECONDS, worked
from labkit.testbench.tour import fitting, objects, sample, tour

_HANDLE = re.compile(r"handle|session|cart|basket|draft|conversation|upload|wizard|\bjob\b|job_?id", re.IGNORECASE)
"""Words for what belongs to one client. The number of a ticket or a note is for everybody who may read it."""
_COUNTED = re.compile(r"(\D*)(\d{1,9})")
TRIES = 12
"""Places of a state that are changed."""
_META: Json = {f"{PREFIX}clientCapabilities": {"elicitation": {"form": {}}, "sampling": {}, "roots": {}}}
"""A client that can answer whatever it is asked."""


@check(
    "security.handles",
    "Handles cannot be guessed",
    severity="error",
    spec="tutorials/security/security_best_practices#state-handle-hijacking",
    fix="Make handles of at least 128 random bits (secrets.token_urlsafe(16)), look them up under the verified user,"
    " and let them end.",
    transports=["http"],
    profile="full",
)
async def handles(bench: Bench) -> AsyncGenerator[Finding]:
    """A client is given a handle, and a second client counts back from its own to that of the first, and uses it."""
    era = bench.eras[-1]
    tools = (await tour(bench, era)).safe_tools(bench.options.allow_destructive)
    if not (makers := _makers(tools)):
        raise NotApplicable("no tool that may be called without arguments says that it gives a handle")
    wires = [await bench.open(era) for _ in "ab"]
    try:
        for wire in wires:
            await wire.greet()
        for maker in makers:
            given = [handle_of(await wire.call(str(maker.get("name")), {}, timeout=3.0)) for wire in wires]
            if not (guess := guessed(*given)):
                continue
            for name, arguments in uses(tools, guess):
                mine = await wires[1].call(name, arguments, timeout=3.0)
                wrong = next(each for user, each in uses(tools, f"{guess}{word()}") if user == name)
                if worked(mine) and not worked(await wires[1].call(name, wrong, timeout=3.0)):
                    said = f"its handles count: given {given[1]!r}, another client guessed and used {guess!r}"
                    subject = f"tool {maker.get('name')}"
                    yield Finding(said, mine.sent, mine.received, subject, era, call_line(name, arguments))
                    break
    finally:
        for wire in wires:
            await wire.close()


def _makers(tools: list[Json]) -> list[Json]:
    """The tools that say that they give a handle, and need nothing for it."""
    said = [tool for tool in tools if _HANDLE.search(f"{tool.get('name')} {tool.get('description')}")]
    return [tool for tool in said if not as_object(tool.get("inputSchema")).get("required")]


def handle_of(answer: Answer) -> str:
    """What a tool gave: its text, when that is one word, or a member of its result that has the name of a handle."""
    if not worked(answer):
        return ""
    given = as_object(answer.result.get("structuredContent"))
    texts = [str(part.get("text", "")) for part in objects(answer.result.get("content"))]
    if not given and len(texts) == 1 and texts[0].startswith("{"):
        try:
            given = as_object(json.loads(texts[0]))
        except ValueError:
            given = {}
    named = [str(value) for key, value in given.items() if _HANDLE.search(key) or key.lower().endswith("id")]
    lone = [str(given["result"])] if set(given) == {"result"} else []
    return next((each for each in [*named, *lone, *texts] if each and len(each.split()) == 1), "")


def guessed(first: str, second: str) -> str:
    """The handle before the second, when that is the first; "" when they do not count."""
    one, two = _COUNTED.fullmatch(first), _COUNTED.fullmatch(second)
    if not (one and two) or one[1] != two[1] or int(two[2]) - int(one[2]) != 1:
        return ""
    before = f"{two[1]}{int(two[2]) - 1:0{len(two[2])}}"
    return before if before == first else f"{two[1]}{int(two[2]) - 1}"


def uses(tools: list[Json], handle: str) -> Iterator[tuple[str, Json]]:
    """Calls that take a handle: of each tool, with the handle in the first argument that it needs."""
    for tool in tools:
        schema = as_object(tool.get("inputSchema"))
        kinds = {n: as_object(part).get("type") for n, part in as_object(schema.get("properties")).items()}
        arguments = fitting(schema)
        for name in [name for name in arguments if kinds.get(name) in ("string", "integer")][:1]:
            value: Any = int(handle) if kinds[name] == "integer" and handle.isdecimal() else handle
            yield str(tool.get("name")), {**arguments, name: value}


@check(
    "security.request-state",
    "State that was changed on its way is refused",
    severity="error",
    spec="basic/patterns/mrtr#security-considerations",
    fix="Seal requestState (AES-GCM, or a signature): to the user, to the call, and with an end; refuse what does not"
    " open.",
    profile="full",
)
async def request_state(bench: Bench) -> AsyncGenerator[Finding]:
    """What a server asks the user comes back with a state that its client held: one letter of it is another then."""
    if MODERN not in bench.eras:
        raise NotApplicable("requestState is of 2026-07-28")
    wire = await bench.shared(MODERN)
    tools = (await tour(bench, MODERN)).safe_tools(bench.options.allow_destructive)
    given = [handle_of(await wire.call(str(maker.get("name")), {}, timeout=3.0)) for maker in _makers(tools)]
    calls = [(str(tool.get("name")), fitting(tool.get("inputSchema"))) for tool in tools]
    calls += [call for handle in given if handle for call in uses(tools, handle)]
    deadline, stateful = time.monotonic() + SECONDS, 0
    for name, arguments in calls:
        if time.monotonic() > deadline:
            return
        asked = await _ask(wire, name, arguments)
        if not isinstance(state := asked.result.get("requestState"), str):
            continue
        stateful += 1
        if not _done(await _tell(wire, name, arguments, asked, state)):
            continue  # it is not content with our answers, or wants to know more: what it would refuse is not seen
        for number in range(TRIES):
            asked = await _ask(wire, name, arguments)  # each question may have a state of its own, good for once
            state = str(asked.result.get("requestState"))
            changed = altered(state, number)
            if changed and _done(told := await _tell(wire, name, arguments, asked, changed)):
                said = f"takes a state that was changed on its way: {changed[:80]!r} for {state[:80]!r}"
                yield Finding(said, told.sent, told.received, f"tool {name}", MODERN)
                break
    if not stateful:
        raise NotApplicable("no tool that may be called asks something and gives a requestState with it")


def altered(state: str, number: int) -> str:
    """The state with one letter or digit of what it says replaced, at one of `TRIES` places; "" when there is none.

    What is base64 of a text is changed as that text, as somebody would who read it.
    """
    inner = state
    with suppress(ValueError):
        inner = base64.urlsafe_b64decode(state + "=" * (-len(state) % 4)).decode()
    places = [at for at, each in enumerate(inner) if each.isascii() and each.isalnum()]
    if not places:
        return ""
    # Last digits first: in a state that can be read they are those of counts, ids and times.
    ends = [at for at in places if inner[at].isdecimal() and not inner[at + 1 : at + 2].isdecimal()][: TRIES // 2]
    others = [at for at in places if at not in ends]
    spread = others[:: max(1, len(others) // (TRIES - len(ends)))]
    at = [*ends, *spread][number % len([*ends, *spread])]
    old = inner[at]
    new = str((int(old) + 1) % 10) if old.isdecimal() else "b" if old in "aA" else "a"
    changed = inner[:at] + new + inner[at + 1 :]
    if inner is state:
        return changed
    made = base64.urlsafe_b64encode(changed.encode()).decode()
    return made if len(state) % 4 == 0 else made.rstrip("=")  # some want the padding, and some do not


async def _ask(wire: RawWire, name: str, arguments: Json) -> Answer:
    return await wire.request("tools/call", {"name": name, "arguments": arguments, "_meta": _META}, timeout=3.0)


async def _tell(wire: RawWire, name: str, arguments: Json, asked: Answer, state: str) -> Answer:
    """The second round: every question answered as a user would who agrees."""
    requests = as_object(asked.result.get("inputRequests"))
    more = {"inputResponses": {key: _agreed(as_object(each)) for key, each in requests.items()}, "requestState": state}
    params = {"name": name, "arguments": arguments, "_meta": _META, **more}
    return await wire.request("tools/call", params, timeout=3.0)


def _agreed(request: Json) -> Json:
    if request.get("method") == "roots/list":
        return {"roots": []}
    if request.get("method") == "sampling/createMessage":
        return {"role": "assistant", "content": {"type": "text", "text": "yes"}, "model": "testbench"}
    properties = as_object(as_object(as_object(request.get("params")).get("requestedSchema")).get("properties"))
    content = {name: as_object(part).get("type") == "boolean" or sample(part) for name, part in properties.items()}
    return {"action": "accept", "content": content}


def _done(answer: Answer) -> bool:
    return worked(answer) and answer.result.get("resultType", "complete") == "complete"
