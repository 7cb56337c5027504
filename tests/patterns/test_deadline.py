"""A deadline bounds all that is below it, whoever set it, and ends what it bounds."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

import labkit as lab
from labkit.patterns.breaker import CircuitBreaker
from labkit.patterns.calls import META_REASON
from labkit.patterns.clock import VirtualClock, settle
from labkit.patterns.deadline import (
    META_TIMEOUT,
    Deadline,
    DeadlineExceeded,
    check,
    incoming,
    outgoing,
    remaining,
    within,
)

pytestmark = pytest.mark.anyio


async def test_what_takes_longer_is_cancelled_and_told() -> None:
    clock, seen = VirtualClock(), list[str]()

    async def slow() -> None:
        async with within(2, clock=clock):
            try:
                await clock.sleep(10)
            except asyncio.CancelledError:
                seen.append(f"cancelled at {clock.now()}")
                raise

    task = asyncio.create_task(slow())
    await clock.advance(1.9)
    assert not task.done()
    await clock.advance(0.2)
    with pytest.raises(DeadlineExceeded, match="longer than 2 s") as caught:
        await task
    assert seen == ["cancelled at 2.0"] and caught.value.reason == "timeout"
    assert remaining() is None


async def test_swallowing_a_cancellation_does_not_help() -> None:
    clock, swallowed = VirtualClock(), 0

    async def stubborn() -> None:
        nonlocal swallowed
        async with within(1, clock=clock):
            while swallowed < 3:
                try:
                    await clock.sleep(100)
                except asyncio.CancelledError:
                    swallowed += 1
            await clock.sleep(100)

    task = asyncio.create_task(stubborn())
    await clock.advance(1)
    with pytest.raises(DeadlineExceeded):
        await asyncio.wait_for(task, 5)
    assert swallowed == 3


@pytest.mark.parametrize(("outer", "inner", "left"), [(10, 2, 2), (2, 10, 2), (5, None, 5)])
async def test_the_nearest_deadline_counts(outer: float, inner: float | None, left: float) -> None:
    clock = VirtualClock(100)
    async with within(outer, clock=clock):
        async with within(inner, clock=clock):
            assert remaining() == left and outgoing() == {META_TIMEOUT: left}
            clock.jump(1)
            assert remaining() == left - 1 and remaining(0.5) == 0.5
        assert remaining() == outer - 1
    assert remaining() is None and remaining(3) == 3 and outgoing() == {}


async def test_the_reason_says_whose_time_it_was() -> None:
    clock = VirtualClock()

    async def nested() -> None:
        async with within(1, clock=clock), within(5, clock=clock):
            clock.jump(2)
            async with within(1, clock=clock):
                raise AssertionError("not reached")

    with pytest.raises(DeadlineExceeded, match="was not begun") as caught:
        await nested()
    assert caught.value.reason == "deadline"


async def test_a_sync_loop_can_look() -> None:
    clock, rounds = VirtualClock(), 0
    with pytest.raises(DeadlineExceeded):
        async with within(3, clock=clock):
            while True:
                check()
                rounds += 1
                clock.jump(1)
    assert rounds == 3
    check()


async def test_a_cancellation_from_outside_stays_one() -> None:
    clock = VirtualClock()

    async def slow() -> None:
        async with within(2, clock=clock):
            await clock.sleep(10)

    task = asyncio.create_task(slow())
    await settle()
    task.cancel()
    await settle()
    assert task.cancelled()


async def test_with_the_real_clock_nothing_is_waited_for() -> None:
    with pytest.raises(DeadlineExceeded):
        async with within(0.01):
            await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(2, 2.0), (0.5, 0.5), (-1, -1.0), ("2", None), (True, None), (float("nan"), None), (None, None)],
)
def test_seconds_of_a_stranger_are_looked_at(given: Any, seconds: float | None) -> None:
    assert incoming({META_TIMEOUT: given}) == seconds and incoming(None) is None


def slow_server(deadline: Deadline, clock: VirtualClock) -> tuple[MCPServer, list[Any]]:
    server, seen = MCPServer("slow", middleware=[deadline], log_level="CRITICAL"), list[Any]()

    @server.tool()
    async def work(seconds: float) -> str:
        """Take so long."""
        seen.append(remaining())
        await clock.sleep(seconds)
        return "done"

    @server.tool()
    def in_a_thread() -> str:
        """Look at the deadline."""
        seen.append((remaining(), threading.current_thread() is threading.main_thread()))
        return "done"

    return server, seen


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_a_call_has_the_servers_deadline_or_its_callers(era: str) -> None:
    clock = VirtualClock()
    deadline = Deadline(10, clock=clock)
    server, seen = slow_server(deadline, clock)
    async with await lab.connect(server, era=era) as conn:

        async def ask(seconds: float, timeout: Any = None) -> dict[str, Any]:
            params: dict[str, Any] = {"name": "work", "arguments": {"seconds": seconds}}
            if timeout is not None:
                params["_meta"] = {META_TIMEOUT: timeout}
            task = asyncio.create_task(conn.send("tools/call", params))
            while not task.done():
                await clock.advance(1)
                await asyncio.wait([task], timeout=0.01)
            return (await task)["result"] if "result" in await task else await task

        assert not (await ask(3)).get("isError")
        own, callers = await ask(30), await ask(30, timeout=2)
        assert own["_meta"][META_REASON] == "timeout" and callers["_meta"][META_REASON] == "deadline"
        assert not (await ask(3, timeout=999)).get("isError"), "a caller cannot have more than the server gives"
        spent = await ask(3, timeout=0)
        assert spent["isError"] and "not begun" in spent["content"][0]["text"]
        assert seen == [10, 10, 2, 10]
        assert (deadline.calls, deadline.exceeded) == (5, 3)
        await conn.call("in_a_thread")
    assert seen[-1] == (10, False), "the deadline is known in the thread of a sync tool"


async def test_a_thread_cannot_be_stopped_but_can_stop_itself() -> None:
    clock = VirtualClock()
    deadline = Deadline(3, clock=clock)
    server = MCPServer("threads", middleware=[deadline], log_level="CRITICAL")

    @server.tool()
    def blind() -> str:
        """Take too long, and not notice."""
        clock.jump(5)
        return "late"

    @server.tool()
    def looks() -> str:
        """Take too long, and notice."""
        for _ in range(9):
            clock.jump(1)
            check()
        return "late"

    async with await lab.connect(server) as conn:
        assert (await conn.call("blind")).data == "late"
        stopped = await conn.call("looks")
    assert stopped.is_error and stopped.raw["_meta"][META_REASON] == "timeout"
    assert (deadline.calls, deadline.exceeded) == (2, 2)


async def test_callers_in_a_hurry_cannot_open_a_breaker() -> None:
    clock = VirtualClock()
    breaker = CircuitBreaker(failures=1, clock=clock)
    server, _ = slow_server(Deadline(10, clock=clock), clock)
    server.middleware.insert(0, breaker)
    async with await lab.connect(server) as conn:

        async def ask(timeout: float) -> dict[str, Any]:
            params = {"name": "work", "arguments": {"seconds": 60}, "_meta": {META_TIMEOUT: timeout}}
            task = asyncio.create_task(conn.send("tools/call", params))
            while not task.done():
                await clock.advance(1)
                await asyncio.wait([task], timeout=0.01)
            return await task

        assert (await ask(1))["_meta"][META_REASON] == "deadline" and breaker.state("work") == "closed"
        assert (await ask(99))["_meta"][META_REASON] == "timeout" and breaker.state("work") == "open"
