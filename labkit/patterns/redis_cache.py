"""A Redis as the place of a cache's entries: shared by several processes, and it may be away.

    cache = Cache({"forecast": 60}, RedisCache("redis://...", name="weather", version="2"))

Each process fetches the same thing once at a time; of four processes, four may fetch it when it has just expired.
While Redis is out of reach, every call is fetched, one at a time for each key, as without a cache; after `retry_after`
seconds it is tried again. What was dropped meanwhile is dropped first when it is back.
"""

from __future__ import annotations

import json
import logging
import math
import secrets
from collections.abc import Hashable, Sequence
from typing import Any

from labkit.patterns.cache_backend import EVERYTHING, MAX_KEEP, Entry, Loaded
from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.outage import Outage

logger = logging.getLogger(__name__)

# The clock is that of Redis: those of several machines differ. A test gives the time in ARGV[1].
_NOW = """
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end
local marks = {}
for i = 2, #KEYS do marks[#marks + 1] = redis.call('GET', KEYS[i]) or '-' end
local stamp = table.concat(marks, ' ')
"""
_LOAD = (
    _NOW
    + """
local entry = redis.call('HMGET', KEYS[1], 'stamp', 'made', 'keep', 'ttl', 'value')
if entry[1] == stamp and now - entry[2] < tonumber(entry[3]) then
  return {stamp, tostring(now - entry[2]), entry[4], entry[5]}
end
return {stamp}
"""
)
_SAVE = (
    _NOW
    + """
if ARGV[2] ~= stamp then return 0 end
local made = string.format('%.6f', now)
redis.call('HSET', KEYS[1], 'stamp', stamp, 'made', made, 'keep', ARGV[3], 'ttl', ARGV[4], 'value', ARGV[5])
redis.call('PEXPIRE', KEYS[1], math.max(1, math.ceil(ARGV[3] * 1000)))
return 1
"""
)


class RedisCache:
    """Entries in the Redis of that URL. Caches of the same `name` and `version` share them. For one event loop.

    `timeout` is how long Redis may take for one operation, `retry_after` how long it is left alone after a failure, in
    seconds. Give a new `version` when answers change their form. `max_bytes` is the largest value that is kept; for all
    together, set Redis' own `maxmemory` with `maxmemory-policy volatile-ttl`: marks of dropped tags live longest.
    A process that ends while Redis is away takes along what it still had to drop: times to live are the last resort.
    """

    MAX_OWED = 1_000
    """So many tags are remembered that could not be dropped; beyond, everything is dropped instead."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        version: str = "1",
        clock: Clock = SYSTEM,
        redis_time: Clock | None = None,
        retry_after: float = 1.0,
        timeout: float = 1.0,
        max_bytes: int = 1024 * 1024,
    ) -> None:
        self._url, self._timeout, self._max_bytes, self._redis_time = url, timeout, max_bytes, redis_time
        self._outage = Outage(retry_after, clock)
        self._owed: set[str] = set()
        self._drops = 0  # stands for the stamp while Redis, which has it, is away
        # Braces: in a cluster, all keys of one cache lie on one node, where one script may touch them.
        self._prefix = f"labkit:cache:{{{name}/{version}}}:"
        self._client: Any = None
        self._load: Any = None
        self._save: Any = None

    @property
    def evicted(self) -> int:
        """Unknown here, so 0: Redis counts what it evicts for all its users together."""
        return 0

    @property
    def away(self) -> bool:
        """Whether Redis is taken for out of reach at the moment."""
        return bool(self._outage.left)

    @property
    def failures(self) -> int:
        """How often Redis was asked in vain."""
        return self._outage.failures

    async def load(self, key: bytes, tags: tuple[str, ...]) -> Loaded:
        """See `Backend`."""
        if not await self._reach():
            return Loaded(None, self._drops)
        try:
            stamp, *entry = await self._load(keys=self._keys(key, tags), args=[self._now()])
        except self._errors() as error:
            self._failed(error)
            return Loaded(None, self._drops)
        self._outage.answered()
        if not entry:
            return Loaded(None, stamp)
        age, ttl, value = entry
        return Loaded(Entry(json.loads(value), float(age), float(ttl)), stamp)

    async def save(
        self, key: bytes, tags: tuple[str, ...], stamp: Hashable, value: Any, ttl: float, keep: float
    ) -> bool:
        """See `Backend`."""
        if not isinstance(stamp, str) or not await self._reach():
            return False
        try:
            text = json.dumps(value, separators=(",", ":"))
        except (ValueError, TypeError, RecursionError):
            return False
        if len(text) > self._max_bytes:
            return False
        try:
            return bool(await self._save(keys=self._keys(key, tags), args=[self._now(), stamp, keep, ttl, text]))
        except self._errors() as error:
            self._failed(error)
            return False

    async def drop(self, tags: tuple[str, ...]) -> None:
        """See `Backend`. What cannot be dropped now is dropped before the next entry is loaded or saved."""
        self._drops += 1
        self._owe(tags)
        await self._reach()

    async def close(self) -> None:
        """Let go of connections. The cache may be used again."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _reach(self) -> bool:
        """Whether Redis is there, with all drops done that are owed to it."""
        if not self._outage.may_ask():
            return False
        self._open()
        if not self._owed:
            return True
        owed = list(self._owed)
        # A mark lives longer than every entry that it makes void; a new one is never the same as an earlier one.
        mark, life = secrets.token_hex(8), math.ceil(MAX_KEEP * 1000) + 3_600_000
        try:
            async with self._client.pipeline(transaction=True) as pipe:
                for tag in owed:
                    pipe.set(self._mark(tag), mark, px=life)
                await pipe.execute()
        except self._errors() as error:
            self._failed(error)
            return False
        self._owed.difference_update(owed)
        self._outage.answered()
        return True

    def _owe(self, tags: Sequence[str]) -> None:
        self._owed.update(tags)
        if EVERYTHING in self._owed or len(self._owed) > self.MAX_OWED:
            self._owed = {EVERYTHING}

    def _failed(self, error: Exception) -> None:
        if self._outage.failed(error):  # once for each time that it goes away, not for each call
            logger.warning("The cache goes on without Redis: %s", self._outage.trouble)

    def _keys(self, key: bytes, tags: tuple[str, ...]) -> list[str]:
        return [f"{self._prefix}entry:{key.hex()}", *(self._mark(tag) for tag in tags)]

    def _mark(self, tag: str) -> str:
        return f"{self._prefix}mark:{tag}"

    def _now(self) -> str:
        return "" if self._redis_time is None else repr(self._redis_time.now())

    def _open(self) -> None:
        if self._client is None:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            # Once more, for a connection that Redis has closed meanwhile; waiting longer is no use to a cache.
            self._client = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
                self._url, decode_responses=True, socket_connect_timeout=self._timeout, socket_timeout=self._timeout,
                retry=Retry(NoBackoff(), 1),
            )  # fmt: skip
            self._load = self._client.register_script(_LOAD)
            self._save = self._client.register_script(_SAVE)

    @staticmethod
    def _errors() -> tuple[type[Exception], ...]:
        from redis.exceptions import RedisError

        return (RedisError, OSError, TimeoutError)
