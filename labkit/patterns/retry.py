"""Try again, where that is safe, after a while, and not too often.

    @Retrying(attempts=3)
    async def fetch(): ...

    server.middleware.append(Retry(server))      # tools that say they are read-only or idempotent
    server.middleware.append(Retry({"search"}))  # these tools

- Only what may be repeated: an answer that was lost does not mean that nothing was done.
- Only what may be different next time (`failures.is_transient`): not refusals, not bugs.
- Full jitter: waits are random between 0 and a limit that doubles, so that callers who failed together part.
- A budget: while everything fails, retries are a small share of all calls, not a multiple.
- Not above another retry: a failure that was retried further down says so in `_meta`, so that three attempts in each
  of three places stay three.
- `Retry-After`, the deadline and cancellation are respected.

tenacity could run the attempts, but takes 23 us for one that succeeds, where all patterns together may take 60, and
neither its clock nor its chance can be brought along.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from labkit.patterns.calls import Call, CallMiddleware, Proceed, Result, answer
from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.deadline import remaining
from labkit.patterns.failures import is_transient, retry_after_of

META_ATTEMPTS = "labkit/attempts"
"""The member of a failed result's `_meta` that says how often it was tried."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait, in seconds: at random up to `base`, then up to twice that, and so on, at most up to `cap`."""

    base: float = 0.1
    cap: float = 5.0

    def wait(self, retry: int, chance: float) -> float:
        """The wait before the `retry`-th retry (1 is the first). `chance` is at least 0 and less than 1."""
        return min(self.cap, self.base * 2.0 ** min(retry - 1, 60)) * chance


class Budget:
    """How many retries may be made: of n calls at most `reserve + ratio * n`. Share one among all that retry."""

    __slots__ = ("left", "ratio", "reserve")

    def __init__(self, ratio: float = 0.1, reserve: float = 10.0) -> None:
        self.ratio, self.reserve, self.left = ratio, reserve, reserve

    def earn(self) -> None:
        """A call was made, for the first time."""
        self.left = min(self.reserve, self.left + self.ratio)

    def spend(self) -> bool:
        """Whether one more retry may be made."""
        # A whole one, but for what adding tenths leaves over.
        if self.left < 1 - 1e-9:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class RetryStats:
    """What was retried, and why no more: `retries` attempts were made after failures; the others are failures handed
    on because the attempts were used up, the budget was, the wait was longer than the time left, or the call must not
    be repeated."""

    calls: int = 0
    retries: int = 0
    exhausted: int = 0
    over_budget: int = 0
    too_late: int = 0
    unrepeatable: int = 0


class Retrying:
    """The mechanism, for functions: `await retrying.run(work)`, or as a decorator.

    `when` decides by the exception; `longest` is the most seconds that a `retry_after` may ask for.
    """

    def __init__(
        self,
        attempts: int = 3,
        *,
        backoff: Backoff | None = None,
        budget: Budget | None = None,
        when: Callable[[Exception], bool] = is_transient,
        longest: float = 30.0,
        clock: Clock = SYSTEM,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.attempts = attempts
        self.backoff = backoff or Backoff()
        self.budget = budget or Budget()
        self.longest = longest
        self.stats = RetryStats()
        self._when, self._clock, self._chance = when, clock, chance

    def __call__(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """The function, tried again."""

        @functools.wraps(function)
        async def tried(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.run(lambda: function(*args, **kwargs))

        return tried

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` returns, or what it raised last."""
        self.begin()
        made = 0
        while True:
            made += 1
            try:
                return await work()
            except Exception as error:
                if not self._when(error) or not await self.again(made, getattr(error, "retry_after", None)):
                    raise

    def begin(self) -> None:
        """Count a call."""
        self.stats.calls += 1
        self.budget.earn()

    async def again(self, made: int, retry_after: float | None = None) -> bool:
        """After the `made`-th attempt has failed: wait and say True, or say False at once."""
        stats = self.stats
        if made >= self.attempts:
            stats.exhausted += 1
            return False
        # Those who were all told the same second should not all come in it.
        wait = (retry_after or 0.0) + self.backoff.wait(made, self._chance())
        left = remaining()
        if (retry_after or 0.0) > self.longest or (left is not None and wait >= left):
            stats.too_late += 1
            return False
        if not self.budget.spend():
            stats.over_budget += 1
            return False
        stats.retries += 1
        await self._clock.sleep(wait)
        return True


class HasTools(Protocol):
    """An `MCPServer`, or anything else that lists tools with annotations."""

    async def list_tools(self) -> list[Any]:
        """All tools."""
        ...


class Retry(CallMiddleware):
    """Tries tool calls again. `repeatable` is the server itself, whose tools' annotations decide; or names of tools.

    Annotations are believed because they are our own. Of somebody else's server they are a claim: name the tools.
    The other settings are those of `Retrying`.
    """

    def __init__(
        self,
        repeatable: HasTools | Collection[str],
        attempts: int = 3,
        *,
        backoff: Backoff | None = None,
        budget: Budget | None = None,
        when: Callable[[Result], bool] = is_transient,
        longest: float = 30.0,
        clock: Clock = SYSTEM,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._repeatable = repeatable
        self._when = when
        self._retrying = Retrying(attempts, backoff=backoff, budget=budget, longest=longest, clock=clock, chance=chance)
        self.budget = self._retrying.budget
        self.stats = self._retrying.stats

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Answer the call, by the first attempt that does not fail, or the last."""
        self._retrying.begin()
        made = 0
        while True:
            made += 1
            result = await proceed()
            if not self._when(result) or META_ATTEMPTS in cast("Mapping[str, Any]", result.get("_meta") or {}):
                return result
            if made == 1 and not await self._may_repeat(call.tool):
                self.stats.unrepeatable += 1
                return result
            if not await self._retrying.again(made, retry_after_of(result)):
                return answer(call, result, meta={META_ATTEMPTS: made})

    async def _may_repeat(self, name: str) -> bool:
        # Asked only after a failure: tools come and go, and a list that is kept would be wrong some day.
        if isinstance(self._repeatable, Collection):
            return name in self._repeatable
        for tool in await self._repeatable.list_tools():
            if tool.name == name:
                hints = tool.annotations
                return hints is not None and bool(hints.read_only_hint or hints.idempotent_hint)
        return False
