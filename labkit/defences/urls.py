"""Fetch what a stranger's address leads to, unless it leads inside.

    guard = UrlGuard()                                   # the public internet, and nothing else
    page = await guard.get("https://example.org/")       # page.status, page.text, page.hops
    kind("127.1.2.3")                                    # "loopback": what is decided about one address

A name is resolved once, all of its addresses have to be public, and the connection goes to one of those - not to the
name, which may lead elsewhere at the next question. Host header, TLS name and certificate remain those of the name.
Redirects are followed by hand: each is an address from a stranger, and is looked at like the first. What is decided
depends on no spelling: the system that would connect says what `127.1` means, and only then is it judged.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import anyio
import httpx2

from labkit.errors import LabError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Kind = Literal["public", "loopback", "private", "link-local", "unspecified", "multicast", "shared", "reserved"]
Reason = Literal[
    "syntax", "scheme", "credentials", "port", "origin", "name", "address", "redirect", "redirects", "encoding",
    "too-large", "timeout", "unreachable",
]  # fmt: skip
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host's name, or of a number in any spelling. Raises OSError when there are none."""

LONGEST = 4096
"""Characters of an address."""
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_.])?")
_UNREADABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\\]")
"""What parsers of addresses read differently: a backslash is a slash to browsers, a tab is nothing."""
_ANYWHERE = frozenset({"accept", "accept-language", "user-agent"})
"""Headers that go along to another origin. Any other may be a credential: X-Api-Key, Private-Token."""
_NAMED: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("unspecified", ("0.0.0.0/8", "::/128")),
    ("shared", ("100.64.0.0/10",)),
    ("private", ("192.0.0.0/24", "fec0::/10", "168.63.129.16/32")),
    ("reserved", ("192.88.99.0/24", "3fff::/20", "5f00::/16")),
)
"""Where versions of Python's ipaddress differ, or know no word for it; and one address that is public by the
registries, but on machines of Azure that of their host, which gives out their settings."""
_SPECIAL: list[tuple[Kind, ipaddress.IPv4Network | ipaddress.IPv6Network]] = [
    (name, ipaddress.ip_network(each)) for name, networks in _NAMED for each in networks
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class UrlError(LabError):
    """An address is not fetched, or gave no answer. `reason` is one word for it, for programs."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.reason: Reason = reason


@dataclass(frozen=True)
class Checked:
    """An address that may be fetched: as it will be sent, and where to connect."""

    url: httpx2.URL
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """What was fetched. `hops` are the addresses on the way, the last one included."""

    url: str
    status: int
    headers: httpx2.Headers
    body: bytes
    hops: tuple[str, ...]

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none is replaced."""
        return self.body.decode("utf-8", "replace")


def kind(address: str | Address) -> Kind:
    """What an IP address is for; an IPv4 address inside of an IPv6 one (mapped, 6to4, NAT64) decides.

    Raises ValueError. Source: the special-purpose address registries of IANA, by way of `ipaddress`.
    """
    ip = ipaddress.ip_address(address) if isinstance(address, str) else address
    if isinstance(ip, ipaddress.IPv6Address) and (inner := _inner(ip)):
        return kind(inner)
    for name, network in _SPECIAL:
        if ip.version == network.version and ip in network:
            return name
    if ip.is_loopback:
        return "loopback"
    if ip.is_link_local:
        return "link-local"
    if ip.is_multicast:
        return "multicast"
    if ip.is_reserved:
        return "reserved"
    return "public" if ip.is_global and not ip.is_private else "private"


def parse(url: str, schemes: Iterable[str] = ("https", "http")) -> httpx2.URL:
    """An absolute address with a host, which all parsers read alike. Raises UrlError, which says what is wrong."""
    shown = f"{url[:200]!r}"
    if len(url) > LONGEST or _UNREADABLE.search(url):
        raise UrlError(f"{shown} is no address: it is too long, or has spaces, controls or backslashes.", "syntax")
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise UrlError(f"{shown} is no address: {error}.", "syntax") from error
    allowed = tuple(schemes)
    if parsed.scheme not in allowed:
        raise UrlError(f"{shown} is not fetched: use {' or '.join(f'{each}://' for each in allowed)}.", "scheme")
    if parsed.userinfo or "@" in re.split(r"[/?#]", url.partition("//")[2], maxsplit=1)[0]:
        hidden = repr(re.sub(r"//.*@", "//...@", url)[:200])  # what stands before @ is a password more often than not
        raise UrlError(f"{hidden} has a user in it; before @ nothing is fetched from. Leave it out.", "credentials")
    host = parsed.raw_host.decode("ascii")
    if not (_is_v6(host) if ":" in host else _HOST.fullmatch(host)) or ".." in host:
        raise UrlError(f"{shown} has no host that could be asked: use {allowed[0]}://HOST/PATH.", "syntax")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise UrlError(f"{shown} has no port that could be asked: leave it out.", "port")
    return parsed


def origin(url: httpx2.URL) -> str:
    """Scheme, host and port, always with the port: what is compared when origins are."""
    port = url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
    host = url.raw_host.decode("ascii")
    return f"{url.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


async def system_names(host: str, port: int) -> list[str]:
    """The addresses that the operating system would connect to. Raises OSError."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class UrlGuard:
    """Fetches from public addresses. The settings say what else, and how much.

    `inside`: networks that may be fetched from although they are not public. `origins`: only these, such as
    "https://example.org"; they are compared as scheme, host and port. `ports`: only these; None for all. `redirects`
    (with 0, one is an answer like others), `max_bytes` and `seconds` are for one `get` with all its hops. `resolve`
    looks names up, `transport` makes the connection to an address that was checked (it is closed after each request),
    `verify` is for TLS.
    """

    def __init__(
        self,
        *,
        schemes: Sequence[str] = ("https", "http"),
        inside: Iterable[str] = (),
        origins: Iterable[str] | None = None,
        ports: Iterable[int] | None = None,
        redirects: int = 5,
        max_bytes: int = 1_000_000,
        seconds: float = 10.0,
        resolve: Resolve = system_names,
        transport: httpx2.AsyncBaseTransport | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self.schemes = tuple(schemes)
        self.inside = [ipaddress.ip_network(each) for each in inside]
        self.origins = None if origins is None else frozenset(origin(parse(each, schemes)) for each in origins)
        self.ports = None if ports is None else frozenset(ports)
        self.redirects, self.max_bytes, self.seconds = redirects, max_bytes, seconds
        self._resolve, self._transport, self._verify = resolve, transport, verify

    async def check(self, url: str | httpx2.URL) -> Checked:
        """Parse, look up once, and judge each address. Raises UrlError."""
        parsed = parse(str(url), self.schemes)
        where = origin(parsed)
        host, port = parsed.raw_host.decode("ascii"), int(where.rpartition(":")[2])
        if self.origins is not None and where not in self.origins:
            raise UrlError(
                f"{where} is not among the places to fetch from: {', '.join(sorted(self.origins))}.", "origin"
            )
        if self.ports is not None and port not in self.ports:
            raise UrlError(f"Port {port} is not fetched from: use {', '.join(map(str, sorted(self.ports)))}.", "port")
        try:
            found = [ipaddress.ip_address(each) for each in await self._resolve(host, port)]
        except (OSError, ValueError) as error:  # UnicodeError, of names that are none, is a ValueError
            raise UrlError(f"There is no host {host!r}: is the name right?", "name") from error
        if not found:
            raise UrlError(f"There is no host {host!r}: is the name right?", "name")
        for address in found:
            if (what := kind(address)) != "public" and not self._is_inside(address):
                raise UrlError(f"{host!r} leads to a {what} address, which is not fetched from.", "address")
        return Checked(parsed, tuple(map(str, found)))

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Page:
        """What is at the address, whatever its status; redirects are followed within the same rules. Raises UrlError.

        A redirect to another origin takes Accept, Accept-Language and User-Agent with it, and no other header.
        """
        sent = httpx2.Headers(headers)
        hops: list[str] = []
        try:
            with anyio.fail_after(self.seconds):
                target: str | httpx2.URL = url
                while True:
                    checked = await self.check(target)
                    hops.append(str(checked.url))
                    page = await self._ask(checked, sent, tuple(hops))
                    leads = page.status in (301, 302, 303, 307, 308) and "location" in page.headers
                    if not leads or not self.redirects:
                        return page
                    if len(hops) > self.redirects:
                        raise UrlError(f"{url} was redirected more than {self.redirects} times.", "redirects")
                    target = _next(checked.url, page.headers["location"])
                    if origin(target) != origin(checked.url):
                        sent = httpx2.Headers([each for each in sent.multi_items() if each[0].lower() in _ANYWHERE])
        except TimeoutError as error:
            raise UrlError(f"{url} has not answered within {self.seconds:g} seconds.", "timeout") from error

    async def _ask(self, checked: Checked, headers: httpx2.Headers, hops: tuple[str, ...]) -> Page:
        """One request, to the first of the addresses that can be reached. No proxy, no cookie, no pool: nothing that
        leads elsewhere, and no connection that was made for another name."""
        url = checked.url
        for place, address in enumerate(checked.addresses):
            literal = f"[{address}]" if ":" in address else address
            try:
                async with (
                    httpx2.AsyncClient(
                        transport=self._transport or httpx2.AsyncHTTPTransport(verify=self._verify, trust_env=False),
                        trust_env=False,
                        follow_redirects=False,
                        timeout=self.seconds,
                    ) as client,
                    client.stream(
                        "GET",
                        url.copy_with(host=literal),
                        headers=[
                            ("host", url.netloc.decode("ascii")),
                            ("accept-encoding", "identity"),  # a small answer that unpacks to a large one
                            *(each for each in headers.multi_items() if each[0] not in ("host", "accept-encoding")),
                        ],
                        # A name may end with a dot, which certificates leave out.
                        extensions={"sni_hostname": url.raw_host.decode("ascii").rstrip(".")},
                    ) as answer,
                ):
                    return Page(str(url), answer.status_code, answer.headers, await self._body(answer, url), hops)
            except httpx2.ConnectError as error:
                if place + 1 == len(checked.addresses):
                    raise UrlError(f"{url} cannot be reached ({type(error).__name__}).", "unreachable") from error
            except httpx2.TimeoutException as error:
                raise UrlError(f"{url} has not answered within {self.seconds:g} seconds.", "timeout") from error
            except httpx2.HTTPError as error:
                raise UrlError(f"{url} cannot be read ({type(error).__name__}).", "unreachable") from error
        raise AssertionError("an address that was checked has at least one address to connect to")

    async def _body(self, answer: httpx2.Response, url: httpx2.URL) -> bytes:
        if (encoding := answer.headers.get("content-encoding", "identity").lower()) != "identity":
            raise UrlError(f"{url} answers in the encoding {encoding!r}, which was not asked for.", "encoding")
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > self.max_bytes:
                raise UrlError(f"{url} answers with more than {self.max_bytes} bytes: ask for less.", "too-large")
        return bytes(body)

    def _is_inside(self, address: Address) -> bool:
        return any(address.version == each.version and address in each for each in self.inside)


def _next(url: httpx2.URL, location: str) -> httpx2.URL:
    if _UNREADABLE.search(location):
        raise UrlError(f"{url} redirects to what is no address: {location[:200]!r}.", "redirect")
    try:
        return url.join(location)
    except (httpx2.InvalidURL, ValueError) as error:
        raise UrlError(f"{url} redirects to what is no address: {location[:200]!r}.", "redirect") from error


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to this one end at, where one is packed into it."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour


def _is_v6(host: str) -> bool:
    try:
        return "%" not in host and ipaddress.ip_address(host).version == 6
    except ValueError:
        return False
