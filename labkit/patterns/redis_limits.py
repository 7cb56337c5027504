"""The same limits for many processes: a sliding window and a token bucket on Redis.

    limiter = RedisLimiter("redis://127.0.0.1:6379", "100/minute", name="search", fail="open")
    if not (verdict := await limiter.take("ada")):
        print(f"again in {verdict.wait:.0f} s")

Each decision is one script, which Redis runs to its end before it runs anything else: nobody comes in between looking
and booking. Its clock is Redis's own: the processes need not agree on the time. Records expire by themselves.

When Redis cannot be asked, `fail` decides: "closed" refuses, "open" admits, and a limiter of this process takes over
with a limit of its own. Calls are then not held up: only one in each `recheck` seconds tries whether Redis is back.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, cast

from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.limiter import LONGEST_KEY, MAX_KEYS, Limiter, Rate, Verdict, check, digest
from labkit.patterns.outage import Outage

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

PREFIX = "labkit:limit"
CONNECTIONS = 16
Failing = Literal["open", "closed"] | Limiter

# Times are whole microseconds. KEYS: the record of this id, the record that ids share when there are too many, and the
# ids that have one, by the time from which it says nothing any more.
_BEGIN = """
local now, cost, within, most_ids = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local record = KEYS[1]
if redis.call('EXISTS', record) == 0 then
  -- A few at a time, or a crowd that leaves at once would stop everybody.
  local gone = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 16)
  if #gone > 0 then redis.call('ZREM', KEYS[3], unpack(gone)) end
  if redis.call('ZCARD', KEYS[3]) >= most_ids then record = KEYS[2] end
end
local function keep(until_then)
  local left = math.max(1, math.ceil((until_then - now) / 1000))
  redis.call('PEXPIRE', record, left)
  if record ~= KEYS[2] then
    redis.call('ZADD', KEYS[3], string.format('%.0f', until_then), record)
    if redis.call('PTTL', KEYS[3]) < left then redis.call('PEXPIRE', KEYS[3], left) end
  end
end
"""
_WINDOW = (
    _BEGIN
    + """
local limit, period = tonumber(ARGV[5]), tonumber(ARGV[6])
local due, leaving = now, redis.call('LLEN', record) + cost - 1 - limit
if leaving >= 0 then due = math.max(due, tonumber(redis.call('LINDEX', record, leaving)) + period) end
if due - now > within then return {0, due - now} end
for _ = 1, cost do redis.call('RPUSH', record, string.format('%.0f', due)) end
redis.call('LTRIM', record, -limit, -1)
keep(due + period)
return {1, due - now}
"""
)
_BUCKET = (
    _BEGIN
    + """
local burst, interval = tonumber(ARGV[5]), tonumber(ARGV[6])
local full = math.max(tonumber(redis.call('GET', record) or now), now) + cost * interval
local wait = math.ceil(full - now - burst * interval)
if wait > within + 1 then return {0, wait} end
redis.call('SET', record, string.format('%.17g', full))
keep(full)
return {1, wait > 1 and wait or 0}
"""
)


class RedisLimiter:
    """The limits on calls of all processes that use `name`: a token bucket when the rate has a burst, else a window.

    `redis` is a URL, or a client of yours. A window keeps up to `limit` times of an id, about 20 bytes each, a bucket
    one number. `recheck` and `timeout` are seconds; `now` replaces Redis's clock; `clock` is what `recheck` goes by.
    """

    def __init__(
        self,
        redis: str | Redis,
        rate: str | Rate,
        *,
        name: str = "calls",
        fail: Failing = "closed",
        recheck: float = 1.0,
        timeout: float = 1.0,
        max_keys: int = MAX_KEYS,
        clock: Clock = SYSTEM,
        now: Callable[[], float] | None = None,
    ) -> None:
        from redis.exceptions import RedisError

        self.rate = Rate.parse(rate) if isinstance(rate, str) else rate
        if self.rate.burst is None:
            kind, script = "window", _WINDOW
            self._values = (self.rate.limit, round(self.rate.seconds * 1e6))
        else:
            kind, script = "bucket", _BUCKET
            self._values = (self.rate.burst, self.rate.seconds * 1e6 / self.rate.limit)
        # The braces keep the records of one limit on one node of a cluster: a script may touch no other.
        prefix = f"{PREFIX}:{{{name}}}:{kind}".encode()
        self._own, self._long = prefix + b":id:", prefix + b":digest:"
        self._common = [prefix + b":shared", prefix + b":ids"]
        self._fail: Failing = fail
        self._now, self._max_keys = now, max_keys
        self._outage = Outage(recheck, clock)
        self._failing = (RedisError, OSError)
        self._redis = redis if not isinstance(redis, str) else client(redis, timeout)
        self._owned = isinstance(redis, str)
        self._ask = cast("Callable[..., Awaitable[tuple[int, int]]]", self._redis.register_script(script))
        self.uncounted = 0
        """How many calls were decided without it."""

    @property
    def away(self) -> bool:
        """Whether Redis could not be asked the last time."""
        return self._outage.out

    @property
    def trouble(self) -> str:
        """What the last failure was."""
        return self._outage.trouble

    @property
    def failures(self) -> int:
        """How often Redis was asked in vain."""
        return self._outage.failures

    @property
    def period(self) -> float:
        """See `Limiter`."""
        return self.rate.period

    async def take(self, key: str, cost: int = 1, within: float = 0.0) -> Verdict:
        """See `Limiter`. A failure of Redis is not raised: `fail` decides."""
        check(self.rate, cost, within)
        if not self._outage.may_ask():
            return self._alone(key, cost, within)
        own = self._own + key.encode("utf-8", "surrogatepass") if len(key) <= LONGEST_KEY else self._long + digest(key)
        now = "" if self._now is None else round(self._now() * 1e6)
        values = [now, cost, round(within * 1e6), self._max_keys, *self._values]
        try:
            admitted, wait = await self._ask(keys=[own, *self._common], args=values)
        except self._failing as error:
            if self._outage.failed(error):
                log.warning("Redis cannot be asked for the limit on calls (%s).", self.trouble)
            return self._alone(key, cost, within)
        if self._outage.answered():
            log.warning("Redis is back: calls are counted together again.")
        return Verdict(bool(admitted), wait / 1e6)

    async def close(self) -> None:
        """Close the connections, unless they are those of a client that was given."""
        if self._owned:
            await self._redis.aclose()

    def _alone(self, key: str, cost: int, within: float) -> Verdict:
        self.uncounted += 1
        if isinstance(self._fail, str):
            admitted = self._fail == "open"
            return Verdict(admitted, 0.0 if admitted else self._outage.left, away=True)
        verdict = self._fail.take(key, cost, min(within, self._fail.period))
        return Verdict(verdict.admitted, verdict.wait, away=True)


def client(url: str, timeout: float) -> Redis:
    """A client for small, quick questions: few connections, short waits, one more try on a connection gone stale."""
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as Lost

    pool: Any = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]
        url,
        max_connections=CONNECTIONS,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 1, (Lost,)),
    )
    return Redis.from_pool(pool)
