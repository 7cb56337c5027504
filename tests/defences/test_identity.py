"""The door: who is let in, and each known way to talk oneself in refused, for the reason that it is refused for."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.datastructures import Headers

from labkit.defences.identity import NOBODY, Identity, Principal, Refusal, hash_key
from labkit.defences.identity_config import ANONYMOUS, IdentityConfig, JwtConfig, KeyConfig
from labkit.defences.keysets import MAX_AGE, MOST_BYTES, PAUSE, fetch_text

ISSUER, AUDIENCE = "https://id.example/tenant-a", "https://gw.example/mcp"
SECRET = "shared between the two of us, 32+ bytes"
METADATA = "https://gw.example/.well-known/oauth-protected-resource"
KEYS = {"alice": "alice-key-1", "bob": "bob-key-2"}


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def other_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def jwk(key: rsa.RSAPrivateKey, kid: str | None = "k1", **more: Any) -> dict[str, Any]:
    return {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), **({"kid": kid} if kid else {}), **more}


class Issuer:
    """A set of keys that can be changed, and a clock; counts how often it is asked."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.broken: Exception | None = None
        self.now = time.time()

    async def fetch(self, place: str) -> str:
        self.asked += 1
        await asyncio.sleep(0)
        if self.broken:
            raise self.broken
        return json.dumps({"keys": self.keys})


@pytest.fixture
def issuer(rsa_key: rsa.RSAPrivateKey) -> Issuer:
    return Issuer(jwk(rsa_key))


def identity(issuer: Issuer | None = None, *, required: bool = True, **options: Any) -> Identity:
    """With API keys, and tokens of the issuer if there is one, else with a shared secret."""
    way = {"jwks": "https://id.example/keys"} if issuer else {"secret": SECRET}
    algorithms = ("RS256",) if issuer else ("HS256",)
    config = IdentityConfig(
        required,
        tuple(KeyConfig(name, hash_key(key), ("staff",)) for name, key in KEYS.items()),
        JwtConfig(**{"issuer": ISSUER, "audience": AUDIENCE, "algorithms": algorithms, **way, **options}),
        METADATA,
    )
    return Identity(config, clock=lambda: issuer.now, fetch=issuer.fetch) if issuer else Identity(config)


def token(
    key: Any, *, headers: dict[str, Any] | None = None, algorithm: str = "RS256", without: str = "", **claims: Any
) -> str:
    now = time.time()
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": now + 300, "iat": now, "roles": ["staff"], **claims}
    whole.pop(without, None)
    return jwt.encode(whole, key, algorithm, headers={"kid": "k1"} if headers is None else headers)


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def refused(door: Identity, headers: Any, reason: str, status: int = 401) -> Refusal:
    found = await door.check(headers)
    assert isinstance(found, Refusal), found
    assert (found.status, reason in found.reason) == (status, True), found
    return found


@pytest.mark.anyio
async def test_a_token_of_the_issuer_is_let_in(issuer: Issuer, rsa_key: rsa.RSAPrivateKey) -> None:
    door = identity(issuer)
    found = await door.check(bearer(token(rsa_key)))
    assert isinstance(found, Principal)
    assert (found.subject, found.roles, found.how, found.id) == ("carol", ("staff",), "jwt", "jwt:carol")
    assert await door.check(bearer(token(rsa_key, aud=["other", AUDIENCE]))) and issuer.asked == 1


@pytest.mark.anyio
@pytest.mark.parametrize("headers", [
    {"X-API-Key": "alice-key-1"}, {"x-api-key": "alice-key-1"}, {"authorization": "bearer alice-key-1"},
    {"AUTHORIZATION": "BEARER  alice-key-1 "}, [(b"accept", b"*/*"), (b"x-api-key", b"alice-key-1")], Headers({"X-API-Key": "alice-key-1"}),
])  # fmt: skip
async def test_an_api_key_is_let_in_however_it_is_sent(headers: Any) -> None:
    found = await identity().check(headers)
    assert isinstance(found, Principal)
    assert (found.subject, found.roles, found.id) == ("alice", ("staff",), "key:alice")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "key", ["alice-key-", "alice-key-12", "ALICE-KEY-1", hash_key("alice-key-1"), "alice", "alice-key-1,bob-key-2"]
)
async def test_a_key_that_is_nearly_one_is_refused(key: str) -> None:
    await refused(identity(), {"X-API-Key": key}, "not known here")


@pytest.mark.anyio
async def test_whoever_sends_nothing_is_told_what_to_bring_and_no_error() -> None:
    found = await refused(identity(), {"Accept": "*/*"}, "Say who you are")
    assert found.headers == {"WWW-Authenticate": f'Bearer resource_metadata="{METADATA}"'}


@pytest.mark.anyio
async def test_a_refused_token_is_told_so_as_the_specification_has_it() -> None:
    found = await refused(identity(), {"X-API-Key": "x"}, "not known")
    assert found.authenticate == (
        f'Bearer error="invalid_token", error_description="The key is not known here.", resource_metadata="{METADATA}"'
    )
    forbidden = identity().forbid('no "calc.add"\r\nfor you')
    assert forbidden.status == 403
    assert forbidden.authenticate.startswith(
        'Bearer error="insufficient_scope", error_description="no calc.addfor you"'
    )


# Attacks


@pytest.mark.anyio
async def test_alg_none_is_refused(issuer: Issuer) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": time.time() + 300}
    for algorithm in ("none", "None", "NONE", "", None):
        for signature in ("", "x"):
            forged = f"{segment({'alg': algorithm, 'kid': 'k1'})}.{segment(claims)}.{signature}"
            await refused(identity(issuer), bearer(forged), "")
            await refused(identity(), bearer(forged), "")


@pytest.mark.anyio
@pytest.mark.parametrize("form", [PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1])
async def test_hs256_with_the_public_key_as_secret_is_refused(
    issuer: Issuer, rsa_key: rsa.RSAPrivateKey, form: PublicFormat
) -> None:
    pem = rsa_key.public_key().public_bytes(Encoding.PEM, form)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": time.time() + 300}
    signed = f"{segment({'alg': 'HS256', 'kid': 'k1'})}.{segment(claims)}"
    mac = base64.urlsafe_b64encode(hmac.digest(pem, signed.encode(), "sha256")).decode().rstrip("=")
    await refused(identity(issuer), bearer(f"{signed}.{mac}"), "algorithm that is not accepted")
    # Also not by a configuration that would allow both: a public key is never taken for a shared secret.
    await refused(identity(issuer, algorithms=("RS256", "HS256")), bearer(f"{signed}.{mac}"), "does not have")


@pytest.mark.anyio
async def test_an_expired_token_is_refused(issuer: Issuer, rsa_key: rsa.RSAPrivateKey) -> None:
    assert isinstance(await identity(issuer).check(bearer(token(rsa_key, exp=time.time() - 10))), Principal)
    await refused(identity(issuer), bearer(token(rsa_key, exp=time.time() - 40)), "has expired")


@pytest.mark.anyio
async def test_a_token_that_was_let_in_is_refused_when_it_has_expired(
    issuer: Issuer, rsa_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(issuer.now, tz)

    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    door, used = identity(issuer), token(rsa_key, exp=issuer.now + 300)
    for seconds in (0, 200, 129):
        issuer.now += seconds
        assert isinstance(await door.check(bearer(used)), Principal)
    issuer.now += 2
    await refused(door, bearer(used), "has expired")


@pytest.mark.anyio
@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_a_token_that_is_not_yet_valid_is_refused(claim: str, issuer: Issuer, rsa_key: rsa.RSAPrivateKey) -> None:
    assert isinstance(await identity(issuer).check(bearer(token(rsa_key, **{claim: time.time() + 20}))), Principal)
    await refused(identity(issuer), bearer(token(rsa_key, **{claim: time.time() + 60})), "not valid yet")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "iss", ["https://evil.example", f"{ISSUER}/", f"{ISSUER}.evil.example", ISSUER.upper(), "", [ISSUER], None]
)
async def test_a_token_of_another_issuer_is_refused(iss: Any, issuer: Issuer, rsa_key: rsa.RSAPrivateKey) -> None:
    claims = {"aud": AUDIENCE, "sub": "carol", "exp": time.time() + 300, "iss": iss}
    # PyJWT signs no issuer that is not a text.
    forged = jwt.api_jws.encode(json.dumps(claims).encode(), rsa_key, "RS256", headers={"kid": "k1", "typ": "JWT"})
    await refused(identity(issuer), bearer(forged), "The token")


@pytest.mark.anyio
async def test_a_token_of_another_tenant_is_refused(issuer: Issuer, rsa_key: rsa.RSAPrivateKey) -> None:
    # The same service, the same keys, another customer.
    other = token(rsa_key, iss="https://id.example/tenant-b", tid="b")
    await refused(identity(issuer), bearer(other), "from another issuer")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "aud", ["other", AUDIENCE + "/", "https://gw.example", ["a", "b"], [[AUDIENCE]], {AUDIENCE: 1}]
)
async def test_a_token_for_another_audience_is_refused(aud: Any, issuer: Issuer, rsa_key: rsa.RSAPrivateKey) -> None:
    await refused(identity(issuer), bearer(token(rsa_key, aud=aud)), "not meant for this server")


@pytest.mark.anyio
@pytest.mark.parametrize("aud", [[], "", None])
async def test_a_token_for_nobody_is_refused(aud: Any, issuer: Issuer, rsa_key: rsa.RSAPrivateKey) -> None:
    await refused(identity(issuer), bearer(token(rsa_key, aud=aud)), "The token ")


@pytest.mark.anyio
@pytest.mark.parametrize("claim", ["aud", "exp", "iss"])
async def test_a_token_without_a_claim_that_limits_it_is_refused(
    claim: str, issuer: Issuer, rsa_key: rsa.RSAPrivateKey
) -> None:
    await refused(identity(issuer), bearer(token(rsa_key, without=claim)), f"The token has no '{claim}'.")


@pytest.mark.anyio
async def test_a_key_id_that_the_issuer_does_not_have_is_refused_and_asked_for_once(
    issuer: Issuer, other_key: rsa.RSAPrivateKey
) -> None:
    door = identity(issuer)
    for n in range(20):
        await refused(door, bearer(token(other_key, headers={"kid": f"made-up-{n}"})), "does not have")
    assert issuer.asked == 1
    issuer.now += PAUSE
    for n in range(20):
        await refused(door, bearer(token(other_key, headers={"kid": f"made-up-{n}"})), "does not have")
    assert issuer.asked == 2


@pytest.mark.anyio
async def test_a_key_of_ones_own_under_the_issuers_id_is_refused(issuer: Issuer, other_key: rsa.RSAPrivateKey) -> None:
    own = {"kid": "k1", "jwk": jwk(other_key), "jku": "https://evil.example/keys", "x5u": "https://evil.example/c"}
    await refused(identity(issuer), bearer(token(other_key, headers=own)), "signature of the token is wrong")


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Bearer    ", "bearer\t"])
async def test_an_empty_bearer_is_refused(value: str, issuer: Issuer) -> None:
    await refused(identity(issuer), {"Authorization": value}, "")
    await refused(identity(issuer, required=False), {"Authorization": value}, "")


@pytest.mark.anyio
async def test_an_empty_key_is_refused() -> None:
    await refused(identity(), {"X-API-Key": " "}, "empty")


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["Basic YWxpY2U6eA==", "alice-key-1", "Token alice-key-1", "BearerX alice-key-1"])
async def test_another_scheme_is_refused(value: str) -> None:
    await refused(identity(), {"Authorization": value}, "use Bearer")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "value",
    ["a b", "a,b", "alice-key-1\x00", "ümlaut", "a.b.c", "a.b", "....", "=", "x" * 20_000, "eyJ.eyJ.x", "e30.e30."],
)
async def test_what_is_no_token_is_refused(value: str, issuer: Issuer) -> None:
    await refused(identity(issuer), bearer(value), "The token is")
    assert issuer.asked <= 1


@pytest.mark.anyio
@pytest.mark.parametrize("header", [
    {"alg": "RS256", "kid": 7}, {"alg": "RS256", "kid": ["k1"]}, {"alg": ["RS256"]}, {"alg": {"RS256": 1}}, {}, [], 7, None,
    {"alg": "RS256", "kid": "k1", "crit": ["exp"]}, {"alg": "RS256", "kid": "k1", "b64": False},
    {"alg": "RS384", "kid": "k1"}, {"alg": "ES256", "kid": "k1"}, {"alg": "rs256", "kid": "k1"},
])  # fmt: skip
async def test_a_head_that_makes_no_sense_is_refused(header: Any, issuer: Issuer, rsa_key: rsa.RSAPrivateKey) -> None:
    _, claims, signature = token(rsa_key).split(".")
    await refused(identity(issuer), bearer(f"{segment(header)}.{claims}.{signature}"), "The ")


@pytest.mark.anyio
@pytest.mark.parametrize("claims", [
    {"exp": float("inf")}, {"exp": "soon"}, {"exp": [1]}, {"exp": 10**400}, {"exp": -1}, {"exp": 0}, {"nbf": "x"}, {"sub": 7}, {"sub": ""},
])  # fmt: skip
async def test_nonsense_that_the_issuer_signed_is_refused(
    claims: Any, issuer: Issuer, rsa_key: rsa.RSAPrivateKey
) -> None:
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "carol", "exp": time.time() + 300, **claims}
    signed = jwt.api_jws.encode(json.dumps(whole).encode(), rsa_key, "RS256", headers={"kid": "k1", "typ": "JWT"})
    await refused(identity(issuer), bearer(signed), "The token")


@pytest.mark.anyio
async def test_a_token_whose_claims_were_changed_is_refused(issuer: Issuer, rsa_key: rsa.RSAPrivateKey) -> None:
    door, good = identity(issuer), token(rsa_key)
    assert isinstance(await door.check(bearer(good)), Principal)  # and is remembered
    head, _, signature = good.split(".")
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "root", "exp": time.time() + 300}
    await refused(door, bearer(f"{head}.{segment(claims)}.{signature}"), "signature of the token is wrong")
    await refused(door, bearer(good[:-8] + "AAAAAAAA"), "The ")


@pytest.mark.anyio
async def test_two_credentials_are_one_too_many(issuer: Issuer, rsa_key: rsa.RSAPrivateKey) -> None:
    door = identity(issuer)
    await refused(door, {**bearer(token(rsa_key)), "X-API-Key": "alice-key-1"}, "more than one", 400)
    twice = [(b"authorization", b"Bearer alice-key-1"), (b"Authorization", b"Bearer bob-key-2")]
    await refused(door, twice, "more than one", 400)
    await refused(door, Headers(raw=[(b"x-api-key", b"alice-key-1")] * 2), "more than one", 400)


@pytest.mark.anyio
async def test_a_wrong_credential_is_refused_also_where_none_is_needed() -> None:
    door = identity(required=False)
    assert await door.check({}) is NOBODY and NOBODY.roles == (ANONYMOUS,) and NOBODY.id == ""
    await refused(door, {"X-API-Key": "wrong"}, "not known")


@pytest.mark.anyio
async def test_without_a_configuration_nobody_has_to_say_who_they_are() -> None:
    assert await Identity(None).check({"Accept": "*/*"}) is NOBODY


@pytest.mark.anyio
async def test_a_token_is_no_api_key_header(issuer: Issuer, rsa_key: rsa.RSAPrivateKey) -> None:
    await refused(identity(issuer), {"X-API-Key": token(rsa_key)}, "not known")


@pytest.mark.anyio
async def test_nothing_that_comes_out_has_the_token_in_it(
    issuer: Issuer, rsa_key: rsa.RSAPrivateKey, caplog: Any
) -> None:
    door = identity(issuer)
    for value in (token(rsa_key), token(rsa_key, exp=1), "not-a-known-key", token(rsa_key, aud="x")):
        found = await door.check(bearer(value))
        assert value not in repr(found) and value[-20:] not in repr(found) + repr(getattr(found, "headers", ""))
        assert value not in caplog.text
    assert not any(key in repr(door._config) for key in KEYS.values())


# Roles


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("claim", "claims", "expected"),
    [
        ("roles", {"roles": ["b", "a", "a"]}, ("a", "b")),
        ("roles", {"roles": "a b"}, ("a", "b")),
        ("roles", {"roles": None}, ()),
        ("roles", {"roles": {"a": 1}}, ()),
        ("roles", {"roles": ["a", 7, ["b"]]}, ("a",)),
        ("roles", {"roles": [ANONYMOUS, "a"]}, ("a",)),
        ("scope", {"scope": "tools:read"}, ("tools:read",)),
        ("realm_access.roles", {"realm_access": {"roles": ["a"]}}, ("a",)),
        ("realm_access.roles", {"realm_access": ["a"]}, ()),
        ("https://x.example/roles", {"https://x.example/roles": ["a"]}, ("a",)),
    ],
)
async def test_roles_come_from_the_claim_that_was_configured(
    claim: str, claims: Any, expected: tuple[str, ...]
) -> None:
    found = await identity(roles_claim=claim).check(bearer(token(SECRET, algorithm="HS256", **claims)))
    assert isinstance(found, Principal) and found.roles == expected


@pytest.mark.anyio
async def test_a_client_without_a_user_is_known_by_its_id() -> None:
    machine = token(SECRET, algorithm="HS256", without="sub", client_id="robot")
    found = await identity().check(bearer(machine))
    assert isinstance(found, Principal) and found.subject == "robot"
    await refused(identity(), bearer(token(SECRET, algorithm="HS256", without="sub")), "does not say whose")


@pytest.mark.anyio
async def test_another_secret_is_refused() -> None:
    await refused(identity(), bearer(token(SECRET + "x", algorithm="HS256")), "signature of the token is wrong")


# The issuer's keys


@pytest.mark.anyio
async def test_a_new_key_of_the_issuer_is_fetched_and_the_old_one_forgotten(
    issuer: Issuer, rsa_key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey
) -> None:
    door, old = identity(issuer), token(rsa_key)
    assert isinstance(await door.check(bearer(old)), Principal)
    issuer.keys = [jwk(other_key, "k2")]
    issuer.now += PAUSE
    assert isinstance(await door.check(bearer(old)), Principal)
    new = token(other_key, headers={"kid": "k2"})
    assert all(isinstance(p, Principal) for p in await asyncio.gather(*[door.check(bearer(new)) for _ in range(9)]))
    assert issuer.asked == 2
    await refused(door, bearer(old), "does not have")


@pytest.mark.anyio
async def test_a_key_that_was_withdrawn_is_noticed_without_being_asked_for(
    issuer: Issuer, rsa_key: rsa.RSAPrivateKey
) -> None:
    door, used = identity(issuer), token(rsa_key, exp=time.time() + 2 * MAX_AGE)
    assert isinstance(await door.check(bearer(used)), Principal)
    issuer.keys, issuer.now = [], issuer.now + MAX_AGE
    await refused(door, bearer(used), "does not have")


@pytest.mark.anyio
async def test_an_issuer_that_is_away_locks_nobody_out_who_can_be_checked(
    issuer: Issuer, rsa_key: rsa.RSAPrivateKey
) -> None:
    door = identity(issuer)
    issuer.broken = OSError("away")
    await refused(door, bearer(token(rsa_key)), "cannot be had at the moment", 503)
    await refused(door, bearer(token(rsa_key)), "cannot be had at the moment", 503)
    assert issuer.asked == 1 and isinstance(await door.check({"X-API-Key": "alice-key-1"}), Principal)
    issuer.broken, issuer.now = None, issuer.now + PAUSE
    used = token(rsa_key, exp=time.time() + 2 * MAX_AGE)
    assert isinstance(await door.check(bearer(used)), Principal)
    issuer.broken, issuer.now = ValueError("nonsense"), issuer.now + MAX_AGE
    for _ in range(3):
        assert isinstance(await door.check(bearer(used)), Principal)
    assert issuer.asked == 3


@pytest.mark.anyio
async def test_only_keys_that_fit_are_used(rsa_key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey) -> None:
    oct_key = {"kty": "oct", "kid": "k1", "k": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")}
    bad: list[Any] = [oct_key, None, 7, {"kid": "k1"}, {"kty": "RSA", "kid": "k1", "n": "x", "e": "y"}, jwk(rsa_key, use="enc"),
                      jwk(rsa_key, alg="RS512"), jwk(rsa_key, key_ops=["encrypt"]), jwk(rsa_key, key_ops=7), jwk(rsa_key, key_ops="no verify")]  # fmt: skip
    for key in bad:
        await refused(identity(Issuer(key)), bearer(token(rsa_key)), "does not have")
        await refused(identity(Issuer(key)), bearer(token(SECRET, algorithm="HS256")), "not accepted")
    # Whoever can read a shared secret in a public set could sign with it, whatever a configuration says.
    both = identity(Issuer(oct_key), algorithms=("RS256", "HS256"))
    await refused(both, bearer(token(SECRET, algorithm="HS256")), "does not have")
    two = Issuer(jwk(rsa_key, None), jwk(other_key, None))
    await refused(
        identity(two), bearer(token(rsa_key, headers={})), "does not have"
    )  # which one? guessing is no answer
    assert isinstance(await identity(Issuer(jwk(rsa_key, None))).check(bearer(token(rsa_key, headers={}))), Principal)


@pytest.mark.anyio
async def test_a_short_rsa_key_is_not_good_enough() -> None:
    short = rsa.generate_private_key(65537, 1024)
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        made = token(short)
    await refused(identity(Issuer(jwk(short))), bearer(made), "not valid")


@pytest.mark.anyio
async def test_elliptic_curves(issuer: Issuer) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    curve = Issuer({**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": "k1"})
    door = identity(curve, algorithms=("ES256", "RS256"))
    assert isinstance(await door.check(bearer(token(key, algorithm="ES256"))), Principal)
    await refused(identity(curve), bearer(token(key, algorithm="ES256")), "not accepted")
    nowhere = Issuer({**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": "k1", "x": "A" * 43})
    await refused(identity(nowhere, algorithms=("ES256",)), bearer(token(key, algorithm="ES256")), "does not have")


@pytest.mark.anyio
async def test_keys_come_from_a_file(tmp_path: Path, rsa_key: rsa.RSAPrivateKey) -> None:
    path = tmp_path / "keys.json"
    config = JwtConfig(ISSUER, AUDIENCE, ("RS256",), jwks=str(path))
    door = Identity(IdentityConfig(jwt=config))
    await refused(door, bearer(token(rsa_key)), "cannot be had", 503)
    path.write_text(json.dumps({"keys": [jwk(rsa_key)]}), encoding="utf-8")
    assert isinstance(await Identity(IdentityConfig(jwt=config)).check(bearer(token(rsa_key))), Principal)


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302 if self.path == "/away" else 404 if self.path == "/none" else 200)
            if self.path == "/away":
                self.send_header("Location", "/keys")
            self.end_headers()
            if self.path in ("/keys", "/away"):
                self.wfile.write(b'{"keys": []}')
            elif self.path == "/endless":
                self.wfile.write(b" " * (MOST_BYTES + 1))

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(30)


@pytest.mark.anyio
async def test_keys_come_from_a_url_but_not_by_a_detour_and_not_without_end(
    web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # this machine is reached without one
    assert json.loads(await fetch_text(f"{web}/keys")) == {"keys": []}
    for path, reason in (("away", "answered with 302"), ("none", "answered with 404"), ("endless", "more than")):
        with pytest.raises(ValueError, match=reason):
            await fetch_text(f"{web}/{path}")


def test_where_to_get_a_token_can_be_asked(issuer: Issuer) -> None:
    assert identity(issuer).metadata() == {
        "resource": AUDIENCE,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
    }


def test_the_hash_of_a_key_is_what_sha256sum_says() -> None:
    assert hash_key("alice-key-1") == hashlib.sha256(b"alice-key-1").hexdigest()
