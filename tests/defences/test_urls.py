"""What is fetched, and what is not: two corpora, addresses made up by chance, redirects, limits, Host and TLS."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from urllib.parse import unquote

import anyio
import anyio.abc
import anyio.streams.tls
import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.defences.urls import UrlError, UrlGuard, kind, origin, parse

CORPUS = Path(__file__).with_name("corpus")
PUBLIC, PUBLIC6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
LED: dict[str, list[list[str]]] = {
    "loop": [["127.0.0.1"]],
    "loop6": [["::1"]],
    "private": [["10.0.0.7"]],
    "cloud": [["169.254.169.254"]],
    "shared": [["100.64.0.1"]],
    "ula": [["fd00:ec2::254"]],
    "mapped": [["::ffff:127.0.0.1"]],
    "nat64": [["64:ff9b::a9fe:a9fe"]],
    "none": [[]],
    "both": [[PUBLIC, "127.0.0.1"]],
    "both-turned": [["127.0.0.1", PUBLIC]],
    "half6": [[PUBLIC, "::1"]],
    **{f"rebind{n}": [[PUBLIC]] * n + [["127.0.0.1"]] for n in (1, 2, 3)},
}
"""Names of attacker.example: their addresses each time that they are looked up; the last stay."""
FEW = settings(max_examples=60, derandomize=True, deadline=None)


def lines(name: str) -> list[str]:
    texts = (CORPUS / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(each) if each.startswith('"') else each for each in texts if each and not each.startswith("#")]


ATTACKS, LEGITIMATE = lines("urls_attacks.txt"), lines("urls_legitimate.txt")


class World:
    """Names, and what is at the end of every connection: a page, or a redirect where /to?url= asks for one."""

    def __init__(self) -> None:
        self.led = {f"{name}.attacker.example": list(answers) for name, answers in LED.items()}
        self.asked: list[str] = []
        self.connected: list[str] = []
        self.sent: list[httpx2.Request] = []
        self.answer: Callable[[httpx2.Request], httpx2.Response] | None = None

    def guard(self, **more: object) -> UrlGuard:
        return UrlGuard(resolve=self.resolve, transport=httpx2.MockTransport(self._page), **more)  # type: ignore[arg-type]

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        name = host.lower().rstrip(".")
        if name in self.led:
            answers = self.led[name]
            return answers.pop(0) if len(answers) > 1 else answers[0]
        if name == "localhost":
            return ["127.0.0.1", "::1"]
        special = {"v6.example": [PUBLIC6], "many.example": [PUBLIC, PUBLIC6], "nat64.example": ["64:ff9b::5db8:d70e"]}
        if name.endswith(".example"):
            return special.get(name, [PUBLIC])
        # What the system makes of a number in any spelling; no name server is asked.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [str(each[4][0]) for each in found]

    async def _page(self, request: httpx2.Request) -> httpx2.Response:
        self.connected.append(request.url.host)
        self.sent.append(request)
        if self.answer:
            return self.answer(request)
        if request.url.path == "/to":
            return httpx2.Response(302, headers={"location": unquote(request.url.query.decode().removeprefix("url="))})
        return httpx2.Response(200, text="here")

    @property
    def inside(self) -> list[str]:
        """What was connected to and is not public, by rules of its own: networks written down here."""
        return [each for each in self.connected if any(_in(each, net) for net in INSIDE) or not _literal(each)]


INSIDE = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
    *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "::/96", "100::/64", "64:ff9b:1::/48"),
    *("2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10"),
    *("fec0::/10", "ff00::/8"),
]  # fmt: skip


def _literal(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _in(text: str, network: str) -> bool:
    if not _literal(text):
        return False
    ip = ipaddress.ip_address(text)
    if isinstance(ip, ipaddress.IPv6Address):
        packed = [(96, 0, "::ffff:0:0"), (96, 0, "64:ff9b::"), (16, 80, "2002::")]
        for bits, shift, prefix in packed:
            if ip in ipaddress.ip_network(f"{prefix}/{bits}"):
                ip = ipaddress.IPv4Address((int(ip) >> shift) & 0xFFFFFFFF)
                break
    net = ipaddress.ip_network(network)
    return ip.version == net.version and ip in net


async def outcome(url: str) -> tuple[bool, World]:
    """Whether the address was fetched, and the world afterwards."""
    world = World()
    try:
        await world.guard().get(url)
    except UrlError:
        return False, world
    return True, world


def numbers() -> tuple[int, int, int, int]:
    """Attacks, how many of them were fetched or connected inside; legitimate addresses, how many were refused."""

    async def count() -> tuple[int, int]:
        passed = refused = 0
        for url in ATTACKS:
            fetched, world = await outcome(url)
            passed += bool(world.inside) or (fetched and "rebind" not in url)
        for url in LEGITIMATE:
            fetched, world = await outcome(url)
            refused += not fetched or not world.connected
        return passed, refused

    passed, refused = anyio.run(count)
    return len(ATTACKS), passed, len(LEGITIMATE), refused


@pytest.mark.anyio
async def test_no_attack_connects_inside() -> None:
    fetched = {}
    for url in ATTACKS:
        fetched[url], world = await outcome(url)
        assert not world.inside, url
    # A name that leads inside later was a public one when it was looked up, once, and that is where it was fetched.
    assert [url for url in ATTACKS if fetched[url] and "rebind" not in url] == []


@pytest.mark.anyio
async def test_what_is_public_is_fetched() -> None:
    refused = []
    for url in LEGITIMATE:
        fetched, world = await outcome(url)
        refused += [] if fetched and world.connected else [url]
    assert refused == []


def test_the_numbers_for_the_table() -> None:
    attacks, passed, legitimate, refused = numbers()
    assert attacks >= 60 and legitimate >= 60 and passed == refused == 0
    assert len(set(ATTACKS)) == len(ATTACKS) and len(set(LEGITIMATE)) == len(LEGITIMATE)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["rebind1", "rebind2", "rebind3"])
async def test_a_name_is_looked_up_once_for_each_request(name: str) -> None:
    world = World()
    await world.guard().get(f"http://{name}.attacker.example/")
    assert world.asked == [f"{name}.attacker.example"]
    assert world.connected == [PUBLIC]


SPELLED = st.sampled_from(["{}.{}.{}.{}", "0x{:x}.{}.{}.{}", "0{:o}.{}.{}.{}", "0x{:02x}{:02x}{:02x}{:02x}"])
INNER4 = st.one_of(*(st.ip_addresses(network=each) for each in INSIDE if "." in each))
INNER6 = st.one_of(*(st.ip_addresses(network=each) for each in INSIDE if ":" in each))
PACKED = st.builds(
    lambda ip, form: form.format(int(ip) >> 16, int(ip) & 0xFFFF),
    INNER4,
    st.sampled_from(["::ffff:{:x}:{:x}", "64:ff9b::{:x}:{:x}", "2002:{:x}:{:x}::1"]),
)


@FEW
@given(ip=INNER4, form=SPELLED, tail=st.sampled_from(["", ":80", ":8080", "/x", "?x", "#x"]))
def test_no_spelling_of_an_inner_address_is_fetched(ip: ipaddress.IPv4Address, form: str, tail: str) -> None:
    fetched, world = anyio.run(outcome, f"http://{form.format(*ip.packed)}{tail}")
    assert not fetched and not world.connected


@FEW
@given(text=st.one_of(INNER6.map(str), INNER6.map(lambda ip: ip.exploded), PACKED))
def test_no_inner_address_in_an_outer_one_is_fetched(text: str) -> None:
    fetched, world = anyio.run(outcome, f"http://[{text}]/")
    assert not fetched and not world.connected


@FEW
@given(ip=st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_an_address_is_public_or_inside(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    inside = any(_in(str(ip), network) for network in INSIDE)
    if inside:
        assert kind(ip) != "public"
    elif ip.version == 4:
        assert kind(ip) == "public"


PIECES = st.lists(
    st.sampled_from([
        *("http://", "https:", "//", "/", "\\", "@", ":", "#", "?", "%", "[", "]", ".", "127.0.0.1", "::1", "localhost"),
        *("docs.example", "loop.attacker.example", "80", "\t", " ", "2130706433", "0x7f.1", "①", "。", "\u202e"),
    ]),
    max_size=8,
)  # fmt: skip


@settings(max_examples=120, derandomize=True, deadline=None)
@given(pieces=PIECES)
def test_no_text_leads_inside_and_none_is_a_stumble(pieces: list[str]) -> None:
    _, world = anyio.run(outcome, "http://" + "".join(pieces))
    assert not world.inside
    _, world = anyio.run(outcome, "".join(pieces))
    assert not world.inside


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("127.9.9.9", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("10.0.0.1", "private"),
        ("fd00::1", "private"),
        ("192.0.0.192", "private"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("100.64.0.1", "shared"),
        ("240.0.0.1", "reserved"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("2002:a00:1::", "private"),
        ("8.8.8.8", "public"),
        ("64:ff9b::808:808", "public"),
        ("2606:4700::1111", "public"),
    ],
)
def test_each_kind_has_its_word(address: str, word: str) -> None:
    assert kind(address) == word


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://ho st/", "syntax"),
        ("http://host\\x/", "syntax"),
        ("http:///x", "syntax"),
        ("http://a..b/", "syntax"),
        ("ftp://host/", "scheme"),
        ("http://user@host/", "credentials"),
        ("http://@host/", "credentials"),
        ("http://host:0/", "port"),
        ("http://host:70000/", "port"),
        (f"http://host/{'x' * 5000}", "syntax"),
    ],
)
def test_what_is_wrong_with_an_address_is_told(url: str, reason: str) -> None:
    with pytest.raises(UrlError) as caught:
        parse(url)
    assert caught.value.reason == reason
    assert len(str(caught.value)) < 500


@pytest.mark.anyio
async def test_settings_allow_less_and_more() -> None:
    world = World()
    fenced = world.guard(origins=["https://docs.example"], ports=[443])
    assert (await fenced.get("https://DOCS.example:443/x")).status == 200
    for url in ("http://docs.example/", "https://docs.example:8443/", "https://docs.example.attacker.example/"):
        with pytest.raises(UrlError, match="is not among the places to fetch from: https://docs.example:443"):
            await fenced.get(url)
    with pytest.raises(UrlError, match="Port 8080 is not fetched from: use 80, 443") as caught:
        await world.guard(ports=[80, 443]).get("http://docs.example:8080/")
    assert caught.value.reason == "port"
    home = world.guard(inside=["127.0.0.0/8"])
    assert (await home.get("http://127.0.0.1:9/")).status == 200
    for url in ("http://[::1]/", "http://10.0.0.1/"):
        with pytest.raises(UrlError, match="which is not fetched from"):
            await home.get(url)
    assert origin(parse("http://[2606:4700::1111]/x")) == "http://[2606:4700::1111]:80"


@pytest.mark.anyio
async def test_redirects_end_and_take_no_credentials_elsewhere() -> None:
    world = World()
    world.answer = lambda request: httpx2.Response(302, headers={"location": f"/{len(world.sent)}"})
    with pytest.raises(UrlError, match="redirected more than 3 times") as caught:
        await world.guard(redirects=3).get("http://docs.example/")
    assert caught.value.reason == "redirects" and len(world.sent) == 4
    world.sent.clear()
    to = {"/": "/same", "/same": "http://docs.example:8080/other", "/other": "http://docs.example/back"}
    world.answer = lambda request: (
        httpx2.Response(307, headers={"location": to[request.url.path]})
        if request.url.path in to
        else httpx2.Response(200, text="arrived")
    )
    secret = {"Authorization": "Bearer canary", "Cookie": "canary", "X-Api-Key": "canary", "Accept-Language": "de"}
    page = await world.guard().get("http://docs.example/", secret)
    assert page.text == "arrived" and page.url == page.hops[-1] == "http://docs.example/back" and len(page.hops) == 4
    assert ["authorization" in each.headers for each in world.sent] == [True, True, False, False]
    assert ["cookie" in each.headers for each in world.sent] == [True, True, False, False]
    assert ["x-api-key" in each.headers for each in world.sent] == [True, True, False, False]
    assert {each.headers["accept-language"] for each in world.sent} == {"de"}
    for location in ("http:\\\\127.0.0.1\\", "http://x y/"):
        world.answer = lambda request, to=location: httpx2.Response(302, headers={"location": to})
        with pytest.raises(UrlError, match="redirects to what is no address") as caught:
            await world.guard().get("http://docs.example/")
        assert caught.value.reason == "redirect"
    world.answer = lambda request: httpx2.Response(302, text="nowhere")
    assert (await world.guard().get("http://docs.example/")).status == 302


@pytest.mark.anyio
async def test_an_answer_ends_in_size_and_in_time() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000

    world = World()
    world.answer = lambda request: httpx2.Response(200, content=endless())
    with pytest.raises(UrlError, match="more than 5000 bytes") as caught:
        await world.guard(max_bytes=5000).get("http://docs.example/")
    assert caught.value.reason == "too-large"
    world.answer = lambda request: httpx2.Response(200, content=b"x" * 5000)
    assert len((await world.guard(max_bytes=5000).get("http://docs.example/")).body) == 5000

    async def never() -> AsyncIterator[bytes]:
        yield b"x"
        await anyio.sleep_forever()

    world.answer = lambda request: httpx2.Response(200, content=never())
    with pytest.raises(UrlError, match="not answered within 0.05 seconds") as caught:
        await world.guard(seconds=0.05).get("http://docs.example/")
    assert caught.value.reason == "timeout"

    async def packed() -> AsyncIterator[bytes]:
        yield b"x"

    world.answer = lambda request: httpx2.Response(200, headers={"content-encoding": "gzip"}, content=packed())
    with pytest.raises(UrlError, match="'gzip', which was not asked for") as caught:
        await world.guard().get("http://docs.example/")
    assert caught.value.reason == "encoding" and world.sent[-1].headers["accept-encoding"] == "identity"


@pytest.mark.anyio
async def test_another_address_is_tried_when_one_cannot_be_reached() -> None:
    world = World()

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == PUBLIC:
            raise httpx2.ConnectError("refused")
        return httpx2.Response(200, text="six")

    world.answer = answer
    assert (await world.guard().get("http://many.example/")).text == "six"
    with pytest.raises(UrlError, match="cannot be reached") as caught:
        await world.guard().get("http://docs.example/")
    assert caught.value.reason == "unreachable"
    with pytest.raises(UrlError, match="There is no host 'nowhere'"):
        await world.guard().get("http://nowhere/")


@pytest.mark.anyio
async def test_the_connection_goes_to_the_address_and_host_and_certificate_are_the_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    seen: list[bytes] = []
    names: list[str | None] = []
    ours, trusting = contexts(tmp_path, "docs.example")
    ours.sni_callback = lambda _, name, __: names.append(name)

    async def serve(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            secured = await anyio.streams.tls.TLSStream.wrap(stream, server_side=True, ssl_context=ours)
            seen.append(await secured.receive())
            await secured.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    guard = UrlGuard(inside=["127.0.0.1/32"], resolve=resolve, verify=trusting)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, _quietly(serve))
        page = await guard.get(f"https://docs.example:{port}/x?y=1")
        assert page.text == "hi"
        assert seen[0].startswith(b"GET /x?y=1 HTTP/1.1\r\n") and b"ost: docs.example:%d\r\n" % port in seen[0]
        assert names == ["docs.example"]
        with pytest.raises(UrlError, match="cannot be reached"):  # the certificate is not for this one
            await guard.get(f"https://other.example:{port}/")
        tasks.cancel_scope.cancel()


def _quietly(serve: Callable[..., object]) -> Callable[..., object]:
    async def handle(stream: anyio.abc.SocketStream) -> None:
        # A client that does not like the certificate goes.
        with contextlib.suppress(ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream):
            await serve(stream)  # type: ignore[misc]

    return handle


def contexts(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS for a server with this name, and for a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem")
    return server, ssl.create_default_context(cadata=pem.decode())
