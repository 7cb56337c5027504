"""The load generator: so many clients, or so many calls a second, against a server of this machine.

    await lab.load("calculator", "add", {"a": 2, "b": 3}, clients=8, seconds=5)     # closed loop
    await lab.load(url, "add", {"a": 2, "b": 3}, rate=200, seconds=5)               # open loop

A *closed* loop has N clients, each of which calls again when it is answered: it finds the most that a server does, and
never asks for more. An *open* loop calls at given times, as independent users do. When the server stalls, a closed loop
stops asking, and the calls that users would have made meanwhile are missing from its percentiles: coordinated omission.
So in an open loop a call's latency counts from the time at which it should have been sent, also when it had to wait for
a free client. It is only ever used on loopback: load on the machine of somebody else is an attack.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from labkit.defences.loopback import is_loopback
from labkit.errors import LabError
from labkit.gateway.peer_stdio import StdioPeer
from labkit.scaling.callers import Caller, HttpCaller, StdioCaller, Target
from labkit.scaling.report import LoadReport
from labkit.session.client import check_era
from labkit.session.targets import make_plan
from labkit.wire import mask_url

MOST_SECONDS, MOST_CLIENTS, MOST_RATE, MOST_CALLS = 300.0, 256, 5_000.0, 500_000
OPEN_CLIENTS = 64
"""Clients of an open loop that names none: calls in flight, at most."""
Arrivals = Literal["even", "poisson"] | Sequence[float]


class LoadError(LabError):
    """The load may not be made: too much of it, or not on this machine."""


async def load(
    target: Any,
    tool: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    clients: int | None = None,
    seconds: float = 5.0,
    calls: int | None = None,
    rate: float | None = None,
    arrivals: Arrivals = "even",
    seed: int = 0,
    warm: int = 0,
    timeout: float = 10.0,
    until: asyncio.Event | None = None,
    era: str = "auto",
    headers: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> LoadReport:
    """Call one tool again and again, and report. The same call each time: take a tool that may be repeated.

    `target` is a URL on loopback, a command (stdio), or a file, catalog name or server object, which is then served
    over HTTP. Without `rate` it is a closed loop of `clients` (8); with it an open one of `rate` calls a second, `even`
    or as `poisson` arrivals (of `seed`), or with `arrivals`, a list of seconds at which to call. It ends after
    `seconds`, after `calls` if given, or when `until` is set; at most 300 s and 500,000 calls. Each client makes `warm`
    calls first, which do not count. In the handshake era each client has a session of its own, and begins a new one
    when it is gone.

    Raises LoadError for what is out of bounds, ConnectError when the server cannot be reached.
    """
    given = not isinstance(arrivals, str)
    wanted = (OPEN_CLIENTS if rate or given else 8) if clients is None else clients
    _check(wanted, seconds, calls, rate, warm, timeout)
    times = _schedule(rate, arrivals, seconds, calls, seed)
    options: dict[str, Any] = {"era": era, "timeout": timeout, "headers": headers, "env": env, "cwd": cwd}
    async with _callers(target, tool, arguments or {}, wanted, **options) as (shown, spoken, callers):
        mode = "closed" if times is None else "open"
        report = LoadReport(shown, tool, spoken, mode, wanted, rate)
        for _ in range(warm):
            await asyncio.gather(*(each.call(timeout) for each in callers))
        over = until or asyncio.Event()
        before = sum(each.resent for each in callers)
        if times is None:
            await _closed(report, callers, seconds, calls or MOST_CALLS, timeout, over)
        else:
            await _open(report, callers, times, timeout, over)
        report.resent = sum(each.resent for each in callers) - before
    return report


async def _closed(
    report: LoadReport, callers: list[Caller], seconds: float, calls: int, timeout: float, over: asyncio.Event
) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    left = calls

    async def client(caller: Caller) -> None:
        nonlocal left
        while left > 0 and clock() - began < seconds and not over.is_set():
            left -= 1
            sent = clock() - began
            error = await caller.call(min(timeout, max(0.01, seconds + timeout - sent)))
            report.record(sent, sent, clock() - began, error)
            if error and clock() - began - sent < 0.001:
                await asyncio.sleep(0.001)  # a refusal that costs nothing would be repeated ten thousand times

    await asyncio.gather(*map(client, callers))
    report.seconds = clock() - began


async def _open(
    report: LoadReport, callers: list[Caller], times: list[float], timeout: float, over: asyncio.Event
) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    deadline = (times[-1] if times else 0.0) + timeout
    due = iter(times)

    async def client(caller: Caller) -> None:
        for intended in due:  # shared: whoever is free takes the next
            await asyncio.sleep(max(0.0, intended - (clock() - began)))
            if over.is_set():
                return
            sent = clock() - began
            if sent > deadline:
                report.unsent += 1
                continue
            error = await caller.call(timeout)
            report.record(intended, sent, clock() - began, error)

    await asyncio.gather(*map(client, callers))
    report.seconds = clock() - began


def _schedule(
    rate: float | None, arrivals: Arrivals, seconds: float, calls: int | None, seed: int
) -> list[float] | None:
    """The times of an open loop, None for a closed one."""
    if not isinstance(arrivals, str):
        times = sorted(float(each) for each in arrivals)
        if times and not 0 <= times[0] <= times[-1] <= MOST_SECONDS:
            raise LoadError(f"arrivals= are seconds from 0 to {MOST_SECONDS:g}.")
    elif rate is None:
        return None
    elif arrivals == "even":
        times = [number / rate for number in range(int(seconds * rate))]
    elif arrivals == "poisson":
        draw, at, times = random.Random(seed), 0.0, list[float]()
        while (at := at + draw.expovariate(rate)) < seconds:
            times.append(at)
    else:
        raise LoadError(f"arrivals={arrivals!r}: write 'even', 'poisson', or a list of seconds.")
    return times[: calls or MOST_CALLS]


def _check(clients: int, seconds: float, calls: int | None, rate: float | None, warm: int, timeout: float) -> None:
    bounds = {
        "clients": (clients, 1, MOST_CLIENTS),
        "seconds": (seconds, 0.01, MOST_SECONDS),
        "calls": (1 if calls is None else calls, 1, MOST_CALLS),
        "rate": (1.0 if rate is None else rate, 0.01, MOST_RATE),
        "warm": (warm, 0, 1_000),
        "timeout": (timeout, 0.01, MOST_SECONDS),
    }
    for name, (value, least, most) in bounds.items():
        if not least <= value <= most:
            raise LoadError(f"{name}={value!r} is out of bounds: from {least:g} to {most:g}.")


@asynccontextmanager
async def _callers(
    target: Any,
    tool: str,
    arguments: Mapping[str, Any],
    clients: int,
    *,
    era: str,
    timeout: float,
    headers: Mapping[str, str] | None,
    env: Mapping[str, str] | None,
    cwd: str | Path | None,
) -> AsyncGenerator[tuple[str, str, list[Caller]]]:
    check_era(era)
    is_url = isinstance(target, str) and target.lower().startswith(("http://", "https://"))
    if is_url and not is_loopback(target):
        raise LoadError(
            f"{mask_url(target)} is not on this machine. Load on a server of somebody else is an attack: the lab calls"
            " 127.0.0.1, [::1] and localhost only."
        )
    plan = make_plan(target, env=env, cwd=cwd)
    if plan.via == "memory" or (plan.params and not is_url and _is_served(target)):
        plan.forget()
        plan = make_plan(target, via="http", env=env, cwd=cwd)
    if plan.url and not is_loopback(plan.url):
        raise LoadError(
            f"{plan.name} is at {mask_url(plan.url)}, which is not on this machine: the lab loads no other."
        )
    async with AsyncExitStack() as stack:
        if plan.params:
            peer = StdioPeer(plan.name, plan.params, era=era)
            stack.push_async_callback(peer.close)
            await peer.open()
            yield plan.shown, peer.era, [StdioCaller(peer, tool, arguments) for _ in range(clients)]
            return
        if plan.running:
            await stack.enter_async_context(await plan.running.start())
        url = plan.running.url if plan.running else plan.url
        found = Target(url, tool, arguments, {**plan.headers, **(headers or {})})
        stack.push_async_callback(found.wire.close)
        await found.find_era(era, timeout)
        callers = [HttpCaller(found, timeout) for _ in range(clients)]
        await asyncio.gather(*(each.open() for each in callers))
        stack.push_async_callback(_all_closed, callers)
        yield mask_url(url), found.era, list[Caller](callers)


async def _all_closed(callers: list[HttpCaller]) -> None:
    await asyncio.gather(*(each.close() for each in callers))


def _is_served(target: Any) -> bool:
    """Whether it is a Python file: it can be served over HTTP, and a file without `via` would be started over stdio."""
    return str(target).endswith(".py") and len(str(target).split()) == 1
