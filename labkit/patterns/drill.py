"""A drill: steady load, faults at given seconds, and what became of every call - on a clock that is turned by hand.

    seconds = await drill(lambda: conn.call("alerts", state="CA"), clock, faults={10: down, 30: up},
                          requests=upstream.requests, state=lambda: breaker.state("alerts"))
    summary(seconds, outage=(10, 30))

The server's patterns go by the same clock, so a minute of cooldowns passes in no time; what is called is real.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from labkit.patterns.calls import META_SOURCE
from labkit.patterns.clock import VirtualClock


class Answer(Protocol):
    """A tool result, as connections of the lab give it."""

    @property
    def is_error(self) -> bool:
        """Whether the tool failed."""
        ...

    @property
    def raw(self) -> dict[str, Any]:
        """The result on the wire."""
        ...


@dataclass(slots=True)
class Second:
    """One second of a drill: calls that the tool answered itself, that a substitute did, that failed; requests that
    reached the upstream; the breaker's state at its end."""

    at: int
    answered: int = 0
    degraded: int = 0
    failed: int = 0
    requests: int = 0
    state: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """A drill in numbers. `requests_in_outage` reached the upstream while it was in trouble. `recovery` is how many
    seconds it took from the end of the outage until no call failed or was degraded any more."""

    calls: int
    failed: int
    degraded: int
    requests_in_outage: int
    recovery: int


async def drill(
    call: Callable[[], Awaitable[Answer]],
    clock: VirtualClock,
    *,
    requests: Callable[[], int],
    faults: Mapping[int, Callable[[], object]],
    seconds: int = 60,
    each: int = 4,
    state: Callable[[], str] = lambda: "",
) -> list[Second]:
    """So many `seconds`, with `each` calls in each, one after the other.

    `faults` happen before the calls of their second. `requests` counts those of the upstream; it may start
    anew at a fault.
    """
    log: list[Second] = []
    for at in range(seconds):
        if at in faults:
            faults[at]()
        second, before = Second(at), requests()
        for _ in range(each):
            answer = await call()
            if answer.is_error:
                second.failed += 1
            elif META_SOURCE in answer.raw.get("_meta", {}):
                second.degraded += 1
            else:
                second.answered += 1
        second.requests, second.state = requests() - before, state()
        log.append(second)
        await clock.advance(1)
    return log


def summary(log: Sequence[Second], outage: tuple[int, int]) -> Summary:
    """The numbers of a drill whose upstream was in trouble from one second to another."""
    began, ended = outage
    after = [second.at for second in log if second.at >= ended and second.failed + second.degraded]
    return Summary(
        calls=sum(second.answered + second.degraded + second.failed for second in log),
        failed=sum(second.failed for second in log),
        degraded=sum(second.degraded for second in log),
        requests_in_outage=sum(second.requests for second in log if began <= second.at < ended),
        recovery=max(after, default=ended - 1) + 1 - ended,
    )
