"""State that travels with the client and comes back unread and unchanged, from the same user, for the same purpose.

    seal = Seal([key])                                             # 32 random bytes at least; several for rotation
    text = seal.close("alice", "checkout", {"step": 2})            # for requestState, a cursor, a hidden field
    seal.open("alice", "checkout", text)                           # {"step": 2}; raises SealError

AES-256-GCM (NIST SP 800-38D) with a random nonce; the key is derived with HKDF (RFC 5869), so that the same secret may
serve elsewhere. User, purpose, version and key are authenticated, and not in the text; the end of its time is sealed
in.

    s1.<base64url of 4 bytes that name the key, 12 bytes of nonce, the sealed JSON and its tag>

The SDK seals `requestState` like this, under a key of its own process, bound to the OAuth principal: several processes
have to be given a key (`RequestStateSecurity(keys=[...])`), and a server behind a gateway its own `bind_principal`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from labkit.defences.isolation import owner
from labkit.defences.signing import Nonces
from labkit.errors import LabError
from labkit.patterns.calls import joined

VERSION = "s1."
LONGEST = 65536
"""Characters of a sealed text that are looked at."""
SHORTEST_KEY = 32
_KEY_ID, _NONCE, _TAG = 4, 12, 16


class SealError(LabError):
    """A sealed text that is not to be believed. Whoever sent it is not told why: `why` is for the log."""

    def __init__(self, why: str) -> None:
        super().__init__("The state is not valid, or no longer: begin anew.")
        self.why = why


class Seal:
    """Seals with the first key, opens with all. `once` remembers what was opened, so that it opens one time only."""

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        seconds: float = 600.0,
        once: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not keys or any(len(each) < SHORTEST_KEY for each in keys):
            raise ValueError(f"a seal needs keys of at least {SHORTEST_KEY} random bytes: os.urandom(32)")
        self._ring: dict[bytes, AESGCM] = {}
        for secret in keys:
            derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"labkit/sealing/s1").derive(secret)
            self._ring[hashlib.sha256(b"labkit/sealing/key:" + derived).digest()[:_KEY_ID]] = AESGCM(derived)
        self._first = next(iter(self._ring))
        self._seconds, self._clock = seconds, clock
        self._seen = Nonces() if once else None

    def close(self, principal: str, purpose: str, value: Any, *, seconds: float | None = None) -> str:
        """A JSON value as a text that only `open` with the same user and purpose reads. Raises NoPrincipalError."""
        ends = self._clock() + (self._seconds if seconds is None else seconds)
        if not ends < math.inf:
            raise ValueError("a seal has an end")
        plain = json.dumps([ends, value], separators=(",", ":")).encode()
        nonce = os.urandom(_NONCE)
        sealed = self._ring[self._first].encrypt(nonce, plain, _bound(self._first, owner(principal), purpose))
        return VERSION + base64.urlsafe_b64encode(self._first + nonce + sealed).decode().rstrip("=")

    def open(self, principal: str, purpose: str, text: str) -> Any:
        """The value. Raises NoPrincipalError, SealError."""
        raw = _unpacked(text)
        which, nonce, sealed = raw[:_KEY_ID], raw[_KEY_ID : _KEY_ID + _NONCE], raw[_KEY_ID + _NONCE :]
        ring = self._ring.get(which)
        bound = _bound(which, owner(principal), purpose)
        if ring is None:
            raise SealError("sealed with a key that is not known here")
        try:
            plain = ring.decrypt(nonce, sealed, bound)
        except InvalidTag:
            raise SealError("changed, or sealed for another user or purpose") from None
        ends, value = json.loads(plain)
        now = self._clock()
        if not now < ends:
            raise SealError("its time is over")
        if self._seen is not None and not self._seen.take(nonce.hex(), ends, now):
            raise SealError("it was opened before")
        return value


def _bound(which: bytes, principal: str, purpose: str) -> bytes:
    return VERSION.encode() + which + joined([principal, purpose]).encode("utf-8", "surrogatepass")


def _unpacked(text: str) -> bytes:
    if not isinstance(text, str) or not text.startswith(VERSION) or len(text) > LONGEST:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SealError("no sealed text")
    packed = text[len(VERSION) :]
    try:
        raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    except ValueError:
        raise SealError("no base64") from None
    # One text for one sealed value: base64 lets the last letter be written in several ways, and skips strange ones.
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != packed or len(raw) < _KEY_ID + _NONCE + _TAG:
        raise SealError("not written as it is written here")
    return raw
