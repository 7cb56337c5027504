"""Time as the patterns see it: a clock to read and a way to wait, so that a test or a notebook can bring its own."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that only go forward, and a way to wait."""

    def now(self) -> float:
        """Seconds since some beginning."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Come back after so many seconds; at once for none or fewer."""
        ...


class SystemClock:
    """The machine's monotonic clock and event loop."""

    def now(self) -> float:
        """`time.monotonic`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """`asyncio.sleep`."""
        await asyncio.sleep(max(0.0, seconds))


class WallClock(SystemClock):
    """Seconds since 1970: the clock that several processes share."""

    def now(self) -> float:
        """`time.time`."""
        return time.time()


class VirtualClock:
    """A clock that stands still until it is told to go on. Those who sleep wake in order, each at its time.

    await clock.advance(60)      # a minute passes, in no time
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        """The time it was told."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has come so far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), waiting))
        await waiting

    def jump(self, seconds: float) -> None:
        """Let time pass for code that only reads the clock; nobody is woken."""
        self._now += seconds

    async def advance(self, seconds: float) -> None:
        """Let time pass; whoever wakes meanwhile runs until it waits again."""
        until = self._now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            self._now, _, waiting = heapq.heappop(self._sleepers)
            if not waiting.done():
                waiting.set_result(None)
            await settle()
        self._now = until
        await settle()


async def settle(rounds: int = 50) -> None:
    """Let every task that is ready run until it waits for something else than the event loop's next turn."""
    for _ in range(rounds):
        await asyncio.sleep(0)


SYSTEM = SystemClock()
"""The clock that is used unless another is given."""
