"""The HTTP side of a gateway: who is let in, what operators look at, and the MCP endpoint behind it.

    /mcp        the gateway itself, both eras
    /health     alive: 200 as long as the process can answer
    /ready      200 when it can do its work, else 503; a line for each backend
    /metrics    for Prometheus
    /.well-known/oauth-protected-resource[/mcp]   where a client gets a token (RFC 9728)

Credentials end here: what is behind the door knows the principal, and no header that proves it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import TransportSecuritySettings
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Receive, Scope, Send

from labkit.defences.identity import NOBODY, Principal, Refusal
from labkit.gateway.relay import PATH, Relay

if TYPE_CHECKING:
    from labkit.gateway.front import Gateway

CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"cookie"})
ERRORS = {401: "invalid_token", 403: "insufficient_scope", 503: "temporarily_unavailable"}
METADATA = "/.well-known/oauth-protected-resource"
LOOPBACK = TransportSecuritySettings(
    enable_dns_rebinding_protection=True,
    allowed_hosts=["127.0.0.1:*", "localhost:*", "[::1]:*"],
    allowed_origins=["http://127.0.0.1:*", "http://localhost:*", "http://[::1]:*"],
)
"""The SDK's own protection of servers on loopback from web pages (DNS rebinding), written out: both ways need it."""

caller: ContextVar[Principal] = ContextVar("labkit_gateway_caller", default=NOBODY)
"""Who the present request is from."""


def make_app(gateway: Gateway, *, relay: bool = True) -> ASGIApp:
    """The application of a gateway. Without `relay`, every request takes the SDK's way."""
    inner: ASGIApp = gateway.server.streamable_http_app(streamable_http_path=PATH, transport_security=LOOPBACK)
    return Door(gateway, Relay(gateway, inner, LOOPBACK) if relay else inner)


class Door:
    """ASGI application: lets principals in, and answers for the operations itself."""

    def __init__(self, gateway: Gateway, inner: ASGIApp) -> None:
        self.gateway, self.inner = gateway, inner
        self._users: dict[Principal, AuthenticatedUser] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve the lifespan."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        # Blanks around a value are no part of it (RFC 9110, section 5.5); the fast parser leaves them.
        scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        path = scope["path"]
        if path != PATH and (answer := self._operation(path)) is not None:
            await _answer(send, *answer)
            return
        found: Principal | Refusal | None = NOBODY
        identity = self.gateway.identity
        if identity is not None:
            found = identity.check_now(scope["headers"])
            if found is None:
                found = await identity.check(scope["headers"])
            if isinstance(found, Refusal):
                await self._refuse(found, send)
                return
        headers = [pair for pair in scope["headers"] if pair[0] not in CREDENTIALS]
        user = self._user(found)
        user_token = auth_context_var.set(user if found.how else None)
        try:
            await self._enter(found, {**scope, "user": user, "headers": headers}, receive, send)
        finally:
            auth_context_var.reset(user_token)

    async def _enter(self, found: Principal, scope: Scope, receive: Receive, send: Send) -> None:
        token = caller.set(found)
        try:
            await self.inner(scope, receive, send)
        finally:
            caller.reset(token)

    def _user(self, found: Principal) -> AuthenticatedUser:
        user = self._users.get(found)
        if user is None:
            if len(self._users) > 1000:
                self._users.clear()
            name = found.id or "anonymous"
            token = AccessToken(token="", client_id=name, scopes=list(found.roles), subject=name)
            user = self._users[found] = AuthenticatedUser(token)
        return user

    async def _refuse(self, refusal: Refusal, send: Send) -> None:
        error = ERRORS.get(refusal.status, "invalid_request")
        body = json.dumps({"error": error, "error_description": refusal.reason}).encode()
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in refusal.headers.items()]
        await _answer(send, refusal.status, "application/json", body, headers)

    def _operation(self, path: str) -> tuple[int, str, bytes] | None:
        gateway = self.gateway
        if path == "/health":
            return 200, "application/json", b'{"status":"alive"}'
        if path == "/ready":
            ready = gateway.is_ready
            backends = [_shown(asdict(each)) for each in gateway.health()]
            body = {
                "status": "ready" if ready else "not ready",
                "backends": backends,
                "problems": len(gateway.problems),
            }
            return 200 if ready else 503, "application/json", json.dumps(body).encode()
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, gateway.rules.metrics.text()
        if path in (METADATA, METADATA + PATH) and gateway.identity is not None:
            return 200, "application/json", json.dumps(gateway.identity.metadata()).encode()
        return None


def _shown(health: dict[str, Any]) -> dict[str, Any]:
    # Anybody may look: what a server last said on stderr is for those who may read its log.
    return {name: value for name, value in health.items() if name not in ("last_error", "pids")}


async def _answer(send: Send, status: int, kind: str, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    own = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": body})
