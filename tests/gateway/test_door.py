"""The gateway's door: who is let in, what roles decide, and that credentials end there."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest

import labkit as lab
from labkit.defences.identity import hash_key
from labkit.defences.signing import HEADER, Verifier
from labkit.errors import PrincipalError
from labkit.gateway import Gateway
from labkit.session.serving import ThreadServer

from .conftest import HANDSHAKE, MODERN
from .front_case import SECRET, Answer, Http, Json, Session, call, message, small

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

CANARY = "canary-7f3a9"
ALICE, BOB = f"{CANARY}-alice-0123456789", f"{CANARY}-bob-0123456789"
TOKENS = "the secret of the issuer, thirty-two bytes and more"
ISSUER, AUDIENCE = "https://issuer.test", "https://gateway.test/mcp"
POLICY: Json = {
    "identity": {
        "keys": [
            {"principal": "alice", "sha256": hash_key(ALICE), "roles": ["staff"]},
            {"principal": "bob", "sha256": hash_key(BOB), "roles": ["guest"]},
        ],
        "jwt": {"issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["HS256"], "secret": TOKENS},
        "resource_metadata": "https://gateway.test/.well-known/oauth-protected-resource/mcp",
    },
    "roles": {
        "staff": {"tools": ["*"], "resources": ["*"], "prompts": ["*"]},
        "guest": {"tools": ["mem.journal", "far.journal"]},
    },
    "sign": {"secret": SECRET},
}


def token(**claims: Any) -> str:
    given = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "roles": ["staff"], "exp": time.time() + 3600, **claims}
    return jwt.encode({k: v for k, v in given.items() if v is not None}, TOKENS, "HS256", headers={"kid": CANARY})


def bearer(credential: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {credential}")


@dataclass
class Place:
    gateway: Gateway
    url: str
    audit: Path
    http: Http

    async def ask(self, body: Json, *more: tuple[str, str]) -> Answer:
        return await self.http.ask(body, *more)

    async def seen(self, backend: str, *more: tuple[str, str]) -> Json:
        """What a backend got with a call: its `_meta` and its headers."""
        return json.loads((await self.ask(call(f"{backend}.seen"), *more)).text)


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("door")
    far = ThreadServer("far", small(), via="http", port=0)
    await far.start()
    gateway = Gateway.of({"mem": small(), "far": far.url}, {**POLICY, "audit": str(folder / "audit")})
    url = await gateway.start()
    await gateway.awake()
    http = Http(url)
    yield Place(gateway, url, folder / "audit", http)
    await http.close()
    await gateway.close()
    await far.stop()


# who comes in ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("credential", [bearer(ALICE), ("x-api-key", ALICE), bearer(token())], ids=["key", "x", "jwt"])
async def test_who_proves_who_they_are_comes_in(place: Place, credential: tuple[str, str]) -> None:
    assert (await place.ask(call("mem.journal"), credential)).status == 200


async def test_without_a_credential_one_is_told_what_to_bring(place: Place) -> None:
    answer = await place.ask(call("mem.journal"))
    assert answer.status == 401
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer")
    assert 'resource_metadata="https://gateway.test/.well-known/oauth-protected-resource/mcp"' in challenge
    assert "error=" not in challenge


@pytest.mark.parametrize(
    "credential",
    [
        bearer("wrong"),
        ("x-api-key", "wrong"),
        ("authorization", "Basic YWxpY2U6eA=="),
        bearer(token(exp=time.time() - 3600)),
        bearer(token(exp=None)),
        bearer(token(aud="https://another.test")),
        bearer(token(iss="https://another.test")),
        bearer(jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "sub": "eve", "exp": time.time() + 60}, "x" * 40, "HS256")),
        bearer(token()[:-3] + "AAA"),
        bearer(jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "sub": "e", "exp": 9e9}, "", "none")),
    ],
    ids=["key", "x-key", "basic", "expired", "no-exp", "audience", "issuer", "secret", "tampered", "none"],
)
async def test_a_wrong_credential_is_refused_with_a_challenge(place: Place, credential: tuple[str, str]) -> None:
    for body in (call("mem.journal"), message("tools/list"), message("server/discover")):
        answer = await place.ask(body, credential)
        assert answer.status == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert credential[1] not in answer.body.decode() + answer.headers["www-authenticate"]


async def test_two_credentials_at_once_are_refused(place: Place) -> None:
    assert (await place.ask(call("mem.journal"), bearer(ALICE), bearer(BOB))).status == 400


async def test_the_handshake_needs_a_credential_too(place: Place) -> None:
    http = Http(place.url)
    params = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    assert (await Session(http).ask("initialize", params)).status == 401
    assert (await http.get("/mcp", ("accept", "text/event-stream"))).status == 401
    await http.close()


# what roles decide -----------------------------------------------------------------------------------


async def listed(place: Place, credential: str) -> set[str]:
    answer = await place.ask(message("tools/list"), bearer(credential))
    return {tool["name"] for tool in answer.result["tools"]}


async def test_a_list_has_what_the_caller_may_use(place: Place) -> None:
    assert await listed(place, BOB) == {"mem.journal", "far.journal"}
    assert {"mem.seen", "far.wait"} < await listed(place, ALICE)
    assert await listed(place, token(roles=["nobody-knows"])) == set()


async def test_a_call_is_decided_as_the_list_is(place: Place) -> None:
    assert not (await place.ask(call("far.journal"), bearer(BOB))).result.get("isError")
    refused = (await place.ask(call("far.seen"), bearer(BOB))).result
    assert refused["isError"]
    assert refused["_meta"]["labkit/reason"] == "forbidden"
    assert not (await place.ask(call("far.seen"), bearer(ALICE))).result.get("isError")


async def test_who_may_not_use_a_tool_is_not_told_whether_it_is_there(place: Place) -> None:
    answer = await place.ask(call("far.seem"), bearer(BOB))
    assert answer.error["code"] == -32602
    assert "far.seen" not in answer.error["message"]


@pytest.mark.parametrize("era", [MODERN, HANDSHAKE])
async def test_the_lab_s_own_client_sees_what_its_key_allows(place: Place, era: str) -> None:
    async with await lab.connect(place.url, era=era, headers={"X-API-Key": BOB}) as conn:
        assert set(conn.tools.names) == {"mem.journal", "far.journal"}
        assert not (await conn.call("far.journal")).is_error
        assert (await conn.call("far.seen", check=False)).is_error


async def test_callers_at_the_same_time_are_not_mixed_up(place: Place) -> None:
    """Each of many calls at once reaches the backend as who sent it."""

    async def one(n: int) -> tuple[str, str]:
        http, who = Http(place.url), f"user{n}"
        try:
            answer = await http.ask(call(f"{('mem', 'far')[n % 2]}.seen"), bearer(token(sub=who)))
        finally:
            await http.close()
        return f"jwt:{who}", Verifier(SECRET, ("mem", "far")[n % 2]).verify(
            principal_of(json.loads(answer.text))
        ).subject

    pairs = await asyncio.gather(*(one(n) for n in range(24)))
    assert all(sent == arrived for sent, arrived in pairs), pairs


# sessions --------------------------------------------------------------------------------------------


async def test_a_session_of_one_is_not_usable_by_another(place: Place) -> None:
    http = Http(place.url)
    session = await Session(Http(place.url, [bearer(ALICE)])).open()
    mine = await session.ask("tools/call", {"name": "far.journal", "arguments": {}})
    assert mine.status == 200
    for thief in (BOB, token(sub="alice")):  # an issuer's alice is not the one with the key
        stolen = Session(Http(place.url, [bearer(thief)]), session.id, number=10)
        answer = await stolen.ask("tools/call", {"name": "far.journal", "arguments": {}})
        assert answer.status == 404
        assert "Session not found" in answer.body.decode()
        await stolen.http.close()
    without = await Session(http, session.id, number=20).ask("tools/list", {})
    assert without.status == 401
    await http.close()
    await session.http.close()


async def test_a_renewed_token_may_use_the_session(place: Place) -> None:
    session = await Session(Http(place.url, [bearer(token())])).open()
    session.http.own = [bearer(token(exp=time.time() + 600))]
    assert (await session.ask("tools/list", {})).status == 200
    await session.http.close()


# what backends are told ------------------------------------------------------------------------------


def principal_of(seen: Json) -> str | None:
    headers = {**seen["headers"], **{k.lower(): v for k, v in (seen["meta"].get("labkit/headers") or {}).items()}}
    return headers.get(HEADER.lower())


@pytest.mark.parametrize("backend", ["mem", "far"])
async def test_a_backend_can_verify_who_asks(place: Place, backend: str) -> None:
    seen = await place.seen(backend, bearer(ALICE))
    verifier = Verifier(SECRET, backend)
    claims = verifier.verify(principal_of(seen))
    assert (claims.subject, claims.roles, claims.audience) == ("key:alice", ("staff",), backend)
    with pytest.raises(PrincipalError, match="used before"):
        verifier.verify(principal_of(seen))
    with pytest.raises(PrincipalError, match="another server"):
        Verifier(SECRET, "other").verify(principal_of(seen))


@pytest.mark.parametrize("backend", ["mem", "far"])
async def test_nobody_can_bring_a_signature_along(place: Place, backend: str) -> None:
    forged = "v1;e30;00"
    body = call(f"{backend}.seen", **{"labkit/headers": {HEADER: forged, "X-Other": "1"}})
    seen = json.loads((await place.ask(body, bearer(ALICE), (HEADER, forged))).text)
    assert Verifier(SECRET, backend).verify(principal_of(seen)).subject == "key:alice"
    assert "X-Other" not in json.dumps(seen)
    assert forged not in json.dumps(seen)


async def test_a_client_s_headers_stay_at_the_door(place: Place) -> None:
    seen = await place.seen("far", bearer(ALICE), ("cookie", "session=1"), ("x-mine", "1"))
    assert not {"authorization", "x-api-key", "cookie", "x-mine"} & seen["headers"].keys()


async def test_credentials_reach_no_backend_no_log_no_audit_and_no_answer(
    place: Place, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for credential in (bearer(ALICE), ("x-api-key", ALICE), bearer(token()), bearer(token(exp=1))):
            for backend in ("mem", "far"):
                said.append((await place.ask(call(f"{backend}.seen"), credential)).body.decode())
            said.append((await place.ask(call("far.nothing"), credential)).body.decode())
        session = await Session(Http(place.url, [bearer(ALICE)])).open()
        said.append((await session.ask("tools/call", {"name": "far.seen", "arguments": {}})).body.decode())
        await session.http.close()
        said.append((await place.http.get("/metrics")).body.decode())
        said.append((await place.http.get("/ready")).body.decode())
    out, err = capfd.readouterr()
    said += [caplog.text, out, err, *(path.read_text("utf-8") for path in place.audit.glob("*.jsonl"))]
    secrets = {CANARY, SECRET, TOKENS, *(part for part in token(exp=1).split(".")[:2])}
    assert len(said) > 15
    assert '"who":"key:alice"' in "".join(said).replace(" ", "")
    for text in said:
        assert [secret for secret in secrets if secret in text] == []


# what operators look at ------------------------------------------------------------------------------


async def test_health_and_readiness_need_no_credential(place: Place) -> None:
    assert (await place.http.get("/health")).messages == [{"status": "alive"}]
    ready = await place.http.get("/ready")
    assert ready.status == 200
    backends = {each["name"]: each for each in ready.messages[0]["backends"]}
    assert backends["far"]["state"] == backends["mem"]["state"] == "ready"
    assert not {"last_error", "pids"} & backends["far"].keys()


async def test_a_gateway_whose_eager_backend_is_away_is_not_ready() -> None:
    servers = {"here": small(), "away": {"url": "http://127.0.0.1:9/mcp", "gateway": {"start": "eager"}}}
    gateway = Gateway.of(servers)
    http = Http(await gateway.start())
    assert (await http.get("/ready")).status == 503
    assert (await http.get("/health")).status == 200
    assert (await http.ask(call("here.journal"))).status == 200
    await http.close()
    await gateway.close()


async def test_metrics_count_the_calls(place: Place) -> None:
    async def count() -> float:
        lines = (await place.http.get("/metrics")).body.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if "journal" in line and "_total" in line)

    before = await count()
    await place.ask(call("mem.journal"), bearer(ALICE))
    assert await count() == before + 1


async def test_the_metadata_says_where_tokens_come_from(place: Place) -> None:
    for path in ("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"):
        found = (await place.http.get(path)).messages[0]
        assert found["resource"] == AUDIENCE
        assert found["authorization_servers"] == [ISSUER]
        assert found["bearer_methods_supported"] == ["header"]


async def test_no_other_path_leads_in(place: Place) -> None:
    for path in ("/", "/mcp/", "/mcp/x", "//mcp", "/MCP", "/health/", "/%6dcp"):
        answer = await place.http.ask(call("mem.journal"), path=path)
        assert answer.status in (401, 404), path


async def test_the_status_is_for_whom_a_role_names_it(tmp_path: Path) -> None:
    keys = [{"principal": name, "sha256": hash_key(name * 8), "roles": [name]} for name in ("watcher", "everything")]
    policy = {
        "admin": True,
        "identity": {"keys": keys},
        "roles": {"watcher": {"resources": ["gateway://*"]}, "everything": {"resources": ["*"], "tools": ["*"]}},
    }
    gateway = Gateway.of({"small": small()}, policy)
    http = Http(await gateway.start())
    read = message("resources/read", {"uri": "gateway://status"})
    seen = await http.ask(read, ("x-api-key", "watcher" * 8))
    status = json.loads(seen.result["contents"][0]["text"])
    assert [each["name"] for each in status["servers"]] == ["small"] and status["ready"] is True
    refused = await http.ask(read, ("x-api-key", "everything" * 8))
    assert "may not use the resource gateway://status" in refused.body.decode()
    listed = await http.ask(message("resources/list", {}), ("x-api-key", "everything" * 8))
    assert "gateway://status" not in listed.body.decode()
    await http.close()
    await gateway.close()
