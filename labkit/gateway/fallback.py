"""When a backend cannot answer a tool call: the tool of the same name at its `fallback`, if that cannot do harm.

A call that never left may go elsewhere. One that may have reached its server goes elsewhere only when the tool says
that it reads (`readOnlyHint`) or that twice is as good as once (`idempotentHint`): an order must not be placed at two
shops because the first one was slow to confirm. What a server answers, be it an error, is its answer.

The result names who made it, in `_meta["labkit/source"]`, and is not kept by the cache.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.gateway.capability import may_repeat
from labkit.gateway.exchange import Caller, Json
from labkit.gateway.names import Registry
from labkit.patterns.calls import META_REASON, META_SOURCE, Call, Proceed, Result, answer, is_error, is_final
from labkit.patterns.failures import reason_of
from labkit.patterns.fallback import Fallback

if TYPE_CHECKING:
    from labkit.gateway.front import Gateway

CIRCUIT_OPEN = "circuit-open"


@dataclass(frozen=True, slots=True)
class Target:
    """A tool at a backend: what it is called there, and what clients call it in a view that has it."""

    owner: str
    there: str
    name: str
    view: Registry

    @property
    def item(self) -> Json:
        return self.view.item("tools", self.name) or {}

    @property
    def schema(self) -> Json | None:
        return self.view.input_schema(self.name)

    @property
    def is_safe(self) -> bool:
        """Whether a call may be made a second time, as the tool says."""
        return may_repeat(self.item)


@dataclass(slots=True)
class Attempt:
    """One try to have a call answered, and how far it came."""

    target: Target
    instead: bool = False
    """Whether it is at another backend than the one that was called."""
    asked: bool = False
    """Whether the backend was to be asked; not, when its breaker is open."""
    failed: bool = False
    """Whether it gave no answer."""
    caller: Caller | None = None

    @property
    def sent(self) -> bool:
        """Whether a byte of the request may have left."""
        return self.caller is not None and self.caller.sent


current: ContextVar[Attempt | None] = ContextVar("labkit_gateway_attempt", default=None)
"""The attempt that the present call is part of; None where no fallback is configured."""


class StandIns(Fallback):
    """The middleware. It stands around the breaker, which judges each backend by its own answers."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self._gateway = gateway

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Answer the call, from whoever can."""
        target = self._gateway.views.target(call.ctx)
        if target is None or not self._gateway.config.backends[target.owner].fallback or _goes_on(call):
            return await proceed()
        attempt, first = await self._try(target, proceed)
        result = first
        while _may_go_elsewhere(attempt, result):
            other = await self._gateway.stand_in(attempt.target)
            if other is None:
                break
            attempt, result = await self._try(other, proceed, instead=True)
        source = attempt.target.owner
        if not attempt.instead:
            self.answered[""] += not is_error(result)
            return result
        if not is_final(result) or (is_error(result) and (attempt.failed or not attempt.asked)):
            # Nobody has answered. Whether the stand-in has done it is not known when it was sent there.
            return result if attempt.sent else first
        self.answered[source] = self.answered.get(source, 0) + 1
        return answer(call, result, meta={META_SOURCE: source, META_REASON: reason_of(first)})

    async def _try(self, target: Target, proceed: Proceed, *, instead: bool = False) -> tuple[Attempt, Result]:
        attempt = Attempt(target, instead)
        token = current.set(attempt)
        try:
            return attempt, await proceed()
        finally:
            current.reset(token)


def _goes_on(call: Call) -> bool:
    """Whether it carries the answers to a question, which are for whoever has asked."""
    params = call.ctx.params or {}
    return "requestState" in params or "inputResponses" in params


def _may_go_elsewhere(attempt: Attempt, result: Result) -> bool:
    if not is_error(result):
        return False
    if attempt.failed:
        return not attempt.sent or attempt.target.is_safe
    return not attempt.asked and reason_of(result) == CIRCUIT_OPEN
