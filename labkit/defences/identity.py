"""Who calls: the check at the gateway's door.

    identity = Identity(config.identity)
    found = await identity.check(request.headers)          # a Principal, or a Refusal with a status and headers

Credentials are an API key (`X-API-Key`, or as a bearer token) or a JSON Web Token of the one issuer that is believed
(RFC 6750, RFC 8725). Tokens stay here: no principal, refusal or message has one in it, and none goes to a backend;
`labkit.defences.signing` tells those who calls.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import jwt

from labkit.defences.identity_config import ANONYMOUS, IdentityConfig, JwtConfig
from labkit.defences.keysets import KeySet

LEEWAY = 30.0
"""Seconds that the issuer's clock may differ."""
MOST_TOKENS = 1024
LONGEST = 16384
"""How many verified tokens are remembered, and how long one may be."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_KEY = re.compile(r"[!-~]+")

Headers = Mapping[str, str] | Iterable[tuple[bytes, bytes]]
"""Headers as a mapping, or as ASGI has them, where one that stands there twice can be seen."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who may come in."""

    subject: str
    """Who it is: the principal of an API key, or the `sub` of a token; "" for nobody in particular."""
    roles: tuple[str, ...] = ()
    how: str = ""
    """How it was proved: "key", "jwt", or "" when nothing was."""
    expires: float | None = None
    """When the proof ends, in seconds since 1970."""

    @property
    def id(self) -> str:
        """What to count and to keep things by. An issuer's "alice" is not the "alice" who has an API key."""
        return f"{self.how}:{self.subject}" if self.how else ""


NOBODY = Principal("", (ANONYMOUS,))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody may not come in. The reason can be shown to anyone."""

    status: int
    reason: str
    authenticate: str = ""
    """The value of `WWW-Authenticate`; "" for none."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        return {"WWW-Authenticate": self.authenticate} if self.authenticate else {}


def hash_key(key: str) -> str:
    """What stands in a configuration for an API key. Keys have to be random (`secrets.token_urlsafe(32)`): for a word
    that somebody thought of, SHA-256 is no protection."""
    return hashlib.sha256(key.encode()).hexdigest()


class Identity:
    """Checks callers. Without a configuration, nobody has to say who they are."""

    def __init__(
        self,
        config: IdentityConfig | None,
        *,
        clock: Callable[[], float] | None = None,
        fetch: Callable[[str], Awaitable[str | bytes]] | None = None,
    ) -> None:
        self._config = config or IdentityConfig(required=False)
        self._clock = clock or time.time
        self._api_keys = [
            (bytes.fromhex(key.sha256), Principal(key.principal, key.roles, "key")) for key in self._config.keys
        ]
        self._jwt = self._config.jwt
        self._keys = (
            KeySet(self._jwt.jwks, clock=clock or time.monotonic, fetch=fetch) if self._jwt and self._jwt.jwks else None
        )
        self._verified: dict[bytes, Principal] = {}
        self._generation = 0

    async def check(self, headers: Headers) -> Principal | Refusal:
        """Who the caller is, or why the request is refused. May have to fetch the issuer's keys; else does not wait."""
        found = self.check_now(headers)
        if found is None and self._keys is not None:
            await self._keys.refresh()
            found = self.check_now(headers)
            if found is None and not self._keys.loaded:
                return Refusal(503, "The keys to check tokens with cannot be had at the moment: try again in a minute.")
        return self._no("The token was signed with a key that its issuer does not have.") if found is None else found

    def check_now(self, headers: Headers) -> Principal | Refusal | None:
        """The same without waiting; None when it takes keys that would have to be fetched, or are not known."""
        given = _credentials(headers)
        if not given:
            return self._challenge() if self._config.required else NOBODY
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
        if found := self._api_key(hashed):
            return found
        if self._jwt is None or name == "x-api-key":
            return self._no("The key is not known here.")
        return self._token(token, hashed, self._jwt)

    def forbid(self, reason: str) -> Refusal:
        """A refusal for somebody who is known and may not do this (RFC 6750, section 3.1)."""
        return self._refuse(403, "insufficient_scope", reason)

    def metadata(self, resource: str = "") -> dict[str, Any]:
        """The gateway's protected resource metadata (RFC 9728): where a client gets a token that is good here."""
        made: dict[str, Any] = {"resource": resource, "bearer_methods_supported": ["header"]}
        if self._jwt is not None:
            made |= {"resource": resource or self._jwt.audience, "authorization_servers": [self._jwt.issuer]}
        return made

    def _api_key(self, hashed: bytes) -> Principal | None:
        found: Principal | None = None
        for known, principal in self._api_keys:  # all of them, so that the time does not tell which came close
            if hmac.compare_digest(known, hashed):
                found = principal
        return found

    def _token(self, token: str, hashed: bytes, config: JwtConfig) -> Principal | Refusal | None:
        keys = self._keys
        if keys is not None:
            if keys.stale:
                return None
            if keys.generation != self._generation:
                self._generation = keys.generation
                self._verified.clear()
        known = self._verified.get(hashed)
        if known is not None and known.expires is not None and known.expires + LEEWAY > self._clock():
            return known
        return self._verify(token, hashed, config)

    def _verify(self, token: str, hashed: bytes, config: JwtConfig) -> Principal | Refusal | None:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            return self._no("The token is not known here.")
        algorithm = header.get("alg")
        if algorithm not in config.algorithms:
            return self._no("The token is signed by an algorithm that is not accepted here.")
        key: Any = config.secret
        if self._keys is not None:
            key = self._keys.find(header.get("kid"), algorithm)
        if not key:
            return None
        claims = self._claims(token, key, config)
        if isinstance(claims, Refusal):
            return claims
        subject = claims.get("sub") or claims.get("client_id")
        if not isinstance(subject, str) or not subject:
            return self._no("The token does not say whose it is.")
        principal = Principal(subject, _roles(claims, config.roles_claim), "jwt", claims["exp"])
        if len(self._verified) >= MOST_TOKENS:
            self._verified.clear()
        self._verified[hashed] = principal
        return principal

    def _claims(self, token: str, key: Any, config: JwtConfig) -> dict[str, Any] | Refusal:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=list(config.algorithms),
                audience=config.audience,
                issuer=config.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
            )
            return {**claims, "exp": float(claims["exp"])}
        except jwt.ExpiredSignatureError:
            return self._no("The token has expired.")
        except jwt.ImmatureSignatureError:
            return self._no("The token is not valid yet.")
        except jwt.MissingRequiredClaimError as error:
            return self._no(f"The token has no '{error.claim}'.")
        except jwt.InvalidIssuerError:
            return self._no("The token is from another issuer.")
        except jwt.InvalidAudienceError:
            return self._no("The token is not meant for this gateway.")
        except jwt.InvalidSignatureError:
            return self._no("The signature of the token is wrong.")
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            # What an issuer signs may still be nonsense, such as an endless number of seconds.
            return self._no("The token is not valid.")

    def _no(self, reason: str) -> Refusal:
        return self._refuse(401, "invalid_token", reason)

    def _challenge(self) -> Refusal:
        # RFC 6750, section 3.1: whoever sent nothing is told no error, only what to bring.
        return Refusal(401, "Say who you are: send an Authorization or X-API-Key header.", self._bearer([]))

    def _refuse(self, status: int, error: str, reason: str) -> Refusal:
        words = "".join(c for c in reason if " " <= c <= "~" and c not in '"\\')
        return Refusal(status, reason, self._bearer([f'error="{error}"', f'error_description="{words}"']))

    def _bearer(self, members: list[str]) -> str:
        if where := self._config.resource_metadata:
            members = [*members, f'resource_metadata="{where}"']
        return f"Bearer {', '.join(members)}".rstrip()


def _credentials(headers: Headers) -> list[tuple[str, str]]:
    # Of a mapping that knows of several values, such as Starlette's, items() has them all.
    pairs: Any = cast("Mapping[Any, Any]", headers).items() if isinstance(headers, Mapping) else headers
    found: list[tuple[str, str]] = []
    for name, value in pairs:
        known = (name.decode("latin-1") if isinstance(name, bytes) else str(name)).lower()
        if known in ("authorization", "x-api-key"):
            found.append((known, value.decode("latin-1") if isinstance(value, bytes) else str(value)))
    return found


def _roles(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    found: Any = claims.get(claim)
    if found is None and "." in claim:  # such as realm_access.roles
        found = claims
        for part in claim.split("."):
            found = cast("dict[str, Any]", found).get(part) if isinstance(found, dict) else None
    if isinstance(found, str):
        found = found.split()
    if not isinstance(found, list):
        return ()
    return tuple(sorted({role for role in cast("list[Any]", found) if isinstance(role, str) and role != ANONYMOUS}))
