"""The short ways for the message that a gateway sees most: a `tools/call` over HTTP.

Such a request needs little of what the SDK's server sets up for one. It is checked by the SDK's own functions, in the
SDK's order, and passes the same rules and the same handler. Whatever is not plainly in order, and whatever else there
is, takes the long way, unread: so every refusal is the SDK's own, and a short way can allow nothing that the long one
would not (tests/gateway/test_relay*.py send both the same and compare). One is for the stateless era, here; the other
for sessions of the handshake era, in `relay_session`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.runner import modern_error_data
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundModernRoute,
    classify_inbound_request,
    validate_mcp_param_headers,
)
from mcp_types import methods as _methods
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labkit.gateway import versions
from labkit.gateway.exchange import LOG_LEVEL
from labkit.gateway.peer import Json
from labkit.gateway.relay_answer import Answer, Outcome, encoded
from labkit.gateway.relay_headers import Headings
from labkit.gateway.relay_session import Sessions, plain_call
from labkit.patterns.calls import MODERN

if TYPE_CHECKING:
    from labkit.gateway.front import Gateway

PATH = "/mcp"
LARGEST = 1 << 20
"""Bytes of a body that takes a short way."""
LONG_WAY_META = frozenset({"progressToken", LOG_LEVEL, versions.META})
LONG_WAY_HEADERS = frozenset({b"transfer-encoding", versions.HEADER.encode()})
LONG_WAY_PARAMS = frozenset({"requestState", "inputResponses"})

_MODERN = MODERN.encode()
_HANDSHAKE = frozenset(version.encode() for version in HANDSHAKE_PROTOCOL_VERSIONS)


class _NoSession:
    """Stands where the long way has the session: nothing is sent to the client but the answer."""

    client_params = None
    client_capabilities = None


_NO_SESSION: Any = _NoSession()


class Relay:
    """ASGI application: a short way for what may take it, `inner` for all else."""

    def __init__(self, gateway: Gateway, inner: ASGIApp, security: TransportSecuritySettings) -> None:
        self._gateway, self._inner = gateway, inner
        self._headings = Headings(security)
        self._sessions = Sessions(gateway)
        self.taken = 0
        """Requests of the stateless era that took the short way."""

    @property
    def taken_in_sessions(self) -> int:
        """Requests of the handshake era that took the short way."""
        return self._sessions.taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        era = _era(scope) if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == PATH else ""
        if not era or self._gateway.rules.traced:  # spans are made on the long way
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

        async def again() -> Message:
            return read.pop(0) if read else await receive()

        if era != MODERN:
            await self._sessions.answer(scope, again, send, body, self._inner)
            return
        request = Request(scope)
        decoded = await self._checked(request, body)
        if decoded is None:
            await self._inner(scope, again, send)
            return
        self.taken += 1
        await Answer(receive, send, binding=True).give(self._outcome(request, decoded))

    async def _checked(self, request: Request, body: bytes) -> Json | None:
        """The message of the stateless era, if it is in order in every respect."""
        heading = await self._headings.of(request)
        if heading is None:
            return None
        try:
            decoded = plain_call(json.loads(body))
        except (ValueError, RecursionError):
            return None
        if decoded is None:
            return None
        params: Json = decoded["params"]
        if LONG_WAY_META & params.get("_meta", {}).keys() or LONG_WAY_PARAMS & params.keys():
            return None
        verdict = classify_inbound_request(decoded, headers=heading.by_name)
        if not isinstance(verdict, InboundModernRoute) or verdict.protocol_version != MODERN:
            return None
        try:
            _methods.validate_client_request("tools/call", MODERN, params)
        except (ValidationError, KeyError):
            return None
        schema = self._gateway.registry.input_schema(params["name"])
        if schema is None:
            return None
        if validate_mcp_param_headers(schema, params.get("arguments") or {}, heading.headers) is not None:
            return None
        return decoded

    async def _outcome(self, request: Request, message: Json) -> Outcome:
        params: Json = message["params"]
        context: ServerRequestContext[Any, Any] = ServerRequestContext(
            session=_NO_SESSION,
            lifespan_context=self._gateway,
            method="tools/call",
            params=params,
            request_id=message["id"],
            meta=params["_meta"],
            protocol_version=MODERN,
            request=request,
        )
        try:
            result = await self._gateway.rules.run(context, self._handle)
            return 200, encoded({"jsonrpc": "2.0", "id": message["id"], "result": result})
        except Exception as error:
            data = modern_error_data(error)
            told = data.model_dump(mode="json", by_alias=True, exclude_none=True)
            answer = {"jsonrpc": "2.0", "id": message["id"], "error": told}
            return ERROR_CODE_HTTP_STATUS.get(data.code, 200), encoded(answer)

    async def _handle(self, context: ServerRequestContext[Any, Any]) -> HandlerResult:
        return await self._gateway.answers.call_tool_checked(context)


def _era(scope: Scope) -> str:
    """The version of the protocol that a request may take a short way in; "" when it may take none."""
    version = method = b""
    session = False
    for name, value in scope["headers"]:
        if name == b"mcp-protocol-version":
            version = value if not version else b"two"
        elif name == b"mcp-method":
            method = value
        elif name == b"mcp-session-id":
            session = True
        elif (name == b"content-length" and (len(value) > 7 or int(value) > LARGEST)) or name in LONG_WAY_HEADERS:
            return ""
    if version == _MODERN:
        return MODERN if method == b"tools/call" else ""
    return cast(bytes, version).decode() if session and version in _HANDSHAKE else ""
