"""A cache for tools, as middleware: which answers are kept, for how long, for whom, and what makes them void.

    from labkit.patterns.cache import Cache, Policy

    cache = Cache({"forecast": 60, "alerts": Policy(30, scope="public", stale=30, tags=("weather",)),
                   "report": Policy(drops=("weather",))})
    server = MCPServer("mine", middleware=[cache])

A tool without a policy is never cached: only its author knows that calling it again would change nothing, and that it
asks its user nothing. The words are those of the protocol's own cache hints, and a `CacheHint` may stand for a policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from labkit.patterns.cache_backend import EVERYTHING, MAX_KEEP, Backend
from labkit.patterns.calls import (
    META_REASON,
    META_SOURCE,
    Call,
    CallMiddleware,
    Key,
    Proceed,
    Result,
    answer,
    is_error,
    is_final,
)
from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.read_through import CacheStats, Found, Freshness, ReadThrough, cache_key

if TYPE_CHECKING:
    from mcp.server import CacheHint

META_CACHE = "labkit/cache"
"""In the `_meta` of an answer that was not fetched for this call: how it came, its age, how long it stays fresh."""
META_TTL = "labkit/ttlMs"
META_SCOPE = "labkit/cacheScope"
"""In the `_meta` of a tool's result: what the tool itself says. The protocol has `ttlMs` and `cacheScope` for lists and
resources, and nothing for tools."""

Scope = Literal["private", "public"]
Tags = tuple[str, ...] | Callable[[Call], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Policy:
    """How the answers of one tool are kept. All times are in seconds.

    Raises ValueError for times below 0, another scope, and a tool that drops tags and is kept.
    """

    ttl: float = 0.0
    """For how long an answer is fresh; 0 is not kept."""
    scope: Scope = "private"
    """`private`: each principal has its own. `public`: all share one, where the answer is the same for everybody."""
    stale: float = 0.0
    """For how much longer it is given while a new one is fetched in the background."""
    error_ttl: float = 0.0
    """For how long a tool error is kept; short, or an outage lasts longer here than it did."""
    tags: Tags = ()
    """Names that `Cache.drop` knows these answers by; a function of the call makes them fit its arguments."""
    drops: Tags = ()
    """For a tool that changes something: tags that are dropped when it has run, well or not."""
    vary: Key | None = None
    """What the answer depends on beside tool, principal and arguments, such as `by_session`."""

    def __post_init__(self) -> None:
        for name in ("ttl", "stale", "error_ttl"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is in seconds and not below 0, not {getattr(self, name)!r}.")
        if self.scope not in ("private", "public"):
            raise ValueError(f"scope is 'private' or 'public', not {self.scope!r}.")
        if self.drops and self.ttl:
            raise ValueError("A tool that drops tags changes something: it has to run at each call, so its ttl is 0.")
        if self.ttl + self.stale > MAX_KEEP:
            raise ValueError(f"ttl and stale are {MAX_KEEP:g} s together at most, not {self.ttl + self.stale:g}.")

    @classmethod
    def of(cls, given: Policy | CacheHint | float) -> Policy:
        """A policy from itself, from a hint of the protocol, or from seconds."""
        if isinstance(given, Policy):
            return given
        if isinstance(given, int | float):
            return cls(float(given))
        return cls(given.ttl_ms / 1000, given.scope)

    @property
    def hint(self) -> CacheHint:
        """The same for clients: `MCPServer(cache_hints={"resources/read": policy.hint})`."""
        from mcp.server import CacheHint

        return CacheHint(ttl_ms=round(self.ttl * 1000), scope=self.scope)


class Cache(CallMiddleware):
    """The cache of a server. `backend` is a MemoryCache by default; a RedisCache is shared by several processes."""

    def __init__(
        self,
        policies: Mapping[str, Policy | CacheHint | float],
        backend: Backend | None = None,
        *,
        clock: Clock = SYSTEM,
        refresh_timeout: float = 30.0,
    ) -> None:
        self.policies = {tool: Policy.of(given) for tool, given in policies.items()}
        self.read_through = ReadThrough(backend, clock=clock, refresh_timeout=refresh_timeout)
        self._fixed_tags = {
            tool: _tags(tool, policy.tags) for tool, policy in self.policies.items() if not callable(policy.tags)
        }

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Answer from the cache where its policy allows it."""
        policy = self.policies.get(call.tool)
        if policy is None:
            return await proceed()
        if policy.drops:
            return await self._changes(call, proceed, policy.drops)
        key = self._key(call, policy)
        if key is None:
            self.read_through.bypassed += 1
            return await proceed()
        tags = self._fixed_tags.get(call.tool) or _tags(call.tool, policy.tags, call)
        found = await self.read_through.get(key, proceed, lambda result: _judge(result, policy), tags)
        return found.value if found.state == "miss" else _kept(call, found, policy.scope)

    async def drop(self, *, tool: str | None = None, tag: str | None = None) -> None:
        """Forget the answers of a tool, or those with a tag; without either, all."""
        names = [name for name in (tool and f"tool:{tool}", tag and f"tag:{tag}") if name]
        await self.read_through.drop(*names)

    def stats(self) -> CacheStats:
        """The counters at this moment. Tools without a policy and those that drop tags are not in it."""
        return self.read_through.stats()

    async def close(self) -> None:
        """End background fetches and let go of connections: for the end of the server's lifespan."""
        await self.read_through.close()

    def _key(self, call: Call, policy: Policy) -> bytes | None:
        """None for a call whose answer is nobody else's."""
        params = cast("Mapping[str, Any]", call.ctx.params or {})
        if policy.ttl <= 0 or "inputResponses" in params or "requestState" in params:
            return None
        who = call.principal if policy.scope == "private" else None
        vary = policy.vary(call) if policy.vary else None
        try:
            return cache_key(call.tool, who, vary, call.arguments)
        except (ValueError, TypeError, RecursionError):
            return None

    async def _changes(self, call: Call, proceed: Proceed, drops: Tags) -> Result:
        import anyio

        try:
            return await proceed()
        finally:
            # Half done is changed, too, and a caller who no longer waits has not undone it.
            with anyio.move_on_after(5, shield=True):
                await self.read_through.drop(*_names(drops, call))


def _names(tags: Tags, call: Call | None) -> list[str]:
    names = tags(cast(Call, call)) if callable(tags) else tags
    return [f"tag:{name}" for name in names]


def _tags(tool: str, tags: Tags, call: Call | None = None) -> tuple[str, ...]:
    return (EVERYTHING, f"tool:{tool}", *_names(tags, call))


def _judge(result: Result, policy: Policy) -> Freshness | None:
    """For how long a result may be kept: as the policy says, or the result itself. The narrower scope holds."""
    if not is_final(result):
        return None  # a question to this caller
    meta = cast("Mapping[str, Any]", result.get("_meta") or {})
    if META_REASON in meta:
        return None  # refused to this caller; says nothing about the answer
    if policy.scope == "public" and "private" in (result.get("cacheScope"), meta.get(META_SCOPE)):
        return None
    if is_error(result):
        return Freshness(policy.error_ttl, negative=True)
    said = result.get("ttlMs", meta.get(META_TTL))
    ttl = policy.ttl if not isinstance(said, int | float) else max(0.0, said / 1000)
    return Freshness(ttl, policy.stale)


def _kept(call: Call, found: Found, scope: Scope) -> Result:
    about = {
        "state": found.state,
        "ageMs": round(found.age * 1000),
        "ttlMs": round(found.fresh_for * 1000),
        "cacheScope": scope,
    }
    return answer(call, found.value, meta={META_SOURCE: "cache", META_CACHE: about})
