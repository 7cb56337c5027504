"""A tool call as a server's middleware sees it, and the two ways to end it early: an answer of one's own, or a refusal.

    class Shout(CallMiddleware):
        async def around(self, call, proceed):
            if call.tool == "whisper":
                return refusal(call, "This server does not whisper.", reason="policy")
            return await proceed()

    server = MCPServer("loud", middleware=[Shout()])       # or server.middleware.append(Shout())

The patterns of this package are made of it. Everything that is not a tool call passes untouched.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mcp.server.auth.provider import AccessToken
    from mcp.server.connection import Connection
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

META_REASON = "labkit/reason"
META_RETRY_AFTER = "labkit/retryAfter"
META_SOURCE = "labkit/source"
"""Members of a result's `_meta`: why a call was refused, seconds until it may succeed, and who made an answer."""

Result = dict[str, Any]
"""A `tools/call` result in the shape of the wire."""
Proceed = Callable[..., Awaitable[Result]]
"""The rest of the chain. `await proceed()`, or `await proceed(arguments)` with other arguments; any number of times."""
Key = Callable[["Call"], str]
"""What a limit or a cache counts calls by."""

MODERN = "2026-07-28"


class Call:
    """One `tools/call`."""

    __slots__ = ("_client", "_principal", "arguments", "ctx", "tool")

    def __init__(self, ctx: ServerRequestContext[Any, Any]) -> None:
        params = cast("Mapping[str, Any]", ctx.params or {})
        self.ctx = ctx
        self.tool: str = params.get("name", "")
        self.arguments: Mapping[str, Any] = params.get("arguments") or {}
        self._client: str | None = None
        self._principal: str | None = None

    @property
    def principal(self) -> str:
        """Who calls, as the access token proves it: its subject, else its client; "" when nobody had to prove anything.

        What a caller says about itself (`client`, an argument) is no principal.
        """
        if self._principal is None:
            token = _token_reader()()
            self._principal = "" if token is None else str(token.subject or token.client_id)
        return self._principal

    @property
    def client(self) -> str:
        """The name that the client gives itself; "" when it gives none. Good for statistics, not for security."""
        if self._client is None:
            self._client = self._client_name()
        return self._client

    @property
    def session(self) -> str:
        """The session of the handshake era over HTTP; "" in the stateless era, over stdio and in memory.

        A server of the stateless era hands out handles as results and takes them as arguments: key by that argument
        (`by_argument`).
        """
        request = self.ctx.request
        headers = getattr(request, "headers", None)
        return str(headers.get("mcp-session-id", "")) if headers is not None else ""

    def _client_name(self) -> str:
        meta = cast("Mapping[str, Any]", self.ctx.meta or {})
        info = meta.get("io.modelcontextprotocol/clientInfo")
        if isinstance(info, Mapping):
            return str(cast("Mapping[str, Any]", info).get("name", ""))
        params = self.ctx.session.client_params
        return params.client_info.name if params else ""

    @property
    def modern(self) -> bool:
        """Whether the call came in the stateless era."""
        return self.ctx.protocol_version >= MODERN


class CallMiddleware:
    """Middleware for tool calls. Subclasses write `around`."""

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """What the SDK calls for each message."""
        if ctx.method != "tools/call" or ctx.request_id is None or not _named(ctx.params):
            return await call_next(ctx)

        async def proceed(arguments: Mapping[str, Any] | None = None) -> Result:
            given = ctx if arguments is None else replace(ctx, params={**(ctx.params or {}), "arguments": arguments})
            try:
                return cast(Result, await call_next(given))
            except Exception as error:
                if told := as_refusal(call, error):
                    return told
                raise

        call = Call(ctx)
        try:
            return await self.around(call, proceed)
        except Exception as error:
            if told := as_refusal(call, error):
                return told
            raise

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Answer the call, by `await proceed()` or otherwise."""
        return await proceed()


def as_refusal(call: Call, error: Exception) -> Result | None:
    """What all middleware further out sees of `Unavailable`. None for other exceptions, which pass."""
    from labkit.patterns.failures import Unavailable

    if not isinstance(error, Unavailable):
        return None
    return refusal(call, str(error), reason=error.reason, retry_after=error.retry_after)


@cache
def _token_reader() -> Callable[[], AccessToken | None]:
    # Asked for on every call: importing it there, even when it is loaded, would cost more than all the rest.
    from mcp.server.auth.middleware.auth_context import get_access_token

    return get_access_token


def _named(params: Mapping[str, Any] | None) -> bool:
    # What is malformed is refused by the SDK, in the words of the specification.
    return params is not None and isinstance(params.get("name"), str)


def refusal(
    call: Call, text: str, *, reason: str, retry_after: float | None = None, meta: Mapping[str, Any] | None = None
) -> Result:
    """A tool error: `text` for the model, and in `_meta`, for the program around it, why and how long to wait."""
    about: dict[str, Any] = {META_REASON: reason, **(meta or {})}
    if retry_after is not None:
        about[META_RETRY_AFTER] = round(retry_after, 3)
    return _result(call, {"content": [{"type": "text", "text": text}], "isError": True, "_meta": about})


def answer(call: Call, result: Mapping[str, Any], *, meta: Mapping[str, Any] | None = None) -> Result:
    """A copy of an earlier result, fit for this call's era, with more in its `_meta`."""
    copy = {name: value for name, value in result.items() if name != "resultType"}
    if meta:
        copy["_meta"] = {**copy.get("_meta", {}), **meta}
    return _result(call, copy)


def _result(call: Call, result: Result) -> Result:
    # Nobody completes what middleware answers by itself: the stateless era demands the member.
    if call.modern:
        result["resultType"] = "complete"
    return result


def is_error(result: Mapping[str, Any]) -> bool:
    """Whether a result says that the tool failed."""
    return bool(result.get("isError"))


def is_final(result: Mapping[str, Any]) -> bool:
    """Whether a result is an answer, not a question back to the client (`resultType: input_required`)."""
    return result.get("resultType", "complete") == "complete"


OUTCOMES = ("ok", "asked", "refused", "error", "failed", "cancelled")
"""All that may become of a call: an answer, a question back, a refusal of middleware, a tool error, an exception that
passed (an error of the protocol), an end by cancellation."""


def outcome_of(ended: Mapping[str, Any] | BaseException) -> str:
    """Which of OUTCOMES a result or an exception is."""
    if isinstance(ended, BaseException):
        return "failed" if isinstance(ended, Exception) else "cancelled"
    if ended.get("isError"):
        return "refused" if META_REASON in (ended.get("_meta") or ()) else "error"
    return "ok" if is_final(ended) else "asked"


def connection_of(ctx: ServerRequestContext[Any, Any]) -> Connection | None:
    """The connection that a message came by: with `state` to keep things in, and an `exit_stack` for its end.

    In the stateless era it lasts for one request.
    """
    # The SDK hands its middleware no public way to it.
    return getattr(ctx.session, "_connection", None)


def everyone(call: Call) -> str:
    """One key for all calls."""
    return ""


def by_tool(call: Call) -> str:
    """A key for each tool."""
    return call.tool


def by_principal(call: Call) -> str:
    """A key for each caller that proved who it is; all others share one."""
    return call.principal


def by_client(call: Call) -> str:
    """A key for each name that clients give themselves: they can give any."""
    return call.client


def by_session(call: Call) -> str:
    """A key for each session of the handshake era."""
    return call.session


def by_argument(name: str) -> Key:
    """A key for each value of an argument: a state handle, a tenant."""

    def key(call: Call) -> str:
        return str(call.arguments.get(name, ""))

    return key


def by(*keys: Key) -> Key:
    """A key for each combination: `by(by_tool, by_principal)`. Two combinations never read the same."""

    def key(call: Call) -> str:
        return joined([each(call) for each in keys])

    return key


def joined(parts: Iterable[str]) -> str:
    """One text for several: two different rows of parts never give the same, whatever is in them."""
    return "".join(f"{len(part)}:{part}" for part in parts)
