"""Read through: what is kept and fresh is given at once, all else is fetched, by one for all who want it just then.

    weather = ReadThrough(MemoryCache())
    found = await weather.get(cache_key("forecast", city), fetch, lambda value: Freshness(60, stale=30))
    found.value, found.state          # {...}, "hit"

What is stale, but not yet for too long, is given at once, too, and fetched anew behind the caller's back.
"""

from __future__ import annotations

import asyncio
import json
import logging
import marshal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from labkit.patterns.cache_backend import EVERYTHING, MAX_KEEP, Backend, MemoryCache
from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.deadline import outliving
from labkit.patterns.single_flight import SingleFlight

State = Literal["hit", "stale", "joined", "miss"]
"""How a value came: kept and fresh, kept and stale, fetched for another caller at the same time, or fetched."""

logger = logging.getLogger(__name__)
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def cache_key(*parts: Any) -> bytes:
    """32 bytes for a list of JSON values. Different lists never read the same, members of objects come in any order.

    Raises ValueError, TypeError or RecursionError for what JSON cannot hold.
    """
    # A digest, because a caller chooses the length of what it stands for. JSON, because joined texts are ambiguous.
    return blake2b(_encode(parts).encode("utf-8", "surrogatepass"), digest_size=32).digest()


class Freshness(NamedTuple):
    """For how many seconds a value is fresh, and for how many more it may be given while a new one is fetched.

    Of 0 seconds, it is given to all who wait for it just then, and not kept. `negative` marks an error: it never takes
    the place of a good value that is merely stale.
    """

    ttl: float
    stale: float = 0.0
    negative: bool = False


class Found(NamedTuple):
    """A value, how it came, its age in seconds, and for how many seconds more it is fresh (0 unless kept)."""

    value: Any
    state: State
    age: float = 0.0
    fresh_for: float = 0.0


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Each call counts as one of `hits`, `stale`, `joined`, `misses` and `bypassed`."""

    hits: int
    stale: int
    joined: int
    misses: int
    bypassed: int
    kept: int
    """Values that were put into the cache."""
    refreshed: int
    """Stale values that were fetched anew in the background."""
    refresh_failed: int
    evicted: int
    failures: int
    """Operations that the place of the entries failed at, such as a Redis that is away."""

    @property
    def calls(self) -> int:
        """All calls."""
        return self.hits + self.stale + self.joined + self.misses + self.bypassed

    @property
    def hit_rate(self) -> float:
        """The share of calls that nothing was fetched for, 0 to 1."""
        return (self.hits + self.stale + self.joined) / self.calls if self.calls else 0.0


class ReadThrough:
    """A cache in front of whatever can be fetched. `backend` is a MemoryCache or a RedisCache."""

    MAX_REFRESHES = 32
    """So many background fetches at the same time; beyond, what is stale is given and stays stale."""

    def __init__(self, backend: Backend | None = None, *, clock: Clock = SYSTEM, refresh_timeout: float = 30.0) -> None:
        self.backend: Backend = MemoryCache(clock=clock) if backend is None else backend  # an empty one is false
        self.hits = self.stale = self.joined = self.misses = self.bypassed = 0
        self.kept = self.refreshed = self.refresh_failed = 0
        self._flights = SingleFlight()
        self._refreshes: dict[bytes, asyncio.Task[None]] = {}
        self._refresh_timeout = refresh_timeout

    async def get(
        self,
        key: bytes,
        fetch: Callable[[], Awaitable[Any]],
        judge: Callable[[Any], Freshness | None],
        tags: tuple[str, ...] = (EVERYTHING,),
    ) -> Found:
        """The value of that key, a JSON value. `judge` says for how long one that was fetched may be kept.

        A value that `judge` gives None for is its caller's alone: whoever waited for it fetches on its own. An
        exception of `fetch` is raised for all who wait, and never kept.
        """
        entry, stamp = await self.backend.load(key, tags)
        if entry is not None:
            value, age, ttl = entry
            if age < ttl:
                self.hits += 1
                return Found(value, "hit", age, ttl - age)
            self.stale += 1
            if key not in self._refreshes and len(self._refreshes) < self.MAX_REFRESHES:
                refresh = self._refresh(key, stamp, fetch, judge, tags)
                self._refreshes[key] = asyncio.create_task(refresh, context=outliving())
            return Found(value, "stale", age)

        async def fetched() -> tuple[Any, bool]:
            value = await fetch()
            freshness = judge(value)
            await self._keep(key, stamp, value, freshness, tags)
            return value, freshness is not None

        # With its stamp: who calls after a drop must not be given what was on its way before it.
        (value, common), shared = await self._flights.run((key, stamp), fetched)
        if shared and common:
            self.joined += 1
            return Found(_copy(value), "joined")
        if shared:
            value, _ = await fetched()
        self.misses += 1
        return Found(value, "miss")

    async def drop(self, *tags: str) -> None:
        """Forget what has one of these tags; without any, everything."""
        await self.backend.drop(tags or (EVERYTHING,))

    def stats(self) -> CacheStats:
        """The counters at this moment."""
        return CacheStats(
            self.hits, self.stale, self.joined, self.misses, self.bypassed, self.kept, self.refreshed,
            self.refresh_failed, self.backend.evicted, self.backend.failures,
        )  # fmt: skip

    async def close(self) -> None:
        """End background fetches and let go of connections."""
        tasks = list(self._refreshes.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._refreshes.clear()  # one that was cancelled before it began has not done so itself
        await self.backend.close()

    async def _keep(
        self, key: bytes, stamp: Any, value: Any, freshness: Freshness | None, tags: tuple[str, ...]
    ) -> None:
        if freshness is None or freshness.ttl <= 0:
            return
        ttl = min(freshness.ttl, MAX_KEEP)
        if await self.backend.save(key, tags, stamp, value, ttl, min(ttl + freshness.stale, MAX_KEEP)):
            self.kept += 1

    async def _refresh(
        self,
        key: bytes,
        stamp: Any,
        fetch: Callable[[], Awaitable[Any]],
        judge: Callable[[Any], Freshness | None],
        tags: tuple[str, ...],
    ) -> None:
        async def fetched() -> tuple[Any, bool]:
            value = await fetch()
            freshness = judge(value)
            if freshness is None or freshness.negative:
                self.refresh_failed += 1
            else:
                await self._keep(key, stamp, value, freshness, tags)
                self.refreshed += 1
            return value, freshness is not None

        try:
            async with asyncio.timeout(self._refresh_timeout):
                await self._flights.run((key, stamp), fetched)
        except Exception as error:
            # Nobody waits for this one; what is stale is given until its time is over.
            self.refresh_failed += 1
            logger.warning("A value in the cache could not be fetched anew: %s: %s", type(error).__name__, error)
        finally:
            self._refreshes.pop(key, None)


def _copy(value: Any) -> Any:
    """What several are given is one object; what one of them changes is nothing to the others."""
    try:
        return marshal.loads(marshal.dumps(value))
    except ValueError:
        return value
