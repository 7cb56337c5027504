"""Pools lend no connection twice, lose none, keep nobody waiting for ever, and tell exactly what they did."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from labkit.patterns.clock import VirtualClock, settle
from labkit.patterns.health import Health, Status
from labkit.patterns.pools import Pool, PoolBusyError, PoolError

pytestmark = pytest.mark.anyio


class Thing:
    """What is lent: knows who has it, and may break."""

    def __init__(self) -> None:
        self.users, self.broken, self.open = 0, False, True


class Plant:
    """Opens things and closes them, as long as it is up."""

    def __init__(self, **options: Any) -> None:
        self.up, self.made, self.clock = True, list[Thing](), VirtualClock()
        self.pool = Pool(self.open, self.close, check=self.check, reset=self.check, clock=self.clock, **options)

    async def open(self) -> Thing:
        await asyncio.sleep(0)
        if not self.up:
            raise ConnectionError("down")
        self.made.append(Thing())
        return self.made[-1]

    async def close(self, thing: Thing) -> None:
        thing.open = False

    async def check(self, thing: Thing) -> None:
        await asyncio.sleep(0)
        if thing.broken:
            raise ConnectionError("broken")


class PoolMachine(RuleBasedStateMachine):
    """Borrowers come, wait, leave, fail; things break and grow old."""

    SIZE, WAIT, LINE = 2, 5.0, 3

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.plant = Plant(size=self.SIZE, wait=self.WAIT, max_waiting=self.LINE, idle=60, life=200, check_after=20)
        self.borrowers: list[tuple[asyncio.Task[str], asyncio.Future[bool]]] = []

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    async def borrow(self, end: asyncio.Future[bool]) -> str:
        try:
            async with self.plant.pool.lend() as thing:
                assert thing.users == 0 and thing.open
                thing.users += 1
                try:
                    if not await end:
                        raise ValueError("it went wrong")
                finally:
                    thing.users -= 1
        except PoolBusyError:
            return "busy"
        except PoolError:
            return "closed"
        except ConnectionError:
            return "down"
        except ValueError:
            return "failed"
        return "fine"

    @rule()
    def come(self) -> None:
        end = self.loop.create_future()
        task = self.loop.create_task(self.borrow(end))
        self.run(settle())
        if task.done():
            assert task.result() == ("busy" if len(self.borrowers) == self.SIZE + self.LINE else "down")
        else:
            assert len(self.borrowers) < self.SIZE + self.LINE
            self.borrowers.append((task, end))

    @precondition(lambda self: self.borrowers)
    @rule(which=st.integers(0, 9), fine=st.booleans())
    def end(self, which: int, fine: bool) -> None:
        _, end = self.borrowers[which % len(self.borrowers)]
        if not end.done():
            end.set_result(fine)
        self.run(settle())
        self.sweep()

    @precondition(lambda self: self.borrowers)
    @rule(which=st.integers(0, 9))
    def cancel(self, which: int) -> None:
        task, _ = self.borrowers[which % len(self.borrowers)]
        task.cancel()
        self.run(settle())
        assert task.cancelled()
        self.sweep()

    @rule(seconds=st.sampled_from([1, 5, 20, 60, 200]))
    def pass_time(self, seconds: int) -> None:
        self.run(self.plant.clock.advance(seconds))
        self.sweep()
        if seconds >= self.WAIT:
            assert self.plant.pool.stats().waiting == 0

    @rule()
    def breakage(self) -> None:
        for thing in self.plant.made:
            thing.broken = True

    @rule(up=st.booleans())
    def power(self, up: bool) -> None:
        self.plant.up = up

    def sweep(self) -> None:
        for task, _ in self.borrowers:
            if task.done() and not task.cancelled():
                assert task.exception() is None
        self.borrowers = [borrower for borrower in self.borrowers if not borrower[0].done()]

    @invariant()
    def nothing_is_lost(self) -> None:
        stats = self.plant.pool.stats()
        there = sum(thing.open for thing in self.plant.made)
        assert stats.open == there == stats.opened - stats.closed and stats.open <= self.SIZE
        assert stats.in_use == min(self.SIZE, len(self.borrowers)) == sum(thing.users for thing in self.plant.made)
        assert stats.waiting == max(0, len(self.borrowers) - self.SIZE)

    def teardown(self) -> None:
        self.run(self.plant.pool.close())
        for _, end in self.borrowers:
            if not end.done():
                end.set_result(True)
        self.run(settle())
        assert not any(thing.open for thing in self.plant.made)
        assert all(task.done() for task, _ in self.borrowers)
        self.loop.close()


def test_a_pool_loses_nothing_and_lends_nothing_twice() -> None:
    quiet = settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(PoolMachine, settings=quiet)


async def test_idle_and_old_connections_are_closed_and_checked_ones_reused() -> None:
    plant = Plant(size=2, idle=60, life=200, check_after=20)

    async def lent() -> Thing:
        async with plant.pool.lend() as thing:
            return thing

    first = await lent()
    plant.clock.jump(59)
    assert await lent() is first
    plant.clock.jump(60)
    second = await lent()
    assert second is not first and not first.open
    for _ in range(10):
        plant.clock.jump(19)
        assert await lent() is second
    plant.clock.jump(19)
    assert await lent() is not second
    third = await lent()
    third.broken = True
    plant.clock.jump(20)
    assert await lent() is not third and not third.open and plant.pool.stats().broken == 1


async def test_a_connection_that_cannot_be_cleaned_is_not_lent_again() -> None:
    plant = Plant()
    async with plant.pool.lend() as thing:
        thing.broken = True
    assert not thing.open and (plant.pool.stats().broken, plant.pool.stats().idle) == (1, 0)


async def test_a_connection_whose_check_is_cancelled_is_closed() -> None:
    plant = Plant(size=1, check_after=20)
    await plant.pool.check()
    plant.clock.jump(20)
    task = asyncio.create_task(plant.pool.check())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    stats = plant.pool.stats()
    assert task.cancelled() and not plant.made[0].open and (stats.open, stats.closed) == (0, 1)
    assert await plant.pool.check() == 0.0


async def test_a_place_is_not_lost_when_its_taker_is_cancelled_in_that_very_moment() -> None:
    plant = Plant(size=1)

    async def hold() -> None:
        try:
            async with plant.pool.lend():
                await asyncio.Event().wait()
        finally:
            waits.cancel()  # it has been handed the place, and has not run since

    holds = asyncio.create_task(hold())
    await settle()
    waits = asyncio.create_task(plant.pool.check())
    await settle()
    holds.cancel()
    await asyncio.wait([holds, waits])
    assert waits.cancelled() and plant.pool.stats().in_use == 0
    assert await plant.pool.check() == 0.0


async def test_health_is_a_number_or_an_exception() -> None:
    plant = Plant(size=1, wait=2)
    assert await plant.pool.check() == 0.0
    async with plant.pool.lend():
        looked = asyncio.create_task(plant.pool.check())
        await plant.clock.advance(2)
        with pytest.raises(PoolBusyError, match="None of the 1 connections came free in 2 s"):
            await looked
    await plant.pool.close()
    with pytest.raises(PoolError, match="closed"):
        await plant.pool.check()
    down = Plant()
    down.up = False
    with pytest.raises(ConnectionError):
        await down.pool.check()


async def test_a_pool_is_one_line_of_a_health_report() -> None:
    plant, health = Plant(), Health(fresh=0)
    health.check("database")(plant.pool.check)
    assert (await health.report()).status is Status.HEALTHY
    await plant.pool.close()
    assert (await health.report()).status is Status.UNHEALTHY


async def test_closing_tells_those_who_wait() -> None:
    plant, before = Plant(size=1), asyncio.all_tasks()
    async with plant.pool.lend() as thing:
        waits = asyncio.create_task(plant.pool.check())
        await settle()
        await plant.pool.close()
        with pytest.raises(PoolError, match="closed while"):
            await waits
        assert thing.open
    assert not thing.open
    await settle()
    assert asyncio.all_tasks() == before  # no alarm is left behind


def test_a_pool_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="one connection at least"):
        Plant(size=0)
