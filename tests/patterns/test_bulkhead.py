"""Bulkheads: never more than fit, in the order they came, nobody waits for ever, no place is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.server.mcpserver import MCPServer

import labkit as lab
from labkit.patterns.bulkhead import Bulkhead, Overloaded, Slots
from labkit.patterns.calls import META_REASON, META_RETRY_AFTER, by_tool
from labkit.patterns.clock import VirtualClock, settle
from labkit.patterns.deadline import within

pytestmark = pytest.mark.anyio


async def hold(slots: Slots, clock: VirtualClock, seconds: float, log: list[str], name: str) -> None:
    async with slots:
        log.append(name)
        await clock.sleep(seconds)


async def test_as_many_run_as_fit_and_the_rest_follows_in_order() -> None:
    clock, log = VirtualClock(), list[str]()
    slots = Slots(2, queue=2, wait=10, clock=clock)
    tasks = [asyncio.create_task(hold(slots, clock, 5, log, name)) for name in "abcde"]
    await clock.advance(1)
    assert log == ["a", "b"] and (slots.running, slots.waiting) == (2, 2)
    with pytest.raises(Overloaded, match="2 run and 2 wait"):
        await tasks[4]
    await clock.advance(5)
    assert log == ["a", "b", "c", "d"]
    await clock.advance(5)
    assert slots.running == slots.waiting == 0
    stats = slots.stats()
    assert (stats.entered, stats.waited, stats.full, stats.late, stats.peak) == (4, 2, 1, 0, 2)


async def test_nobody_waits_longer_than_told_or_than_its_deadline() -> None:
    clock, log = VirtualClock(), list[str]()
    slots = Slots(1, queue=5, wait=3, name="db", clock=clock)
    first = asyncio.create_task(hold(slots, clock, 60, log, "first"))
    await settle()
    patient = asyncio.create_task(hold(slots, clock, 1, log, "patient"))

    async def in_a_hurry() -> None:
        async with within(1, clock=clock):
            await hold(slots, clock, 1, log, "in a hurry")

    hurry = asyncio.create_task(in_a_hurry())
    await clock.advance(1)
    assert hurry.done() and not patient.done()
    await clock.advance(2)
    with pytest.raises(Overloaded, match="'db' is busy: no place came free in 3 s") as caught:
        await patient
    assert caught.value.reason == "overloaded" and caught.value.retry_after == 3
    assert slots.waiting == 0 and hurry.exception() is not None
    first.cancel()
    await settle()
    assert slots.running == 0 and log == ["first"]


async def test_a_place_that_is_handed_to_a_cancelled_waiter_goes_on() -> None:
    clock, log = VirtualClock(), list[str]()
    slots = Slots(1, queue=5, wait=60, clock=clock)
    await slots.__aenter__()
    waiters = [asyncio.create_task(hold(slots, clock, 1, log, name)) for name in "xy"]
    await settle()
    await slots.__aexit__(None, None, None)  # x has the place now, and does not know yet
    waiters[0].cancel()
    await settle()
    assert log == ["y"]
    await clock.advance(1)
    assert slots.running == 0


STEP = st.tuples(st.sampled_from(["enter", "leave", "cancel", "wait"]), st.integers(0, 9))


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 3), st.integers(0, 3), st.lists(STEP, max_size=40))
def test_whatever_happens_no_place_is_lost_or_made(limit: int, queue: int, steps: list[tuple[str, int]]) -> None:
    async def drive() -> None:
        clock = VirtualClock()
        slots = Slots(limit, queue=queue, wait=5, clock=clock)
        inside = 0
        tasks: list[tuple[asyncio.Task[None], asyncio.Event]] = []

        async def visit(done: asyncio.Event) -> None:
            nonlocal inside
            async with slots:
                inside += 1
                try:
                    await done.wait()
                finally:
                    inside -= 1

        for act, number in steps:
            if act == "enter":
                done = asyncio.Event()
                tasks.append((asyncio.create_task(visit(done)), done))
            elif act == "wait":
                await clock.advance(number)
            elif tasks:
                task, done = tasks[number % len(tasks)]
                done.set() if act == "leave" else task.cancel()
            if number % 2:
                await settle(5)
                assert inside <= limit and slots.waiting <= queue and slots.running >= inside
        await settle()
        for _, done in tasks:
            done.set()
        await clock.advance(10)
        results = await asyncio.gather(*(task for task, _ in tasks), return_exceptions=True)
        assert all(result is None or isinstance(result, Overloaded | asyncio.CancelledError) for result in results)
        assert slots.running == slots.waiting == inside == 0

    asyncio.run(drive())


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_a_slow_tool_fills_its_own_places_only(era: str) -> None:
    clock = VirtualClock()
    bulkhead = Bulkhead(2, by_tool, queue=1, wait=2, clock=clock)
    server = MCPServer("ship", middleware=[bulkhead], log_level="CRITICAL")

    @server.tool()
    async def slow() -> str:
        """Take long."""
        await clock.sleep(60)
        return "slow"

    @server.tool()
    async def quick() -> str:
        """Take no time."""
        return "quick"

    async with await lab.connect(server, era=era) as conn:
        calls: list[asyncio.Task[Any]] = []
        for _ in range(4):
            calls.append(asyncio.create_task(conn.call("slow")))
            while sum(task.done() for task in calls) + sum(
                slots.running + slots.waiting for slots in bulkhead.slots.values()
            ) < len(calls):
                await asyncio.wait(calls, timeout=0.01)
        refused = await calls[3]
        assert refused.is_error and refused.raw["_meta"][META_REASON] == "overloaded"
        assert refused.raw["_meta"][META_RETRY_AFTER] == 2
        assert (await conn.call("quick")).data == "quick"
        assert set(bulkhead.slots) == {"slow"}, "what does not run takes no memory"
        await clock.advance(100)
        late = await calls[2]
        assert late.is_error and "no place came free" in late.text
        assert [(await call).data for call in calls[:2]] == ["slow", "slow"]
    assert bulkhead.slots == {}
    stats = bulkhead.stats()
    assert (stats.entered, stats.full, stats.late, stats.peak) == (3, 1, 1, 2)


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="limit >= 1"):
        Slots(0)
    with pytest.raises(ValueError, match="queue >= 0"):
        Bulkhead(1, queue=-1)
