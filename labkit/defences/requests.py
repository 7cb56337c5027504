"""HTTP requests that are signed: nobody on the way can change one, and nobody who has seen one can send it again.

    auth = SignedAuth(Key("2026-11", secret), "orders")                       # httpx2.AsyncClient(auth=auth)
    app = SignatureDoor(app, Verifier([Key("2026-11", secret), old], "orders"))    # 401 for everything else

A request brings one header, `Labkit-Signature: v1;KEY;CREATED;NONCE;MAC`: the name of the key, seconds since 1970, 32
hex digits that are used once, and the HMAC-SHA256, in hex, of the canonical form. That is the concatenation of these
fields, each as its length in bytes, a colon, and the field, so that no two requests have the same form:

    labkit-request-v1
    audience                    the server that it is for, so that it is not sent to another with the same key
    key, created, nonce         as in the header
    method                      in capitals
    path                        as it goes over the wire, percent-encoded
    query                       its pairs in the order of their names (of equal names, as they came), encoded anew
    for each of HEADERS: the name in lower case, how often it is there, and its values
    SHA-256 of the body         in hex

No signature is no proof: what is missing is refused like what is wrong. Each of the fields is there because leaving it
out lets somebody change it.
`signing` tells a backend on whose behalf a gateway calls; this tells that the request is the one that was sent.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote

import httpx2

from labkit.defences.signing import Nonces
from labkit.errors import LabError

HEADER = "Labkit-Signature"
HEADERS = (
    *("authorization", "x-api-key", "labkit-principal", "content-type", "content-encoding", "last-event-id"),
    *("mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id"),
)
"""Headers that are signed, present or not: what says who asks, and what a server or a gateway decides by."""
WINDOW = 300.0
"""Seconds that a request is good for: so long its nonce is remembered."""
AHEAD = 30.0
"""Seconds that the signer's clock may be ahead."""
_WRITTEN = re.compile(r"v1;([\w.-]{1,64});([0-9]{1,12});([0-9a-f]{32});([0-9a-f]{64})", re.ASCII)
_UNKNOWN = secrets.token_bytes(32)
"""What is compared with for a key that there is not, so that it takes as long."""


class SignatureError(LabError):
    """The request is not signed, or the signature is not to be believed. The message may be shown to anyone."""


@dataclass(frozen=True)
class Key:
    """A shared secret, with the name that a signature says. `until`, in seconds since 1970, is when it ends."""

    name: str
    secret: bytes = field(repr=False)
    until: float | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]{1,64}", self.name, re.ASCII):
            raise ValueError(f"the name of a key has letters, digits, '.', '_' and '-', unlike {self.name!r}")
        if len(self.secret) < 32:
            raise ValueError("a key needs at least 32 random bytes: secrets.token_bytes(32)")


@dataclass(frozen=True)
class Request:
    """What of an HTTP request is signed."""

    method: str
    path: str
    """As on the wire, without the query."""
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for given, value in self.headers if given.lower() == name]


def canonical(request: Request, audience: str, key: str, created: str, nonce: str) -> bytes:
    """What is signed. Raises SignatureError for a query that cannot be read in one way only."""
    fields = ["labkit-request-v1", audience, key, created, nonce]
    fields += [request.method.upper(), request.path, _query(request.query)]
    for name in HEADERS:
        values = request.values(name)
        fields += [name, str(len(values)), *values]
    fields.append(hashlib.sha256(request.body).hexdigest())
    packed = [each.encode("utf-8", "surrogatepass") for each in fields]
    return b"".join(b"%d:%b" % (len(each), each) for each in packed)


def _query(query: str) -> str:
    if not query:
        return ""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=1000, errors="strict")
    except ValueError as error:
        raise SignatureError("The query cannot be signed: write it as name=value&name=value.") from error
    pairs.sort(key=lambda pair: pair[0])
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def sign(request: Request, key: Key, audience: str, *, now: float | None = None) -> str:
    """The value of `HEADER` for this request to the server `audience`: good once."""
    created, nonce = str(int(time.time() if now is None else now)), secrets.token_hex(16)
    mac = hmac.digest(key.secret, canonical(request, audience, key.name, created, nonce), "sha256").hex()
    return f"v1;{key.name};{created};{nonce};{mac}"


class Verifier:
    """Verifies for one server, and remembers what it has seen: one for each process, or one store of nonces for all."""

    def __init__(
        self,
        keys: Iterable[Key] | Callable[[], Iterable[Key]],
        audience: str,
        *,
        window: float = WINDOW,
        clock: Callable[[], float] = time.time,
        nonces: Nonces | None = None,
    ) -> None:
        fixed = () if callable(keys) else tuple(keys)
        self._keys: Callable[[], Iterable[Key]] = keys if callable(keys) else lambda: fixed
        self._audience, self._window, self._clock = audience, window, clock
        self._nonces = nonces if nonces is not None else Nonces()

    def verify(self, request: Request) -> Key:
        """The key that signed it. Raises SignatureError."""
        given = request.values(HEADER.lower())
        if len(given) != 1:
            how = f"has no {HEADER}" if not given else f"has more than one {HEADER}"
            raise SignatureError(f"The request {how}: sign it, once.")
        written = _WRITTEN.fullmatch(given[0])
        if not written:
            raise SignatureError(f"{HEADER} is not written as v1;KEY;CREATED;NONCE;MAC.")
        name, created, nonce, mac = written.groups()
        now = self._clock()
        known = {key.name: key for key in self._keys() if key.until is None or now < key.until}
        key = known.get(name)
        form = canonical(request, self._audience, name, created, nonce)
        wanted = hmac.digest(key.secret if key else _UNKNOWN, form, "sha256").hex()
        if not hmac.compare_digest(wanted, mac) or key is None:
            raise SignatureError("The signature is wrong: the request was changed, or the key is not known here.")
        if not now - self._window < int(created) <= now + AHEAD:
            raise SignatureError("The signature is too old, or from the future: sign anew, and compare the clocks.")
        # Last of all: what is not signed must not use up a nonce, nor fill the memory.
        if not self._nonces.take(f"{name};{nonce}", int(created) + self._window, now):
            raise SignatureError("The request was sent before, or too many were: sign each one anew.")
        return key


class SignedAuth(httpx2.Auth):
    """Signs every request of an httpx2 client, each attempt anew. A callable is asked for the key each time."""

    requires_request_body = True

    def __init__(self, key: Key | Callable[[], Key], audience: str, *, clock: Callable[[], float] = time.time) -> None:
        self._key, self._audience, self._clock = key, audience, clock

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Add the header."""
        key = self._key() if callable(self._key) else self._key
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
        signed = Request(request.method, path, query, headers, request.content)
        request.headers[HEADER] = sign(signed, key, self._audience, now=self._clock())
        yield request
