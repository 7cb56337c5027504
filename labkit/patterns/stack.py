"""All patterns in the right order, whatever order they are named in:

    server = MCPServer("mine", middleware=stack(
        Cache({"forecast": 60}), RateLimit("100/minute"), CircuitBreaker(), Audit("logs/audit"), Logs(), Metrics()))

From the outside in, and why:

Metrics, Tracing   see every call, whatever becomes of it further in, and how long that took for the caller
Logs, Audit        likewise; inside of the former, because an audit that cannot write may refuse, which is counted, too
Health             a server that shuts down takes no new work; what it turns away has been written down
Deadline           bounds the waiting for a limit, a place and a retry, not the work alone
RateLimit          before anything is done for the caller. So a kept answer costs a token: limits protect this server.
                   `cache_first=True` makes kept answers free: right where the limit protects what is behind the tools
Cache              a kept answer needs no attempt and no place, earns no retries, and holds while the dependency is down
Fallback           inside of the cache, or the last good answer would seem as new as when the cache gave it last
                   (substitutes are not kept: they say what they are)
Retry              around the breaker: each attempt is judged, and an open breaker ends them
CircuitBreaker     around the places: what it refuses takes none
Bulkhead           next to the tool: a place is held while the tool runs, not while a retry waits

Of one kind there may be several, from the outside in as they are named: callers' own limits, then the common one.
Middleware that is not in the list has to be placed by hand: `[*stack(...), Mine()]` is next to the tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from labkit.patterns.calls import Call, CallMiddleware, Proceed, Result, as_refusal

ORDER = (
    "Metrics",
    "Tracing",
    "Logs",
    "Audit",
    "Health",
    "Deadline",
    "RateLimit",
    "Cache",
    "Fallback",
    "Retry",
    "CircuitBreaker",
    "Bulkhead",
)
"""Names of classes, from the outside in: naming them must not load them."""
PACKAGE = __name__.rpartition(".")[0]


def stack(*patterns: CallMiddleware | None, cache_first: bool = False) -> list[CallMiddleware]:
    """The patterns as the middleware of a server. None is left out: `stack(Logs(), audit if wanted else None)`.

    Raises TypeError for what has no place in the order.
    """
    ordered = sorted((each for each in patterns if each is not None), key=lambda each: _place(each, cache_first))
    middleware: list[CallMiddleware] = []
    for joinable, group in groupby(ordered, key=_is_plain):
        members = list(group)
        middleware += [Joined(*members)] if joinable and len(members) > 1 else members
    return middleware


class Joined(CallMiddleware):
    """Several as one, the first the outermost. They share what is known of the call, and cost less than one by one."""

    def __init__(self, *members: CallMiddleware) -> None:
        self.members = members

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Answer the call, through all members."""
        for member in reversed(self.members[1:]):
            proceed = _through(member, call, proceed)
        return await self.members[0].around(call, proceed)


def _through(member: CallMiddleware, call: Call, inner: Proceed) -> Proceed:
    """The way through one member. What it sees and says is as if the SDK had called it."""

    async def proceed(arguments: Mapping[str, Any] | None = None) -> Result:
        here, further = (call, inner) if arguments is None else _with(call, inner, arguments)
        try:
            return await member.around(here, further)
        except Exception as error:
            if refused := as_refusal(here, error):
                return refused
            raise

    return proceed


def _with(call: Call, inner: Proceed, arguments: Mapping[str, Any]) -> tuple[Call, Proceed]:
    """The call with other arguments, for all that are further in."""

    async def further(again: Mapping[str, Any] | None = None) -> Result:
        return await inner(arguments if again is None else again)

    return Call(replace(call.ctx, params={**(call.ctx.params or {}), "arguments": arguments})), further


def _is_plain(member: CallMiddleware) -> bool:
    """Whether it sees nothing but tool calls, and nobody will look for it in the server's list."""
    return type(member).__call__ is CallMiddleware.__call__ and not hasattr(member, "install")


def _place(member: CallMiddleware, cache_first: bool) -> float:
    for kind in type(member).__mro__:
        if kind.__name__ in ORDER and kind.__module__.startswith(f"{PACKAGE}."):
            if cache_first and kind.__name__ == "RateLimit":
                return ORDER.index("Cache") + 0.5
            return ORDER.index(kind.__name__)
    raise TypeError(
        f"{type(member).__name__} has no place in the order of the patterns: put it before or behind them yourself, "
        f"as in [*stack(...), {type(member).__name__}(...)]."
    )
