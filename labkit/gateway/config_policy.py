"""The `gateway` table of a configuration: who is let in, what they may do, and what all backends have in common."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from labkit.defences.identity_config import ANONYMOUS, IdentityConfig, JwtConfig, KeyConfig
from labkit.defences.loopback import is_loopback
from labkit.errors import did_you_mean
from labkit.gateway.config import (
    BreakerConfig,
    GatewayConfig,
    LimitConfig,
    Role,
    SignConfig,
)
from labkit.gateway.tables import Table, is_seconds
from labkit.patterns.limiter import Rate

SEPARATOR = re.compile(r"[A-Za-z0-9_.-]{0,8}")
SHA256 = re.compile(r"[0-9a-fA-F]{64}")

SHARED = ("HS256", "HS384", "HS512")
PUBLIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEAST_SECRET = 32
"""Bytes of a secret for HMAC-SHA256 (RFC 7518, section 3.2)."""
A_SECRET = (
    f'at least {LEAST_SECRET} characters, best as "${{NAME}}" from the environment; `openssl rand -hex 32` makes one'
)


def gateway_from(table: Table, folder: Path | None) -> GatewayConfig:
    """All but the backends. What is wrong is noted in `table`."""
    place = 'a path, such as "gateway/audit.jsonl"'
    audit, pins = table.text("audit", wanted=place), table.text("pins", wanted=place)
    config = GatewayConfig(
        backends={},
        name=table.text("name", "gateway"),
        separator=table.text("separator", ".", 'up to 8 of "_", "." and "-", letters and digits', matches(SEPARATOR)),
        instructions=table.text("instructions"),
        identity=_identity(table, folder),
        roles=_roles(table),
        sign=_sign(table),
        limits=_limits(table),
        cache=table.mapping("cache", '{"tool": seconds}, with seconds above 0, such as {"calc.add": 60}', is_seconds),
        audit=below(folder, audit) if audit else None,
        deadline=table.seconds("deadline", None),
        breaker=_breaker(table),
        pins=below(folder, pins) if pins else None,
        log=_log(table, folder),
        admin=table.flag("admin", False),
        page=table.whole("page", 100, 1, 10_000),
    )
    table.close()
    _check_roles(table, config)
    return config


def _log(table: Table, folder: Path | None) -> str:
    place = table.text("log", wanted='a path, such as "gateway/calls.jsonl", or "stderr"')
    return place if place in ("", "stderr") else str(below(folder, place))


def _identity(outer: Table, folder: Path | None) -> IdentityConfig | None:
    if (table := outer.table("identity")) is None:
        return None
    keys: list[KeyConfig] = []
    for row in table.rows("keys"):
        hashed = row.text(
            "sha256",
            wanted="64 hexadecimal digits; labkit.defences.identity.hash_key(KEY) has them",
            fits=matches(SHA256),
            needed=True,
            secret=True,
        )
        principal = row.text("principal", wanted="whose key it is", needed=True)
        keys.append(KeyConfig(principal, hashed.lower(), row.texts("roles", (), 'a list of roles, such as ["staff"]')))
        row.close()
    for n, key in enumerate(keys):
        if key.sha256 and key.sha256 in [earlier.sha256 for earlier in keys[:n]]:
            table.note(f"keys[{n}].sha256", "another entry has the same key; give each its own.")
    made = IdentityConfig(
        table.flag("required", True),
        tuple(keys),
        _jwt(table, folder),
        table.text("resource_metadata", wanted="a URL", fits=lambda url: not url_problem(url)),
    )
    table.close()
    if not made.keys and not made.jwt and table.is_object:
        table.note("", "nobody could identify themselves; write 'keys' or 'jwt'.")
    return made


def _jwt(outer: Table, folder: Path | None) -> JwtConfig | None:
    if (table := outer.table("jwt")) is None:
        return None
    public = "jwks" in table
    known = PUBLIC if public else SHARED
    made = JwtConfig(
        issuer=table.text("issuer", wanted="who issues the tokens, exactly as in their `iss`", needed=True),
        audience=table.text("audience", wanted="the `aud` of tokens meant for this gateway", needed=True),
        algorithms=table.texts("algorithms", known[:1], f'a list of algorithms, such as ["{known[0]}"]'),
        jwks=table.text("jwks", wanted="the URL or the file of a JSON Web Key Set"),
        secret=table.text("secret", wanted=A_SECRET, fits=_is_secret, secret=True),
        roles_claim=table.text("roles_claim", "roles", 'the claim that has the roles, such as "roles"'),
    )
    table.close()
    if public == ("secret" in table):
        found = "found both" if public else "found neither"
        table.note("", f"{found}; write either 'jwks' (the issuer's public keys) or 'secret' (one shared with it).")
    for algorithm in made.algorithms:
        if algorithm not in known:
            why = f"{'public keys' if public else 'a shared secret'} cannot go with {algorithm!r}"
            table.note("algorithms", f"{why}; write some of {', '.join(known)}.")
    if not made.algorithms:
        table.note("algorithms", f"the list is empty; write some of {', '.join(known)}.")
    return replace(made, jwks=_jwks(table, made.jwks, folder))


def _jwks(table: Table, place: str, folder: Path | None) -> str:
    if not place:
        return ""
    if "://" in place:
        if problem := url_problem(place):
            table.note("jwks", problem)
        elif not place.lower().startswith("https:") and not is_loopback(place):
            table.note("jwks", "keys that come over plain http can be exchanged on the way; write https://...")
        return place
    path = below(folder, place)
    if not path.is_file():
        table.note("jwks", f"there is no file {path}; write a URL, or the path of a JSON Web Key Set.")
    return str(path)


def _roles(outer: Table) -> dict[str, Role] | None:
    if "roles" not in outer:
        outer.known("roles")
        return None
    roles: dict[str, Role] = {}
    for name, table in outer.tables("roles").items():
        wanted = 'a list of patterns, such as ["calc.*"]'
        roles[name] = Role(*(table.texts(kind, (), wanted) for kind in ("tools", "resources", "prompts")))
        table.close()
    return roles


def _check_roles(table: Table, config: GatewayConfig) -> None:
    if config.roles is None:
        return
    if config.identity is None:
        table.note("roles", "nobody could have one; write 'identity', so that it is known who calls.")
        return
    for n, key in enumerate(config.identity.keys):
        for role in key.roles:
            if role not in config.roles:
                table.note(f"identity.keys[{n}].roles", f"no role {role!r}. {did_you_mean(role, config.roles)}")
    if ANONYMOUS in config.roles and config.identity.required:
        table.note(f"roles.{ANONYMOUS}", 'nobody could have it; write "required": false in identity, or take it out.')


def _sign(outer: Table) -> SignConfig | None:
    if (table := outer.table("sign")) is None:
        return None
    secret = table.text("secret", wanted=A_SECRET, fits=_is_secret, needed=True, secret=True)
    made = SignConfig(secret, table.seconds("seconds", 60.0) or 60.0)
    table.close()
    return made


def _limits(outer: Table) -> LimitConfig | None:
    if (table := outer.table("limits")) is None:
        return None
    calls = table.text("calls", wanted='a rate, such as "100/minute" or "2/second burst 20"', needed=True)
    made = LimitConfig(calls, table.choice("per", "principal", ("principal", "client", "tool")))
    table.close()
    try:
        if calls:
            Rate.parse(calls)
    except ValueError as error:
        table.note("calls", str(error))
    return made


def _breaker(outer: Table) -> BreakerConfig | None:
    if (table := outer.table("breaker")) is None:
        return None
    made = BreakerConfig(table.whole("failures", 5, 1, 1000), table.seconds("recover", 10.0) or 10.0)
    table.close()
    return made


def url_problem(url: str) -> str:
    """What is wrong with a URL of a backend or an issuer; "" when nothing is."""
    try:
        parts = urlsplit(url)
        good = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    return "" if good else "that is no URL; write it as http://HOST:PORT/PATH or https://..."


def below(folder: Path | None, place: str) -> Path:
    """A path of the configuration: relative ones are relative to its folder, or to the process's when it has none."""
    path = Path(place).expanduser()
    return path.absolute() if folder is None else (folder / path).absolute()


def matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    """Whether a text is one that the pattern describes, from its first character to its last."""
    return lambda text: pattern.fullmatch(text) is not None


def _is_secret(text: str) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) >= LEAST_SECRET
