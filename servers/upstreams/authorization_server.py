"""An OAuth 2.1 authorization server on loopback, for servers that are given tokens and clients that ask for them.

    python servers/upstreams/authorization_server.py --resource URL=notes:read,notes:write [--port 0]

Prints its address as one line of JSON, {"url": "http://127.0.0.1:PORT"}, and serves until its standard input ends. In
this kernel: `with AuthorizationServer(resources={URL: ["notes:read"]}) as issuer: issuer.url`.

    GET  /.well-known/oauth-authorization-server   metadata (RFC 8414)
    GET  /jwks                                     the public keys of its tokens
    POST /register                                 clients that introduce themselves (RFC 7591)
    GET  /authorize                                code flow, PKCE with S256 only, `resource` needed (RFC 8707)
    GET  /consent, POST /consent                   the page on which a person agrees or refuses
    POST /token                                    authorization_code, refresh_token, client_credentials
    POST /revoke                                   ends refresh tokens

Requests are read by the SDK's handlers (`mcp.server.auth`); `authorization_grants` decides. Added here: redirect
addresses are compared as text, `iss` is in every authorization response (RFC 9207), the token endpoint holds `resource`
against what was granted, and client credentials. It is a library for a lab: people have no passwords, and all is
forgotten at the end.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from mcp.server.auth.handlers.authorize import AuthorizationHandler
from mcp.server.auth.handlers.register import RegistrationHandler
from mcp.server.auth.handlers.revoke import RevocationHandler
from mcp.server.auth.handlers.token import TokenHandler
from mcp.server.auth.middleware.client_auth import ClientAuthenticator
from mcp.server.auth.provider import TokenError, construct_redirect_uri
from mcp.server.auth.routes import build_metadata
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
from mcp.server.transport_security import RequestBodyLimitMiddleware
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.upstreams.authorization_grants import Grants
from servers.upstreams.authorization_page import COOKIE, headers, page
from servers.upstreams.kernel import InKernel

USERS: dict[str, list[str]] = {"ada": ["staff", "admin"], "ben": ["staff"]}
NO_STORE = {"Cache-Control": "no-store"}
MOST_BYTES = 64 << 10


def application(grants: Grants) -> Starlette:
    """The ASGI application of an authorization server."""
    clients = ClientAuthenticator(grants)
    endpoints = Endpoints(grants, TokenHandler(grants, clients))
    routes = [
        Route("/.well-known/oauth-authorization-server", endpoints.metadata),
        Route("/jwks", endpoints.jwks),
        Route("/authorize", endpoints.authorize),
        Route("/consent", endpoints.consent),
        Route("/consent", endpoints.answer, methods=["POST"]),
        Route("/token", endpoints.token, methods=["POST"]),
        Route("/register", endpoints.register, methods=["POST"]),
        Route("/revoke", RevocationHandler(grants, clients).handle, methods=["POST"]),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    return Starlette(routes=routes, middleware=[hosts, Middleware(RequestBodyLimitMiddleware, MOST_BYTES)])


class Endpoints:
    """The endpoints that the SDK does not have, or not all of."""

    def __init__(self, grants: Grants, tokens: TokenHandler) -> None:
        self._grants, self._tokens = grants, tokens
        self._authorize = AuthorizationHandler(grants)

    @property
    def _registration(self) -> ClientRegistrationOptions:
        scopes = self._grants.scopes  # there may be more resources than there were
        return ClientRegistrationOptions(enabled=True, valid_scopes=scopes, default_scopes=scopes)

    async def register(self, request: Request) -> Response:
        return await RegistrationHandler(self._grants, self._registration).handle(request)

    async def metadata(self, request: Request) -> Response:
        made = build_metadata(
            AnyHttpUrl(self._grants.issuer), None, self._registration, RevocationOptions(enabled=True)
        )
        told = made.model_dump(mode="json", exclude_none=True) | {
            "issuer": self._grants.issuer,
            "jwks_uri": f"{self._grants.issuer}/jwks",
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post", "client_secret_basic"],
            "authorization_response_iss_parameter_supported": True,
        }
        return JSONResponse(told)

    async def jwks(self, request: Request) -> Response:
        return JSONResponse(self._grants.keys.public())

    async def authorize(self, request: Request) -> Response:
        client = await self._grants.get_client(request.query_params.get("client_id", ""))
        given = request.query_params.getlist("redirect_uri")
        known = [str(uri) for uri in (client.redirect_uris or [])] if client else []
        if len(given) != 1 or given[0] not in known:  # as text: what is nearly the same may lead somewhere else
            said = "client_id and redirect_uri have to be those of a client that is registered here"
            return JSONResponse({"error": "invalid_request", "error_description": said}, 400, NO_STORE)
        answer = await self._authorize.handle(request)
        where = answer.headers.get("location", "")
        if "error" in parse_qs(urlsplit(where).query):
            answer.headers["location"] = construct_redirect_uri(where, iss=self._grants.issuer)
        return answer

    async def consent(self, request: Request) -> Response:
        question = request.query_params.get("question", "")
        if question not in self._grants.asked:
            return HTMLResponse("<p>Nobody is asking this, or not any more.</p>", 400, NO_STORE)
        client, params, _ = self._grants.asked[question]
        csrf = secrets.token_urlsafe(24)
        text = page(
            question=question,
            csrf=csrf,
            client=client.client_name or client.client_id,
            redirect=str(params.redirect_uri),
            resource=str(params.resource),
            scopes=params.scopes or self._grants.resources[str(params.resource)][:1],
            users=list(self._grants.users),
        )
        shown = HTMLResponse(text, headers=headers(str(params.redirect_uri)))
        shown.set_cookie(COOKIE, csrf, max_age=600, path="/consent", httponly=True, samesite="strict")
        return shown

    async def answer(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        cookie, csrf = request.cookies.get(COOKIE, ""), form.get("csrf", "")
        if not _from_here(request) or not cookie or not hmac.compare_digest(cookie.encode(), csrf.encode()):
            return HTMLResponse("<p>This form was not filled in on the page that asks.</p>", 403, NO_STORE)
        found = self._grants.asked.get(form.get("question", ""))
        if found is None:
            return HTMLResponse("<p>Nobody is asking this, or not any more.</p>", 400, NO_STORE)
        back = {"state": found[1].state, "iss": self._grants.issuer}
        agreed = form.get("answer") == "allow"
        answered = self._grants.answer(form["question"], form.get("user", "")) if agreed else None
        if answered is None:
            self._grants.asked.pop(form["question"], None)
            said: dict[str, str] = {"error": "access_denied"}
        else:
            said = {"code": answered[0]}
        where = construct_redirect_uri(str(found[1].redirect_uri), **said, **back)
        gone = RedirectResponse(where, 303, NO_STORE)
        gone.delete_cookie(COOKIE, path="/consent")
        return gone

    async def token(self, request: Request) -> Response:
        form = await request.form()
        if len(form.multi_items()) != len(form):
            return refused("invalid_request", "a parameter is there twice")
        given = {name: str(value) for name, value in form.items()}
        grant, resource = given.get("grant_type"), given.get("resource")
        if grant == "client_credentials":
            return self._machine(request, given)
        known = self._grants.code_resource(given.get("code", "")) if grant == "authorization_code" else None
        if grant == "refresh_token":
            known = self._grants.refresh_resource(given.get("refresh_token", ""))
        if resource is not None and known is not None and resource != known:
            return refused("invalid_target", "this was granted for another resource")
        return await self._tokens.handle(request)

    def _machine(self, request: Request, given: Mapping[str, str]) -> Response:
        client, secret = given.get("client_id", ""), given.get("client_secret", "")
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            try:
                text = base64.b64decode(value, validate=True).decode()
            except ValueError:
                text = ""
            client, secret = (unquote(part) for part in text.partition(":")[::2])
        wanted = self._grants.machines.get(client, ("", ()))[0]
        if not wanted or not hmac.compare_digest(wanted.encode(), secret.encode()):
            return refused("invalid_client", "the client or its secret is not known", 401)
        try:
            made = self._grants.for_machine(client, given.get("resource", ""), given.get("scope", "").split())
        except TokenError as error:
            return refused(error.error, error.error_description or "")
        return JSONResponse(made.model_dump(mode="json", exclude_none=True), headers=NO_STORE)


def _from_here(request: Request) -> bool:
    """Whether a form comes from a page of this server, as far as the browser says.

    Cookies do not tell ports apart: whatever else serves on this machine can set this server's.
    """
    origin = request.headers.get("origin", "null")  # "null" is what the page's Referrer-Policy makes of it
    ours = origin in ("null", f"{request.url.scheme}://{request.url.netloc}")
    return ours and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"


def refused(error: str, description: str, status: int = 400) -> JSONResponse:
    """An error of the token endpoint (RFC 6749, section 5.2)."""
    challenge = {"WWW-Authenticate": 'Basic realm="lab"'} if status == 401 else {}
    return JSONResponse({"error": error, "error_description": description}, status, {**NO_STORE, **challenge})


class AuthorizationServer(InKernel):
    """An authorization server in this kernel, on a free port of 127.0.0.1. A context manager, or `start` and `stop`."""

    def __init__(
        self,
        *,
        resources: Mapping[str, Sequence[str]] | None = None,
        users: Mapping[str, Sequence[str]] | None = None,
        machines: Mapping[str, tuple[str, Sequence[str]]] | None = None,
        port: int = 0,
        **options: Any,
    ) -> None:
        self.grants: Grants

        def make(url: str) -> Starlette:
            self.grants = Grants(
                url, resources=resources or {}, users=users or USERS, machines=machines or {}, **options
            )
            return application(self.grants)

        super().__init__(make, port)

    def protect(self, resource: str, scopes: Sequence[str]) -> None:
        """Issue tokens for this resource, too."""
        self.grants.resources[resource] = list(scopes)

    @property
    def jwks(self) -> str:
        """Where its public keys are. `url` is its issuer identifier, the `iss` of its tokens."""
        return f"{self.url}/jwks"


def main() -> None:
    parser = argparse.ArgumentParser(description="An authorization server on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    parser.add_argument("--resource", action="append", default=[], metavar="URL=SCOPE,SCOPE")
    parser.add_argument("--machine", action="append", default=[], metavar="ID:SECRET=SCOPE,SCOPE")
    options = parser.parse_args()
    resources = {url: scopes.split(",") for url, _, scopes in (each.rpartition("=") for each in options.resource)}
    machines: dict[str, tuple[str, Sequence[str]]] = {}
    for who, _, scopes in (each.rpartition("=") for each in options.machine):
        client, _, secret = who.partition(":")
        machines[client] = (secret, scopes.split(","))
    server = AuthorizationServer(resources=resources, machines=machines, port=options.port).start()
    print(json.dumps({"url": server.url}), flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # nothing to save


if __name__ == "__main__":
    main()
