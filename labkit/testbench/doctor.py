"""Does it start, does it say only what it should, and does it end when told to? `doctor_versions` has the versions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import cast
from weakref import WeakKeyDictionary

import psutil

from labkit.errors import ConnectError
from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, check
from labkit.testbench.raw import MODERN, Answer, is_message
from labkit.testbench.raw_stdio import RawStdio
from labkit.testbench.tour import tour

SLOW_START = 5.0
"""Seconds to the first answer after which hosts begin to give up."""
NOISY = 20
"""Lines on stderr in one short visit that are more than anyone reads."""


@check(
    "doctor.eras",
    "It speaks today's revision",
    severity="info",
    spec="basic/versioning",
    fix="Move to an SDK that speaks 2026-07-28; handshake-era clients will still be served.",
)
async def eras(bench: Bench) -> AsyncGenerator[Finding]:
    """A server of the handshake era only is served by clients that fall back, at the cost of a probe."""
    answer = bench.hellos.get(MODERN)
    if answer is not None and MODERN not in bench.eras:
        yield Finding(f"server/discover: {answer.what}", answer.sent, answer.received, era=MODERN)


@check(
    "doctor.start",
    "It answers soon after it was started",
    severity="warning",
    spec="basic/transports/stdio",
    fix="Import and open things when they are first needed, not while the module loads.",
    transports=["stdio"],
)
async def start(bench: Bench) -> AsyncGenerator[Finding]:
    """Hosts show nothing until the first answer is there."""
    first = min(answer.seconds for era, answer in bench.hellos.items() if era in bench.eras)
    if first > SLOW_START:
        busy = psutil.getloadavg()[0] > 1.5 * (psutil.cpu_count() or 1)
        said = f"{first:.1f} s from the start to the first answer; many hosts give up after ten"
        said += ". This machine is busy: look again when it is not" if busy else ""
        yield Finding(said, severity="info" if busy else None)


@check(
    "doctor.clean-stdout",
    "stdout carries messages and nothing else",
    severity="error",
    spec="basic/transports/stdio",
    fix="Print to stderr (print(..., file=sys.stderr)) or log; flush nothing to stdout before the server runs.",
    transports=["stdio"],
)
async def clean_stdout(bench: Bench) -> AsyncGenerator[Finding]:
    """Everything on stdout that is not a JSON-RPC message breaks strict clients."""
    for era in bench.eras:
        wire = cast(RawStdio, await bench.shared(era))
        seen = await tour(bench, era)
        by = {line: stop.what for stop in seen.stops for line in stop.printed}
        answered = False
        for line in wire.seen:
            if not is_message(line):
                when = f"during {by[line]}" if line in by else "after the first message" if answered else "at the start"
                yield Finding(f"a line on stdout is not a JSON-RPC message ({when})", received=line, era=era)
            answered = answered or is_message(line)


@check(
    "doctor.stderr",
    "stderr is quiet while all is well",
    severity="info",
    spec="basic/transports/stdio",
    fix="Log at WARNING by default, and catch what you expect, so that the lines that matter are seen.",
    transports=["stdio"],
)
async def stderr(bench: Bench) -> AsyncGenerator[Finding]:
    """stderr may be used for anything; but hosts collect it, and a wall of it hides the line that matters."""
    for era in bench.eras:
        wire = cast(RawStdio, await bench.shared(era))
        await tour(bench, era)
        lines = wire.log.lines
        if any(line.startswith("Traceback") or "Traceback (most recent" in line for line in lines):
            yield Finding(
                "a traceback on stderr while ordinary requests were answered", received=str(wire.log), era=era
            )
        elif len(lines) > NOISY:
            yield Finding(f"{len(lines)} lines on stderr for a few requests", received=wire.log.tail(), era=era)


@dataclass
class Life:
    """One more process of the server, from its start to its end, beside those that already run."""

    hello: Answer
    gone: bool = False
    how: str = ""
    code: int | None = None
    left: list[str] = field(default_factory=list[str])
    """Processes that it had started and that outlived it."""


_LIVES: WeakKeyDictionary[Bench, Life] = WeakKeyDictionary()


async def life(bench: Bench) -> Life:
    """Start another one, greet it, close its stdin, and see what is left; once for all checks."""
    if bench not in _LIVES:
        era = bench.eras[-1]
        await tour(bench, era)  # now, because it needs the shared wire, and some servers have room for one only
        await bench.shared(era)  # so that the new one is the second
        async with bench.wire(era, greeted=False) as wire:
            _LIVES[bench] = await _live(cast(RawStdio, wire), bench)
    return _LIVES[bench]


async def _live(wire: RawStdio, bench: Bench) -> Life:
    lived = Life(await wire.greet())
    for tool in (await tour(bench, wire.era)).called[:3]:
        await wire.call(*tool, timeout=1.0)
    children = await asyncio.to_thread(_descendants, wire.pid)
    await wire.end_input()
    lived.gone, lived.code = await wire.gone(wire.patience(3.0)), wire.returncode
    lived.how = f"{wire.how_it_ended} when its stdin closed{wire.log.last_words()}"
    for each in () if lived.gone else bench.opened:
        each.stubborn = True
    if lived.gone and children:
        lived.left = await asyncio.to_thread(_survivors, children, wire.patience(1.0))
    return lived


def _descendants(pid: int | None) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True) if pid else []
    except psutil.Error:
        return []


def _survivors(processes: list[psutil.Process], seconds: float) -> list[str]:
    """Those that do not end so soon after their parent; they are ended here, and named."""
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    named: list[str] = []
    for process in alive:
        try:
            named.append(" ".join(process.cmdline())[:200] or process.name())
            process.kill()
        except psutil.Error:  # it has just ended
            continue
    return named


@check(
    "doctor.ends-on-eof",
    "It ends when its stdin is closed",
    severity="error",
    spec="basic/transports/stdio#shutdown",
    fix="Leave the read loop at end of file, and end threads and children you started.",
    transports=["stdio"],
)
async def ends_on_eof(bench: Bench) -> AsyncGenerator[Finding]:
    """Closing stdin is how a host ends a server; one that stays must be killed, and outlives a host that dies."""
    lived = await life(bench)
    if lived.hello.came != "result":
        return  # it never ran: doctor.second-instance says so
    if not lived.gone:
        yield Finding("the process still ran three seconds after its stdin had closed")
    elif lived.code:
        yield Finding(f"it {lived.how}", severity="warning")


@check(
    "doctor.orphans",
    "What it started ends with it",
    severity="error",
    spec="basic/transports/stdio#shutdown",
    fix="End your child processes when stdin closes: terminate and wait for them in a finally block.",
    transports=["stdio"],
)
async def orphans(bench: Bench) -> AsyncGenerator[Finding]:
    """A grandchild left behind keeps ports, files and memory, and each session adds one."""
    for command in (await life(bench)).left:
        yield Finding("a process that the server had started still ran a second after it had ended", received=command)


@check(
    "doctor.second-instance",
    "Two of it can run at the same time",
    severity="warning",
    spec="basic/transports/stdio",
    fix="Use no fixed port, lock file or exclusive database that a second process cannot share.",
    transports=["stdio"],
)
async def second_instance(bench: Bench) -> AsyncGenerator[Finding]:
    """Each host, and each window of a host, starts a server of its own."""
    hello = (await life(bench)).hello
    if bench.alone:
        yield Finding("of two processes started together one ended at once; by itself it runs")
    elif hello.came != "result":
        yield Finding(f"a second process, started while the first ran: {hello.what}", hello.sent, hello.received)


@check(
    "doctor.restart",
    "It starts again at once after it has ended",
    severity="error",
    spec="basic/transports/stdio#unexpected-termination",
    fix="Clean up locks and sockets when you end, and cope with those that a crash has left.",
    transports=["stdio"],
    profile="full",
)
async def restart(bench: Bench) -> AsyncGenerator[Finding]:
    """Hosts restart a server that has ended, and clients begin anew without waiting."""
    await life(bench)
    try:
        async with bench.wire(bench.eras[-1], greeted=False) as wire:
            hello = await wire.greet()
    except ConnectError as error:
        yield Finding(f"it could not be started again: {error}")
        return
    if hello.came != "result" and (await life(bench)).hello.came == "result":
        yield Finding(f"started again right after it had ended: {hello.what}", hello.sent, hello.received)
