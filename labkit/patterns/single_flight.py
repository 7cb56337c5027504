"""Single flight: of many who want the same thing at the same time, one fetches it and the others wait for that.

    flights = SingleFlight()
    value, shared = await flights.run("forecast:38.58,-121.49", fetch)

Whoever comes first fetches in its own task, so its deadline, its cancellation and its context hold. When it is
cancelled, the next of those who wait takes its place: the cancellation of one is never the answer of another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

_YOURS = object()
"""Tells somebody who waits that the one before is gone: fetch it yourself."""


class SingleFlight:
    """Keeps nothing once a flight has ended. For the tasks of one event loop."""

    __slots__ = ("_flights",)

    def __init__(self) -> None:
        # For each key that is being fetched, those who wait for it.
        self._flights: dict[Hashable, list[asyncio.Future[Any]]] = {}

    async def run(self, key: Hashable, fetch: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """What `fetch` returns, and whether somebody else's `fetch` did. An exception of it is raised for all."""
        waiting = self._flights.get(key)
        if waiting is None:
            self._flights[key] = []
        else:
            outcome = await self._wait(key, waiting)
            if outcome is not _YOURS:
                value, error = outcome
                if error is not None:
                    raise error
                return value, True
        return await self._lead(key, fetch), False

    def __contains__(self, key: Hashable) -> bool:
        """Whether it is being fetched."""
        return key in self._flights

    def __len__(self) -> int:
        """How many flights are under way."""
        return len(self._flights)

    async def _wait(self, key: Hashable, waiting: list[asyncio.Future[Any]]) -> Any:
        place: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting.append(place)
        try:
            return await place
        except asyncio.CancelledError:
            # It may have been told to go on and been cancelled in the same turn of the event loop.
            if place.done() and not place.cancelled() and place.result() is _YOURS:
                self._hand_over(key)
            raise

    async def _lead(self, key: Hashable, fetch: Callable[[], Awaitable[T]]) -> T:
        try:
            value = await fetch()
        except Exception as error:
            self._land(key, (None, error))
            raise
        except BaseException:
            self._hand_over(key)
            raise
        self._land(key, (value, None))
        return value

    def _land(self, key: Hashable, outcome: tuple[Any, Exception | None]) -> None:
        for place in self._flights.pop(key):
            if not place.done():
                place.set_result(outcome)

    def _hand_over(self, key: Hashable) -> None:
        waiting = self._flights[key]
        while waiting:
            place = waiting.pop(0)
            if not place.done():
                place.set_result(_YOURS)
                return
        del self._flights[key]
