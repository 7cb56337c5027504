"""Rate limits as middleware: one line, for each caller, each tool, all together, in this process or for many.

    RateLimit("100/minute")                                      # each principal; those unknown share one limit
    RateLimit("2/second burst 20", key=by(by_tool, by_principal), wait=3)
    RateLimit({"send_email": "10/minute", "*": "100/minute"})    # limits of their own; a tool that is not named: "*"
    RateLimit("1000/minute", key=everyone, redis=url)            # one limit for all processes with this Redis

    server = MCPServer("mine", middleware=[RateLimit("10/second"), RateLimit("500/second", key=everyone)])

The first of several is the outer one. Callers' own limits go there: with the common one outside, whoever is refused by
their own limit has already taken a place from everybody.

A refusal is a tool error: a sentence for the model, and in `_meta` the reason and the seconds (`labkit/retryAfter`).
A call that is repeated with answers to a question (`input_required`) counts again: anyone could say that theirs is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal

from labkit.patterns.calls import Call, CallMiddleware, Key, Proceed, Result, by_principal, refusal
from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.limiter import MAX_KEYS, Limiter, Rate, RemoteLimiter, Verdict
from labkit.patterns.sliding_window import SlidingWindow
from labkit.patterns.token_bucket import TokenBucket

AnyLimiter = Limiter | RemoteLimiter

REASON = "rate-limited"
AWAY = "limiter-away"
"""Why a call was refused: there were too many, or nobody could count them."""
OTHERS = "*"


@dataclass(frozen=True)
class Counts:
    """What became of the calls so far, and how many wait at the moment."""

    admitted: int
    refused: int
    waited: int
    """How many of those admitted had to wait for it."""
    given_up: int
    """How many were cancelled while they waited. The places booked for them stay taken."""
    waiting: int


class RateLimit(CallMiddleware):
    """Middleware that refuses tool calls beyond a limit, or lets them wait for up to `wait` seconds, in order.

    `limit` is a rate as text, a limiter, or one of these for each tool. With `redis`, a URL, a text is a limit that all
    processes share which give it the same `name`; `fail` says what happens while that Redis cannot be asked: see
    `redis_limits`.
    """

    def __init__(
        self,
        limit: str | AnyLimiter | Mapping[str, str | AnyLimiter],
        *,
        key: Key = by_principal,
        wait: float = 0.0,
        max_keys: int = MAX_KEYS,
        redis: str | None = None,
        name: str = "calls",
        fail: Literal["open", "closed"] | Limiter = "closed",
        clock: Clock = SYSTEM,
    ) -> None:
        def limiter(of: str | AnyLimiter, name: str) -> AnyLimiter:
            if not isinstance(of, str):
                return of
            if redis is None:
                return in_process(of, max_keys=max_keys, clock=clock)
            from labkit.patterns.redis_limits import RedisLimiter

            return RedisLimiter(redis, of, name=name, fail=fail, max_keys=max_keys, clock=clock)

        if isinstance(limit, Mapping):
            self._by_tool = {tool: limiter(of, f"{name}:{tool}") for tool, of in limit.items()}
            self._others = self._by_tool.pop(OTHERS, None)
        else:
            self._by_tool, self._others = {}, limiter(limit, name)
        for each in self.limiters:
            if wait > each.period:
                raise ValueError(f"wait={wait:g} is longer than the limit's period of {each.period:g} s: wait less.")
        self._key, self._wait, self._clock = key, wait, clock
        self.admitted = self.refused = self.waited = self.given_up = self.waiting = 0

    @property
    def limiters(self) -> list[AnyLimiter]:
        """What counts the calls: of the tools that have their own, in the order given, then of all others."""
        return [*self._by_tool.values(), *([] if self._others is None else [self._others])]

    def stats(self) -> Counts:
        """The counters."""
        return Counts(self.admitted, self.refused, self.waited, self.given_up, self.waiting)

    async def close(self) -> None:
        """Close the connections to Redis, if there are any."""
        for each in self.limiters:
            if close := getattr(each, "close", None):
                await close()

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Let the call through, now or when its turn has come, or refuse it."""
        limiter = self._by_tool.get(call.tool, self._others)
        if limiter is None:
            return await proceed()
        verdict = limiter.take(self._key(call), 1, self._wait)
        if not isinstance(verdict, Verdict):
            verdict = await verdict
        if not verdict.admitted:
            self.refused += 1
            return refused(call, verdict)
        if verdict.wait:
            await self._turn(verdict.wait)
        self.admitted += 1
        return await proceed()

    async def _turn(self, seconds: float) -> None:
        self.waiting += 1
        came = False
        try:
            await self._clock.sleep(seconds)
            came = True
        finally:
            self.waiting -= 1
            self.given_up += not came
        self.waited += 1


def in_process(rate: str, *, max_keys: int = MAX_KEYS, clock: Clock = SYSTEM) -> SlidingWindow | TokenBucket:
    """The limiter that a text means: a token bucket when it names a burst, else a sliding window. Raises ValueError."""
    asked = Rate.parse(rate)
    if asked.burst is None:
        return SlidingWindow(asked.limit, asked.seconds, max_keys=max_keys, clock=clock)
    return TokenBucket(asked.limit, asked.seconds, burst=asked.burst, max_keys=max_keys, clock=clock)


def refused(call: Call, verdict: Verdict) -> Result:
    """The answer to a call that was not admitted."""
    again = f"Try again in {ceil(verdict.wait)} s."
    if verdict.away:
        text = f"{call.tool} was not called: this server cannot count calls at the moment. {again}"
        return refusal(call, text, reason=AWAY, retry_after=verdict.wait)
    text = f"{call.tool} was not called: the limit on calls is reached. {again}"
    return refusal(call, text, reason=REASON, retry_after=verdict.wait)
