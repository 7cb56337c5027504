"""Virtual time: who sleeps wakes in order, at its time, and not before."""

from __future__ import annotations

import asyncio

import pytest

from labkit.patterns.clock import SystemClock, VirtualClock, WallClock

pytestmark = pytest.mark.anyio


async def test_sleepers_wake_in_order_and_see_their_own_time() -> None:
    clock, woke = VirtualClock(), list[tuple[str, float]]()

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woke.append((name, clock.now()))

    tasks = [asyncio.create_task(sleeper("late", 5)), asyncio.create_task(sleeper("often", 2, 2, 2))]
    await clock.advance(4.5)
    assert woke == [("often", 2), ("often", 4)] and clock.now() == 4.5
    await clock.advance(10)
    assert woke[2:] == [("late", 5), ("often", 6)] and clock.now() == 14.5
    await asyncio.gather(*tasks)


async def test_a_cancelled_sleeper_is_passed_over() -> None:
    clock = VirtualClock()
    task = asyncio.create_task(clock.sleep(1))
    await clock.advance(0.5)
    task.cancel()
    await clock.advance(1)
    assert task.cancelled() and clock.now() == 1.5


async def test_real_clocks_go_forward() -> None:
    for clock in (SystemClock(), WallClock()):
        before = clock.now()
        await clock.sleep(-1)
        assert clock.now() >= before
