"""TLS with a CA of one's own and client certificates: for `lab.connect`, and between a gateway and its backends."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import labkit as lab
from labkit.errors import ConnectError, GatewayConfigError, LabError
from labkit.gateway import Gateway, GatewayConfig
from labkit.gateway.peer import Caller
from labkit.gateway.peer_http import HttpPeer
from labkit.services.certificates import Authority
from labkit.session.tls import Tls, explained
from tests.tls_server import alerting, serving_tls

pytestmark = pytest.mark.anyio
WANTS = "wants a client certificate, and none was shown"


class House(NamedTuple):
    """A CA, another one, and what they have issued."""

    ca: Path
    other_ca: Path
    mine: tuple[Path, Path]
    expired: tuple[Path, Path]
    stranger: tuple[Path, Path]
    url: str
    """Of a server with a certificate of `ca`, for those with one of `ca`."""
    late: str
    """Of one whose own certificate has expired."""
    strict: str
    """Of one that says in an alert why it lets nobody in; OpenSSL by itself does, asyncio does not."""

    def tls(self, cert: tuple[Path, Path] | None = None, ca: Path | None = None) -> dict[str, Path]:
        return {"ca": ca or self.ca} | ({"cert": cert[0], "key": cert[1]} if cert else {})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder, elsewhere = tmp_path_factory.mktemp("ca"), tmp_path_factory.mktemp("elsewhere")
    ours, theirs = Authority(folder), Authority(elsewhere, "other")
    certs = [ours.issue("server"), ours.issue("late", days=-1), ours.issue("gateway"), ours.issue("old", days=-1)]
    stranger = theirs.issue("stranger")
    with (
        serving_tls(certs[0], ours.ca) as url,
        serving_tls(certs[1], ours.ca) as late,
        alerting(certs[0], ours.ca) as strict,
    ):
        yield House(ours.ca, theirs.ca, certs[2], certs[3], stranger, url, late, strict)


PERHAPS = r"closed the connection at the TLS handshake; perhaps it"
REFUSED = {
    "no certificate of its own": (lambda h: (h.url, h.tls()), f"{PERHAPS} {WANTS}"),
    "one of another CA": (lambda h: (h.url, h.tls(h.stranger)), f"{PERHAPS} does not accept the client certificate"),
    "one that has expired": (lambda h: (h.url, h.tls(h.expired)), f"{PERHAPS} does not accept the client certificate"),
    "a server of another CA": (lambda h: (h.url, h.tls(h.mine, h.other_ca)), "of no CA that is trusted here"),
    "nothing at all": (lambda h: (h.url, None), "of no CA that is trusted here"),
    "a server that has expired": (lambda h: (h.late, h.tls(h.mine)), "its certificate has expired: whoever runs it"),
    "one that says what it wants": (lambda h: (h.strict, h.tls()), f"it {WANTS}"),
    "one that says whom it knows": (lambda h: (h.strict, h.tls(h.stranger)), "does not trust the CA of the client"),
    "one that looks at the date": (lambda h: (h.strict, h.tls(h.expired)), "certificate has expired, it says"),
}


async def test_who_shows_a_certificate_is_let_in(house: House) -> None:
    async with await lab.connect(house.url, tls=house.tls(house.mine)) as conn:
        assert (await conn.call("add", a=2, b=3)).data == 5
        assert str(house.mine[1]) not in repr(conn.tape.frames)


@pytest.mark.parametrize("case", REFUSED)
async def test_who_is_not_let_in_is_told_why(house: House, case: str) -> None:
    make, match = REFUSED[case]
    url, tls = make(house)
    with pytest.raises(LabError, match=match):
        await lab.connect(url, tls=tls)


@pytest.fixture
async def peer() -> AsyncIterator[list[HttpPeer]]:
    made: list[HttpPeer] = []
    yield made
    for each in made:
        await each.close()


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_a_gateway_shows_its_certificate_to_a_backend(house: House, peer: list[HttpPeer], era: str) -> None:
    peer.append(HttpPeer("vault", house.url, tls=Tls.of(house.tls(house.mine)), era=era))
    await peer[0].open()
    found = await peer[0].request("tools/call", {"name": "add", "arguments": {"a": 2, "b": 3}}, Caller(), timeout=20)
    assert found["content"][0]["text"] == "5"


@pytest.mark.parametrize("case", REFUSED)
async def test_a_gateway_is_told_why_a_backend_does_not_let_it_in(
    house: House, peer: list[HttpPeer], case: str
) -> None:
    make, match = REFUSED[case]
    url, tls = make(house)
    peer.append(HttpPeer("vault", url, tls=Tls.of(tls) if tls else None))
    with pytest.raises(ConnectError, match=f"cannot be reached at {url}: .*{match}"):
        await peer[0].open()


async def test_a_gateway_has_it_from_its_file(house: House, tmp_path: Path) -> None:
    folder = house.ca.parent
    backend = {"url": house.url, "gateway": {"tls": {"ca": "ca.pem", "cert": "gateway.pem", "key": "gateway.key"}}}
    file = folder / "gateway.json"
    file.write_text(json.dumps({"mcpServers": {"vault": backend}}), encoding="utf-8")
    config = GatewayConfig.read(file)
    assert config.backends["vault"].tls == Tls.of(house.tls(house.mine))
    async with Gateway(config) as gateway, await lab.connect(gateway.server) as conn:
        assert (await conn.call("vault.add", a=2, b=3)).data == 5


@pytest.mark.parametrize(
    ("entry", "mistake"),
    [
        (
            {"url": "http://127.0.0.1:9/mcp", "gateway": {"tls": {"ca": "c"}}},
            "gateway.tls: it is for a server whose 'url'",
        ),
        ({"catalog": "calculator", "gateway": {"tls": {"ca": "c"}}}, "gateway.tls: it is for a server whose 'url'"),
        ({"url": "https://a/mcp", "gateway": {"tls": {"key": "k"}}}, "gateway.tls.cert: it is missing"),
        ({"url": "https://a/mcp", "gateway": {"tls": {"cret": "c"}}}, "cret"),
        ({"url": "https://a/mcp", "gateway": {"tls": {"ca": 7}}}, "write a file in PEM form"),
    ],
)
async def test_mistakes_in_the_file_are_told(entry: dict[str, Any], mistake: str) -> None:
    with pytest.raises(GatewayConfigError, match=mistake):
        GatewayConfig.of({"a": entry})


async def test_files_that_do_not_fit_are_told(house: House, tmp_path: Path) -> None:
    notes = tmp_path / "notes.pem"
    notes.write_text("nothing", encoding="utf-8")
    cases = [
        ({"ca": tmp_path / "none.pem"}, r"there is no file .*none.pem' \(ca\)"),
        ({"cert": house.mine[0], "key": tmp_path / "none.key"}, r"there is no file .*none.key' \(key\)"),
        ({"cert": tmp_path / "none.pem", "key": house.mine[1]}, r"there is no file .*none.pem' \(cert\)"),
        ({"cert": house.mine[0], "key": house.expired[1]}, "the key is not that of the certificate"),
        ({"ca": notes}, "is no PEM file that can be read"),
        ({"cert": notes}, "is no PEM file that can be read"),
        ({"key": house.mine[1]}, "a key and no certificate"),
        ({"crt": house.mine[0]}, "no 'crt'. Did you mean 'cert'"),
    ]
    for tls, match in cases:
        with pytest.raises(ConnectError, match=match):
            await lab.connect(house.url, tls=tls)


async def test_tls_is_for_https(house: House) -> None:
    for target in ("calculator", "http://127.0.0.1:9/mcp"):
        with pytest.raises(ConnectError, match="tls= is for a URL that begins with https"):
            await lab.connect(target, tls=house.tls())


def test_what_has_nothing_to_do_with_tls_is_not_explained() -> None:
    assert explained(ConnectionRefusedError(111, "refused"), shown=False) == ""
    assert explained(ConnectionResetError(104, "reset"), shown=False) == ""
    assert WANTS in explained(ConnectionResetError(104, "reset"), shown=False, fresh=True)
    assert explained(ssl.SSLError(1, "[SSL] odd"), shown=False).startswith("TLS failed")
