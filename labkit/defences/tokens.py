"""Verifies the JSON Web Tokens of one issuer (RFC 8725, RFC 9068): signature, algorithm, issuer, audience, times.

The algorithm is chosen by the configuration, never by the token: a token that says `none`, or that is signed with the
issuer's public key as if it were a shared secret, names one that is not in the list and is refused before any key is
looked for.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import jwt

from labkit.defences.identity_config import ANONYMOUS, JwtConfig
from labkit.defences.keysets import KeySet
from labkit.defences.principals import Principal

LEEWAY = 30.0
"""Seconds that the issuer's clock may differ."""
MOST_TOKENS = 1024
"""How many verified tokens are remembered."""
UNKNOWN_KEY = "The token was signed with a key that its issuer does not have."


class Issuer:
    """The tokens of one issuer. `fetch` gets its keys, where they are public ones."""

    def __init__(
        self,
        config: JwtConfig,
        *,
        clock: Callable[[], float] | None = None,
        fetch: Callable[[str], Awaitable[str | bytes]] | None = None,
    ) -> None:
        self.config = config
        self._clock = clock or time.time
        self._keys = KeySet(config.jwks, clock=clock or time.monotonic, fetch=fetch) if config.jwks else None
        self._verified: dict[bytes, Principal] = {}
        self._generation = 0

    @property
    def has_keys(self) -> bool:
        """Whether there is anything to check a signature with."""
        return self._keys is None or self._keys.loaded

    async def refresh(self) -> None:
        """Fetch the keys again, unless that was tried just now."""
        if self._keys is not None:
            await self._keys.refresh()

    def verify(self, token: str, hashed: bytes) -> Principal | str | None:
        """Whose token it is, or in a sentence why it is refused; None when keys have to be fetched first.

        `hashed` is the SHA-256 of the token, by which it is remembered.
        """
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
        found = self._verify(token)
        if isinstance(found, Principal):
            if len(self._verified) >= MOST_TOKENS:
                self._verified.clear()
            self._verified[hashed] = found
        return found

    def _verify(self, token: str) -> Principal | str | None:
        config = self.config
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            return "The token is not known here."
        algorithm = header.get("alg")
        if algorithm not in config.algorithms:
            return "The token is signed by an algorithm that is not accepted here."
        if config.type and str(header.get("typ", "")).lower().removeprefix("application/") != config.type:
            return "The token is not an access token."
        key: Any = self._keys.find(header.get("kid"), algorithm) if self._keys is not None else config.secret
        if not key:
            return None
        claims = _claims(token, key, config)
        if isinstance(claims, str):
            return claims
        client = claims.get("client_id")
        subject = claims.get("sub") or client
        if not isinstance(subject, str) or not subject:
            return "The token does not say whose it is."
        return Principal(
            subject,
            _mapped(_texts(claims, config.roles_claim), config.roles),
            "jwt",
            claims["exp"],
            config.name,
            config.issuer,
            client if isinstance(client, str) else "",
            _texts(claims, "scope"),
            config.roles is not None or _claimed(claims, config.roles_claim) is not None,
        )


def issuer_of(token: str) -> str:
    """What a token says about its issuer, to choose who verifies it; "" when it says nothing. Nothing is verified."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return ""
    found = claims.get("iss")
    return found if isinstance(found, str) else ""


def _claims(token: str, key: Any, config: JwtConfig) -> dict[str, Any] | str:
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
        return "The token has expired."
    except jwt.ImmatureSignatureError:
        return "The token is not valid yet."
    except jwt.MissingRequiredClaimError as error:
        return f"The token has no '{error.claim}'."
    except jwt.InvalidIssuerError:
        return "The token is from another issuer."
    except jwt.InvalidAudienceError:
        return "The token is not meant for this server."
    except jwt.InvalidSignatureError:
        return "The signature of the token is wrong."
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        # What an issuer signs may still be nonsense, such as an endless number of seconds.
        return "The token is not valid."


def _texts(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """A claim as words: a list, or a text with spaces."""
    found = _claimed(claims, claim)
    if isinstance(found, str):
        found = found.split()
    if not isinstance(found, list):
        return ()
    return tuple(sorted({word for word in cast("list[Any]", found) if isinstance(word, str) and word != ANONYMOUS}))


def _claimed(claims: Mapping[str, Any], claim: str) -> Any:
    """A claim; a path such as realm_access.roles leads into objects. None when it is not there."""
    found: Any = claims.get(claim)
    if found is None and "." in claim:
        found = claims
        for part in claim.split("."):
            found = cast("dict[str, Any]", found).get(part) if isinstance(found, dict) else None
    return found


def _mapped(roles: tuple[str, ...], known: Mapping[str, tuple[str, ...]] | None) -> tuple[str, ...]:
    """The roles here of somebody with these roles there: another tenant's "admin" is none of ours."""
    if known is None:
        return roles
    return tuple(sorted({ours for role in roles for ours in known.get(role, ()) if ours != ANONYMOUS}))
