"""Where a cache keeps what it knows: the two operations that a place has to offer, and memory as such a place.

An entry is dropped by its tags. Nothing is searched for: a tag remembers when it was dropped last, and an entry whose
fetch began before that is no longer given. So an answer that was on its way when its tag was dropped is not kept.
"""

from __future__ import annotations

import marshal
from collections.abc import Hashable
from typing import Any, NamedTuple, Protocol, cast

import cachetools

from labkit.patterns.clock import SYSTEM, Clock

MAX_KEEP = 24 * 60 * 60.0
"""Seconds: nothing is kept for longer, whatever a policy or a server says. It is the MCP client's limit, too."""
EVERYTHING = "all"
"""The tag that all entries have."""


class Entry(NamedTuple):
    """What was kept: a value of JSON, its age, and for how long after its making it is fresh, both in seconds."""

    value: Any
    age: float
    ttl: float


class Loaded(NamedTuple):
    """An entry, if there is one, and a stamp: give it to `save` when what was fetched from now on is to be kept."""

    entry: Entry | None
    stamp: Hashable


class Backend(Protocol):
    """A place for entries. An entry has the same tags at each operation. What fails there is counted, not raised."""

    @property
    def evicted(self) -> int:
        """Entries that had to leave because there was no more room."""
        ...

    @property
    def failures(self) -> int:
        """Operations that failed."""
        ...

    async def load(self, key: bytes, tags: tuple[str, ...]) -> Loaded:
        """The entry of that key, unless it is past its time or one of its tags was dropped."""
        ...

    async def save(
        self, key: bytes, tags: tuple[str, ...], stamp: Hashable, value: Any, ttl: float, keep: float
    ) -> bool:
        """Keep a value for `keep` seconds; it is fresh for the first `ttl` of them. Whether it was kept."""
        ...

    async def drop(self, tags: tuple[str, ...]) -> None:
        """Forget every entry that has one of these tags, and what is being fetched for such an entry just now."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class _Kept(NamedTuple):
    packed: bytes
    made: float
    ttl: float
    keep: float
    stamp: int


class _Entries(cachetools.TLRUCache[bytes, _Kept]):
    """Least recently used, each with an expiry of its own; counts what it throws out for want of room."""

    evicted = 0

    def popitem(self) -> tuple[bytes, _Kept]:
        self.evicted += 1
        return super().popitem()


class MemoryCache:
    """Entries in this process, the most recently used `max_bytes` of them."""

    OVERHEAD = 600
    """Bytes that an entry costs beside its value: key, expiry, places in three dicts and a heap."""
    MAX_TAGS = 10_000
    """So many dropped tags are remembered. Beyond, the oldest is forgotten together with all entries of its time."""

    failures = 0

    def __init__(self, max_bytes: int = 32 * 1024 * 1024, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._entries = _Entries(max_bytes, _until, timer=clock.now, getsizeof=_size)
        self._dropped: dict[str, int] = {}
        self._sequence = 0
        self._floor = 0

    @property
    def evicted(self) -> int:
        """Entries that had to leave because there was no more room."""
        return self._entries.evicted

    def __len__(self) -> int:
        """Entries that are not past their time. Dropped ones count until they are asked for, or leave."""
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self._entries.currsize)

    async def load(self, key: bytes, tags: tuple[str, ...]) -> Loaded:
        """See `Backend`."""
        stamp = self._stamp(tags)
        try:
            kept = self._entries[key]
        except KeyError:
            return Loaded(None, stamp)
        if kept.stamp != stamp:
            self._entries.pop(key, None)
            return Loaded(None, stamp)
        # A packed copy: nobody can change what is kept, and its size is known.
        return Loaded(Entry(marshal.loads(kept.packed), self._clock.now() - kept.made, kept.ttl), stamp)

    async def save(
        self, key: bytes, tags: tuple[str, ...], stamp: Hashable, value: Any, ttl: float, keep: float
    ) -> bool:
        """See `Backend`. A value that is larger than the whole cache is not kept."""
        if stamp != self._stamp(tags):
            return False
        try:
            packed = marshal.dumps(value)
            self._entries[key] = _Kept(packed, self._clock.now(), ttl, keep, cast(int, stamp))
        except ValueError:
            return False
        return True

    async def drop(self, tags: tuple[str, ...]) -> None:
        """See `Backend`."""
        self._sequence += 1
        if EVERYTHING in tags:
            self._entries.clear()
            self._dropped.clear()
            self._floor = self._sequence
            return
        for tag in tags:
            self._dropped.pop(tag, None)
            self._dropped[tag] = self._sequence
        while len(self._dropped) > self.MAX_TAGS:
            self._floor = self._dropped.pop(next(iter(self._dropped)))

    async def close(self) -> None:
        """Nothing to let go of."""

    def _stamp(self, tags: tuple[str, ...]) -> int:
        dropped = self._dropped
        if not dropped:
            return self._floor
        return max(self._floor, *(dropped.get(tag, 0) for tag in tags))


def _until(key: bytes, kept: _Kept, now: float) -> float:
    return now + kept.keep


def _size(kept: _Kept) -> int:
    return len(kept.packed) + MemoryCache.OVERHEAD
