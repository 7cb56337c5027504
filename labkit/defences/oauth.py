"""What a resource server of OAuth 2.1 needs, in front of any MCP server.

    door = Providers(issuers=[JwtConfig(ISSUER, RESOURCE, ("ES256",), jwks=KEYS, type="at+jwt")],
                     resource_metadata=metadata_url(RESOURCE), scopes=["notes:read"])
    app = Guard(server.streamable_http_app(), door, RESOURCE, tools={"delete": ["notes:write"]})

`Guard` serves the protected resource metadata (RFC 9728), answers 401 and 403 with challenges that say which scopes to
ask for (RFC 6750), and tells the SDK who calls: `get_access_token()` works in tools. `Verifier` is the smaller way in,
without scopes for single tools: `MCPServer(token_verifier=Verifier(door, RESOURCE), auth=...)`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import pydantic_core
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.types import ASGIApp, Receive, Scope, Send

from labkit.defences.asgi import again, answer_json, whole_body
from labkit.defences.development import Development
from labkit.defences.principals import Principal, Refusal
from labkit.defences.providers import Providers

WELL_KNOWN = "/.well-known/oauth-protected-resource"
_ERRORS = {400: "invalid_request", 401: "invalid_token", 403: "insufficient_scope", 503: "temporarily_unavailable"}
_CREDENTIALS = (b"authorization", b"x-api-key")


def metadata_url(resource: str) -> str:
    """Where the metadata of a resource is: the well-known path stands before its own (RFC 9728, section 3.1)."""
    parts = urlsplit(resource)
    return urlunsplit((parts.scheme, parts.netloc, WELL_KNOWN + parts.path.rstrip("/"), "", ""))


def access_token(principal: Principal, resource: str) -> AccessToken:
    """Somebody who may come in, as the SDK has it. The token itself is left out: nobody behind has to see it.

    The claim `roles` is a list, or None when the proof says nothing of roles.
    """
    roles = list(principal.roles) if principal.has_roles else None
    return AccessToken(
        token="",
        client_id=principal.client or principal.id,
        scopes=list(principal.scopes),
        expires_at=None if principal.expires is None else int(principal.expires),
        resource=resource,
        subject=principal.subject,
        claims={"iss": principal.issuer, "roles": roles, "principal": principal.id},
    )


class Verifier:
    """The SDK's `TokenVerifier`: what `Providers` believe, for `MCPServer(token_verifier=...)`."""

    def __init__(self, providers: Providers, resource: str) -> None:
        self._providers, self._resource = providers, resource

    async def verify_token(self, token: str) -> AccessToken | None:
        """Who a token or an API key belongs to; None when it is refused, which the SDK answers with 401."""
        found = await self._providers.check({"authorization": f"Bearer {token}"})
        return access_token(found, self._resource) if isinstance(found, Principal) and found.how else None


class Guard:
    """ASGI application around a server's: credentials, scopes for each tool, and the metadata that leads to them.

    `tools` has the scopes that a call of a tool needs besides those of every request. They are compared with the body,
    which is what the server will run, and not with the header `Mcp-Name`. The server's own path is that of `resource`.
    """

    def __init__(
        self,
        app: ASGIApp,
        providers: Providers,
        resource: str,
        *,
        tools: Mapping[str, Iterable[str]] | None = None,
        development: Development | None = None,
    ) -> None:
        self._app, self._providers, self._resource = app, providers, resource
        self._tools = {name: tuple(scopes) for name, scopes in (tools or {}).items()}
        self._development = development
        self._metadata = providers.metadata(resource)
        more = {scope for scopes in self._tools.values() for scope in scopes}
        if scopes := sorted({*providers.scopes, *more}):
            self._metadata["scopes_supported"] = scopes
        self._metadata_path = urlsplit(metadata_url(resource)).path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve the lifespan."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing that has no headers of credentials here, such as a WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["path"] == self._metadata_path:
            await answer_json(send, 200, self._metadata)
            return
        found = await self._who(scope)
        if isinstance(found, Principal):
            body = b""
            if scope["method"] == "POST":
                read = await whole_body(receive)
                if read is None:
                    await answer_json(
                        send, 413, {"error": "invalid_request", "error_description": "The body is too long."}
                    )
                    return
                body = read
            found = self._permitted(found, body)
            if isinstance(found, Principal):
                await self._enter(found, scope, again(body, receive) if scope["method"] == "POST" else receive, send)
                return
        said = {"error": _ERRORS.get(found.status, "invalid_request"), "error_description": found.reason}
        await answer_json(send, found.status, said, found.headers)

    async def _who(self, scope: Scope) -> Principal | Refusal:
        found = self._providers.check_now(scope["headers"])
        if found is None:
            found = await self._providers.check(scope["headers"])
        without = not any(name.lower() in _CREDENTIALS for name, _ in scope["headers"])
        if self._development and without and (developer := self._development.admit(scope)):
            return developer
        return found

    def _permitted(self, principal: Principal, body: bytes) -> Principal | Refusal:
        has = set(principal.scopes)
        wanted = set(self._providers.scopes)
        called = _called(body)
        for name in called:
            wanted.update(self._tools.get(name, ()))
        if missing := sorted(wanted - has):
            what = f"A call of {', '.join(called)}" if called else "The request"
            reason = f"{what} needs the scope {' '.join(missing)}."
            return self._providers.forbid(reason, sorted(wanted))
        return principal

    async def _enter(self, principal: Principal, scope: Scope, receive: Receive, send: Send) -> None:
        user = AuthenticatedUser(access_token(principal, self._resource)) if principal.how else None
        headers = [pair for pair in scope["headers"] if pair[0].lower() not in _CREDENTIALS]
        entered: MutableMapping[str, Any] = {**scope, "headers": headers, **({"user": user} if user else {})}
        token = auth_context_var.set(user)
        try:
            await self._app(entered, receive, send)
        finally:
            auth_context_var.reset(token)


def _called(body: bytes) -> list[str]:
    """The tools that a body calls; [] for what the server will refuse as no message."""
    # The SDK reads a body in one way or the other, by its era, and they differ: json also takes UTF-16.
    names: list[str] = []
    for read in (pydantic_core.from_json, json.loads):
        try:
            message: Any = read(body)
        except (ValueError, RecursionError):
            continue
        for frame in cast("list[Any]", message) if isinstance(message, list) else [message]:
            name = _tool(cast("dict[str, Any]", frame)) if isinstance(frame, dict) else None
            if name is not None and name not in names:
                names.append(name)
    return names


def _tool(frame: Mapping[str, Any]) -> str | None:
    params: Any = frame.get("params")
    if frame.get("method") != "tools/call" or not isinstance(params, dict):
        return None
    return str(cast("dict[str, Any]", params).get("name"))
