"""OAuth 2.1 from end to end, over real HTTP: the SDK's client signs in and asks for more, and no bad credential gets in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import jwt
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from pydantic import AnyUrl

from labkit.defences.api_keys import new_key
from labkit.defences.identity_config import JwtConfig
from labkit.defences.oauth import Guard, metadata_url
from labkit.defences.providers import Providers
from labkit.defences.signing import HEADER, Verifier, sign
from labkit.errors import PrincipalError
from servers.upstreams.authorization_server import AuthorizationServer
from servers.upstreams.kernel import InKernel
from servers.upstreams.process import AuthorizationUpstream

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

MACHINE = ("nightly", "canary-secret-of-the-nightly-job")
CALLBACK = "http://127.0.0.1:9/callback"
"""Nobody listens there: what is sent to it is read from the redirect."""
READ, WRITE = "notes:read", "notes:write"
KEY, KEPT = new_key("carol", scopes=[READ])
BACKEND_SECRET = "canary-secret-between-gateway-and-notes"


@dataclass
class Lab:
    """An issuer, another tenant's issuer, and the server with the notes."""

    issuer: AuthorizationServer
    other: AuthorizationServer
    resource: str
    http: httpx2.Client

    def ask(self, token: str = "", tool: str = "whoami", **headers: str) -> httpx2.Response:
        """Call a tool, as a stateless client does."""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.http.post(self.resource, content=frame(tool), headers={**modern(tool), **headers})

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        whole = {
            "iss": self.issuer.url,
            "aud": self.resource,
            "sub": "ada",
            "client_id": "x",
            "scope": f"{READ} {WRITE}",
        }
        whole |= {"iat": now, "exp": now + 300, "jti": secrets.token_hex(8), **changes}
        return {name: value for name, value in whole.items() if value is not None}

    def issued(self, **changes: Any) -> str:
        """A token that the issuer has really signed."""
        return self.issuer.grants.keys.sign(self.claims(**changes))


def frame(tool: str) -> bytes:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"name": tool, "arguments": {}, "_meta": meta}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


def modern(tool: str) -> dict[str, str]:
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    return headers | {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool}


def notes(url: str, issuer: AuthorizationServer) -> Any:
    server = MCPServer("notes", log_level="ERROR")

    @server.tool()
    def whoami() -> dict[str, Any]:
        token = get_access_token()
        assert token is not None
        return {
            "subject": token.subject,
            "scopes": token.scopes,
            "roles": (token.claims or {})["roles"],
            "token": token.token,
        }

    @server.tool()
    def write(text: str = "") -> str:
        token = get_access_token()
        assert token is not None
        return f"written for {token.subject}"

    signed = Verifier(BACKEND_SECRET, "notes")

    @server.custom_route("/signed", methods=["GET"])
    async def once(request: Any) -> Any:
        from starlette.responses import PlainTextResponse

        try:
            return PlainTextResponse(signed.verify(request.headers.get(HEADER)).subject)
        except PrincipalError as error:
            return PlainTextResponse(str(error), 401, {"WWW-Authenticate": HEADER})

    resource = f"{url}/mcp"
    door = Providers(
        keys=[KEPT],
        issuers=[JwtConfig(issuer.url, resource, ("ES256",), jwks=issuer.jwks, type="at+jwt")],
        resource_metadata=metadata_url(resource),
        scopes=[READ],
    )
    guarded = Guard(server.streamable_http_app(), door, resource, tools={"write": [WRITE]})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        # The signed principal is a gateway's, not a client's: it has an endpoint outside of the guard.
        await (server_app if scope.get("path") == "/signed" else guarded)(scope, receive, send)

    server_app = guarded._app
    return app


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with (
        AuthorizationServer(machines={MACHINE[0]: (MACHINE[1], [READ])}) as issuer,
        AuthorizationServer() as other,
        InKernel(lambda url: notes(url, issuer)) as served,
        httpx2.Client(trust_env=False, timeout=20) as http,
    ):
        for each in (issuer, other):
            each.protect(f"{served.url}/mcp", [READ, WRITE])
            each.protect("http://127.0.0.1:9/other", [READ])
        yield Lab(issuer, other, f"{served.url}/mcp", http)


class Memory:
    """A TokenStorage."""

    def __init__(self) -> None:
        self.tokens: Any = None
        self.client: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client_info: Any) -> None:
        self.client = client_info


class Person:
    """Follows the consent page as a person with a browser does: reads it, chooses who to be, presses a button."""

    def __init__(self, user: str = "ada", answer: str = "allow") -> None:
        self.user, self.answer = user, answer
        self.asked: list[str] = []
        self.back: dict[str, str] = {}

    async def redirect(self, url: str) -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=20) as browser:
            page = await browser.get(url, follow_redirects=True)
            assert page.status_code == 200, page.text
            self.asked.append(page.text)
            form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text)) | {
                "user": self.user,
                "answer": self.answer,
            }
            answered = await browser.post(page.url.join("/consent"), data=form)
            assert answered.status_code == 303, answered.text
            assert answered.headers["location"].startswith(f"{CALLBACK}?")
            self.back = {k: v[0] for k, v in parse_qs(urlsplit(answered.headers["location"]).query).items()}

    async def callback(self) -> AuthorizationCodeResult:
        return AuthorizationCodeResult(
            code=self.back.get("code", ""), state=self.back.get("state"), iss=self.back.get("iss")
        )


def provider(lab: Lab, person: Person, storage: Memory) -> OAuthClientProvider:
    metadata = OAuthClientMetadata(redirect_uris=[AnyUrl(CALLBACK)], client_name="a test")
    return OAuthClientProvider(lab.resource, metadata, storage, person.redirect, person.callback)


# -- the whole flow, by the SDK's client ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_client_of_the_sdk_signs_in_and_asks_for_more_when_a_tool_needs_it(lab: Lab, mode: Any) -> None:
    person, storage = Person("ada"), Memory()
    oauth = provider(lab, person, storage)
    async with (
        create_mcp_http_client(auth=oauth) as http,
        Client(streamable_http_client(lab.resource, http_client=http), mode=mode) as client,
    ):
        found = (await client.call_tool("whoami", {})).structured_content
        assert found == {"subject": "ada", "scopes": [READ], "roles": ["admin", "staff"], "token": ""}
        assert len(person.asked) == 1 and READ in person.asked[0] and WRITE not in person.asked[0]
        assert (await client.call_tool("write", {})).content[0].text == "written for ada"  # type: ignore[union-attr]
        assert len(person.asked) == 2 and WRITE in person.asked[1]
        assert set(storage.tokens.scope.split()) == {READ, WRITE}
    claims = jwt.decode(storage.tokens.access_token, options={"verify_signature": False})
    assert (claims["iss"], claims["aud"], claims["sub"]) == (lab.issuer.url, lab.resource, "ada")


async def test_a_refresh_token_is_used_by_the_client_of_the_sdk_and_replaced(lab: Lab) -> None:
    person, storage = Person("ben"), Memory()
    oauth = provider(lab, person, storage)
    async with (
        create_mcp_http_client(auth=oauth) as http,
        Client(streamable_http_client(lab.resource, http_client=http)) as client,
    ):
        first = storage.tokens.refresh_token
        oauth.context.token_expiry_time = time.time() - 1
        assert (await client.call_tool("whoami", {})).structured_content["subject"] == "ben"  # type: ignore[index]
        assert len(person.asked) == 1 and storage.tokens.refresh_token != first


async def test_a_machine_gets_a_token_of_its_own(lab: Lab) -> None:
    oauth = ClientCredentialsOAuthProvider(lab.resource, Memory(), *MACHINE, scope=READ, issuer=lab.issuer.url)
    async with (
        create_mcp_http_client(auth=oauth) as http,
        Client(streamable_http_client(lab.resource, http_client=http)) as client,
    ):
        found = (await client.call_tool("whoami", {})).structured_content
        assert found == {"subject": "nightly", "scopes": [READ], "roles": None, "token": ""}


async def test_a_person_who_refuses_gives_no_token(lab: Lab) -> None:
    person, storage = Person(answer="deny"), Memory()
    with pytest.raises(BaseException) as failed:  # the SDK's error, in a group
        async with create_mcp_http_client(auth=provider(lab, person, storage)) as http:
            await http.post(lab.resource, content=frame("whoami"), headers=modern("whoami"))
    assert "authorization code" in str(failed.value) and storage.tokens is None
    assert person.back["error"] == "access_denied" and person.back["iss"] == lab.issuer.url


# -- step by step -----------------------------------------------------------------------------------------------------


def registered(lab: Lab, **more: Any) -> str:
    body = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none", "client_name": "<b>x</b>", **more}
    answer = lab.http.post(f"{lab.issuer.url}/register", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["client_id"]


VERIFIER = "v" * 64
S256 = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


def authorization(lab: Lab, client: str, **changes: str | None) -> str:
    wanted = {"response_type": "code", "client_id": client, "redirect_uri": CALLBACK, "state": "s", "scope": READ}
    wanted |= {"code_challenge": S256, "code_challenge_method": "S256", "resource": lab.resource, **changes}
    return f"{lab.issuer.url}/authorize?{urlencode({k: v for k, v in wanted.items() if v is not None})}"


async def code(lab: Lab, client: str, **changes: str | None) -> str:
    person = Person()
    await person.redirect(authorization(lab, client, **changes))
    assert (person.back["state"], person.back["iss"]) == ("s", lab.issuer.url)
    return person.back["code"]


def exchange(lab: Lab, client: str, found: str, **changes: str) -> httpx2.Response:
    form = {"grant_type": "authorization_code", "client_id": client, "code": found, "redirect_uri": CALLBACK}
    return lab.http.post(
        f"{lab.issuer.url}/token", data={**form, "code_verifier": VERIFIER, "resource": lab.resource, **changes}
    )


def refresh(lab: Lab, client: str, token: str, **more: str) -> httpx2.Response:
    form = {"grant_type": "refresh_token", "client_id": client, "refresh_token": token, **more}
    return lab.http.post(f"{lab.issuer.url}/token", data=form)


def test_metadata_leads_from_the_server_to_the_keys(lab: Lab) -> None:
    refused = lab.ask()
    where = re.search(r'resource_metadata="([^"]+)"', refused.headers["www-authenticate"])
    assert where
    told = lab.http.get(where[1]).json()
    assert told["resource"] == lab.resource and told["scopes_supported"] == [READ, WRITE]
    issuer = lab.http.get(f"{told['authorization_servers'][0]}/.well-known/oauth-authorization-server").json()
    assert issuer["issuer"] == lab.issuer.url and issuer["code_challenge_methods_supported"] == ["S256"]
    assert issuer["authorization_response_iss_parameter_supported"] is True
    keys = lab.http.get(issuer["jwks_uri"]).json()["keys"]
    assert keys and all(key["kty"] == "EC" and "d" not in key for key in keys)


@pytest.mark.parametrize("uri", ["javascript:alert(1)", "http://evil.example/cb", "file:///x", "data:text/html,x"])
def test_no_client_has_people_sent_to_such_an_address(lab: Lab, uri: str) -> None:
    assert lab.http.post(f"{lab.issuer.url}/register", json={"redirect_uris": [uri]}).status_code == 400


@pytest.mark.parametrize("uri", [
    f"{CALLBACK}/", f"{CALLBACK}?x=1", f"{CALLBACK}/../callback", "http://127.0.0.1:10/callback", "http://127.0.0.1:9/CALLBACK",
    "http://localhost:9/callback", "HTTP://127.0.0.1:9/callback", f"{CALLBACK}#x", "http://127.0.0.1:9@evil.example/callback", None,
])  # fmt: skip
def test_a_redirect_address_is_the_registered_one_letter_by_letter(lab: Lab, uri: str | None) -> None:
    answer = lab.http.get(authorization(lab, registered(lab), redirect_uri=uri))
    assert answer.status_code == 400 and "location" not in answer.headers


@pytest.mark.parametrize(("changes", "error"), [
    ({"code_challenge_method": "plain"}, "invalid_request"), ({"code_challenge": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"), ({"resource": None}, "invalid_target"),
    ({"resource": "http://127.0.0.1:9/else"}, "invalid_target"), ({"scope": "everything"}, "invalid_scope"),
])  # fmt: skip
def test_what_is_wrong_with_a_request_is_told_to_the_client_with_the_issuer(lab: Lab, changes: Any, error: str) -> None:
    answer = lab.http.get(authorization(lab, registered(lab), **changes))
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert answer.headers["location"].startswith(CALLBACK)
    assert (back["error"], back["iss"], back["state"]) == ([error], [lab.issuer.url], ["s"])


def test_nobody_else_presses_the_button(lab: Lab) -> None:
    question = lab.http.get(authorization(lab, registered(lab))).headers["location"]
    page = lab.http.get(question)
    assert "&lt;b&gt;x&lt;/b&gt;" in page.text and "127.0.0.1:9" in page.text
    assert (
        "frame-ancestors 'none'" in page.headers["content-security-policy"]
        and page.headers["x-frame-options"] == "DENY"
    )
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text)) | {"user": "ada", "answer": "allow"}
    lab.http.cookies.clear()
    assert lab.http.post(f"{lab.issuer.url}/consent", data=form).status_code == 403
    cookie = {"Cookie": f"lab_consent={form['csrf']}"}
    wrong = lab.http.post(f"{lab.issuer.url}/consent", data={**form, "csrf": "x"}, headers=cookie)
    assert wrong.status_code == 403
    stranger = lab.http.post(f"{lab.issuer.url}/consent", data={**form, "user": "root"}, headers=cookie)
    assert "error=access_denied" in stranger.headers["location"] and "code=" not in stranger.headers["location"]
    assert lab.http.post(f"{lab.issuer.url}/consent", data=form, headers=cookie).status_code == 400
    assert lab.http.get(question).status_code == 400
    assert lab.http.get(f"{lab.issuer.url}/jwks", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("changes", [
    {"code_verifier": "w" * 64}, {"redirect_uri": "http://127.0.0.1:10/callback"}, {"resource": "http://127.0.0.1:9/other"}, {"code": "x"},
])  # fmt: skip
async def test_a_code_is_no_use_to_whoever_found_it(lab: Lab, changes: dict[str, str]) -> None:
    client = registered(lab)
    assert exchange(lab, client, await code(lab, client), **changes).status_code == 400


async def test_a_code_of_one_client_is_not_that_of_another(lab: Lab) -> None:
    one, two = registered(lab), registered(lab)
    assert exchange(lab, two, await code(lab, one)).json()["error"] == "invalid_grant"


async def test_a_code_that_comes_twice_ends_what_it_was_exchanged_for(lab: Lab) -> None:
    client = registered(lab)
    found = await code(lab, client)
    first = exchange(lab, client, found)
    assert first.status_code == 200 and lab.ask(first.json()["access_token"]).status_code == 200
    second = exchange(lab, client, found)
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    assert refresh(lab, client, first.json()["refresh_token"]).json()["error"] == "invalid_grant"


async def test_a_refresh_token_that_comes_twice_ends_its_family(lab: Lab) -> None:
    client = registered(lab)
    first = exchange(lab, client, await code(lab, client)).json()["refresh_token"]
    assert refresh(lab, client, first, resource="http://127.0.0.1:9/other").json()["error"] == "invalid_target"
    assert refresh(lab, client, first, scope=f"{READ} {WRITE}").json()["error"] == "invalid_scope"
    second = refresh(lab, client, first)
    assert second.status_code == 200
    again = refresh(lab, client, first)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert refresh(lab, client, second.json()["refresh_token"]).status_code == 400


async def test_a_refresh_token_is_revoked(lab: Lab) -> None:
    client = registered(lab, token_endpoint_auth_method="client_secret_post")
    secret = {"client_secret": lab.issuer.grants.clients[client].client_secret or ""}
    token = exchange(lab, client, await code(lab, client), **secret).json()["refresh_token"]
    assert (
        lab.http.post(f"{lab.issuer.url}/revoke", data={"client_id": client, "token": token, **secret}).status_code
        == 200
    )
    assert refresh(lab, client, token, **secret).status_code == 400


@pytest.mark.parametrize(("changes", "status", "error"), [
    ({"client_secret": "x"}, 401, "invalid_client"), ({"client_secret": ""}, 401, "invalid_client"), ({"client_id": "x"}, 401, "invalid_client"),
    ({"scope": WRITE}, 400, "invalid_scope"), ({"resource": "http://127.0.0.1:9/none"}, 400, "invalid_target"), ({"resource": ""}, 400, "invalid_target"),
])  # fmt: skip
def test_a_machine_gets_no_more_than_it_may(lab: Lab, changes: Any, status: int, error: str) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": MACHINE[0],
        "client_secret": MACHINE[1],
        "resource": lab.resource,
    }
    answer = lab.http.post(f"{lab.issuer.url}/token", data={**form, **changes})
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert MACHINE[1] not in answer.text


# -- each bad credential, over HTTP -----------------------------------------------------------------------------------


def confused(lab: Lab) -> str:
    """Signed with the issuer's public key, as if it were a shared secret."""
    key = lab.http.get(lab.issuer.jwks).json()["keys"][0]
    parts = [{"alg": "HS256", "typ": "at+jwt", "kid": key["kid"]}, lab.claims()]
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    mac = hmac.digest(json.dumps(key).encode(), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


BAD = {
    "missing": lambda lab: "",
    "malformed": lambda lab: "not-a-token",
    "algorithm confusion": confused,
    "alg none": lambda lab: jwt.encode(lab.claims(), None, "none", headers={"typ": "at+jwt"}),
    "changed": lambda lab: ".".join(
        [*lab.issued().split(".")[:1], lab.issued(sub="root").split(".")[1], lab.issued().split(".")[2]]
    ),
    "expired": lambda lab: lab.issued(exp=int(time.time()) - 60),
    "without expiry": lambda lab: lab.issued(exp=None),
    "wrong audience": lambda lab: lab.issued(aud="http://127.0.0.1:9/other"),
    "without audience": lambda lab: lab.issued(aud=None),
    "other tenant, its own issuer": lambda lab: lab.other.grants.keys.sign({**lab.claims(), "iss": lab.other.url}),
    "other tenant, in our issuer's name": lambda lab: lab.other.grants.keys.sign(lab.claims()),
    "other tenant of the same issuer": lambda lab: lab.issued(iss=f"{lab.issuer.url}/tenants/evil"),
    "not an access token": lambda lab: jwt.encode(
        lab.claims(), lab.issuer.grants.keys._keys[0][1], "ES256", headers={"kid": lab.issuer.grants.keys._keys[0][0]}
    ),
    "ended API key": lambda lab: "lab_" + "x" * 43,
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_credential_is_refused_with_the_right_challenge(lab: Lab, kind: str, caplog: Any) -> None:
    token = BAD[kind](lab)
    answer = lab.ask(token)
    challenge = answer.headers["www-authenticate"]
    assert answer.status_code == 401 and challenge.startswith("Bearer ")
    assert f'resource_metadata="{metadata_url(lab.resource)}"' in challenge and f'scope="{READ}"' in challenge
    assert ('error="invalid_token"' in challenge) is bool(token)
    if token:
        assert token[-20:] not in challenge + answer.text + caplog.text


def test_too_little_is_refused_with_the_scopes_that_are_needed(lab: Lab) -> None:
    token = lab.issued(scope=READ)
    assert lab.ask(token).status_code == 200
    answer = lab.ask(token, "write")
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert f'scope="{READ} {WRITE}"' in answer.headers["www-authenticate"]
    assert lab.ask(lab.issued(), "write").status_code == 200
    assert lab.ask(lab.issued(scope=WRITE)).status_code == 403
    assert lab.ask(KEY).status_code == 200 and lab.ask(KEY, "write").status_code == 403


@pytest.mark.parametrize("body", [
    frame("write").decode().encode("utf-16"), b"\xef\xbb\xbf" + frame("write"), b"[" + frame("write") + b"]",
    frame("write").replace(b'"name": "write"', b'"name": "whoami", "name": "write"'), frame("write").replace(b"write", b"\\u0077rite"),
])  # fmt: skip
def test_scopes_are_those_of_the_body_however_it_is_written(lab: Lab, body: bytes) -> None:
    headers = modern("whoami") | {"Authorization": f"Bearer {lab.issued(scope=READ)}"}
    for name in ("whoami", "write"):
        answer = lab.http.post(lab.resource, content=body, headers={**headers, "Mcp-Name": name})
        assert answer.status_code in (400, 403) and "written" not in answer.text
    headers.pop("MCP-Protocol-Version")
    assert "written" not in lab.http.post(lab.resource, content=body, headers=headers).text


def test_two_credentials_are_one_too_many(lab: Lab) -> None:
    assert lab.ask(lab.issued(), **{"X-API-Key": KEY}).status_code == 400


def test_a_signature_is_good_once(lab: Lab) -> None:
    where = lab.resource.replace("/mcp", "/signed")
    signed = {HEADER: sign(BACKEND_SECRET, "ada", [], audience="notes")}
    assert lab.http.get(where, headers=signed).text == "ada"
    for headers in (
        signed,
        {},
        {HEADER: sign(BACKEND_SECRET, "ada", [], audience="hr")},
        {HEADER: sign("x" * 32, "ada", [], audience="notes")},
    ):
        answer = lab.http.get(where, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, HEADER)
        assert BACKEND_SECRET not in answer.text


def test_keys_are_replaced_without_an_outage(lab: Lab) -> None:
    before = lab.issued()
    lab.issuer.grants.keys.rotate()
    assert lab.ask(before).status_code == 200
    kids = [key["kid"] for key in lab.http.get(lab.issuer.jwks).json()["keys"]]
    assert len(kids) == 2 and jwt.get_unverified_header(before)["kid"] == kids[1]


def test_it_runs_as_a_process() -> None:
    with AuthorizationUpstream("--resource", "http://127.0.0.1:9/mcp=a,b", "--machine", "m:s=a") as upstream:
        form = {"grant_type": "client_credentials", "resource": "http://127.0.0.1:9/mcp"}
        answer = httpx2.post(f"{upstream.url()}/token", data=form, auth=("m", "s"), timeout=20, trust_env=False)
        assert answer.json()["scope"] == "a"


@pytest.mark.parametrize("head", [
    {"Origin": "http://127.0.0.1:9"}, {"Sec-Fetch-Site": "same-site", "Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
])  # fmt: skip
def test_another_port_of_this_machine_does_not_press_the_button(lab: Lab, head: dict[str, str]) -> None:
    """Cookies do not tell ports apart: whoever serves on another one sets the cookie, and has a form sent."""
    question = lab.http.get(authorization(lab, registered(lab))).headers["location"]
    form = {"question": parse_qs(urlsplit(question).query)["question"][0], "user": "ada", "answer": "allow"}
    planted = {"Cookie": "lab_consent=planted", **head}
    answer = lab.http.post(f"{lab.issuer.url}/consent", data={**form, "csrf": "planted"}, headers=planted)
    assert answer.status_code == 403 and "location" not in answer.headers
    own = {"Cookie": "lab_consent=planted", "Origin": lab.issuer.url, "Sec-Fetch-Site": "same-origin"}
    assert lab.http.post(f"{lab.issuer.url}/consent", data={**form, "csrf": "planted"}, headers=own).status_code == 303


@pytest.mark.parametrize("uri", [
    "https://bank.example@evil.example/cb", "http://evil.example:x@127.0.0.1/cb", "https://a.example/cb#here", "https://a;sandbox.example/cb",
])  # fmt: skip
def test_the_page_shows_a_host_and_nothing_that_looks_like_one(lab: Lab, uri: str) -> None:
    answer = lab.http.post(f"{lab.issuer.url}/register", json={"redirect_uris": [uri]})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


async def test_who_has_left_gets_no_new_token(lab: Lab) -> None:
    client = registered(lab)
    lab.issuer.grants.users["eve"] = ["staff"]
    person = Person("eve")
    await person.redirect(authorization(lab, client))
    token = exchange(lab, client, person.back["code"]).json()["refresh_token"]
    del lab.issuer.grants.users["eve"]
    assert refresh(lab, client, token).json()["error"] == "invalid_grant"


def test_a_machine_is_not_called_like_a_person() -> None:
    """Its token would be that person's, with the roles."""
    with pytest.raises(ValueError, match="a person and a machine"):
        AuthorizationServer(machines={"ada": ("canary-secret", [READ])})
