"""How a peer finds out what era its server speaks, over HTTP where every request can be looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcp.server import MCPServer

from labkit.errors import ConnectError, ConnectionClosedError, EraError
from labkit.gateway.peer import Json, Peer
from labkit.gateway.peer_http import HttpPeer
from labkit.gateway.peer_memory import MemoryPeer

from .conftest import ERAS, HANDSHAKE, LONG, MODERN, Asked, ScriptedHttp, http_peer, text_of, until

pytestmark = pytest.mark.anyio
UNSUPPORTED = -32022


def refusing(*supported: str) -> Json:
    return {"code": UNSUPPORTED, "message": "Unsupported protocol version", "data": {"supported": list(supported)}}


def greeting(scripted: ScriptedHttp, answers: dict[str, list[Any]]) -> list[str]:
    """Answer the greeting from these lists, the last one for ever; gives the methods asked."""
    methods: list[str] = []
    usual = scripted._answer

    async def answer(asked: Asked) -> None:
        method = asked.message["method"] if asked.verb == "POST" else asked.verb
        methods.append(method)
        if method not in answers:
            await usual(asked)
            return
        given = answers[method].pop(0) if len(answers[method]) > 1 else answers[method][0]
        if callable(given):
            await given(asked)
        elif "code" in given:
            await asked.json({"jsonrpc": "2.0", "id": asked.message["id"], "error": given}, "400 Bad Request")
        else:
            await asked.result(given)

    scripted._answer = answer  # type: ignore[method-assign]
    return methods


DISCOVERED: Json = {"supportedVersions": [MODERN], "capabilities": {}}
INITIALIZED: Json = {"protocolVersion": HANDSHAKE, "capabilities": {}, "serverInfo": {"name": "old"}}


async def not_found(asked: Asked) -> None:
    await asked.send(b"Not Found", "404 Not Found", "Content-Type: text/plain")


OLD: dict[str, Any] = {
    "an error": {"code": -32601, "message": "Method not found"},
    "another error": {"code": -32000, "message": "Bad Request: Server not initialized"},
    "a page": not_found,
    "an older revision": refusing(HANDSHAKE),
    "a modern answer without a modern revision": {"supportedVersions": [HANDSHAKE], "capabilities": {}},
    "an answer that is none": {},
}


@pytest.mark.parametrize("says", OLD)
async def test_who_does_not_discover_is_greeted_in_the_old_way(
    says: str, scripted: ScriptedHttp, closing: list[Peer]
) -> None:
    methods = greeting(scripted, {"server/discover": [OLD[says]], "initialize": [INITIALIZED]})
    found = await http_peer(scripted, closing)
    assert methods[:3] == ["server/discover", "initialize", "notifications/initialized"]
    assert found.peer.era == HANDSHAKE
    assert found.peer.server_info == {"name": "old"}


@pytest.mark.parametrize("era", ["2024-11-05", "2025-06-18", HANDSHAKE])
async def test_a_revision_asked_for_is_offered_and_what_is_answered_is_spoken(
    era: str, scripted: ScriptedHttp, closing: list[Peer]
) -> None:
    methods = greeting(scripted, {"initialize": [{**INITIALIZED, "protocolVersion": "2025-06-18"}]})
    found = await http_peer(scripted, closing, era=era)
    assert methods[0] == "initialize"
    offer = scripted.asked[0].message["params"]
    assert offer["protocolVersion"] == era
    assert offer["capabilities"] == {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
    assert found.peer.era == "2025-06-18"
    assert scripted.asked[1].headers["mcp-protocol-version"] == "2025-06-18"


async def test_a_revision_that_nobody_knows_is_refused(scripted: ScriptedHttp) -> None:
    greeting(scripted, {"initialize": [{**INITIALIZED, "protocolVersion": "1999-01-01"}]})
    with pytest.raises(EraError, match="answers with '1999-01-01'"):
        await HttpPeer("old", scripted.url, era=HANDSHAKE).open()


async def test_a_server_too_new_is_said(scripted: ScriptedHttp) -> None:
    greeting(scripted, {"server/discover": [refusing("2030-01-01")]})
    with pytest.raises(EraError, match=r"speaks 2030-01-01, and the gateway does not"):
        await HttpPeer("new", scripted.url).open()


async def test_modern_only_is_not_greeted_in_the_old_way(scripted: ScriptedHttp) -> None:
    methods = greeting(scripted, {"server/discover": [OLD["an error"]]})
    with pytest.raises(EraError, match=f"does not speak {MODERN}"):
        await HttpPeer("old", scripted.url, era=MODERN).open()
    assert methods == ["server/discover"]


async def test_a_slow_starter_that_read_the_probe_after_all_is_modern(
    scripted: ScriptedHttp, closing: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.gateway.peer.PROBE", 0.1)

    async def mute(asked: Asked) -> None:
        await asked.gone()

    methods = greeting(scripted, {"server/discover": [mute, DISCOVERED], "initialize": [refusing(MODERN)]})
    found = await http_peer(scripted, closing)
    assert methods == ["server/discover", "initialize", "server/discover"]
    assert found.peer.era == MODERN


async def test_an_era_that_is_none_is_said() -> None:
    with pytest.raises(ConnectError, match="is no protocol revision"):
        HttpPeer("x", "http://127.0.0.1:9/mcp", era="newest")


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_whose_lifespan_fails_does_not_connect(era: str) -> None:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def lifespan(server: Any) -> Any:
        raise ValueError("no database")
        yield

    peer = MemoryPeer("broken", MCPServer("broken", lifespan=lifespan), era=era)
    with pytest.raises(ConnectError, match="ValueError: no database"):
        await peer.open()


@pytest.mark.parametrize("era", ERAS)
async def test_every_memory_peer_has_a_lifespan_that_ends_with_it(era: str) -> None:
    from contextlib import asynccontextmanager

    open_now = 0

    @asynccontextmanager
    async def lifespan(server: Any) -> Any:
        nonlocal open_now
        open_now += 1
        yield
        open_now -= 1

    server = MCPServer("counted", lifespan=lifespan)
    peers = [MemoryPeer("counted", server, era=era) for _ in range(2)]
    for peer in peers:
        await peer.open()
    assert open_now == 2
    for peer in peers:
        await peer.close()
    assert open_now == 0


@pytest.mark.parametrize("era", ERAS)
async def test_what_memory_peers_hand_on_is_not_the_servers_own(era: str, closing: list[Peer]) -> None:
    kept: list[Any] = []
    server = MCPServer("own")

    @server.tool()
    async def keep(items: list[Any]) -> list[Any]:
        kept.append(items)
        return items

    peer = MemoryPeer("own", server, era=era)
    closing.append(peer)
    await peer.open()
    arguments: Json = {"items": [{"a": 1}]}
    result = await peer.request("tools/call", {"name": "keep", "arguments": arguments})
    arguments["items"][0]["a"] = 2
    result["structuredContent"]["result"][0]["a"] = 3
    assert kept == [[{"a": 1}]]


async def closed_while_opening(make: Callable[[], Peer], opening: Callable[[Peer], Awaitable[None]]) -> Peer:
    peer = make()
    task = asyncio.ensure_future(peer.open())
    await opening(peer)
    await peer.close()
    with pytest.raises((ConnectError, ConnectionClosedError), match="was closed here"):
        await task
    return peer


async def test_closing_while_it_opens_ends_it(scripted: ScriptedHttp) -> None:
    async def mute(asked: Asked) -> None:
        await asked.gone()

    greeting(scripted, {"server/discover": [mute]})

    async def asked(peer: Peer) -> None:
        await until(lambda: scripted.asked)

    peer = await closed_while_opening(lambda: HttpPeer("slow", scripted.url), asked)
    assert not peer.alive
    await until(lambda: scripted.open == 0)


async def test_a_peer_is_opened_once(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    found = await http_peer(scripted, closing)
    with pytest.raises(ConnectError, match="opened before"):
        await found.peer.open()
    with pytest.raises(ConnectionClosedError, match="not open yet"):
        await HttpPeer("new", scripted.url).request("tools/list", {})


async def test_tls_is_spoken_and_an_unknown_authority_refused(
    scripted: ScriptedHttp, closing: list[Peer], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    served, trusted = certificate(tmp_path)

    async def answer(asked: Asked) -> None:
        await asked.result({"content": [{"type": "text", "text": "secret"}]})

    scripted.script = answer
    await scripted.stop()
    await scripted.start(tls=served)
    peer = HttpPeer("tls", scripted.url)
    with pytest.raises(ConnectError, match="certificate"):
        await peer.open()
    monkeypatch.setattr("labkit.gateway.http_wire._trust", lambda: trusted)
    found = await http_peer(scripted, closing)
    assert text_of(await found.call("add", timeout=LONG)) == "secret"
    await found.peer.close()
    assert found.peer._wire.connections == set()
    await until(lambda: scripted.open == 0)


def certificate(folder: Any) -> tuple[Any, Any]:
    """A certificate for 127.0.0.1: a context that serves it, and one that trusts it."""
    import ipaddress
    import ssl
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lab")])
    now = datetime.now(UTC).replace(tzinfo=None)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1)
    )
    builder = builder.not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
    )
    signed = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(secret + signed)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "both.pem")
    trusting = ssl.create_default_context(cadata=signed.decode())
    return serving, trusting
