"""What a client sees of a gateway: a low-level server whose handlers ask the backends.

Handlers work on the dicts of the wire. The SDK has checked the parameters before they come here, and shapes what goes
back for the client's revision, so a client of 2024-11-05 and one of today see the same tools, each in its own terms.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import mcp_types as types
from mcp import MCPError
from mcp.server import CacheHint, NotificationOptions, Server
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.models import InitializationOptions
from mcp.server.subscriptions import ListenHandler
from mcp.shared.inbound import validate_mcp_param_headers
from mcp_types import (
    CORE_RESULT_TYPES,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)
from mcp_types import methods as _methods
from pydantic import ValidationError

from labkit.errors import LabError, RpcError
from labkit.gateway.bridge import Ask, answered, is_question, owner_of
from labkit.gateway.building import META_DEPRECATED, Kind, Route
from labkit.gateway.capability import may_repeat
from labkit.gateway.exchange import CAPABILITIES, CLIENT_INFO, HEADERS_META, LOG_LEVEL, PREFIX, SERVER_INFO
from labkit.gateway.fallback import current
from labkit.gateway.names import Registry
from labkit.gateway.peer import Caller, Json
from labkit.patterns.calls import MODERN, Call, connection_of
from labkit.patterns.failures import BLAMED, Unavailable

if TYPE_CHECKING:
    from labkit.gateway.backend import Backend
    from labkit.gateway.front import Gateway

Context = ServerRequestContext[Any, Any]
Handler = Callable[[Context, Json], Awaitable[Json]]

VERSION = "1.0.0"
OURS = frozenset({"progressToken", LOG_LEVEL, HEADERS_META})
"""Members of `_meta` that go no further: a client that could set headers could say that it is somebody else."""
STATE = "requestState"
URIS = "labkit/uris"
LEVEL = "labkit/level"
INTRODUCED = "labkit/introduced"
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
LISTS: tuple[tuple[str, Kind, str], ...] = (
    ("tools/list", "tools", "tools"),
    ("resources/list", "resources", "resources"),
    ("resources/templates/list", "templates", "resourceTemplates"),
    ("prompts/list", "prompts", "prompts"),
)
NEWER = frozenset({"resultType", "ttlMs", "cacheScope"})
"""Members of results that clients of the handshake era do not know."""
NEEDS = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}
"""What a client has to have declared to be asked."""
CACHEABLE = ("tools/list", "resources/list", "resources/templates/list", "prompts/list", "resources/read")

logger = logging.getLogger(__name__)


class FrontServer(Server[Any]):
    """A server that says it announces changes, in the handshake era, too."""

    def create_initialization_options(
        self, notification_options: NotificationOptions | None = None, *args: Any, **keywords: Any
    ) -> InitializationOptions:
        """As the SDK's, with all three kinds of changes announced."""
        return super().create_initialization_options(
            notification_options or NotificationOptions(True, True, True), *args, **keywords
        )


def make_server(gateway: Gateway) -> Server[Any]:
    """The server in front of a gateway."""
    config = gateway.config
    server = FrontServer(
        config.name,
        version=VERSION,
        instructions=config.instructions or None,
        lifespan=gateway.lifespan,
        # Nothing of a gateway's is for all to keep: what a caller sees depends on who it is.
        cache_hints={cast(Any, method): CacheHint(ttl_ms=0, scope="private") for method in CACHEABLE},
        get_tool_input_schema=lambda name: gateway.views.input_schema(name),
        on_subscriptions_listen=Listen(gateway),
    )
    answers = gateway.answers
    handlers: dict[str, tuple[type[Any], Handler]] = {
        "tools/call": (types.CallToolRequestParams, answers.call_tool_shaped),
        "prompts/get": (types.GetPromptRequestParams, answers.get_prompt),
        "resources/read": (types.ReadResourceRequestParams, answers.read_resource),
        "resources/subscribe": (types.SubscribeRequestParams, answers.subscribe),
        "resources/unsubscribe": (types.UnsubscribeRequestParams, answers.unsubscribe),
        "completion/complete": (types.CompleteRequestParams, answers.complete),
        "logging/setLevel": (types.SetLevelRequestParams, answers.set_level),
    }
    for method, kind, member in LISTS:
        handlers[method] = types.PaginatedRequestParams, answers.lister(kind, member)
    for method, (params, handler) in handlers.items():
        server.add_request_handler(method, params, _wired(handler))
    server.middleware.append(answers.meet)
    server.middleware.append(lambda ctx, call_next: gateway.rules.run(ctx, call_next))
    return server


def _wired(handler: Handler) -> Callable[[Context, Any], Awaitable[Json]]:
    async def handle(ctx: Context, _: Any) -> Json:
        try:
            result = await handler(ctx, dict(ctx.params or {}))
        except RpcError as error:
            raise MCPError(error.code, error.message, error.data) from error
        # The member is of the stateless era alone, and backends may be of the other.
        if ctx.protocol_version >= MODERN:
            return result if "resultType" in result else {"resultType": "complete", **result}
        return {name: value for name, value in result.items() if name not in NEWER} if NEWER & result.keys() else result

    return handle


def _shaped(result: Json, stamp: Json) -> Json:
    """A result as the SDK would send it: its shape checked against the revision, and whose it is."""
    shaped: Json = {"resultType": "complete", **result}
    kind = shaped["resultType"]
    if "structuredContent" in shaped:
        shaped.setdefault("content", [])
    if not isinstance(kind, str) or kind in CORE_RESULT_TYPES:  # of others an extension knows the shape
        try:
            shaped = _methods.serialize_server_result("tools/call", MODERN, shaped)
            fits = kind != "complete" or "content" in shaped  # what fits no result is taken for an empty question
        except ValidationError:
            fits = False
        if not fits:
            logger.warning("a backend answered tools/call with what is no result of it")
            raise MCPError(INTERNAL_ERROR, "Handler returned an invalid result")
    meta: Any = shaped.get("_meta")
    if meta is None or isinstance(meta, dict):
        shaped["_meta"] = {**(meta or {}), SERVER_INFO: stamp}
    return shaped


class Answers:
    """The handlers."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def meet(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Middleware: know who has to be told of changes."""
        result = await call_next(ctx)
        if ctx.method == "notifications/initialized" and (connection := connection_of(ctx)) is not None:
            self.gateway.sessions.add(connection)
        return result

    # lists ---------------------------------------------------------------------------------------

    def lister(self, kind: Kind, member: str) -> Handler:
        """The handler that lists items of one kind."""

        async def listed(ctx: Context, params: Json) -> Json:
            gateway = self.gateway
            await gateway.awake()
            visible = None if gateway.policy.open else partial(gateway.may, kind)
            items, cursor = gateway.views.of(ctx).page(kind, params.get("cursor"), gateway.config.page, visible)
            return {member: items, **({"nextCursor": cursor} if cursor else {})}

        return listed

    # what is passed on ---------------------------------------------------------------------------

    async def call_tool(self, ctx: Context, params: Json) -> Json:
        """tools/call"""
        gateway, name = self.gateway, str(params["name"])
        arguments: Json = params.get("arguments") or {}
        attempt = current.get()
        if attempt is None:
            view, route = await self._route(ctx, "tools", name, "tool")
            owner, there = route.owner, route.name
        else:
            # Whoever answers instead: it is the name that was called that one may use or not.
            self._allow("tools", name, "tool")
            target = attempt.target
            owner, there, name, view = target.owner, target.there, target.name, target.view
        if name in gateway.views.uneven:
            _check_headers(ctx, view, name, arguments)
        mirrored, params = gateway.mirrored(view, name, arguments), {**params, "name": there}
        repeatable = may_repeat(view.item("tools", name) or {})
        if attempt is None:
            return await self.ask(ctx, owner, "tools/call", params, mirrored, repeatable=repeatable)
        attempt.asked = True
        try:
            return await self.ask(ctx, owner, "tools/call", params, mirrored, repeatable=repeatable)
        except Unavailable as error:
            attempt.failed = error.reason in BLAMED
            raise

    async def call_tool_shaped(self, ctx: Context, params: Json) -> Json:
        """tools/call on the long way"""
        result = await self.call_tool(ctx, params)
        return _shaped(result, self.gateway.server.server_info_stamp) if ctx.protocol_version >= MODERN else result

    async def call_tool_checked(self, ctx: Context) -> Json:
        """tools/call on the short way (`relay`), which has checked the parameters: the result is shaped here."""
        try:
            result = await self.call_tool(ctx, dict(ctx.params or {}))
        except RpcError as error:
            raise MCPError(error.code, error.message, error.data) from error
        return _shaped(result, self.gateway.server.server_info_stamp)

    async def call_tool_in_session(self, ctx: Context) -> Json:
        """tools/call on the short way of the handshake era (`relay_session`): likewise, for the session's revision."""
        try:
            result = await self.call_tool(ctx, dict(ctx.params or {}))
        except RpcError as error:
            raise MCPError(error.code, error.message, error.data) from error
        known = {name: value for name, value in result.items() if name not in NEWER}
        try:
            return _methods.serialize_server_result("tools/call", ctx.protocol_version, known)
        except ValidationError:
            logger.warning("a backend answered tools/call with what is no result of it")
            raise MCPError(INTERNAL_ERROR, "Handler returned an invalid result") from None

    async def get_prompt(self, ctx: Context, params: Json) -> Json:
        """prompts/get"""
        _, route = await self._route(ctx, "prompts", str(params["name"]), "prompt")
        return await self.ask(ctx, route.owner, "prompts/get", {**params, "name": route.name})

    async def read_resource(self, ctx: Context, params: Json) -> Json:
        """resources/read"""
        _, route = await self._route(ctx, "resources", str(params["uri"]), "resource")
        return await self.ask(ctx, route.owner, "resources/read", params)

    async def complete(self, ctx: Context, params: Json) -> Json:
        """completion/complete"""
        ref = dict(params["ref"])
        if "uri" in ref:
            _, route = await self._route(ctx, "templates", str(ref["uri"]), "resource template")
        else:
            _, route = await self._route(ctx, "prompts", str(ref["name"]), "prompt")
            ref["name"] = route.name
        return await self.ask(ctx, route.owner, "completion/complete", {**params, "ref": ref})

    async def subscribe(self, ctx: Context, params: Json) -> Json:
        """resources/subscribe, in the handshake era"""
        uri = str(params["uri"])
        await self._route(ctx, "resources", uri, "resource")
        connection = connection_of(ctx)
        uris: set[str] = connection.state.setdefault(URIS, set()) if connection is not None else set()
        if connection is not None and uri not in uris:
            if not uris:
                connection.exit_stack.push_async_callback(self._forget, uris)
            uris.add(uri)
            await self.gateway.watch(uri, 1)
        return {}

    async def unsubscribe(self, ctx: Context, params: Json) -> Json:
        """resources/unsubscribe, in the handshake era"""
        connection, uri = connection_of(ctx), str(params["uri"])
        uris: set[str] = connection.state.get(URIS, set()) if connection is not None else set()
        if uri in uris:
            uris.discard(uri)
            await self.gateway.watch(uri, -1)
        return {}

    async def _forget(self, uris: set[str]) -> None:
        while uris:
            await self.gateway.watch(uris.pop(), -1)

    async def set_level(self, ctx: Context, params: Json) -> Json:
        """logging/setLevel: kept for this connection. Backends say all they can: one client must not silence others."""
        if (connection := connection_of(ctx)) is not None:
            connection.state[LEVEL] = str(params["level"])
        await asyncio.gather(*(backend.log_all() for backend in self.gateway.backends.values()))
        return {}

    async def _route(self, ctx: Context, kind: Kind, name: str, what: str) -> tuple[Registry, Route]:
        gateway = self.gateway
        view = gateway.views.of(ctx)
        route = view.route(kind, name)
        if route is None:
            await gateway.awake()
            view = gateway.views.of(ctx)
            route = view.route(kind, name)
        if route is None:
            if held := gateway.held(kind, name):
                raise Unavailable(held, reason="quarantined")
            known = [str(item.get("uri") or item.get("uriTemplate") or item["name"]) for item in view.items(kind)]
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f" Did you mean {near[0]!r}?" if near and gateway.policy.open else ""
            data = {"uri": name} if kind == "resources" else None
            raise RpcError(INVALID_PARAMS, f"Unknown {what}: {name}.{hint}".rstrip("."), data)
        self._allow(kind, name, what)
        return view, route

    def _allow(self, kind: Kind, name: str, what: str) -> None:
        gateway = self.gateway
        if not gateway.may(kind, name):
            raise Unavailable(f"{gateway.who} may not use the {what} {name}.", reason="forbidden")

    async def ask(
        self,
        ctx: Context,
        owner: str,
        method: str,
        params: Json,
        mirrored: Mapping[str, str] | None = None,
        *,
        repeatable: bool = True,
    ) -> Json:
        """Ask a backend on behalf of a client, each in its own era."""
        modern_front = ctx.protocol_version >= MODERN
        backend, deprecated = self.gateway.backends[owner], self.gateway.config.backends[owner].deprecated
        peer = backend.peer or await backend.awaited()
        if not modern_front and peer.era >= MODERN and (older := await backend.older()) is not None:
            backend, peer = older, older.peer or await older.awaited()
        caller = self.caller(ctx, backend)
        caller.repeatable = repeatable
        if (attempt := current.get()) is not None:
            attempt.caller = caller
            if attempt.instead and modern_front:
                caller.capabilities = {}  # the answers to its questions would go to whom it stands in for
        if mirrored and peer.transport == "http":
            caller.headers = {**caller.headers, **mirrored}
        params.pop("_meta", None)
        if peer.era >= MODERN:

            async def send(given: Json) -> Json:
                return await backend.request(method, given, caller)

            if not modern_front:
                result = await answered(send, params, _asking(ctx, caller))
            else:
                result = await self._sealed(ctx, f"{backend.name} {method}", send, params)
        elif not modern_front:
            caller.on_ask = _asking(ctx, caller)
            result = await backend.request(method, params, caller)
        elif caller.capabilities or STATE in params:
            result = await self._in_rounds(ctx, backend, method, params, caller)
        else:
            result = await backend.request(method, params, caller)
        return _ours(result, modern_front, deprecated)

    async def _sealed(self, ctx: Context, what: str, send: Callable[[Json], Awaitable[Json]], params: Json) -> Json:
        """Send to a stateless server for a stateless client; a state is good for the caller that it was given to."""
        if self.gateway.identity is None:
            return await send(params)
        call, seal = partial(owner_of, Call(ctx).principal, what, params), self.gateway.seal
        result = await send(seal.open(params, call()) if STATE in params else params)
        return seal.close(result, call()) if STATE in result else result

    async def _in_rounds(self, ctx: Context, backend: Backend, method: str, params: Json, caller: Caller) -> Json:
        owner = owner_of(Call(ctx).principal, f"{backend.name} {method}", params)
        if STATE in params or "inputResponses" in params:
            return await self.gateway.waiting.go_on(params.get(STATE), owner, params.get("inputResponses"), caller)

        async def work(ask: Ask) -> Json:
            caller.on_ask = _if_able(ask, caller)
            return await backend.request(method, params, caller)

        return await self.gateway.waiting.begin(owner, work, caller)

    def caller(self, ctx: Context, backend: Backend) -> Caller:
        """On whose behalf the gateway asks: what its client can, and what it wants to hear meanwhile."""
        # As it came: `ctx.meta` has the SDK's names for some of its members.
        meta: Json = (ctx.params or {}).get("_meta") or {}
        caller = Caller(progress_token=meta.get("progressToken"))
        if caller.progress_token is None and _hears_directly(ctx):
            caller.progress_token = ctx.request_id
        if ctx.protocol_version >= MODERN:
            caller.capabilities = meta.get(CAPABILITIES) or {}
            caller.client_info = meta.get(CLIENT_INFO)
            level = meta.get(LOG_LEVEL)
        else:
            caller.capabilities, caller.client_info = _introduced(ctx)
            connection = caller.owner = connection_of(ctx)
            level = connection.state.get(LEVEL, "debug") if connection is not None else None
        passed = {name: value for name, value in meta.items() if name not in OURS and not name.startswith(PREFIX)}
        if level in LEVELS:
            passed[LOG_LEVEL] = level
        caller.meta = {**passed, **self.gateway.rules.trace()}
        caller.headers = self.gateway.signed(backend.name)
        if level in LEVELS or caller.progress_token is not None:
            caller.on_notify = _telling(ctx, level)
        return caller


def _introduced(ctx: Context) -> tuple[Json, Json | None]:
    """What a client of the handshake era has said that it can, and is: the same at each of its calls."""
    params, connection = ctx.session.client_params, connection_of(ctx)
    if params is None:
        return {}, None
    known = connection.state.get(INTRODUCED) if connection is not None else None
    if known is None or known[0] is not params:  # it may shake hands again
        capabilities, info = (
            each.model_dump(by_alias=True, mode="json", exclude_none=True)
            for each in (params.capabilities, params.client_info)
        )
        known = params, capabilities, info
        if connection is not None:
            connection.state[INTRODUCED] = known
    return known[1], known[2]


def _if_able(ask: Ask, caller: Caller) -> Ask:
    async def asked(method: str, params: Json) -> Json:
        if NEEDS.get(method) not in caller.capabilities:
            raise RpcError(METHOD_NOT_FOUND, f"The client has not declared that it takes {method}.")
        return await ask(method, params)

    return asked


def _asking(ctx: Context, caller: Caller) -> Ask:
    outbound: Any = ctx.session._request_outbound  # pyright: ignore[reportPrivateUsage]

    async def ask(method: str, params: Json) -> Json:
        try:
            return await outbound.send_raw_request(method, params or None, None)
        except MCPError as error:
            raise RpcError(error.error.code, error.error.message, error.error.data) from error

    return _if_able(ask, caller)


def _hears_directly(ctx: Context) -> bool:
    """Whether the client is in this process and without a wire (the SDK's direct dispatcher): its progress callback is
    called, and there is no token."""
    outbound = getattr(ctx.session, "_request_outbound", None)  # the short way has none
    return getattr(getattr(outbound, "_inner", outbound), "_on_progress", None) is not None


def _telling(ctx: Context, level: Any) -> Callable[[str, Json], Awaitable[None]]:
    outbound: Any = ctx.session._request_outbound  # pyright: ignore[reportPrivateUsage]
    lowest = LEVELS.index(level) if level in LEVELS else len(LEVELS)
    direct = _hears_directly(ctx)

    async def tell(method: str, params: Json) -> None:
        if method == "notifications/message":
            said = params.get("level")
            if said not in LEVELS or LEVELS.index(said) < lowest:
                return
        elif direct:
            await outbound.progress(params.get("progress", 0), params.get("total"), params.get("message"))
            return
        await outbound.notify(method, params)

    return tell


def _check_headers(ctx: Context, view: Registry, name: str, arguments: Json) -> None:
    """What the SDK does before it knows which version is asked for: headers that mirror arguments have to agree."""
    headers, schema = getattr(ctx.request, "headers", None), view.input_schema(name)
    if headers is None or schema is None or ctx.protocol_version < MODERN:
        return
    if (wrong := validate_mcp_param_headers(schema, arguments, headers)) is not None:
        raise RpcError(wrong.code, wrong.message, wrong.data)


def _ours(result: Json, modern: bool, deprecated: str = "") -> Json:
    """A backend's result as ours: whose it is, is for the gateway to say, and that it will not be there for ever."""
    meta = result.get("_meta")
    if isinstance(meta, dict) and SERVER_INFO in meta:
        rest = {name: value for name, value in cast(Json, meta).items() if name != SERVER_INFO}
        result = {name: value for name, value in result.items() if name != "_meta"} | ({"_meta": rest} if rest else {})
    if not modern and is_question(result):
        raise LabError("a question may not reach a client of the handshake era as a result")
    if deprecated and not is_question(result):
        result = {**result, "_meta": {**(result.get("_meta") or {}), META_DEPRECATED: deprecated}}
    return result


class Listen(ListenHandler):
    """`subscriptions/listen`: the SDK's, and the backends are asked for updates of what is listened to."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway.bus)
        self.gateway = gateway

    async def __call__(self, ctx: Context, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        """Serve one stream."""
        gateway = self.gateway
        await gateway.awake()
        uris = list(dict.fromkeys(str(uri) for uri in params.notifications.resource_subscriptions or ()))
        for uri in uris:
            if not gateway.may("resources", uri):
                raise MCPError(INVALID_PARAMS, f"{gateway.who} may not use the resource {uri}.")
        for uri in uris:
            await gateway.watch(uri, 1)
        try:
            return await super().__call__(ctx, params)
        finally:
            for uri in uris:
                await gateway.watch(uri, -1)
