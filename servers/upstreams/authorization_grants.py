"""What the lab's authorization server decides: which codes, access tokens and refresh tokens there are.

It is a provider for the SDK's handlers (`mcp.server.auth`), which read and check the requests. Everything is in memory.

- A code is good once, for a minute. One that comes a second time ends the tokens that it was exchanged for.
- A refresh token is good once: each use gives a new one. One that comes again was copied; the whole family ends.
- An access token is a JWT for one resource (RFC 8707, RFC 9068), which is verified with the public keys alone. It
  cannot be taken back: that is why it lives for minutes.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    AuthorizeError,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    RegistrationError,
    TokenError,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

CODE_SECONDS, REFRESH_SECONDS, CONSENT_SECONDS = 60, 8 * 3600, 600
MOST = 1000
"""Of each kind of thing that strangers can make it remember."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?")


class Code(AuthorizationCode):
    """A code, and the family of tokens that comes from it."""

    family: str


class Refresh(RefreshToken):
    """A refresh token, its family, and whether it was used."""

    family: str
    spent: bool = False


class Keys:
    """The keys that tokens are signed with: the newest signs, older ones are still published."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self.algorithm = algorithm
        self._keys: list[tuple[str, Any]] = []
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key from now on; the last one before it stays in the set."""
        if self.algorithm == "ES256":
            made: Any = ec.generate_private_key(ec.SECP256R1())
        else:
            made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._keys = [(secrets.token_hex(8), made), *self._keys[:1]]

    def sign(self, claims: Mapping[str, Any]) -> str:
        """An access token (RFC 9068: `typ` is at+jwt) with these claims."""
        kid, key = self._keys[0]
        return jwt.encode(dict(claims), key, self.algorithm, headers={"kid": kid, "typ": "at+jwt"})

    def public(self) -> dict[str, Any]:
        """The set of public keys (RFC 7517)."""
        kind: Any = ECAlgorithm if self.algorithm == "ES256" else RSAAlgorithm
        return {
            "keys": [
                {**json.loads(kind.to_jwk(key.public_key())), "kid": kid, "alg": self.algorithm, "use": "sig"}
                for kid, key in self._keys
            ]
        }


class Grants(OAuthAuthorizationServerProvider[Code, Refresh, AccessToken]):
    """The provider. `resources` are the servers there are tokens for, with the scopes of each; `users` has the roles of
    each person; `machines` are clients with a secret that act for themselves: their secret and scopes."""

    def __init__(
        self,
        issuer: str,
        *,
        resources: Mapping[str, Sequence[str]],
        users: Mapping[str, Sequence[str]],
        machines: Mapping[str, tuple[str, Sequence[str]]],
        algorithm: str = "ES256",
        seconds: int = 300,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if both := sorted(set(users) & set(machines)):  # RFC 9068, section 5: its token would be that person's
            raise ValueError(f"{both[0]!r} is a person and a machine: give the machine another name")
        self.issuer, self.users, self.seconds = issuer, dict(users), seconds
        self.resources = {name: list(scopes) for name, scopes in resources.items()}
        self.machines = dict(machines)
        self.keys = Keys(algorithm)
        self.clock = clock
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.asked: dict[str, tuple[OAuthClientInformationFull, AuthorizationParams, float]] = {}
        """What a person is being asked, by the id of the question."""
        self._codes: dict[str, Code] = {}
        self._used: dict[str, str] = {}
        self._refresh: dict[str, Refresh] = {}

    @property
    def scopes(self) -> list[str]:
        """All scopes that there are."""
        return sorted({scope for scopes in self.resources.values() for scope in scopes})

    # -- asked by the SDK's handlers --------------------------------------------------------------------------------

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        """Keep a client that registers itself (RFC 7591). Where it has people sent back to has to be https or here."""
        if len(self.clients) >= MOST:
            raise RegistrationError("invalid_client_metadata", "there are too many clients")
        for uri in client_info.redirect_uris or []:
            parts = urlsplit(str(uri))
            if not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)):
                raise RegistrationError("invalid_redirect_uri", "a redirect_uri is https, or http of this machine")
            # What the page shows, and its policy names, is a host: no "bank.example@evil.example", no ";".
            if "#" in str(uri) or not _HOST.fullmatch(parts.netloc):
                raise RegistrationError("invalid_redirect_uri", "a redirect_uri has no user and no fragment")
        # It may ask for more later (step-up): what it gets is decided each time, by the person who is asked.
        client_info.scope = " ".join(self.scopes)
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        """Where the person goes to be asked. Raises AuthorizeError."""
        self.check_target(params.resource, params.scopes or [], AuthorizeError)
        now = self.clock()
        self.asked = {key: each for key, each in self.asked.items() if each[2] > now}
        if len(self.asked) >= MOST:
            raise AuthorizeError("temporarily_unavailable", "too many people are being asked")
        question = secrets.token_urlsafe(24)
        self.asked[question] = (client, params, now + CONSENT_SECONDS)
        return f"{self.issuer}/consent?question={question}"

    def answer(self, question: str, user: str) -> tuple[str, Code] | None:
        """A code for what this person has agreed to; None for a question that nobody was asked, or long ago."""
        found = self.asked.pop(question, None)
        if found is None or found[2] <= self.clock() or user not in self.users:
            return None
        client, params, _ = found
        self._sweep()
        code = Code(
            code=secrets.token_urlsafe(32),
            scopes=params.scopes or self.resources[str(params.resource)][:1],
            expires_at=self.clock() + CODE_SECONDS,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
            subject=user,
            family=secrets.token_hex(8),
        )
        self._codes[code.code] = code
        return code.code, code

    async def load_authorization_code(self, client: OAuthClientInformationFull, authorization_code: str) -> Code | None:
        found = self._codes.get(authorization_code)
        if found is None and authorization_code in self._used:
            self.end(self._used[authorization_code])  # RFC 6749, section 4.1.2: somebody else has had it as well
        return found if found is not None and found.client_id == client.client_id else None

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: Code
    ) -> OAuthToken:
        code = self._codes.pop(authorization_code.code, None)
        if code is None:
            raise TokenError("invalid_grant", "the code was used before")
        self._used[code.code] = code.family
        refresh = "refresh_token" in client.grant_types
        return self._tokens(code.client_id, code.subject, code.scopes, code.resource, code.family if refresh else None)

    async def load_refresh_token(self, client: OAuthClientInformationFull, refresh_token: str) -> Refresh | None:
        found = self._refresh.get(refresh_token)
        return found if found is not None and found.client_id == client.client_id else None

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: Refresh, scopes: list[str]
    ) -> OAuthToken:
        old = refresh_token
        if old.spent:
            self.end(old.family)  # RFC 9700, section 4.14.2
            raise TokenError("invalid_grant", "the refresh token was used before: sign in again")
        if old.subject not in self.users:
            self.end(old.family)
            raise TokenError("invalid_grant", "there is no such user any more")
        self.check_target(old.resource, scopes, TokenError)
        old.spent = True
        return self._tokens(old.client_id, old.subject, scopes, old.resource, old.family, granted=old.scopes)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return None  # resource servers verify by themselves, and an access token is not taken back

    async def revoke_token(self, token: AccessToken | Refresh) -> None:
        if isinstance(token, Refresh):
            self.end(token.family)

    # -- asked by the lab's own endpoints ---------------------------------------------------------------------------

    def check_target(self, resource: str | None, scopes: Sequence[str], error: Any) -> None:
        """Raise `error` unless there are tokens for this resource with these scopes (RFC 8707)."""
        known = self.resources.get(resource or "")
        if known is None:
            raise error("invalid_target", "resource has to name a server that this one issues tokens for")
        if unknown := [scope for scope in scopes if scope not in known]:
            raise error("invalid_scope", f"{resource} has no scope {unknown[0]}")

    def code_resource(self, code: str) -> str | None:
        """The resource that a code is for; None for one that is not known."""
        found = self._codes.get(code)
        return found.resource if found else None

    def refresh_resource(self, token: str) -> str | None:
        """The same for a refresh token."""
        found = self._refresh.get(token)
        return found.resource if found else None

    def for_machine(self, client_id: str, resource: str, scopes: Sequence[str]) -> OAuthToken:
        """A token for a client that acts for itself (client credentials). Raises TokenError."""
        allowed = list(self.machines[client_id][1])
        wanted = list(scopes) or allowed
        self.check_target(resource, wanted, TokenError)
        if more := [scope for scope in wanted if scope not in allowed]:
            raise TokenError("invalid_scope", f"{client_id} may not have the scope {more[0]}")
        return self._tokens(client_id, client_id, wanted, resource, None)

    def end(self, family: str) -> None:
        """No refresh token of this family is good any more."""
        self._refresh = {key: each for key, each in self._refresh.items() if each.family != family}

    def _tokens(
        self,
        client: str,
        subject: str | None,
        scopes: Sequence[str],
        resource: str | None,
        family: str | None,
        *,
        granted: Sequence[str] = (),
    ) -> OAuthToken:
        now = int(self.clock())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": subject,
            "aud": resource,
            "client_id": client,
            "scope": " ".join(scopes),
            "iat": now,
            "exp": now + self.seconds,
            "jti": secrets.token_hex(12),
        }
        if subject in self.users:  # a machine has scopes alone
            claims["roles"] = list(self.users[subject])
        given = OAuthToken(access_token=self.keys.sign(claims), expires_in=self.seconds, scope=" ".join(scopes) or None)
        if family is not None:
            given.refresh_token = secrets.token_urlsafe(32)
            self._refresh[given.refresh_token] = Refresh(
                token=given.refresh_token,
                client_id=client,
                scopes=list(granted or scopes),
                expires_at=now + REFRESH_SECONDS,
                resource=resource,
                subject=subject,
                family=family,
            )
        return given

    def _sweep(self) -> None:
        """Forget what has ended, and the oldest of what is too much."""
        now = self.clock()
        self._codes = {key: code for key, code in self._codes.items() if code.expires_at > now}
        self._refresh = {key: each for key, each in self._refresh.items() if (each.expires_at or 0) > now}
        for store in (self._codes, self._refresh, self._used):
            while len(store) >= 10 * MOST:
                store.pop(next(iter(store)))
