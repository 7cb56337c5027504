"""One fetch for all who want the same at the same time, whoever of them is cancelled and whatever the fetch does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from labkit.patterns.clock import settle
from labkit.patterns.single_flight import SingleFlight

pytestmark = pytest.mark.anyio


class Source:
    """Answers when it is told to; each fetch has a number."""

    def __init__(self) -> None:
        self.fetches: list[asyncio.Future[Any]] = []

    async def __call__(self) -> Any:
        self.fetches.append(asyncio.get_running_loop().create_future())
        return await self.fetches[-1]


async def several(flights: SingleFlight, source: Source, count: int) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(flights.run("key", source)) for _ in range(count)]
    await settle()
    return tasks


async def test_one_fetch_serves_all_and_nothing_is_left() -> None:
    flights, source = SingleFlight(), Source()
    tasks = await several(flights, source, 100)
    assert len(source.fetches) == 1 and "key" in flights
    source.fetches[0].set_result("value")
    outcomes = await asyncio.gather(*tasks)
    assert outcomes == [("value", False)] + [("value", True)] * 99
    assert len(flights) == 0
    again = await several(flights, source, 1)
    source.fetches[1].set_result("new")
    assert await again[0] == ("new", False)


async def test_other_keys_do_not_wait() -> None:
    flights, source = SingleFlight(), Source()
    first = await several(flights, source, 1)

    async def other() -> str:
        return "other"

    assert await flights.run("another", other) == ("other", False)
    source.fetches[0].set_result("value")
    await first[0]


async def test_an_exception_is_raised_for_all() -> None:
    flights, source = SingleFlight(), Source()
    tasks = await several(flights, source, 3)
    source.fetches[0].set_exception(ValueError("down"))
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [repr(outcome) for outcome in outcomes] == ["ValueError('down')"] * 3 and len(flights) == 0


async def test_one_who_waits_may_leave() -> None:
    flights, source = SingleFlight(), Source()
    tasks = await several(flights, source, 3)
    tasks[1].cancel()
    await settle()
    assert tasks[1].cancelled() and not source.fetches[0].cancelled()
    source.fetches[0].set_result("value")
    assert [await tasks[0], await tasks[2]] == [("value", False), ("value", True)]


async def test_when_the_one_who_fetches_is_cancelled_the_next_one_does() -> None:
    flights, source = SingleFlight(), Source()
    tasks = await several(flights, source, 4)
    tasks[1].cancel()
    tasks[0].cancel()
    await settle()
    assert [task.cancelled() for task in tasks] == [True, True, False, False]
    assert len(source.fetches) == 2 and source.fetches[0].cancelled()
    source.fetches[1].set_result("value")
    assert await asyncio.gather(*tasks[2:]) == [("value", False), ("value", True)]
    assert len(flights) == 0


async def test_the_next_one_may_be_cancelled_in_the_very_moment_of_its_turn() -> None:
    flights, source = SingleFlight(), Source()

    async def takes_along_the_next() -> None:
        try:
            await flights.run("key", source)
        finally:
            tasks[0].cancel()  # it has been told to go on, and has not run since

    first = asyncio.create_task(takes_along_the_next())
    await settle()
    tasks = await several(flights, source, 2)
    first.cancel()
    await settle()
    assert first.cancelled() and tasks[0].cancelled() and not tasks[1].done()
    source.fetches[-1].set_result("value")
    assert await tasks[1] == ("value", False) and len(flights) == 0


async def test_when_all_are_cancelled_nothing_is_left() -> None:
    flights, source = SingleFlight(), Source()
    tasks = await several(flights, source, 3)
    for task in tasks:
        task.cancel()
    await settle()
    assert all(task.cancelled() for task in tasks) and len(flights) == 0
    assert all(fetch.cancelled() for fetch in source.fetches)
