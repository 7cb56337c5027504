"""Many inputs to each tool, right, wrong and extreme: nothing may end the server, hang it, or break the protocol.

Inputs come from the schemas and the seed of the run: the same seed, the same inputs. Time is bounded by `SHARES`.
Tools that are not read-only are called with `allow_destructive` only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.contract import listed, named
from labkit.testbench.contract_kept import broken_promise
from labkit.testbench.inputs import call_line, extremes, wrong
from labkit.testbench.raw import Answer, Json
from labkit.testbench.schemas import as_object, canonical, expand, fault
from labkit.testbench.tour import fitting, read_only, waiting
from labkit.testbench.trying import LATE, MILD, SOON, WORDS, ask, confirmed

if TYPE_CHECKING:
    from labkit.testbench.search import Hunt

EXAMPLES = 40
"""Right inputs that each tool gets, at most."""
FEWEST = 12
"""How many it gets though time is up."""
SHARES = {"valid": 3.0, "invalid": 1.5, "strings": 2.0, "sequence": 1.5}
"""Seconds for each check; less when the whole run has less than a minute."""
HASTE = 2
"""Smaller inputs that are looked for when one hangs: each costs its time."""
LONGEST = 6.0
"""Seconds for a check before what it suspects is confirmed."""


def share(bench: Bench, what: str) -> float:
    """Until when this check may go on, as `time.monotonic()`."""
    return time.monotonic() + SHARES[what] * min(1.0, bench.options.budget / 60)


async def callable_tools(bench: Bench) -> list[Json]:
    """Tools that may be called, and whose schema can be used. Raises NotApplicable when there are none."""
    tools = (await listed(bench, bench.eras[-1]))["tools/list"]
    if not tools:
        raise NotApplicable("the server has no tools")
    allowed = [tool for tool in tools if bench.options.allow_destructive or read_only(tool)]
    if not allowed:
        raise NotApplicable("no tool is marked read-only: the others are called with --allow-destructive only")
    usable = [tool for tool in allowed if not fault(tool.get("inputSchema")) and isinstance(tool.get("name"), str)]
    if not usable:
        raise NotApplicable("no tool has a usable schema: contract.schemas says what is wrong")
    return usable


@dataclass
class Run:
    """What right inputs did."""

    hunts: dict[str, Hunt] = field(default_factory=dict[str, "Hunt"])
    skipped: dict[str, str] = field(default_factory=dict[str, str])


_RUNS: WeakKeyDictionary[Bench, Run] = WeakKeyDictionary()


async def right_inputs(bench: Bench) -> Run:
    """Right inputs to each tool; made once for the checks that look at it."""
    if bench in _RUNS:
        return _RUNS[bench]
    run, tools = Run(), await callable_tools(bench)
    hunt, right, impossible = await asyncio.to_thread(_hypothesis)
    until = share(bench, "valid")
    latest = until + LONGEST - SHARES["valid"]
    for number, tool in enumerate(tools):
        if time.monotonic() > latest:
            break
        slice_end = time.monotonic() + max(0.0, until - time.monotonic()) / (len(tools) - number)
        slow: list[str] = []

        async def trial(value: Any, tool: Json = tool, slow: list[str] = slow) -> str:
            if "" in slow or len(slow) > HASTE:
                return ""  # it works for long, and says so; or it hangs, and enough smaller inputs were tried
            # Once it is known to hang, smaller inputs are looked for in haste; what is found is confirmed in the end.
            kind, answer = await ask(bench, named(tool), value, patience=0.5 if slow else SOON)
            if kind == "hang" and as_object(tool.get("annotations")).get("openWorldHint") is True:
                kind = ""  # it waits for others
            if answer.came == "silence":
                slow.append(kind)
            return kind or ("output" if broken_promise(tool, answer) else "")

        try:
            strategy = right(tool["inputSchema"])
        except impossible as why:
            run.skipped[named(tool)] = str(why)
            continue
        seed = bench.options.seed
        made = await hunt(strategy, trial, number=seed, most=EXAMPLES, least=FEWEST, until=slice_end, latest=latest)
        run.hunts[named(tool)] = made
        if made.why:
            run.skipped[named(tool)] = made.why
    _RUNS[bench] = run
    return run


def _hypothesis() -> tuple[Any, Any, Any]:
    # In a thread, and when it is needed: importing it takes a second.
    from labkit.testbench.search import hunt
    from labkit.testbench.strategies import Impossible, right

    return hunt, right, Impossible


async def _told(bench: Bench, tool: str, kind: str, inputs: list[Any], tried: int) -> Finding | None:
    for value in inputs:
        if (answer := await confirmed(bench, tool, value, kind)) is not None:
            said = f"{WORDS[kind]} (seed {bench.options.seed}, {tried} inputs tried)"
            return Finding(
                said,
                answer.sent,
                answer.received,
                subject=f"tool {tool}",
                era=bench.eras[-1],
                call=call_line(tool, value),
                severity=MILD.get(kind),
            )
    return None


@check(
    "fuzz.valid",
    "Arguments that the schema allows do no harm",
    severity="error",
    spec="server/tools#error-handling",
    fix="Catch what can go wrong in the tool and answer with isError and a sentence, or narrow the schema.",
    profile="full",
)
async def valid(bench: Bench) -> AsyncGenerator[Finding]:
    """A model sends whatever the schema allows: the empty list and zero too."""
    run = await right_inputs(bench)
    for tool, made in run.hunts.items():
        for kind, inputs in made.found.items():
            if kind != "output" and (finding := await _told(bench, tool, kind, inputs, made.tried)):
                yield finding
    for tool, why in run.skipped.items():
        yield Finding(f"not tried: {why}", subject=f"tool {tool}", severity="info")


@check(
    "fuzz.output",
    "Whatever comes in, what comes out is as the output schema says",
    severity="error",
    spec="server/tools#output-schema",
    fix="Widen the output schema to what the tool returns, null and empty results included, or return what it says.",
    profile="full",
)
async def output(bench: Bench) -> AsyncGenerator[Finding]:
    """The results that break the schema are those of inputs nobody thought of."""
    tools = {named(tool): tool for tool in await callable_tools(bench) if "outputSchema" in tool}
    if not tools:
        raise NotApplicable("no tool that may be called has an output schema")
    for tool, made in (await right_inputs(bench)).hunts.items():
        for value in made.found.get("output", [])[:1]:
            _, answer = await ask(bench, tool, value, patience=LATE)
            if breach := broken_promise(tools[tool], answer):
                said = f"{breach} (seed {bench.options.seed}, {made.tried} inputs tried)"
                line = call_line(tool, value)
                yield Finding(said, answer.sent, answer.received, subject=f"tool {tool}", era=bench.eras[-1], call=line)


@check(
    "fuzz.invalid",
    "Arguments that the schema forbids are refused, clearly",
    severity="warning",
    spec="server/tools#error-handling",
    fix="Check arguments against the input schema before the tool runs; say which is wrong, with isError or -32602.",
    profile="full",
)
async def invalid(bench: Bench) -> AsyncGenerator[Finding]:
    """A wrong value that is taken for a right one makes a wrong answer, which nobody will question."""
    until = share(bench, "invalid")
    for tool in await callable_tools(bench):
        name, schema = named(tool), tool["inputSchema"]
        taken: list[tuple[str, Json, Answer]] = []
        for what, arguments in wrong(schema, fitting(expand(schema))):
            if time.monotonic() > until:
                break
            kind, answer = await ask(bench, name, arguments)
            if not kind and answer.came == "result" and answer.result.get("isError") is not True:
                if answer.result.get("resultType", "complete") == "complete":
                    taken.append((what, arguments, answer))
            elif kind and (finding := await _told(bench, name, kind, [arguments], 1)):
                finding.message = f"where {what}, {WORDS[kind]}"
                finding.severity = MILD.get(kind, "error")
                yield finding
                break
        if taken:
            what, arguments, answer = taken[0]
            more = f" ({len(taken)} such were taken)" if len(taken) > 1 else ""
            said = f"it answers as if nothing were wrong where {what}{more}"
            line = call_line(name, arguments)
            yield Finding(said, answer.sent, answer.received, subject=f"tool {name}", era=bench.eras[-1], call=line)


@check(
    "fuzz.strings",
    "Any text, and numbers of any size, do no harm",
    severity="error",
    spec="server/tools#error-handling",
    fix="Say which encoding you use wherever text becomes bytes (UTF-8), and bound numbers and lengths in the schema.",
    profile="full",
)
async def strings(bench: Bench) -> AsyncGenerator[Finding]:
    """Names have accents, files hold NUL bytes, models repeat themselves, and JSON numbers have no limit."""
    until = share(bench, "strings")
    tools = await callable_tools(bench)
    for number, tool in enumerate(tools):
        name, schema = named(tool), tool["inputSchema"]
        end = time.monotonic() + max(0.0, until - time.monotonic()) / (len(tools) - number)
        base = fitting(expand(schema))
        if waiting(tool, base) is not None:
            continue
        for argument, value, must in extremes(schema, base):
            if time.monotonic() > end:
                break
            kind, answer = await ask(bench, name, {**base, argument: value}, patience=SOON if must else 0.5)
            patient = not must or as_object(tool.get("annotations")).get("openWorldHint") is True
            if kind in MILD or (kind in ("hang", "garbage") and patient):
                continue
            if kind and await confirmed(bench, name, {**base, argument: value}, kind):
                least = await _less(bench, name, base, argument, value, kind)
                said = f"{argument!r} is {_shown(least)}: {WORDS[kind]}"
                line = call_line(name, {**base, argument: least})
                yield Finding(said, answer.sent, answer.received, subject=f"tool {name}", era=bench.eras[-1], call=line)
                break


async def _less(bench: Bench, tool: str, base: Json, argument: str, value: Any, kind: str) -> Any:
    """One character of a text that does the same, or a shorter text; the value itself when there is none."""
    if not isinstance(value, str) or kind != "crash":
        return value
    tries = list(dict.fromkeys(value))[:12] if len(value) < 200 else []
    size = len(value)
    while size > 1 and len(value) >= 200:
        size //= 2
        tries.append(value[:size])
    least: Any = value
    for text in tries:
        again, _ = await ask(bench, tool, {**base, argument: text}, patience=SOON)
        if again == kind:
            least = text
            if len(text) == 1:
                break
        elif len(value) >= 200:
            break
    return least


def _shown(value: Any) -> str:
    text = ascii(value) if isinstance(value, str) else canonical(value)
    return text if len(text) < 60 else f"{text[:40]}... ({len(text):,} characters)"
