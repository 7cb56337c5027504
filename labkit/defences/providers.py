"""Several ways to say who one is, side by side: API keys, and tokens of several issuers.

    door = Providers(
        keys=[KeyConfig("ada", hash_key(key), ("staff",))],
        issuers=[
            JwtConfig("https://login.example", AUDIENCE, ("RS256",), jwks=CORP_KEYS, name="corp"),
            JwtConfig("https://id.partner.example", AUDIENCE, ("ES256",), jwks=PARTNER_KEYS, name="partner",
                      roles={"admin": ("guest",)}),
        ],
    )
    found = await door.check(request.headers)      # a Principal, or a Refusal with a status and headers

A credential's own form says which provider it is for: an API key is looked up by its hash, a token is given to the one
issuer that it names. Nobody's secret is tried on somebody else's token, and a token of one issuer has no way to be
taken for that of another.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from labkit.defences.api_keys import ApiKeys
from labkit.defences.identity_config import JwtConfig, KeyConfig
from labkit.defences.principals import NOBODY, Principal, Refusal, challenge
from labkit.defences.tokens import UNKNOWN_KEY, Issuer, issuer_of
from labkit.errors import LabError

LONGEST = 16384
"""Characters of a credential."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_KEY = re.compile(r"[!-~]+")
_NAME = re.compile(r"[a-z0-9_-]*")

Headers = Mapping[str, str] | Iterable[tuple[bytes, bytes]]
"""Headers as a mapping, or as ASGI has them, where one that stands there twice can be seen."""


@dataclass(frozen=True, slots=True)
class _Token:
    """A token, and who has to verify it."""

    text: str
    hashed: bytes
    issuer: Issuer


class Providers:
    """Checks callers. When it is not `required`, a caller without credentials is nobody, with the role "anonymous".

    `resource_metadata` is the URL of the protected resource metadata (RFC 9728), `scopes` are those that each request
    needs; both are named to whoever is refused. Raises LabError when two issuers could be taken for each other.
    """

    def __init__(
        self,
        *,
        keys: Iterable[KeyConfig] = (),
        issuers: Iterable[JwtConfig] = (),
        required: bool = True,
        resource_metadata: str = "",
        scopes: Iterable[str] = (),
        clock: Callable[[], float] | None = None,
        fetch: Callable[[str], Awaitable[str | bytes]] | None = None,
    ) -> None:
        self._api_keys = ApiKeys(keys, clock=clock or time.time)
        self._issuers = {config.issuer: Issuer(config, clock=clock, fetch=fetch) for config in _distinct(issuers)}
        self._only = next(iter(self._issuers.values())) if len(self._issuers) == 1 else None
        self._required, self._resource_metadata, self._scopes = required, resource_metadata, tuple(scopes)

    async def check(self, headers: Headers) -> Principal | Refusal:
        """Who the caller is, or why the request is refused. May have to fetch an issuer's keys; else does not wait."""
        read = self._read(headers)
        if not isinstance(read, _Token):
            return read
        found = self._judged(read)
        if found is None:
            await read.issuer.refresh()
            found = self._judged(read)
            if found is None and not read.issuer.has_keys:
                return Refusal(503, "The keys to check tokens with cannot be had at the moment: try again in a minute.")
        return self._no(UNKNOWN_KEY) if found is None else found

    def check_now(self, headers: Headers) -> Principal | Refusal | None:
        """The same without waiting; None when it takes keys that would have to be fetched, or are not known."""
        read = self._read(headers)
        return self._judged(read) if isinstance(read, _Token) else read

    def forbid(self, reason: str, scopes: Iterable[str] = ()) -> Refusal:
        """A refusal for somebody who is known and may not do this (RFC 6750, section 3.1).

        `scopes` are all that the request needs: a client asks its authorization server for them and comes back.
        """
        return self._refuse(403, "insufficient_scope", reason, scopes)

    def metadata(self, resource: str = "") -> dict[str, Any]:
        """The protected resource metadata (RFC 9728): where a client gets a token that is good here."""
        made: dict[str, Any] = {"resource": resource, "bearer_methods_supported": ["header"]}
        if self._issuers:
            first = next(iter(self._issuers.values())).config.audience
            made |= {"resource": resource or first, "authorization_servers": list(self._issuers)}
        if self._scopes:
            made["scopes_supported"] = list(self._scopes)
        return made

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that each request needs."""
        return self._scopes

    def _read(self, headers: Headers) -> Principal | Refusal | _Token:
        given = _credentials(headers)
        if not given:
            return self._anonymous() if self._required else NOBODY
        if len(given) > 1:
            return self._refuse(400, "invalid_request", "The request has more than one credential: send one.")
        name, value = given[0]
        if name == "x-api-key":
            token = value.strip()
        else:
            scheme, _, token = value.partition(" ")
            token = token.strip()
            if scheme.lower() != "bearer":
                return self._no("The authorization scheme is not known here: use Bearer.")
        pattern = _KEY if name == "x-api-key" else _TOKEN
        if len(token) > LONGEST or not pattern.fullmatch(token):
            return self._no("The token is not well-formed." if token else "The token is empty.")
        hashed = hashlib.sha256(token.encode("ascii")).digest()
        if found := self._api_keys.find_hash(hashed):
            return found
        if not self._issuers or name == "x-api-key":
            return self._no("The key is not known here.")
        # With one issuer there is nothing to choose, and its own check says best what is wrong.
        issuer = self._only or self._issuers.get(issuer_of(token))
        if issuer is None:
            return self._no("The token is not known here, or from an issuer that is not believed.")
        return _Token(token, hashed, issuer)

    def _judged(self, token: _Token) -> Principal | Refusal | None:
        found = token.issuer.verify(token.text, token.hashed)
        return self._no(found) if isinstance(found, str) else found

    def _no(self, reason: str) -> Refusal:
        return self._refuse(401, "invalid_token", reason)

    def _anonymous(self) -> Refusal:
        # RFC 6750, section 3.1: whoever sent nothing is told no error, only what to bring.
        said = challenge(scopes=self._scopes, resource_metadata=self._resource_metadata)
        return Refusal(401, "Say who you are: send an Authorization or X-API-Key header.", said)

    def _refuse(self, status: int, error: str, reason: str, scopes: Iterable[str] = ()) -> Refusal:
        wanted = tuple(scopes) or self._scopes
        where = self._resource_metadata
        return Refusal(status, reason, challenge(error=error, reason=reason, scopes=wanted, resource_metadata=where))


def _distinct(configs: Iterable[JwtConfig]) -> list[JwtConfig]:
    given = list(configs)
    for config in given:
        if not _NAME.fullmatch(config.name):
            raise LabError(f"{config.name!r} is no name of a provider: use small letters, digits, - and _.")
        # One without a name could call somebody "corp:alice", and that would be the id of corp's alice.
        if len(given) > 1 and not config.name:
            raise LabError(f"The issuer {config.issuer} has no name: where there are several, each has one.")
    for what, counted in (("issuer", Counter(c.issuer for c in given)), ("name", Counter(c.name for c in given))):
        for value, count in counted.items():
            if count > 1:
                raise LabError(f"Two providers have the {what} {value!r}: give each its own.")
    return given


def _credentials(headers: Headers) -> list[tuple[str, str]]:
    # Of a mapping that knows of several values, such as Starlette's, items() has them all.
    pairs: Any = cast("Mapping[Any, Any]", headers).items() if isinstance(headers, Mapping) else headers
    found: list[tuple[str, str]] = []
    for name, value in pairs:
        known = (name.decode("latin-1") if isinstance(name, bytes) else str(name)).lower()
        if known in ("authorization", "x-api-key"):
            found.append((known, value.decode("latin-1") if isinstance(value, bytes) else str(value)))
    return found
