"""When the best source fails: the next best, and say which; or less, and say what is missing.

    rates = Chain(Source("live", live), Source("mirror", mirror, when=is_blamed), Source("yesterday", kept))
    found = await rates("EUR")                    # found.value, found.source == "mirror", found.failures

    whole = await partial(needed={"forecast": forecast(x)}, optional={"alerts": alerts(x)}, seconds=2)
    whole.parts, whole.missing                    # {"forecast": ...}, {"alerts": "the alert service is down"}

    server.middleware.append(Fallback(get_alerts=[LastGood()]))

An answer from elsewhere that looks like the real one is worse than an error: it is believed. So each says where it is
from, to programs in `_meta` ("labkit/source"), to the model in words.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from labkit.patterns.calls import (
    META_REASON,
    META_SOURCE,
    Call,
    CallMiddleware,
    Proceed,
    Result,
    answer,
    is_error,
    is_final,
)
from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.deadline import remaining, within
from labkit.patterns.failures import CLOSED, is_transient, reason_of

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source(Generic[P, T]):
    """A named way to an answer. `when` decides, by the failure of the source before it, whether it is tried."""

    name: str
    ask: Callable[P, Awaitable[T]]
    when: Callable[[Exception], bool] = lambda error: True


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """An answer, the name of its source, and what the sources before it have raised, in order."""

    value: T
    source: str
    failures: Mapping[str, Exception] = field(default_factory=dict[str, Exception])

    @property
    def degraded(self) -> bool:
        """Whether it is not from the first source."""
        return bool(self.failures)


class Chain(Generic[P, T]):
    """The mechanism: sources, tried in order. `answered` counts the answers of each, `failed` the calls without one.

    When no source answers, the first one's exception is raised, with a note for each of the others. There is no default
    value: what to do without an answer is the caller's to decide.
    """

    def __init__(self, *sources: Source[P, T]) -> None:
        if not sources or len({source.name for source in sources}) < len(sources):
            raise ValueError("a chain needs at least one source, and a name of its own for each")
        self._sources = sources
        self.answered = {source.name: 0 for source in sources}
        self.failed = 0

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Found[T]:
        """The answer of the first source that has one."""
        failures: dict[str, Exception] = {}
        last: Exception | None = None
        for source in self._sources:
            if last is not None and (remaining() == 0 or not source.when(last)):
                continue
            try:
                value = await source.ask(*args, **kwargs)
            except Exception as error:
                failures[source.name] = last = error
                continue
            self.answered[source.name] += 1
            return Found(value, source.name, failures)
        self.failed += 1
        first, *others = failures.items()
        for name, error in others:
            first[1].add_note(f"{name} failed, too: {error}")
        raise first[1]


@dataclass(frozen=True, slots=True)
class Partial:
    """What could be had, by name, and why the rest could not."""

    parts: Mapping[str, Any]
    missing: Mapping[str, str]


async def partial(
    needed: Mapping[str, Awaitable[Any]],
    optional: Mapping[str, Awaitable[Any]],
    *,
    seconds: float | None = None,
    clock: Clock = SYSTEM,
) -> Partial:
    """All parts at the same time. A needed one that fails fails the whole; an optional one is left out and named.

    Optional parts get so many `seconds`, and are not waited for any longer.
    """
    extra = {name: asyncio.ensure_future(_in_time(part, seconds, clock)) for name, part in optional.items()}
    must = {name: asyncio.ensure_future(part) for name, part in needed.items()}
    everything = [*must.values(), *extra.values()]
    try:
        parts = dict(zip(must, await asyncio.gather(*must.values()), strict=True))
        missing: dict[str, str] = {}
        for name, task in extra.items():
            try:
                parts[name] = await task
            except Exception as error:
                missing[name] = str(error) or type(error).__name__
        return Partial(parts, missing)
    finally:
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, return_exceptions=True)


async def _in_time(part: Awaitable[T], seconds: float | None, clock: Clock) -> T:
    async with within(seconds, clock=clock):
        return await part


class Substitute(Protocol):
    """Another way to the result of a tool call."""

    name: str

    async def ask(self, call: Call) -> Mapping[str, Any] | None:
        """A result as on the wire, or None if there is none."""
        ...

    def saw(self, call: Call, result: Result) -> None:
        """Told of each good result of the tool itself."""


class Instead:
    """A substitute made of a function: `Instead("average", lambda call: {...})`. It gives the structured content."""

    def __init__(self, name: str, ask: Callable[[Call], Awaitable[Mapping[str, Any] | None]]) -> None:
        self.name = name
        self._ask = ask

    async def ask(self, call: Call) -> Mapping[str, Any] | None:
        """What the function says, as a result."""
        data = await self._ask(call)
        if data is None:
            return None
        text = json.dumps(data, ensure_ascii=False)
        return {"content": [{"type": "text", "text": text}], "structuredContent": dict(data), "isError": False}

    def saw(self, call: Call, result: Result) -> None:
        """Nothing to learn."""


class LastGood:
    """A substitute: the last good result for the same tool, arguments and principal, if not older than `seconds`.

    Keeps at most `most` results, those that were used last.
    """

    def __init__(self, seconds: float = 3600.0, *, most: int = 1000, clock: Clock = SYSTEM, name: str = "kept") -> None:
        self.name = name
        self._seconds, self._most, self._clock = seconds, most, clock
        self._kept: OrderedDict[tuple[str, str, str], tuple[float, Result]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    async def ask(self, call: Call) -> Mapping[str, Any] | None:
        """The kept result, with its age in words."""
        since, result = self._kept.get(self._key(call), (float("-inf"), None))
        age = self._clock.now() - since
        if result is None or age > self._seconds:
            return None
        note = {"type": "text", "text": f"(This answer is {age:.0f} s old.)"}
        return {**result, "content": [*result["content"], note]}

    def saw(self, call: Call, result: Result) -> None:
        """Keep it."""
        key = self._key(call)
        self._kept[key] = (self._clock.now(), dict(result))
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def _key(self, call: Call) -> tuple[str, str, str]:
        # What one may see is not what another may see.
        return call.principal, call.tool, json.dumps(dict(call.arguments), sort_keys=True, default=repr)


class Fallback(CallMiddleware):
    """Substitutes for tools that cannot answer: `Fallback(get_alerts=[mirror, LastGood()])`, tried in order.

    `when` decides by the failed result, by default those that may be different another time: what a tool refuses, it
    refuses. `answered` counts by source; the tool itself is "".
    """

    def __init__(
        self,
        when: Callable[[Result], bool] = lambda result: is_transient(result) or reason_of(result) in CLOSED,
        /,
        **substitutes: Sequence[Substitute],
    ) -> None:
        self._when = when
        self._substitutes = substitutes
        self.answered: dict[str, int] = {"": 0}

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Answer the call, from wherever there is an answer."""
        result = await proceed()
        substitutes = self._substitutes.get(call.tool)
        if substitutes is None:
            return result
        if not is_error(result):
            if not is_final(result):
                return result
            self.answered[""] += 1
            for each in substitutes:
                each.saw(call, result)
            return result
        if not self._when(result):
            return result
        for each in substitutes:
            try:
                found = await each.ask(call)
            except Exception:  # a substitute that fails is one that has no answer
                found = None
            if found is not None:
                self.answered[each.name] = self.answered.get(each.name, 0) + 1
                note = {
                    "type": "text",
                    "text": f"(From {each.name}: {call.tool} itself does not answer at the moment.)",
                }
                told = {**found, "content": [*found["content"], note]}
                return answer(call, told, meta={META_SOURCE: each.name, META_REASON: reason_of(result)})
        return result
