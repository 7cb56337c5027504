"""The short way for the message that a gateway sees most: a `tools/call` of the stateless era over HTTP, without
progress or log messages.

Such a request needs nothing of what the SDK's server sets up for one: no stream, no session, no task of its own. It is
checked by the SDK's own functions, in the SDK's order, and passes the same rules and the same handler. Whatever is not
plainly in order, and whatever else there is, takes the long way, unread: so every refusal is the SDK's own, and the
short way can allow nothing that the long one would not (tests/gateway/test_relay.py sends both the same and compares).
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast

from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.runner import modern_error_data
from mcp.server.streamable_http import check_accept_headers
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundModernRoute,
    classify_inbound_request,
    find_duplicated_routing_header,
    validate_mcp_param_headers,
)
from mcp_types import methods as _methods
from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labkit.gateway import versions
from labkit.gateway.exchange import LOG_LEVEL
from labkit.gateway.peer import Json
from labkit.patterns.calls import MODERN

if TYPE_CHECKING:
    from labkit.gateway.front import Gateway

PATH = "/mcp"
LARGEST = 1 << 20
"""Bytes of a body that takes the short way."""
WATCH_AFTER = 0.1
"""Seconds after which a client that hangs up is noticed."""
PING_AFTER = 15.0
"""Seconds without an answer after which the response becomes a stream that is kept alive."""
LONG_WAY_META = frozenset({"progressToken", LOG_LEVEL, versions.META})
LONG_WAY_HEADERS = frozenset({b"transfer-encoding", versions.HEADER.encode()})
LONG_WAY_PARAMS = frozenset({"requestState", "inputResponses"})

_JSON_HEADERS = (b"content-type", b"application/json")
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class _NoSession:
    """Stands where the long way has the session: nothing is sent to the client but the answer."""

    client_params = None
    client_capabilities = None


_NO_SESSION: Any = _NoSession()


class Relay:
    """ASGI application: the short way for what may take it, `inner` for all else."""

    def __init__(self, gateway: Gateway, inner: ASGIApp, security: TransportSecuritySettings) -> None:
        self._gateway, self._inner = gateway, inner
        self._security = TransportSecurityMiddleware(security)
        self.taken = 0
        """Requests that took the short way."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != PATH or not _may_be_short(scope):
            await self._inner(scope, receive, send)
            return
        read: list[Message] = []
        body = b""
        while True:
            message = await receive()
            read.append(message)
            if message["type"] != "http.request":
                break
            body += message.get("body", b"")
            if not message.get("more_body") or len(body) > LARGEST:
                break
        request = Request(scope)
        decoded = await self._checked(request, body)
        if decoded is None:

            async def again() -> Message:
                return read.pop(0) if read else await receive()

            await self._inner(scope, again, send)
            return
        self.taken += 1
        await _Exchange(self._gateway, request, decoded, receive, send).answer()

    async def _checked(self, request: Request, body: bytes) -> Json | None:
        """The message, if it is in order in every respect, and nobody records spans: those are made on the long way."""
        if self._gateway.rules.traced:
            return None
        if await self._security.validate_request(request, is_post=True) is not None:
            return None
        if check_accept_headers(request) != (True, True):
            return None
        try:
            decoded: Any = json.loads(body)
        except (ValueError, RecursionError):
            return None
        if not _is_plain_call(decoded):
            return None
        headers = request.headers
        if find_duplicated_routing_header(headers.items()) is not None:
            return None
        verdict = classify_inbound_request(decoded, headers=dict(headers))
        if not isinstance(verdict, InboundModernRoute) or verdict.protocol_version != MODERN:
            return None
        params = decoded["params"]
        try:
            _methods.validate_client_request("tools/call", MODERN, params)
        except (ValidationError, KeyError):
            return None
        schema = self._gateway.registry.input_schema(params["name"])
        if schema is None or validate_mcp_param_headers(schema, params.get("arguments") or {}, headers) is not None:
            return None
        return cast(Json, decoded)


def _may_be_short(scope: Scope) -> bool:
    version = method = False
    for name, value in scope["headers"]:
        if name == b"mcp-protocol-version":
            version = value == MODERN.encode()
        elif name == b"mcp-method":
            method = value == b"tools/call"
        elif (name == b"content-length" and (len(value) > 7 or int(value) > LARGEST)) or name in LONG_WAY_HEADERS:
            return False
    return version and method


def _is_plain_call(message: Any) -> bool:
    if not isinstance(message, dict):
        return False
    whole = cast(Json, message)
    request_id, given = whole.get("id"), whole.get("params")
    params = cast(Json, given) if isinstance(given, dict) else {}
    return (
        whole.get("jsonrpc") == "2.0"
        and whole.get("method") == "tools/call"
        and isinstance(request_id, int | str)
        and not isinstance(request_id, bool)
        and whole.keys() <= {"jsonrpc", "id", "method", "params"}
        and isinstance(params.get("name"), str)
        and isinstance(params.get("_meta"), dict)
        and not (LONG_WAY_META & params["_meta"].keys())
        and not (LONG_WAY_PARAMS & params.keys())
    )


def _encoded(answer: Json) -> bytes:
    try:
        return _dumps(answer).encode()
    except UnicodeEncodeError:  # half a pair of surrogates: JSON can carry it, UTF-8 cannot
        return json.dumps(answer, separators=(",", ":")).encode()


class _Exchange:
    """One request and its answer."""

    def __init__(self, gateway: Gateway, request: Request, message: Json, receive: Receive, send: Send) -> None:
        self._gateway, self._request, self._message = gateway, request, message
        self._receive, self._send = receive, send
        self._streaming = self._gone = False

    async def answer(self) -> None:
        """Answer, unless the client hangs up before."""
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._watch: asyncio.Task[None] | None = None
        timer = loop.call_later(WATCH_AFTER, self._begin_watch)
        try:
            try:
                status, body = await self._outcome()
            finally:
                timer.cancel()
                if self._watch is not None:
                    self._watch.cancel()
                    await asyncio.wait((self._watch,))
        except asyncio.CancelledError:
            if self._gone:
                return  # the client has hung up: there is nobody to answer
            raise
        if self._streaming:
            await self._send({"type": "http.response.body", "body": b"event: message\r\ndata: " + body + b"\r\n\r\n"})
            return
        headers = [_JSON_HEADERS, (b"content-length", b"%d" % len(body))]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def _outcome(self) -> tuple[int, bytes]:
        message = self._message
        params: Json = message["params"]
        context: ServerRequestContext[Any, Any] = ServerRequestContext(
            session=_NO_SESSION,
            lifespan_context=self._gateway,
            method="tools/call",
            params=params,
            request_id=message["id"],
            meta=params["_meta"],
            protocol_version=MODERN,
            request=self._request,
        )
        try:
            result = await self._gateway.rules.run(context, self._handle)
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            return 200, _encoded(answer)
        except Exception as error:
            data = modern_error_data(error)
            told = data.model_dump(mode="json", by_alias=True, exclude_none=True)
            answer = {"jsonrpc": "2.0", "id": message["id"], "error": told}
            return ERROR_CODE_HTTP_STATUS.get(data.code, 200), _encoded(answer)

    async def _handle(self, context: ServerRequestContext[Any, Any]) -> HandlerResult:
        return await self._gateway.answers.call_tool_checked(context)

    def _begin_watch(self) -> None:
        self._watch = asyncio.get_running_loop().create_task(self._watching())

    async def _watching(self) -> None:
        """End the call when the client hangs up; keep the connection alive while it takes long."""
        hung_up = asyncio.ensure_future(self._hung_up())
        try:
            while True:
                done, _ = await asyncio.wait((hung_up,), timeout=PING_AFTER)
                if done:
                    self._gone = True
                    assert self._task is not None
                    self._task.cancel()
                    return
                if not self._streaming:
                    self._streaming = True
                    await self._send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
                await self._send({"type": "http.response.body", "body": b": ping\r\n\r\n", "more_body": True})
        finally:
            hung_up.cancel()

    async def _hung_up(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
