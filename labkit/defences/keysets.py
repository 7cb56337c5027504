"""The public keys of an issuer of tokens: a JSON Web Key Set (RFC 7517) from a URL or a file, fetched when needed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import jwt

from labkit.defences.loopback import is_loopback

KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""Of algorithms, by how they begin. Shared secrets ("oct") are none: whoever can read them could sign."""
PAUSE = 60.0
"""Seconds between two attempts to fetch, whatever tokens come: unknown key ids are anybody's to invent."""
MAX_AGE = 3600.0
"""Seconds until keys are fetched again although all that were asked for were there: one may have been withdrawn."""
TIMEOUT = 5.0
MOST_BYTES = 1 << 20


class KeySet:
    """The keys of one issuer. `fetch` gets the text of the set from its place."""

    def __init__(
        self,
        place: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        fetch: Callable[[str], Awaitable[str | bytes]] | None = None,
    ) -> None:
        self._place, self._clock = place, clock
        self._fetch = fetch or fetch_text
        self._lock = asyncio.Lock()
        self._tried: float | None = None
        self._loaded: float | None = None
        self._keys: list[dict[str, Any]] = []
        self._made: dict[tuple[str | None, str], jwt.PyJWK | None] = {}
        self.generation = 0
        """Counts the sets that were fetched: what was verified with an earlier one has to be verified again."""
        self.error = ""
        """Why the last attempt failed."""

    @property
    def loaded(self) -> bool:
        """Whether there has been a set at all."""
        return self._loaded is not None

    @property
    def stale(self) -> bool:
        """Whether it is time to fetch again. Not while that is tried, so that only one request waits for it."""
        old = self._loaded is None or self._clock() - self._loaded >= MAX_AGE
        return old and self.may_fetch

    @property
    def may_fetch(self) -> bool:
        """Whether the last attempt is long enough ago."""
        return self._tried is None or self._clock() - self._tried >= PAUSE

    def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key of that id for an algorithm. Without an id, the only key for it."""
        asked = (kid, algorithm)
        if asked not in self._made:
            if len(self._made) >= 256:
                self._made.clear()
            self._made[asked] = self._make(kid, algorithm)
        return self._made[asked]

    async def refresh(self) -> None:
        """Fetch the set, unless that was tried just now. If it fails, the keys that are there stay."""
        async with self._lock:
            if not self.may_fetch:
                return
            self._tried = self._clock()
            try:
                self._keys = _keys(await self._fetch(self._place))
            except Exception as error:  # of a client, a file system or a parser: to a caller it is all the same
                self.error = f"{type(error).__name__}: {error}"
                return
            self._loaded, self.error = self._clock(), ""
            self._made.clear()
            self.generation += 1

    def _make(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        fits = [key for key in self._keys if _is_for(key, algorithm) and (kid is None or key.get("kid") == kid)]
        if len(fits) != 1:
            return None
        try:
            return jwt.PyJWK(fits[0], algorithm)
        except (jwt.PyJWTError, ValueError, TypeError):  # such as a point that is on no curve
            return None


async def fetch_text(place: str) -> bytes:
    """What a URL or a file has, at most `MOST_BYTES` of it. Raises OSError, ValueError or an error of httpx2."""
    if "://" not in place:
        return await asyncio.to_thread(Path(place).read_bytes)
    import httpx2

    # A proxy is for what lies outside. A redirect could lead to somebody else's keys.
    async with (
        httpx2.AsyncClient(timeout=TIMEOUT, follow_redirects=False, trust_env=not is_loopback(place)) as client,
        client.stream("GET", place, headers={"Accept": "application/json"}) as response,
    ):
        if response.status_code != 200:
            raise ValueError(f"{place} answered with {response.status_code}")
        text = b""
        async for part in response.aiter_bytes():
            text += part
            if len(text) > MOST_BYTES:
                raise ValueError(f"{place} sent more than {MOST_BYTES} bytes")
        return text


def _keys(text: str | bytes) -> list[dict[str, Any]]:
    keys: Any = json.loads(text)["keys"]
    return [key for key in cast("list[Any]", keys) if isinstance(key, dict)]


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _is_for(key: dict[str, Any], algorithm: str) -> bool:
    return (
        key.get("kty") == KEY_TYPES.get(algorithm[:2])
        and key.get("alg", algorithm) == algorithm
        and key.get("use", "sig") == "sig"
        and (key.get("key_ops") is None or "verify" in _list(key["key_ops"]))
    )
