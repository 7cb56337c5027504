"""How it bears load: latency and throughput with 1, 8 and 64 calls in flight, a slow reader, memory over many calls.

Figures are not judged: a machine is fast or slow, and a tool has its own work to do. What is judged can be observed on
any machine: answers that are lost or wrong under load, and memory that does not stop growing.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import cast

import psutil

from labkit.errors import LabError
from labkit.testbench.bench import Bench
from labkit.testbench.check import Figure, Finding, NotApplicable, check
from labkit.testbench.raw import Json, parsed
from labkit.testbench.raw_stdio import RawStdio
from labkit.testbench.tour import tour

IN_FLIGHT = (1, 8, 64)
SECONDS = 1.5
"""How long each level is held."""
MOST = 2_000
"""Calls of one level, at most."""
PATIENCE = 5.0
"""Seconds to wait for one answer under load."""
LONG = 12.0
"""Seconds for all the calls between which memory is looked at."""
WINDOW = 150
"""Calls between two looks at the memory."""
ENOUGH, WINDOWS = 4, 12
"""Looks before anything is said, and looks at a memory that grew each time before it is called a leak: a collector that
lets things pile up (V8) grows for a while, too, but not every time."""
GROWTH = 16 * 1024
"""Bytes a call that memory may grow by, window after window, before it is called a leak."""
FLOOD = 512 * 1024
"""Bytes of answers that a slow reader leaves unread: pipes and buffers on the way hold some 200 kB."""
FLOOD_REQUESTS = 600
"""Requests for that, at most."""

FIX = "Keep nothing per call that outlives it, await what may block, and give each request state of its own."
PAGE = "labkit/testbench#load"


async def quickest(bench: Bench, era: str) -> tuple[str, str, Json]:
    """What to ask for under load: the tool that answered quickest on the tour, or the list of tools."""
    seen = await tour(bench, era)
    answered = {stop.what.removeprefix("tool "): stop.answer for stop in seen.stops if stop.what.startswith("tool ")}
    good = [
        (answered[name].seconds, name, arguments)
        for name, arguments in seen.called
        if name in answered and answered[name].came == "result" and not answered[name].result.get("isError")
    ]
    if good:
        timed = [
            (await _seconds(bench, era, name, arguments), name, arguments)
            for _, name, arguments in sorted(good, key=_first)[:4]
        ]
        _, name, arguments = min(timed, key=_first)
        return f"tools/call {name}", "tools/call", {"name": name, "arguments": arguments}
    for method, items in seen.items.items():
        if items:
            return method, method, {}
    raise NotApplicable("there is nothing to call: no list, and no tool marked read-only")


async def _seconds(bench: Bench, era: str, name: str, arguments: Json) -> float:
    """The time of two more calls: what is quick the first time may have had nothing to do."""
    wire = await bench.shared(era)
    return sum([(await wire.call(name, arguments, timeout=2.0)).seconds for _ in range(2)])


def _first(timed: tuple[float, str, Json]) -> float:
    return timed[0]


def percentile(sorted_values: list[float], part: float) -> float:
    """The value below which `part` of the values lie (nearest rank)."""
    return sorted_values[min(len(sorted_values) - 1, round(part * (len(sorted_values) - 1)))]


@check(
    "load.in-flight",
    "Every request is answered, with 1, 8 and 64 in flight",
    severity="error",
    spec=PAGE,
    fix=FIX,
    profile="full",
)
async def in_flight(bench: Bench) -> AsyncGenerator[Finding]:
    """Agents call tools in parallel; an answer that is lost or belongs to another call is worse than a slow one."""
    era = bench.eras[-1]
    what, method, params = await quickest(bench, era)
    connection = await bench.connection(era)
    alone = _content(await connection.send(method, params, timeout=PATIENCE))
    steady = alone == _content(await connection.send(method, params, timeout=PATIENCE))
    figure = Figure(f"{what}: calls in flight", note=f"era {era}, {bench.transport}, up to {SECONDS:g} s a level")
    bench.figures.append(figure)
    for level in IN_FLIGHT:
        taken: list[float] = []
        wrong: list[str] = []
        began = time.perf_counter()

        async def caller(taken: list[float] = taken, wrong: list[str] = wrong, began: float = began) -> None:
            while (now := time.perf_counter()) - began < SECONDS and len(taken) + len(wrong) < MOST:
                try:
                    came = _content(await connection.send(method, params, timeout=PATIENCE))
                except LabError as error:
                    wrong.append(str(error))
                    if connection.closed or len(wrong) > 20:
                        return
                    continue
                if steady and came != alone:
                    wrong.append(f"another answer than alone: {came[:300]}")
                taken.append(time.perf_counter() - now)

        await asyncio.gather(*(caller() for _ in range(level)))
        seconds = time.perf_counter() - began
        if taken:
            taken.sort()
            figure.rows.append(
                {"in flight": level, "calls": len(taken), "calls a second": round(len(taken) / seconds, 1)}
                | {f"p{part:g} ms": round(1000 * percentile(taken, part / 100), 3) for part in (50, 95, 99)}
            )
        if wrong:
            yield Finding(
                f"{len(wrong)} of {len(taken) + len(wrong)} requests went wrong with {level} in flight: {wrong[0]}",
                sent=json.dumps({"method": method, "params": params}),
                received=wrong[0],
                era=era,
            )
            return


def _content(result: Json) -> str:
    """A result without its envelope, which may hold times and tokens."""
    return json.dumps({key: value for key, value in result.items() if key != "_meta"}, sort_keys=True)


@check(
    "load.slow-reader",
    "A client that reads slowly loses nothing",
    severity="error",
    spec=PAGE,
    fix="Write with back-pressure: wait until the pipe takes the answer, and never drop one.",
    transports=["stdio"],
    profile="full",
)
async def slow_reader(bench: Bench) -> AsyncGenerator[Finding]:
    """A pipe holds some 64 kB. What a server writes beyond that must wait, not vanish, and not end the server."""
    era = bench.eras[-1]
    what, method, params = await quickest(bench, era)
    async with bench.wire(era) as wire:
        process = cast(RawStdio, wire)
        size = len((await process.request(method, params)).received) or 1
        number = min(FLOOD_REQUESTS, FLOOD // size + 1)
        frames = [process.frame(method, params) for _ in range(number)]
        waiting = {frame["id"] for frame in frames}
        process.pause()
        flood = asyncio.create_task(process.write("".join(json.dumps(f) + "\n" for f in frames).encode()))
        # The server gets on until its pipe is full; how long that takes does not matter to the outcome.
        await asyncio.wait([flood], timeout=0.5)
        process.resume()
        while waiting and (line := await process.next(PATIENCE)) is not None:
            waiting.discard(parsed(line).get("id"))
        flood.cancel()
        if waiting:
            ended = f"; the server {process.how_it_ended}" if process.returncode is not None else ""
            yield Finding(
                f"{len(waiting)} of {number} answers to {what} never came after the client had stopped reading{ended}",
                sent=json.dumps(frames[0]),
                era=era,
            )


@check(
    "load.memory",
    "Memory stops growing",
    severity="warning",
    spec=PAGE,
    fix="Look for what is kept per call: a list of past calls, a cache without a bound, tasks that never end.",
    profile="full",
)
async def memory(bench: Bench) -> AsyncGenerator[Finding]:
    """A server runs for weeks. What it keeps of each call it keeps for ever."""
    era = bench.eras[-1]
    what, method, params = await quickest(bench, era)
    async with bench.wire(era) as wire:
        pid = wire.pid if isinstance(wire, RawStdio) else bench.plan.running.pid if bench.plan.running else None
        if pid is None or pid == psutil.Process().pid:
            raise NotApplicable("the server's process is not one that the bench can look at")
        process = psutil.Process(pid)
        figure = Figure(f"{what}: memory over calls", note=f"era {era}, resident memory of process {pid}")
        bench.figures.append(figure)
        deadline = time.monotonic() + LONG
        sizes: list[int] = []
        for window in range(1, WINDOWS + 1):
            for _ in range(WINDOW):
                answer = await wire.request(method, params)
                if answer.came not in ("result", "error"):
                    yield Finding(f"a call got {answer.what}", answer.sent, era=era, severity="error")
                    return
                if time.monotonic() > deadline:
                    if len(sizes) < ENOUGH:
                        raise NotApplicable(f"{window * WINDOW} calls of {what} take too long to watch its memory")
                    said = f"{_growth(what, sizes)}; there was no time to see whether it stops"
                    yield Finding(said, sent=answer.sent, era=era, severity="info")
                    return
            try:
                sizes.append(_resident(process))
            except psutil.Error:
                yield Finding(f"the server ended after {window * WINDOW} calls", era=era, severity="error")
                return
            figure.rows.append({"calls": window * WINDOW, "MB": round(sizes[-1] / 1e6, 2)})
            if window >= ENOUGH and _least_step(sizes) <= GROWTH * WINDOW:
                return
    yield Finding(_growth(what, sizes), sent=json.dumps({"method": method, "params": params}), era=era)


def _least_step(sizes: list[int]) -> int:
    return min(later - earlier for earlier, later in pairwise(sizes))


def _growth(what: str, sizes: list[int]) -> str:
    shown = ", ".join(f"{size / 1e6:.0f}" for size in sizes)
    least = _least_step(sizes) / WINDOW / 1000
    return f"{what}: memory grows by {least:.0f} kB a call and more, after each {WINDOW} calls: {shown} MB"


def _resident(process: psutil.Process) -> int:
    """Bytes of the process and of what it started: a launcher is not the server."""
    return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)])
