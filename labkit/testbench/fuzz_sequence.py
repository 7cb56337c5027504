"""Sequences of calls: what is made by one tool is used, changed and deleted by others, in any order.

A sequence draws its calls from the schemas of all tools that may be called; arguments are replaced by values of earlier
results, as a program would pass on an id. After each the server must be there and list its tools. What fails is shrunk
to the shortest sequence that still does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any, cast

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.contract import named
from labkit.testbench.fuzz import LONGEST, SHARES, callable_tools, share
from labkit.testbench.inputs import call_line
from labkit.testbench.raw import Answer, Json
from labkit.testbench.schemas import misfit
from labkit.testbench.tour import objects
from labkit.testbench.trying import LATE, SOON, WORDS, ask

MOST = 80
"""Sequences."""
LENGTH = 10
"""Calls of the longest."""
FEWEST = 20
"""Sequences that are tried though time is up."""
Calls = list[tuple[str, Json]]


def values_of(answer: Answer) -> Iterator[Any]:
    """What a result holds that a later call could use: numbers and short texts, of its structure or its text."""
    todo: list[Any] = [answer.result.get("structuredContent")]
    todo += [part.get("text") for part in objects(answer.result.get("content"))]
    for _ in range(200):
        if not todo:
            return
        value = todo.pop(0)
        if isinstance(value, dict):
            todo += cast(Json, value).values()
        elif isinstance(value, list):
            todo += cast("list[Any]", value)
        elif isinstance(value, str) and 0 < len(value) < 200:
            yield value
            yield from (word for word in value.replace(":", " ").split()[-2:] if word != value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield value


def with_earlier(tool: Json, arguments: Json, earlier: list[Any], reuse: list[tuple[int, int]]) -> Json:
    """The arguments with some replaced by values of earlier results, where the schema allows it.

    Numbers in `reuse` count from the latest: what was made, changed or deleted just now is worth using.
    """
    made = dict(arguments)
    for which, value in reuse if earlier and arguments else []:
        name = sorted(arguments)[which % len(arguments)]
        tried = {**made, name: earlier[-1 - value % len(earlier)]}
        if not misfit(tool["inputSchema"], tried):
            made = tried
    return made


async def play(
    bench: Bench, tools: dict[str, Json], steps: Any, made: Calls, latest: float
) -> tuple[str, Answer | None]:
    """Make the calls of one sequence, noting them in `made`: what went wrong, or '', and the answer in question."""
    earlier: list[Any] = []
    for name, arguments, reuse in steps:
        if time.monotonic() > latest:
            return "", None
        given = with_earlier(tools[name], arguments, earlier, reuse)
        made.append((name, given))
        kind, answer = await ask(bench, name, given)
        if kind in ("crash", "stuck", "garbage"):
            return kind, answer
        if answer.came == "silence":
            return "", None  # it is at work, or slow: fuzz.valid tells of calls that hang by themselves
        used = [value for value in given.values() if value in earlier]
        earlier += [value for value in values_of(answer) if value not in earlier]
        earlier += used
    return await _still_lists(bench)


async def _still_lists(bench: Bench) -> tuple[str, Answer | None]:
    wire = await bench.shared(bench.eras[-1])
    answer = await wire.request("tools/list", timeout=SOON)
    if answer.came == "result" and isinstance(answer.result.get("tools"), list):
        return "", None
    return "list", answer


async def _repeat(bench: Bench, calls: Calls, kind: str) -> Answer | None:
    """The answer when the very same calls go wrong in a server that has just begun; else None."""
    await bench.drop(bench.eras[-1])
    for number, (name, arguments) in enumerate(calls, 1):
        again, answer = await ask(bench, name, arguments, patience=LATE if number == len(calls) else SOON)
        if again == kind:
            return answer
        if again:
            return None
    again, listing = await _still_lists(bench)
    return listing if again == kind else None


def _hypothesis() -> tuple[Any, Any, Any, Any]:
    from hypothesis import strategies as st

    from labkit.testbench.search import hunt
    from labkit.testbench.strategies import Impossible, right

    return st, hunt, right, Impossible


@check(
    "fuzz.sequence",
    "No sequence of calls brings it down",
    severity="error",
    spec="server/tools#error-handling",
    fix="Make the calls that are shown, one after the other: each tool must cope with what the others leave behind.",
    profile="full",
)
async def sequence(bench: Bench) -> AsyncGenerator[Finding]:
    """Tools that work one by one fail after each other: read what was deleted, delete it twice, list when empty."""
    tools = {named(tool): tool for tool in await callable_tools(bench)}
    st, hunt, right, impossible = await asyncio.to_thread(_hypothesis)
    steps: list[Any] = []
    for name, tool in tools.items():
        try:
            some = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=2)
            reuse = st.just([]) | some
            steps.append(st.tuples(st.just(name), right(tool["inputSchema"]), reuse))
        except impossible:
            continue  # fuzz.valid says why
    if len(steps) < 2:
        raise NotApplicable("it takes two tools that may be called")
    until = share(bench, "sequence")
    latest = until + LONGEST - SHARES["sequence"]
    met: dict[str, tuple[Calls, Answer | None]] = {}

    async def trial(value: Any) -> str:
        if met:
            await bench.drop(bench.eras[-1])  # each attempt to shrink begins anew, as whoever repeats it does
        made: Calls = []
        kind, answer = await play(bench, tools, value, made, latest)
        if kind and (kind not in met or len(made) <= len(met[kind][0])):
            met[kind] = made, answer
        return kind

    strategy = st.lists(st.one_of(steps), min_size=2, max_size=LENGTH)
    number = bench.options.seed
    limits = {"most": MOST, "least": FEWEST, "until": until, "latest": latest}
    tried = await hunt(strategy, trial, number=number, remember=False, **limits)
    words: dict[str, str] = {**WORDS, "list": "the server no longer lists its tools"}
    for kind, (calls, answer) in met.items():
        again = await _repeat(bench, calls, kind)
        if again is None and kind == "stuck":
            continue  # it was slow, once
        answer = again or answer
        note = "" if again else ", not repeated in a fresh server: it depends on what was called before"
        said = f"after {len(calls)} calls: {words[kind]} (seed {number}, {tried.tried} sequences tried{note})"
        lines = "\n".join(call_line(name, arguments) for name, arguments in calls)
        subject = f"tool {calls[-1][0]}"
        sent, received = (answer.sent, answer.received) if answer else ("", "")
        yield Finding(said, sent, received, subject=subject, era=bench.eras[-1], call=lines)
