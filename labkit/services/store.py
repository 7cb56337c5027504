"""A small key-value store with expiry, for what several callers or processes share: counters, caches, marks.

    store = open_store()                  # REDIS_URL, or memory://, a store inside of this process
    await store.add("calls:ada", ttl=60)  # -> 1, 2, ... and again 1 a minute after the first

Both kinds do the same; that of a process ends with it, and no other process sees it.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

from labkit.services.service import ServiceError

MEMORY_URL = "memory://"
SWEEP_EVERY = 1_000
"""How many writes pass between two searches for entries that have expired."""


class Store(Protocol):
    """Text by key. `ttl` is in seconds; after it the key is gone. Raises ServiceError when it is out of reach."""

    async def get(self, key: str) -> str | None:
        """What was set, None if nothing was, or no longer is."""
        ...

    async def set(self, key: str, value: str, *, ttl: float | None = None) -> None:
        """Set a value, and its expiry anew."""
        ...

    async def add(self, key: str, amount: int = 1, *, ttl: float | None = None) -> int:
        """Add to a counter that begins at 0; returns its new value. Of many callers at once, each gets its own.

        `ttl` holds from the first call on, not from the last.
        """
        ...

    async def delete(self, key: str) -> bool:
        """Whether there was something to delete."""
        ...

    async def close(self) -> None:
        """Let go of connections. The store may be used again."""
        ...


def open_store(url: str | None = None) -> Store:
    """The store of that URL: memory://, or redis://:PASSWORD@HOST:PORT/NUMBER. REDIS_URL by default."""
    url = url or os.environ.get("REDIS_URL") or MEMORY_URL
    scheme = urlsplit(url).scheme
    if scheme == "memory":
        return MemoryStore()
    if scheme in ("redis", "rediss", "unix"):
        return RedisStore(url)
    # Not the whole URL: it may hold a password.
    raise ServiceError(
        f"There is no store for a URL that begins with {scheme!r}: write memory:// or redis://HOST:PORT."
    )


class MemoryStore:
    """A store inside of this process. No step waits, so each is atomic among the tasks of one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[str, tuple[str, float]] = {}
        self._writes = 0

    async def get(self, key: str) -> str | None:
        entry = self._living(key)
        return entry[0] if entry else None

    async def set(self, key: str, value: str, *, ttl: float | None = None) -> None:
        _check_ttl(ttl)
        self._write(key, value, self._expiry(ttl))

    async def add(self, key: str, amount: int = 1, *, ttl: float | None = None) -> int:
        _check_ttl(ttl)
        value, expiry = self._living(key) or ("0", self._expiry(ttl))
        try:
            total = int(value) + amount
        except ValueError:
            raise ServiceError(f"{key!r} holds no number, so nothing can be added to it.") from None
        self._write(key, str(total), expiry)
        return total

    async def delete(self, key: str) -> bool:
        return self._living(key) is not None and self._entries.pop(key, None) is not None

    async def close(self) -> None:
        """Nothing to let go of."""

    def __len__(self) -> int:
        return len(self._entries)

    def _expiry(self, ttl: float | None) -> float:
        return math.inf if ttl is None else self._clock() + ttl

    def _living(self, key: str) -> tuple[str, float] | None:
        entry = self._entries.get(key)
        if entry and entry[1] <= self._clock():
            del self._entries[key]
            return None
        return entry

    def _write(self, key: str, value: str, expiry: float) -> None:
        self._entries[key] = (value, expiry)
        self._writes += 1
        if self._writes % SWEEP_EVERY == 0:  # or keys that nobody asks for again stay for ever
            now = self._clock()
            self._entries = {key: entry for key, entry in self._entries.items() if entry[1] > now}


class RedisStore:
    """A Redis. Connections are opened when needed, and anew after they were lost."""

    # In one step on the server: between INCRBY and PEXPIRE of a client, the client may die, and the key stay for ever.
    _ADD = """
    local fresh = redis.call('EXISTS', KEYS[1]) == 0
    local total = redis.call('INCRBY', KEYS[1], ARGV[1])
    if fresh and ARGV[2] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return total
    """

    def __init__(self, url: str) -> None:
        self._where = urlsplit(url).netloc.rpartition("@")[2]
        self._url = url
        self._client: Any = None

    async def get(self, key: str) -> str | None:
        return await self._call(key, "GET", key)

    async def set(self, key: str, value: str, *, ttl: float | None = None) -> None:
        await self._call(key, "SET", key, value, *([] if ttl is None else ["PX", _milliseconds(ttl)]))

    async def add(self, key: str, amount: int = 1, *, ttl: float | None = None) -> int:
        expiry = "" if ttl is None else str(_milliseconds(ttl))
        return int(await self._call(key, "EVAL", self._ADD, 1, key, amount, expiry))

    async def delete(self, key: str) -> bool:
        return bool(await self._call(key, "DEL", key))

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _call(self, key: str, *command: Any) -> Any:
        from redis import exceptions

        try:
            return await self._open().execute_command(*command)
        except exceptions.AuthenticationError as error:
            raise ServiceError(f"Redis at {self._where} does not let us in: {error}. Correct REDIS_URL.") from error
        except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
            raise ServiceError(
                f"Redis at {self._where} is out of reach: {error}. Is it running? "
                "The lab's own comes up with: labkit services up redis"
            ) from error
        except exceptions.ResponseError as error:
            if "not an integer" in str(error):
                raise ServiceError(f"{key!r} holds no number, so nothing can be added to it.") from error
            raise ServiceError(f"Redis at {self._where} refused: {error}") from error

    def _open(self) -> Any:
        if self._client is None:
            from redis.asyncio import Redis

            self._client = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
                self._url, decode_responses=True, socket_connect_timeout=5, socket_timeout=10
            )
        return self._client


def _check_ttl(ttl: float | None) -> None:
    if ttl is not None and ttl <= 0:
        raise ServiceError(f"ttl is in seconds and more than 0, not {ttl!r}.")


def _milliseconds(ttl: float) -> int:
    _check_ttl(ttl)
    return max(1, round(ttl * 1000))
