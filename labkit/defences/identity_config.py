"""Whom a server believes: API keys, and tokens of an issuer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ANONYMOUS = "anonymous"
"""The role of callers who did not say who they are."""


@dataclass(frozen=True)
class KeyConfig:
    """An API key, as the SHA-256 of it in hexadecimal digits, and whose it is."""

    principal: str
    sha256: str = field(repr=False)
    roles: tuple[str, ...] = ()
    expires: float | None = None
    """When it ends, in seconds since 1970; None for never."""
    scopes: tuple[str, ...] = ()
    """What it may be used for, where scopes are asked for."""


@dataclass(frozen=True)
class JwtConfig:
    """Whose tokens are believed. Keys are public ones (`jwks`, a URL or a file) or one shared `secret`."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    jwks: str = ""
    secret: str = field(default="", repr=False)
    roles_claim: str = "roles"
    name: str = ""
    """What to call the issuer, where there are several."""
    roles: Mapping[str, tuple[str, ...]] | None = None
    """The roles here of each role there; None when they are the same."""
    type: str = ""
    """What the header `typ` has to be, such as at+jwt (RFC 9068), so that the issuer's other tokens are none; "" for
    any."""


@dataclass(frozen=True)
class IdentityConfig:
    """Who is let in. When it is not `required`, a caller without credentials is nobody, with the role "anonymous"."""

    required: bool = True
    keys: tuple[KeyConfig, ...] = ()
    jwt: JwtConfig | None = None
    resource_metadata: str = ""
    """The URL of the gateway's protected resource metadata (RFC 9728), named to those who are refused."""
