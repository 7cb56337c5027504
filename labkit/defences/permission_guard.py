"""Permissions as middleware of a server: what somebody may not use is not listed, and refused with what is missing.

    server = MCPServer("files", middleware=[*stack(Audit("logs")), PermissionGuard(policy)])

Put it next to the server: what it refuses is then seen by all that records calls. Lists and calls ask the same table,
so that nothing is listed that would be refused, and nothing can be used that is not listed. A tool that is refused is
a tool error for the model, with the reason and the scopes in `_meta`; other refusals are JSON-RPC errors. What has no
rule is answered like what does not exist.

A door that answers over HTTP, before the server, tells the same with 403 and `Decision.challenge`: `asked` is what a
request wants to use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from labkit.defences.permissions import Caller, Decision, Kind, Permissions
from labkit.patterns.calls import Call, refusal

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

META_SCOPE = "labkit/scope"
"""Member of a refusal's `_meta`: all scopes that the tool takes, with spaces, as a client asks for them."""
FORBIDDEN = -32003
OPEN = frozenset(
    """initialize ping server/discover logging/setLevel tools/list prompts/list resources/list
    resources/templates/list""".split()  # noqa: SIM905
)
"""Requests that need no permission: lists are filtered. Others that are not known here are refused."""
_NAMED: dict[str, tuple[Kind, str]] = {
    "tools/call": ("tools", "name"),
    "prompts/get": ("prompts", "name"),
    "resources/read": ("resources", "uri"),
    "resources/subscribe": ("resources", "uri"),
    "resources/unsubscribe": ("resources", "uri"),
}
_LISTED: dict[str, tuple[Kind, str, str]] = {
    "tools/list": ("tools", "tools", "name"),
    "prompts/list": ("prompts", "prompts", "name"),
    "resources/list": ("resources", "resources", "uri"),
    "resources/templates/list": ("resources", "resourceTemplates", "uriTemplate"),
}


def token_caller(ctx: ServerRequestContext[Any, Any]) -> Caller:
    """The caller as the access token proves it: its scopes, and the roles of its claim `roles`; nobody without one.

    A claim that is no list is no role, and not the same as no claim.
    """
    from mcp.server.auth.middleware.auth_context import get_access_token

    token = get_access_token()
    if token is None:
        return Caller()
    claimed: Any = (token.claims or {}).get("roles")
    if claimed is None:
        return Caller(scopes=tuple(token.scopes))
    roles = cast("list[Any]", claimed) if isinstance(claimed, list) else []
    return Caller(tuple(role for role in roles if isinstance(role, str)), tuple(token.scopes))


class PermissionGuard:
    """Middleware for every message. `caller` tells who asks; `also` names further methods that are open to all."""

    def __init__(
        self,
        policy: Permissions,
        caller: Callable[[ServerRequestContext[Any, Any]], Caller] = token_caller,
        *,
        also: Sequence[str] = (),
    ) -> None:
        self._policy, self._caller = policy, caller
        self._open = OPEN | set(also)
        self.refused = 0

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """What the SDK calls for each message."""
        if ctx.request_id is None:
            return await call_next(ctx)
        caller = self._caller(ctx)
        for kind, name in asked(ctx.method, ctx.params):
            decision = self._policy.check(kind, name, caller)
            if not decision.allowed:
                self.refused += 1
                return _refuse(ctx, decision)
        if ctx.method in _LISTED:
            return self._filtered(ctx.method, await call_next(ctx), caller)
        if ctx.method not in self._open and ctx.method not in _ASKING:
            raise _error(-32601, f"Method not found: {ctx.method}")
        return _private(ctx.method, await call_next(ctx))

    def _filtered(self, method: str, result: HandlerResult, caller: Caller) -> HandlerResult:
        kind, member, key = _LISTED[method]
        shape = _shape(result)
        items = cast("list[Any]", shape.get(member, []))
        shown = [each for each in items if self._policy.check(kind, str(_shape(each).get(key, "")), caller).allowed]
        return _private(method, {**shape, member: shown})


def asked(method: str, params: Mapping[str, Any] | None) -> list[tuple[Kind, str]]:
    """What a request wants to use: kind and name. What is malformed asks for "", which no rule lets in."""
    given = params or {}
    if method in _NAMED:
        kind, key = _NAMED[method]
        return [(kind, _text(given.get(key)))]
    if method == "completion/complete":
        about = _object(given.get("ref"))
        if about.get("type") == "ref/prompt":
            return [("prompts", _text(about.get("name")))]
        return [("resources", _text(about.get("uri")))]
    if method == "subscriptions/listen":
        # The SDK reads a member by either name. What is no list asks for "", as it is not known what it would become.
        wanted = _object(given.get("notifications"))
        found = [wanted[name] for name in ("resourceSubscriptions", "resource_subscriptions") if wanted.get(name)]
        lists = [cast("list[Any]", each) if isinstance(each, list) else [""] for each in found]
        return [("resources", _text(uri)) for uris in lists for uri in uris]
    return []


_ASKING = frozenset([*_NAMED, "completion/complete", "subscriptions/listen"])


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _refuse(ctx: ServerRequestContext[Any, Any], decision: Decision) -> HandlerResult:
    if decision.kind == "tools":
        # As the SDK answers a tool that there is not.
        if not decision.ruled:
            return _unknown_tool(ctx, decision)
        reason = "insufficient_scope"
        return refusal(Call(ctx), decision.reason, reason=reason, meta={META_SCOPE: " ".join(decision.needs)})
    if not decision.ruled:
        raise _error(-32602, f"Unknown {decision.kind[:-1]}: {decision.name}")
    data = {"reason": "insufficient_scope", "scope": " ".join(decision.needs)}
    raise _error(FORBIDDEN, decision.reason, data)


def _unknown_tool(ctx: ServerRequestContext[Any, Any], decision: Decision) -> HandlerResult:
    result: dict[str, Any] = {"content": [{"type": "text", "text": decision.reason}], "isError": True}
    if Call(ctx).modern:
        result["resultType"] = "complete"
    return result


def _error(code: int, message: str, data: Any = None) -> Exception:
    from mcp import MCPError

    return MCPError(code, message, data)


def _shape(value: object) -> dict[str, Any]:
    """A result or an item in the shape of the wire."""
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    dump: Any = getattr(value, "model_dump", None)
    return cast("dict[str, Any]", dump(by_alias=True, exclude_none=True, mode="json")) if dump else {}


def _private(method: str, result: HandlerResult) -> HandlerResult:
    """What depends on the caller may be kept for that caller only, whatever the server says about caching."""
    if method not in _LISTED and method != "resources/read":
        return result
    shape = _shape(result)
    return {**shape, "cacheScope": "private"} if "cacheScope" in shape else shape
