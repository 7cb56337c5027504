"""API keys: made at random, kept as hashes, compared in constant time, replaced without an outage.

key, kept = new_key("ada", ["staff"])            # `key` is shown to ada once; `kept` goes into the configuration
key, keys = rotate([kept], "ada", overlap=3600)  # both keys are good for an hour, then only the new one
ApiKeys(keys).find(key)                          # a Principal, or None
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from labkit.defences.identity_config import KeyConfig
from labkit.defences.principals import Principal
from labkit.errors import LabError

PREFIX = "lab_"
"""How a key begins, so that a scanner of repositories and logs can tell one."""
RANDOM_BYTES = 32
DAY = 86400.0


def hash_key(key: str) -> str:
    """What stands in a configuration for an API key. Keys have to be random, as those of `new_key` are: for a word that
    somebody thought of, SHA-256 is no protection."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key(
    principal: str, roles: Iterable[str] = (), *, scopes: Iterable[str] = (), expires: float | None = None
) -> tuple[str, KeyConfig]:
    """A key of 256 random bits for somebody, and what is kept of it. The key itself cannot be had again."""
    key = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    return key, KeyConfig(principal, hash_key(key), tuple(roles), expires, tuple(scopes))


def rotate(
    keys: Sequence[KeyConfig], principal: str, *, overlap: float = DAY, now: float | None = None
) -> tuple[str, tuple[KeyConfig, ...]]:
    """A new key for somebody who has one: the key, and all keys to keep from now on.

    The new one has the roles and scopes of the one it replaces, which ends in `overlap` seconds at the latest. Older
    ones of the same principal, and those that have ended, are left out: two keys are valid at a time, never more.
    Raises LabError when the principal has no valid key.
    """
    at = time.time() if now is None else now
    valid = [key for key in keys if key.principal == principal and _is_valid(key, at)]
    if not valid:
        raise LabError(f"{principal!r} has no valid key to replace: make one with new_key({principal!r}).")
    old = max(valid, key=lambda key: float("inf") if key.expires is None else key.expires)
    end = at + overlap if old.expires is None else min(old.expires, at + overlap)
    key, made = new_key(principal, old.roles, scopes=old.scopes)
    others = [each for each in keys if each.principal != principal and _is_valid(each, at)]
    return key, (*others, replace(old, expires=end), made)


def revoke(keys: Iterable[KeyConfig], key: str) -> tuple[KeyConfig, ...]:
    """The keys without this one."""
    hashed = _hashed(key)  # as bytes: a configuration may have the digits as capitals
    return tuple(each for each in keys if not hmac.compare_digest(bytes.fromhex(each.sha256), hashed))


class ApiKeys:
    """Finds whose key it is."""

    def __init__(self, keys: Iterable[KeyConfig] = (), *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._keys = [(bytes.fromhex(key.sha256), key, _principal(key)) for key in keys]

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, key: str) -> Principal | None:
        """Whose key it is; None for one that is not known, or has ended."""
        return self.find_hash(_hashed(key))

    def find_hash(self, hashed: bytes) -> Principal | None:
        """The same, by the SHA-256 of the key."""
        found: Principal | None = None
        for known, key, principal in self._keys:  # all of them, so that the time does not tell which came close
            if hmac.compare_digest(known, hashed) and _is_valid(key, None if key.expires is None else self._clock()):
                found = principal
        return found


def _hashed(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _principal(key: KeyConfig) -> Principal:
    return Principal(key.principal, key.roles, "key", key.expires, scopes=key.scopes, has_roles=bool(key.roles))


def _is_valid(key: KeyConfig, now: float | None) -> bool:
    return key.expires is None or (now is not None and now < key.expires)
