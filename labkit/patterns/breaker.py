"""A circuit breaker: when a dependency fails, stop calling it for a while, then find out with a few calls.

    weather = Breaker("weather", failures=5, of=10, cooldown=30, probes=2)
    with weather.admit():                         # raises BreakerOpen instead of calling
        response = await client.get(url)

    server.middleware.append(CircuitBreaker())                     # one for each tool
    server.middleware.append(CircuitBreaker(by_argument("city")))  # or for each of whatever tools depend on

closed: calls pass; opens when `failures` of the last `of` calls have failed.
open: calls are refused for `cooldown` seconds.
half-open: `probes` calls pass, all others are refused. When all of them have succeeded it closes, when one fails it
opens. Calls from before count for nothing: they tell of another time.

The libraries that were looked at (purgatory, pybreaker) read the machine's clock by themselves and let a crowd through
when half-open, or exactly one.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, ParamSpec, Self, TypeVar

from labkit.patterns.calls import Call, CallMiddleware, Key, Proceed, Result, by_tool
from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.failures import Judge, Unavailable, is_blamed, judge, judge_error

State = Literal["closed", "open", "half-open"]
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change:
    """A breaker went from one state to another, `at` a time of its clock."""

    name: str
    before: State
    after: State
    at: float


Listener = Callable[[Change], None]


class BreakerOpen(Unavailable):
    """Not called: the dependency has failed too often. `retry_after` is when the next probe may go."""

    def __init__(self, name: str, seconds: float) -> None:
        whom = f"{name!r}" if name else "It"
        super().__init__(
            f"{whom} has failed too often and is not called for another {seconds:.1f} s.",
            reason="circuit-open",
            retry_after=seconds,
        )


@dataclass(slots=True)
class BreakerStats:
    """Calls that came back well, failed, or told nothing; that were refused; that were probes; that came back too late
    to count. `opened` counts how often it opened."""

    succeeded: int = 0
    failed: int = 0
    neutral: int = 0
    refused: int = 0
    probes: int = 0
    late: int = 0
    opened: int = 0


class Permit:
    """Leave for one call. As a context manager it judges by the exception; otherwise call `end`.

    A cancelled call is neutral: it tells nothing of the dependency, and gives its place as a probe back.
    """

    __slots__ = ("_breaker", "_ended", "_era")

    def __init__(self, breaker: Breaker, era: int) -> None:
        self._breaker, self._era, self._ended = breaker, era, False

    def end(self, failed: bool | None) -> None:
        """The call is over: it failed, did not, or tells nothing (None). Only the first word counts."""
        if not self._ended:
            self._ended = True
            self._breaker._end(self._era, failed)  # pyright: ignore[reportPrivateUsage]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(False if error is None else self._breaker._judge(error))  # pyright: ignore[reportPrivateUsage]


class Breaker:
    """The mechanism, for one dependency. Usable from threads, too. `state` is as of the last call.

    It opens after `failures` of the last `of` calls; by default `of` is as many, so all of the last ones have to fail.
    `counts` decides which exceptions speak against the dependency; the others are neutral. Listeners are told of each
    change, after it; one that raises is logged.
    """

    def __init__(
        self,
        name: str = "",
        *,
        failures: int = 5,
        of: int | None = None,
        cooldown: float = 30.0,
        probes: int = 1,
        counts: Callable[[BaseException], bool] = is_blamed,
        clock: Clock = SYSTEM,
        listeners: Iterable[Listener] = (),
    ) -> None:
        window = failures if of is None else of
        if not (1 <= failures <= window and probes >= 1 and cooldown > 0):
            raise ValueError("a breaker needs 1 <= failures <= of, probes >= 1 and cooldown > 0")
        self.name = name
        self.state: State = "closed"
        self.listeners = list(listeners)
        self._failures, self._mask, self._cooldown, self._probes = failures, (1 << window) - 1, cooldown, probes
        self._counts, self._clock = counts, clock
        self._lock = threading.Lock()
        self._stats = BreakerStats()
        self._era = 0  # one more with each change: what began in another era does not count
        self._recent = 0  # a bit for each of the last calls, set when it failed
        self._until = 0.0  # open: the end of the cooldown; half-open: when probes are given up
        self._places = 0
        self._passed = 0

    def admit(self) -> Permit:
        """Leave for one call. Raises BreakerOpen."""
        with self._lock:
            change, now = None, 0.0
            if self.state != "closed":
                now = self._clock.now()
                if self.state == "open" and now >= self._until:
                    change = self._turn("half-open", now)
                elif self.state == "half-open" and not self._places and now >= self._until:
                    # A probe that hangs must not keep the others out for ever: new ones may go in its place.
                    self._era += 1
                    self._until, self._places = now + self._cooldown, self._probes - self._passed
                if self.state == "open" or not self._places:
                    self._stats.refused += 1
                    raise BreakerOpen(self.name, max(0.0, self._until - now))
                self._places -= 1
                self._stats.probes += 1
            permit = Permit(self, self._era)
        self._tell(change)
        return permit

    def guard(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """A decorator: each call of the async function needs leave."""

        @functools.wraps(function)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            with self.admit():
                return await function(*args, **kwargs)

        return guarded

    def stats(self) -> BreakerStats:
        """What has happened so far."""
        return replace(self._stats)

    def _judge(self, error: BaseException) -> bool | None:
        return True if self._counts(error) else None

    def _end(self, era: int, failed: bool | None) -> None:
        with self._lock:
            change = self._count(era, failed)
        self._tell(change)

    def _count(self, era: int, failed: bool | None) -> Change | None:
        stats = self._stats
        if failed is None:
            stats.neutral += 1
        elif failed:
            stats.failed += 1
        else:
            stats.succeeded += 1
        if era != self._era:
            stats.late += 1
            return None
        if failed is None:
            self._places += self.state == "half-open"
        elif self.state == "closed":
            self._recent = (self._recent << 1 | failed) & self._mask
            if failed and self._recent.bit_count() >= self._failures:
                return self._turn("open", self._clock.now())
        elif failed:
            return self._turn("open", self._clock.now())
        else:
            self._passed += 1
            if self._passed == self._probes:
                return self._turn("closed", self._clock.now())
        return None

    def _turn(self, state: State, now: float) -> Change:
        change = Change(self.name, self.state, state, now)
        self.state = state
        self._era += 1
        self._recent = self._passed = 0
        self._places = self._probes if state == "half-open" else 0
        self._until = now + self._cooldown
        self._stats.opened += state == "open"
        return change

    def _tell(self, change: Change | None) -> None:
        if change is None:
            return
        for listener in self.listeners:
            try:
                listener(change)
            except Exception:
                logging.getLogger(__name__).exception("a listener of the breaker %r failed", self.name)


class CircuitBreaker(CallMiddleware):
    """A breaker for each key, by default for each tool. The settings are those of `Breaker`.

    `judge` says which results speak against the dependency. What is not known to have failed has no breaker, and there
    are never more than `most`: keys that callers make up cost nothing.
    """

    def __init__(
        self,
        key: Key = by_tool,
        *,
        failures: int = 5,
        of: int | None = None,
        cooldown: float = 30.0,
        probes: int = 1,
        judge: Judge = judge,
        clock: Clock = SYSTEM,
        listeners: Iterable[Listener] = (),
        most: int = 1000,
    ) -> None:
        self._key, self._judge, self._most = key, judge, most
        self._new = functools.partial(
            Breaker, failures=failures, of=of, cooldown=cooldown, probes=probes, clock=clock, listeners=listeners
        )
        self._new("")  # the settings are checked now, not at the first failure
        self.breakers: dict[str, Breaker] = {}

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Answer the call, if its breaker gives leave."""
        name = self._key(call)
        breaker = self.breakers.get(name)
        permit = breaker.admit() if breaker is not None else None
        verdict: bool | None = None
        try:
            result = await proceed()
            verdict = self._judge(call, result)
            return result
        except BaseException as error:
            verdict = judge_error(error)
            raise
        finally:
            if permit is not None:
                permit.end(verdict)
            elif verdict:
                self._first_failure(name)

    def state(self, name: str) -> State:
        """The state of one dependency."""
        breaker = self.breakers.get(name)
        return "closed" if breaker is None else breaker.state

    def stats(self) -> dict[str, BreakerStats]:
        """What has happened so far, for each dependency that has failed."""
        return {name: breaker.stats() for name, breaker in self.breakers.items()}

    def _first_failure(self, name: str) -> None:
        breaker = self.breakers.get(name)
        if breaker is None:
            if len(self.breakers) >= self._most:
                # A closed one is the least loss; if all are open, the oldest has waited longest.
                closed = (known for known, each in self.breakers.items() if each.state == "closed")
                del self.breakers[next(closed, next(iter(self.breakers)))]
            breaker = self.breakers[name] = self._new(name)
        elif breaker.state != "closed":
            return
        breaker.admit().end(True)
