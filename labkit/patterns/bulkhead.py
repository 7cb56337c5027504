"""Bulkheads: a slow dependency may fill its own places, and no others.

    slots = Slots(10, queue=20, wait=1.0)
    async with slots:                             # raises Overloaded when no place comes free
        await query()

    server.middleware.append(Bulkhead(10, key=by_tool, queue=20, wait=1.0))

At most `limit` calls run, at most `queue` wait, in the order they came and none longer than `wait` seconds (a deadline
around it ends the wait, too). A queue without bounds is worse than a refusal: everybody in it gets an answer that
nobody waits for any more.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from labkit.patterns.calls import Call, CallMiddleware, Key, Proceed, Result, by_tool
from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.failures import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class Overloaded(Unavailable):
    """No place: too many wait already, or the wait was too long."""

    def __init__(self, name: str, why: str, retry_after: float) -> None:
        whom = f"{name!r}" if name else "This"
        super().__init__(f"{whom} is busy: {why}; try again later.", reason="overloaded", retry_after=retry_after)


@dataclass(slots=True)
class SlotStats:
    """`entered` got a place, `waited` of them after waiting; `full` were refused at once, `late` after waiting.
    `peak` is the most that ran at the same time."""

    entered: int = 0
    waited: int = 0
    full: int = 0
    late: int = 0
    peak: int = 0


class Slots:
    """The mechanism: `limit` places and a queue in front of them. Belongs to one event loop."""

    def __init__(
        self,
        limit: int,
        *,
        queue: int = 0,
        wait: float = 1.0,
        name: str = "",
        clock: Clock = SYSTEM,
        stats: SlotStats | None = None,
    ) -> None:
        if limit < 1 or queue < 0:
            raise ValueError("a bulkhead needs limit >= 1 and queue >= 0")
        self.name = name
        self.running = 0
        self._limit, self._queue, self._wait, self._clock = limit, queue, wait, clock
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._stats = stats or SlotStats()

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiting)

    def stats(self) -> SlotStats:
        """What has happened so far."""
        return replace(self._stats)

    async def __aenter__(self) -> Self:
        if self.running < self._limit:
            self.running += 1
        else:
            await self._queued()
            self._stats.waited += 1
        self._stats.entered += 1
        if self.running > self._stats.peak:
            self._stats.peak = self.running
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def guard(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """A decorator: each call of the async function needs a place."""

        @functools.wraps(function)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            async with self:
                return await function(*args, **kwargs)

        return guarded

    async def _queued(self) -> None:
        if len(self._waiting) >= self._queue:
            self._stats.full += 1
            raise Overloaded(self.name, f"{self.running} run and {self.waiting} wait", self._wait)
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        timer = asyncio.ensure_future(self._clock.sleep(self._wait))
        timer.add_done_callback(lambda _: turn.done() or turn.set_result(False))
        try:
            mine = await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.result():
                self._leave()  # the place came in the same moment as the cancellation: pass it on
            raise
        finally:
            timer.cancel()
            if turn in self._waiting:
                self._waiting.remove(turn)
        if not mine:
            self._stats.late += 1
            raise Overloaded(self.name, f"no place came free in {self._wait:.3g} s", self._wait)

    def _leave(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)  # the place changes hands: nobody can come in between
                return
        self.running -= 1


class Bulkhead(CallMiddleware):
    """Places for each key, by default for each tool. The settings are those of `Slots`.

    A key takes memory while its calls run or wait, and none afterwards.
    """

    def __init__(
        self, limit: int, key: Key = by_tool, *, queue: int = 0, wait: float = 1.0, clock: Clock = SYSTEM
    ) -> None:
        self._key = key
        self._stats = SlotStats()
        self._new = functools.partial(Slots, limit, queue=queue, wait=wait, clock=clock, stats=self._stats)
        self._new()  # the settings are checked now
        self.slots: dict[str, Slots] = {}

    def stats(self) -> SlotStats:
        """What has happened so far, with all keys together; `peak` is the most of one key."""
        return replace(self._stats)

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Answer the call in one of its key's places."""
        name = self._key(call)
        slots = self.slots.get(name)
        if slots is None:
            slots = self.slots[name] = self._new(name=name)
        try:
            async with slots:
                return await proceed()
        finally:
            if not slots.running and self.slots.get(name) is slots:
                del self.slots[name]
