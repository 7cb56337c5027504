"""A deadline that bounds everything below it: nested blocks, retries, HTTP requests, servers further on.

    async with within(2.0):                       # seconds; less when less is left of an outer deadline
        await client.get(url, timeout=remaining(5.0))
        await session.call_tool("x", {}, meta=outgoing())

    server = MCPServer("mine", middleware=[Deadline(10)])      # the caller's `_meta` may ask for less

What travels is the seconds that are left, not a time of day: clocks of two machines differ, the way takes little.
An async tool is cancelled when the time is over. A sync tool runs in a thread, which nobody can stop: its answer comes
late. A long one should call `check()` now and then.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextvars import Context, ContextVar, Token, copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

import anyio

from labkit.patterns.calls import Call, CallMiddleware, Proceed, Result
from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.failures import Unavailable

META_TIMEOUT = "labkit/timeout"
"""The member of a request's `_meta` that says how many seconds the caller has left."""


class DeadlineExceeded(Unavailable):
    """The time is over. The reason is "timeout" if it was the block's own, "deadline" if it was the caller's."""

    def __init__(self, message: str, *, own: bool) -> None:
        super().__init__(message, reason="timeout" if own else "deadline")


@dataclass(frozen=True, slots=True)
class _Until:
    clock: Clock
    at: float
    own: bool

    def left(self) -> float:
        return self.at - self.clock.now()


_until: ContextVar[_Until | None] = ContextVar("labkit_deadline", default=None)


def remaining(most: float | None = None) -> float | None:
    """Seconds left, at least 0; at most `most`, which is also the answer when there is no deadline."""
    until = _until.get()
    if until is None:
        return most
    left = max(0.0, until.left())
    return left if most is None else min(most, left)


def outliving() -> Context:
    """The present context without its deadline: for a task that goes on when the call that began it is answered."""
    context = copy_context()
    context.run(_until.set, None)
    return context


def check() -> None:
    """Raise DeadlineExceeded if the time is over: for loops and sync tools, which nobody can interrupt."""
    until = _until.get()
    if until is not None and until.left() <= 0:
        raise DeadlineExceeded("The time for this call is over.", own=until.own)


def outgoing() -> dict[str, Any]:
    """What to put into the `_meta` of a request to another server; nothing when there is no deadline."""
    left = remaining()
    return {} if left is None else {META_TIMEOUT: round(left, 3)}


def incoming(meta: Mapping[str, Any] | None) -> float | None:
    """The seconds that a request's `_meta` leaves; None when it has none, or no number."""
    seconds = (meta or {}).get(META_TIMEOUT)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or math.isnan(seconds):
        return None
    return float(seconds)


class within:
    """An async block that may take `seconds`, and no more than is left of the deadlines around it.

    Raises DeadlineExceeded, also at once when nothing is left. What the block awaits is cancelled, again and again
    until it ends: swallowing one cancellation does not help.
    """

    __slots__ = ("_clock", "_left", "_own", "_scope", "_seconds", "_token", "_watch", "_what")

    def __init__(self, seconds: float | None, *, clock: Clock = SYSTEM, own: bool = True, what: str = "This") -> None:
        self._seconds, self._clock, self._own, self._what = seconds, clock, own, what
        self._scope: anyio.CancelScope | None = None
        self._watch: asyncio.Task[None] | None = None
        self._token: Token[_Until | None] | None = None
        self._left = math.inf

    async def __aenter__(self) -> Self:
        outer = _until.get()
        left = math.inf if self._seconds is None else self._seconds
        if outer is not None and (rest := outer.left()) < left:
            left, self._own = rest, False
        self._left = left
        if left <= 0:
            raise DeadlineExceeded(f"{self._what} was not begun: no time was left.", own=self._own)
        if left == math.inf:
            return self
        self._token = _until.set(_Until(self._clock, self._clock.now() + left, self._own))
        self._scope = anyio.CancelScope()
        if self._clock is SYSTEM:
            self._scope.deadline = anyio.current_time() + left
        else:
            self._watch = asyncio.create_task(self._expire(self._scope))
        self._scope.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._scope is None or self._token is None:
            return
        _until.reset(self._token)
        if self._watch is not None:
            self._watch.cancel()
        self._scope.__exit__(kind, error, trace)
        if self._scope.cancelled_caught:
            raise DeadlineExceeded(f"{self._what} was stopped: it took longer than {self._left:.3g} s.", own=self._own)

    async def _expire(self, scope: anyio.CancelScope) -> None:
        await self._clock.sleep(self._left)
        scope.cancel()


class Deadline(CallMiddleware):
    """Every call has a deadline: `seconds`, or what the caller's `_meta` says it has left, if that is less.

    `exceeded` counts the calls that took longer, stopped or late. Put a second one inside of `Retry`, and each attempt
    has its own.
    """

    def __init__(self, seconds: float, *, clock: Clock = SYSTEM) -> None:
        self.seconds = seconds
        self.clock = clock
        self.calls = 0
        self.exceeded = 0

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Answer the call in time."""
        self.calls += 1
        asked = incoming(cast("Mapping[str, Any] | None", call.ctx.meta))
        seconds, own = (self.seconds, True) if asked is None or asked >= self.seconds else (asked, False)
        try:
            async with within(seconds, clock=self.clock, own=own, what=call.tool):
                result = await proceed()
                self.exceeded += remaining() == 0
                return result
        except DeadlineExceeded:
            self.exceeded += 1
            raise
