"""On whose behalf a gateway calls, signed for one backend: so that a client's token never has to travel further.

    value = sign(secret, "alice", ["staff"], audience="notes")        # the gateway; goes out as `HEADER`
    claims = Verifier(secret, "notes").verify(value)                  # the backend; raises PrincipalError

`v1;<base64url of {"sub", "roles", "aud", "iat", "exp", "nonce"}>;<HMAC-SHA256 of what stands before it, in hex>`.
A signature is good for one backend, for a short time, once. It says who, not what: a backend that has to know that the
request was not changed on the way needs TLS.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from labkit.errors import PrincipalError

HEADER = "Labkit-Principal"
LEEWAY = 5.0
"""Seconds that two clocks may differ."""
LONGEST = 300.0
"""Seconds that a signature may be good for: so long its nonce has to be remembered."""
SHORTEST = 32
"""Bytes of a secret for HMAC-SHA256 (RFC 7518, section 3.2)."""
MOST_NONCES = 200_000
MOST_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Claims:
    """What a signature says. Times are in seconds since 1970."""

    subject: str
    roles: tuple[str, ...]
    audience: str
    issued: float
    expires: float
    nonce: str


def sign(
    secret: str, subject: str, roles: Sequence[str], *, audience: str, seconds: float = 60.0, now: float | None = None
) -> str:
    """The value of `HEADER` for one request to the backend `audience`. Raises ValueError for a secret too short."""
    _needed(secret, audience)
    issued = time.time() if now is None else now
    claims = {
        "sub": subject,
        "roles": list(roles),
        "aud": audience,
        "iat": round(issued, 3),
        "exp": round(issued + min(seconds, LONGEST), 3),
        "nonce": os.urandom(12).hex(),
    }
    packed = base64.urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode("ascii"))
    signed = b"v1;" + packed.rstrip(b"=")
    return f"{signed.decode('ascii')};{_mac(secret, signed)}"


def verify(header: str | None, secret: str, audience: str, now: float, nonces: Nonces) -> Claims:
    """The claims of a signature that may be believed. Raises PrincipalError, with a reason that may be shown."""
    _needed(secret, audience)
    if not header:
        raise PrincipalError(f"The request has no {HEADER}: only a gateway that signs may call this server.")
    version, _, rest = header.partition(";")
    packed, _, mac = rest.rpartition(";")
    if version != "v1" or not packed or len(header) > MOST_BYTES:
        raise PrincipalError(f"{HEADER} is not written as v1;CLAIMS;SIGNATURE.")
    signed = header.rpartition(";")[0].encode("utf-8", "surrogatepass")
    # As text, byte by byte: decoding it first would let one signature be written in several ways.
    if not hmac.compare_digest(_mac(secret, signed).encode(), mac.encode("utf-8", "surrogatepass")):
        raise PrincipalError(f"The signature of {HEADER} is wrong: the gateway and this server need the same secret.")
    claims = _unpack(packed)
    if claims.audience != audience:
        raise PrincipalError(f"{HEADER} was signed for another server than {audience!r}.")
    if not claims.expires + LEEWAY > now:  # so put that what is no number does not pass
        raise PrincipalError(f"{HEADER} has expired: each request needs one of its own.")
    if not (claims.issued - LEEWAY <= now and claims.expires - claims.issued <= LONGEST + 1):
        raise PrincipalError(f"{HEADER} is from the future, or good for too long: compare the clocks.")
    if not nonces.take(claims.nonce, claims.expires + LEEWAY, now):
        raise PrincipalError(f"{HEADER} was used before, or too many were: each request needs one of its own.")
    return claims


class Nonces:
    """Nonces that were seen, for as long as they could be used again.

    When there are too many, further ones are refused: forgetting one would mean that it can be used twice.
    """

    __slots__ = ("_most", "_order", "_seen")

    def __init__(self, most: int = MOST_NONCES) -> None:
        self._most = most
        self._seen: set[str] = set()
        self._order: deque[tuple[float, str]] = deque()

    def __len__(self) -> int:
        return len(self._seen)

    def take(self, nonce: str, until: float, now: float) -> bool:
        """Whether this is the first time, and it will be remembered until then."""
        if nonce in self._seen:
            return False
        order = self._order
        while order and order[0][0] < now:
            self._seen.discard(order.popleft()[1])
        if len(order) >= self._most:
            return False
        order.append((until, nonce))
        self._seen.add(nonce)
        return True


class Verifier:
    """Verifies for one server, and remembers what it has seen. One for each process that serves.

    Raises ValueError for a secret that is too short, such as one that is missing.
    """

    def __init__(
        self, secret: str, audience: str, *, clock: Callable[[], float] = time.time, nonces: Nonces | None = None
    ) -> None:
        _needed(secret, audience)
        self._secret, self._audience, self._clock = secret, audience, clock
        self._nonces = nonces or Nonces()

    def verify(self, header: str | None) -> Claims:
        """The claims of a signature that may be believed. Raises PrincipalError, with a reason that may be shown."""
        return verify(header, self._secret, self._audience, self._clock(), self._nonces)


def _needed(secret: str, audience: str) -> None:
    # A setting that is missing is often read as "", and anybody can sign with that.
    if len(secret.encode("utf-8", "surrogatepass")) < SHORTEST or not audience:
        raise ValueError(f"a signature needs a secret of at least {SHORTEST} bytes, and the name of a server")


def _mac(secret: str, signed: bytes) -> str:
    return hmac.digest(secret.encode("utf-8", "surrogatepass"), signed, "sha256").hex()


def _unpack(packed: str) -> Claims:
    try:
        raw: Any = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
        if not isinstance(raw["roles"], list):
            raise TypeError("the roles are no list")
        roles = cast("list[Any]", raw["roles"])
        if not all(isinstance(text, str) for text in [raw["sub"], raw["aud"], raw["nonce"], *roles]):
            raise TypeError("a claim is no text")
        return Claims(raw["sub"], tuple(roles), raw["aud"], float(raw["iat"]), float(raw["exp"]), raw["nonce"])
    except (ValueError, TypeError, KeyError) as error:
        raise PrincipalError(f"{HEADER} is signed, but its claims are not those of this version.") from error
