"""What holds for every call, whichever backend it goes to: the patterns of the lab, in the order that `stack` gives.

Made anew with each configuration; the server asks for the present ones at every message. So a reload changes limits
and caches for the next call, and those on their way end under the rules that they began with. What was not changed
goes on as it is: what was counted stays counted, and an audit log has one writer.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from opentelemetry import propagate, trace

from labkit.defences.identity import Principal
from labkit.defences.signing import HEADER, sign
from labkit.gateway.fallback import StandIns, current
from labkit.patterns.audit import Audit
from labkit.patterns.breaker import CircuitBreaker
from labkit.patterns.cache import Cache
from labkit.patterns.cache import Policy as Keep
from labkit.patterns.calls import Call, CallMiddleware, Key, by_client, by_principal, by_tool
from labkit.patterns.deadline import Deadline
from labkit.patterns.logs import Logs
from labkit.patterns.metrics import Metrics
from labkit.patterns.rate_limit import RateLimit
from labkit.patterns.stack import stack
from labkit.patterns.tracing import Tracing

if TYPE_CHECKING:
    from labkit.gateway.front import Gateway

PER: dict[str, Key] = {"principal": by_principal, "client": by_client, "tool": by_tool}


class Rules:
    """The middleware of one configuration."""

    def __init__(self, gateway: Gateway, before: Rules | None = None) -> None:
        config = gateway.config
        self._config, self._gateway, self._sign = config, gateway, config.sign
        self._calls = 0
        self.closed = False
        self.metrics = before.metrics if before is not None else Metrics()
        old = before if before is not None and not before.closed else None
        if old is not None and old._config.audit == config.audit:
            self.audit = old.audit
        else:
            self.audit = Audit(config.audit) if config.audit else None
        if old is not None and old._config.limits == config.limits:
            self.limit = old.limit
        else:
            self.limit = RateLimit(config.limits.calls, key=PER[config.limits.per]) if config.limits else None
        # Versions of a server share the names of their tools, and not the answers.
        vary = self._owner if gateway.views.versions else None
        kept = {tool: Keep(seconds, vary=vary) for tool, seconds in config.cache.items()}
        self.cache = Cache(kept) if kept else None
        self.breaker = (
            CircuitBreaker(self._owner, failures=config.breaker.failures, cooldown=config.breaker.recover)
            if config.breaker
            else None
        )
        if old is not None and old._config.log == config.log:
            self.logs = old.logs
        else:
            self.logs = Logs(None if config.log == "stderr" else config.log) if config.log else None
        self.traced = _is_traced()
        tracing = Tracing() if self.traced else None
        deadline = Deadline(config.deadline) if config.deadline else None
        self.stand_ins = StandIns(gateway) if any(each.fallback for each in config.backends.values()) else None
        chosen: list[CallMiddleware | None] = [
            self.metrics, tracing, self.logs, self.audit, deadline, self.limit, self.cache, self.stand_ins, self.breaker
        ]  # fmt: skip
        self._chain = stack(*chosen)

    def _owner(self, call: Call) -> str:
        attempt = current.get()
        if attempt is not None:
            return attempt.target.owner
        gateway = self._gateway
        found = gateway.views.target(call.ctx) if gateway.views.versions else gateway.registry.route("tools", call.tool)
        return found.owner if found else ""

    async def run(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Pass a message through all of them."""
        for middleware in reversed(self._chain):
            call_next = partial(middleware, call_next=call_next)
        if ctx.method != "tools/call":
            return await call_next(ctx)
        self._calls += 1
        try:
            return await call_next(ctx)
        finally:
            self._calls -= 1

    def signed(self, principal: Principal, backend: str) -> dict[str, str]:
        """The header that proves to a backend on whose behalf the gateway asks. The client's own token stays here."""
        if self._sign is None:
            return {}
        secret, seconds = self._sign.secret, self._sign.seconds
        return {HEADER: sign(secret, principal.id, principal.roles, audience=backend, seconds=seconds)}

    @staticmethod
    def trace() -> dict[str, str]:
        """Members of `_meta` that make the backend's spans part of this trace (W3C Trace Context)."""
        if not trace.get_current_span().get_span_context().is_valid:
            return {}
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return carrier

    async def end(self, successor: Rules) -> None:
        """Let go of what the successor has not taken over, as soon as no call is under these rules any more."""
        while self._calls and not successor.closed:
            await asyncio.sleep(0.05)
        await self.close(successor)

    async def close(self, successor: Rules | None = None) -> None:
        """Let go of what they hold."""
        self.closed = True
        if self.limit is not None and (successor is None or successor.limit is not self.limit):
            await self.limit.close()
        if self.cache is not None:
            await self.cache.close()
        if self.audit is not None and (successor is None or successor.audit is not self.audit):
            self.audit.close()


def _is_traced() -> bool:
    """Whether anybody looks at spans: a tracer provider was set up."""
    return type(trace.get_tracer_provider()).__module__.startswith("opentelemetry.sdk")
