"""Connection pools: what is dear to open is opened a few times and lent, and nobody waits for ever.

    pool = Pool(open_connection, close_connection, size=10, wait=2.0)
    async with pool.lend() as connection:
        ...

`database_pools` and `http_pool` are pools of the same manners: for SQLite, PostgreSQL, and HTTP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import anyio

from labkit.errors import LabError
from labkit.patterns.clock import SYSTEM, Clock

T = TypeVar("T")


class PoolError(LabError):
    """The pool cannot give a connection."""


class PoolBusyError(PoolError):
    """All connections are lent, and stayed so for as long as one may wait; later there may be one."""


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool at this moment, and what it has done since it was made."""

    limit: int
    """Connections that there may be at the same time."""
    idle: int
    in_use: int
    waiting: int
    """Who waits for a connection."""
    lent: int = 0
    """How often one was lent, or a request was made."""
    opened: int = 0
    closed: int = 0
    """Whatever the reason."""
    broken: int = 0
    """Connections, or requests, that failed: not opened, not in order when looked at, lost."""
    busy: int = 0
    """How often somebody got none: it took too long, or too many were waiting."""
    waited: float = 0.0
    """Seconds that all together have waited."""

    @property
    def open(self) -> int:
        """Connections that there are."""
        return self.idle + self.in_use


class _Idle(NamedTuple, Generic[T]):
    connection: T
    opened: float
    since: float


class Pool(Generic[T]):
    """Lends up to `size` connections; who comes when all are lent waits in line.

    `wait` is the longest wait and `max_waiting` the longest line. Before one is lent, those are closed that were idle
    for `idle` seconds or are older than `life`, and the one to be lent when `check` raises for it, which is asked after
    `check_after` seconds without use. `reset` cleans it after each block; it is closed when that raises. All times are
    in seconds.
    """

    def __init__(
        self,
        open: Callable[[], Awaitable[T]],
        close: Callable[[T], Awaitable[None]],
        *,
        check: Callable[[T], Awaitable[object]] | None = None,
        reset: Callable[[T], Awaitable[object]] | None = None,
        size: int = 10,
        wait: float = 5.0,
        max_waiting: int = 100,
        idle: float = 300.0,
        life: float = 3600.0,
        check_after: float = 30.0,
        clock: Clock = SYSTEM,
    ) -> None:
        if size < 1:
            raise ValueError(f"A pool has room for one connection at least, not {size}.")
        self._open, self._close, self._check, self._reset = open, close, check, reset
        self._size, self._wait, self._max_waiting = size, wait, max_waiting
        self._idle_seconds, self._life, self._check_after, self._clock = idle, life, check_after, clock
        self._idle: list[_Idle[T]] = []  # the last one used at the end: it is lent first, so that the others grow old
        self._in_use = 0  # with those that are just being opened
        self._line: deque[asyncio.Future[None]] = deque()
        self._lent = self._opened = self._closed = self._broken = self._busy = 0
        self._waited = 0.0
        self._shut = False

    @asynccontextmanager
    async def lend(self) -> AsyncGenerator[T]:
        """A connection for the length of a block. Raises PoolBusyError, PoolError, or what opening one raises."""
        await self._take_place()
        try:
            connection, opened = await self._ready()
        except BaseException:
            self._leave_place()
            raise
        self._lent += 1
        try:
            yield connection
        finally:
            # Shielded: a connection that is neither returned nor closed would be gone for good.
            with anyio.CancelScope(shield=True):
                try:
                    await self._take_back(connection, opened)
                finally:
                    self._leave_place()

    async def check(self) -> float:
        """Borrow a connection, look at it, and return the seconds that took. Raises when there is none in order.

        For a health check: `health.check("database")(pool.check)`.
        """
        began = self._clock.now()
        async with self.lend() as connection:
            if self._check is not None:
                await self._check(connection)
        return self._clock.now() - began

    def stats(self) -> PoolStats:
        """The pool at this moment."""
        waiting = sum(not place.done() for place in self._line)
        return PoolStats(
            self._size, len(self._idle), self._in_use, waiting, self._lent, self._opened, self._closed, self._broken,
            self._busy, self._waited,
        )  # fmt: skip

    async def close(self) -> None:
        """Close what is idle, and what is lent as soon as it comes back. Who waits gets a PoolError, as who comes."""
        self._shut = True
        while self._line:
            place = self._line.popleft()
            if not place.done():
                place.set_exception(PoolError("The pool was closed while a connection was waited for."))
        while self._idle:
            await self._end(self._idle.pop().connection)

    async def _take_place(self) -> None:
        if self._shut:
            raise PoolError("The pool is closed: whoever closes it should be the last to use it.")
        if self._in_use < self._size and not self._line:
            self._in_use += 1
            return
        if len(self._line) >= self._max_waiting:
            self._busy += 1
            raise PoolBusyError(f"All {self._size} connections are lent and {len(self._line)} wait: try again later.")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        began = self._clock.now()
        alarm = asyncio.create_task(self._give_up(place))
        try:
            await place  # whoever leaves a place hands it over: it counts as taken all the time
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._leave_place()
            raise
        finally:
            alarm.cancel()
            self._waited += self._clock.now() - began
            if place in self._line:
                self._line.remove(place)

    async def _give_up(self, place: asyncio.Future[None]) -> None:
        await self._clock.sleep(self._wait)
        if not place.done():
            self._busy += 1
            place.set_exception(
                PoolBusyError(f"None of the {self._size} connections came free in {self._wait:g} s: try again later.")
            )

    def _leave_place(self) -> None:
        while self._line:
            place = self._line.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._in_use -= 1

    async def _ready(self) -> tuple[T, float]:
        """An idle connection that is in order, or a new one."""
        await self._end_the_old()
        while self._idle:
            found = self._idle.pop()
            connection = found.connection
            if self._check is None or self._clock.now() - found.since < self._check_after:
                return connection, found.opened
            try:
                await self._check(connection)
                return connection, found.opened
            except Exception:
                self._broken += 1
                await self._end(connection)
            except BaseException:
                await self._end(connection)  # cancelled half way through: nobody knows what it would say next
                raise
        try:
            connection = await self._open()
        except Exception:
            self._broken += 1
            raise
        self._opened += 1
        return connection, self._clock.now()

    async def _take_back(self, connection: T, opened: float) -> None:
        if self._reset is not None:
            try:
                await self._reset(connection)
            except BaseException as error:
                self._broken += 1
                await self._end(connection)
                if isinstance(error, Exception):
                    return
                raise
        if self._shut or self._clock.now() - opened >= self._life:
            await self._end(connection)
        else:
            self._idle.append(_Idle(connection, opened, self._clock.now()))

    async def _end_the_old(self) -> None:
        now = self._clock.now()
        old = [one for one in self._idle if now - one.since >= self._idle_seconds or now - one.opened >= self._life]
        self._idle = [one for one in self._idle if one not in old]
        for one in old:
            await self._end(one.connection)

    async def _end(self, connection: T) -> None:
        self._closed += 1
        try:
            with anyio.CancelScope(shield=True):
                await self._close(connection)
        except Exception:
            self._broken += 1  # it is gone either way
