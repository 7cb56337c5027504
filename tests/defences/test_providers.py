"""Several providers side by side: each believes its own, and nobody's credential is tried on another."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from labkit.defences.api_keys import new_key
from labkit.defences.identity_config import ANONYMOUS, JwtConfig
from labkit.defences.oauth import Guard, Verifier, access_token, metadata_url
from labkit.defences.principals import NOBODY, Principal, Refusal
from labkit.defences.providers import Providers
from labkit.errors import LabError

pytestmark = pytest.mark.anyio
CORP, PARTNER, LEGACY = "https://login.corp.example", "https://id.partner.example/tenants/7", "https://old.corp.example"
US = "https://notes.example/mcp"
SECRET = "canary shared with the old issuer, 32+"
KEYS = {CORP: ec.derive_private_key(11, ec.SECP256R1()), PARTNER: ec.derive_private_key(13, ec.SECP256R1())}
KEY, KEPT = new_key("ada", ["staff"])


def public(issuer: str) -> dict[str, Any]:
    return {**json.loads(ECAlgorithm.to_jwk(KEYS[issuer].public_key())), "kid": "k1"}


class Fetch:
    """Both issuers' key sets; says who was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, place: str) -> str:
        self.asked.append(place)
        return json.dumps({"keys": [public(place.removesuffix("/keys"))]})


def door(fetch: Fetch | None = None, **options: Any) -> Providers:
    return Providers(
        keys=[KEPT],
        issuers=[
            JwtConfig(CORP, US, ("ES256",), jwks=f"{CORP}/keys", name="corp"),
            JwtConfig(PARTNER, "partner-name-for-us", ("ES256",), jwks=f"{PARTNER}/keys", name="partner", roles={"admin": ("guest",), "x": ("anonymous",)}, roles_claim="realm.roles"),
            JwtConfig(LEGACY, US, ("HS256",), secret=SECRET, name="legacy"),
        ],
        fetch=fetch or Fetch(),
        **options,
    )  # fmt: skip


def token(issuer: str, audience: str, *, key: Any = None, algorithm: str = "ES256", **claims: Any) -> str:
    whole = {"iss": issuer, "aud": audience, "sub": "ada", "exp": time.time() + 300, **claims}
    return jwt.encode(whole, key or KEYS[issuer], algorithm, headers={"kid": "k1"})


async def check(what: str, on: Providers | None = None) -> Principal | Refusal:
    return await (on or door()).check({"Authorization": f"Bearer {what}"})


async def test_each_is_believed_in_its_own_way_and_is_somebody_of_its_own() -> None:
    found = [
        await check(KEY),
        await check(token(CORP, US, roles=["admin"], scope="a b", client_id="app")),
        await check(token(PARTNER, "partner-name-for-us", realm={"roles": ["admin", "x", "root"]}, roles=["admin"])),
        await check(token(LEGACY, US, key=SECRET, algorithm="HS256")),
    ]
    assert all(isinstance(each, Principal) for each in found)
    assert [each.id for each in found] == ["key:ada", "jwt:corp:ada", "jwt:partner:ada", "jwt:legacy:ada"]  # type: ignore[union-attr]
    assert [each.roles for each in found] == [("staff",), ("admin",), ("guest",), ()]  # type: ignore[union-attr]
    assert (found[1].scopes, found[1].client, found[1].issuer) == (("a", "b"), "app", CORP)  # type: ignore[union-attr]


async def test_a_token_is_checked_by_the_issuer_that_it_names_and_by_no_other() -> None:
    fetch = Fetch()
    one = door(fetch)
    for _ in range(3):
        assert isinstance(await check(token(CORP, US), one), Principal)
    assert fetch.asked == [f"{CORP}/keys"]
    assert isinstance(await check(token("https://evil.example", US, key=KEYS[CORP]), one), Refusal)
    assert isinstance(await check("x" * 43, one), Refusal)
    assert fetch.asked == [f"{CORP}/keys"]


def confused(issuer: str, key: str) -> str:
    parts = [{"alg": "HS256", "kid": "k1"}, {"iss": issuer, "aud": US, "sub": "root", "exp": time.time() + 300}]
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    mac = hmac.digest(json.dumps(public(key)).encode(), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


WRONG = {
    "partner's token, made out to what corp calls us": lambda: token(PARTNER, US),
    "corp's token, made out to what partner calls us": lambda: token(CORP, "partner-name-for-us"),
    "partner signs in corp's name": lambda: token(CORP, US, key=KEYS[PARTNER]),
    "corp signs in partner's name": lambda: token(PARTNER, "partner-name-for-us", key=KEYS[CORP]),
    "the old secret in corp's name": lambda: token(CORP, US, key=SECRET, algorithm="HS256"),
    "the old secret in partner's name": lambda: token(PARTNER, "partner-name-for-us", key=SECRET, algorithm="HS256"),
    "corp signs in the old issuer's name": lambda: token(LEGACY, US, key=KEYS[CORP]),
    "a public key as if it were a secret": lambda: confused(CORP, CORP),
    "a public key as if it were the old secret": lambda: confused(LEGACY, CORP),
    "another tenant of partner": lambda: token("https://id.partner.example/tenants/8", US, key=KEYS[PARTNER]),
    "an issuer that begins the same": lambda: token(f"{CORP}.evil.example", US, key=KEYS[CORP]),
    "an issuer with a slash more": lambda: token(f"{CORP}/", US, key=KEYS[CORP]),
    "an issuer in capital letters": lambda: token(CORP.upper(), US, key=KEYS[CORP]),
    "a list of issuers": lambda: jwt.api_jws.encode(json.dumps({"iss": [CORP], "aud": US, "sub": "x", "exp": 9e9}).encode(), KEYS[CORP], "ES256"),
    "no issuer": lambda: jwt.encode({"aud": US, "sub": "x", "exp": 9_000_000_000}, KEYS[CORP], "ES256"),
    "alg none": lambda: jwt.encode({"iss": CORP, "aud": US, "sub": "x", "exp": 9_000_000_000}, None, "none"),
    "expired": lambda: token(CORP, US, exp=time.time() - 60),
    "no expiry": lambda: jwt.encode({"iss": CORP, "aud": US, "sub": "x"}, KEYS[CORP], "ES256", headers={"kid": "k1"}),
    "two dots and nothing": lambda: "..",
    "deep nonsense": lambda: f"{base64.urlsafe_b64encode(b'[' * 9000).decode()}.{base64.urlsafe_b64encode(b'[' * 5000).decode()}.x"[:16000],
    "a hash in place of a key": lambda: KEPT.sha256,
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
async def test_nobody_is_taken_for_somebody_else(kind: str) -> None:
    what = WRONG[kind]()
    found = await check(what, door(resource_metadata=metadata_url(US)))
    assert isinstance(found, Refusal) and found.status == 401, found
    assert 'error="invalid_token"' in found.authenticate and "resource_metadata=" in found.authenticate
    assert len(what) < 10 or what[-10:] not in repr(found)


async def test_a_key_is_no_token_and_a_token_no_key() -> None:
    assert isinstance(await door().check({"X-API-Key": token(CORP, US)}), Refusal)
    two = await door().check([(b"authorization", f"Bearer {token(CORP, US)}".encode()), (b"x-api-key", KEY.encode())])
    assert isinstance(two, Refusal) and two.status == 400


async def test_an_issuer_that_is_away_takes_nobody_elses_place() -> None:
    async def away(place: str) -> str:
        if place.startswith(CORP):
            raise OSError("away")
        return json.dumps({"keys": [public(PARTNER)]})

    one = Providers(issuers=[JwtConfig(CORP, US, ("ES256",), jwks=f"{CORP}/keys", name="corp"), JwtConfig(PARTNER, US, ("ES256",), jwks=f"{PARTNER}/keys", name="partner")], fetch=away)  # fmt: skip
    refused = await check(token(CORP, US), one)
    assert isinstance(refused, Refusal) and refused.status == 503
    assert isinstance(await check(token(PARTNER, US), one), Principal)


async def test_only_access_tokens_where_that_is_asked_for() -> None:
    one = Providers(issuers=[JwtConfig(LEGACY, US, ("HS256",), secret=SECRET, type="at+jwt")])
    claims = {"iss": LEGACY, "aud": US, "sub": "ada", "exp": time.time() + 60}
    for kind, good in (("at+jwt", True), ("AT+JWT", True), ("application/at+jwt", True), ("JWT", False), ("id+jwt", False), (None, False)):  # fmt: skip
        made = jwt.encode(claims, SECRET, "HS256", headers={"typ": kind})
        assert isinstance(await check(made, one), Principal) is good, kind


async def test_refusals_say_what_is_needed() -> None:
    one = door(resource_metadata=metadata_url(US), scopes=["a", "b"])
    missing = await one.check({})
    assert isinstance(missing, Refusal) and missing.authenticate == (
        'Bearer scope="a b", resource_metadata="https://notes.example/.well-known/oauth-protected-resource/mcp"'
    )
    more = one.forbid('no "x"\r\n', ["a", "c"])
    assert (
        more.status == 403 and 'scope="a c"' in more.authenticate and 'error="insufficient_scope"' in more.authenticate
    )
    assert "\n" not in more.authenticate
    assert await Providers(required=False).check({}) == NOBODY
    assert one.metadata(US)["authorization_servers"] == [CORP, PARTNER, LEGACY]
    assert metadata_url("https://a.example") == "https://a.example/.well-known/oauth-protected-resource"


@pytest.mark.parametrize("second", [
    JwtConfig(CORP, "b", ("ES256",), jwks="x", name="other"), JwtConfig("https://b.example", "b", ("ES256",), jwks="x", name="corp"),
    JwtConfig("https://b.example", "b", ("ES256",), jwks="x", name="a:b"),
])  # fmt: skip
def test_providers_that_could_be_taken_for_each_other_are_no_configuration(second: JwtConfig) -> None:
    with pytest.raises(LabError, match="give each its own|no name of a provider"):
        Providers(issuers=[JwtConfig(CORP, US, ("ES256",), jwks="x", name="corp"), second])


async def test_the_sdk_is_told_who_it_is_and_not_the_token() -> None:
    made = token(CORP, US, scope="a", client_id="app")
    found = await Verifier(door(), US).verify_token(made)
    assert found is not None and (found.subject, found.client_id, found.scopes, found.resource) == (
        "ada",
        "app",
        ["a"],
        US,
    )
    assert made not in repr(found) and found.claims == {"iss": CORP, "roles": None, "principal": "jwt:corp:ada"}
    assert await Verifier(door(), US).verify_token(token(PARTNER, US)) is None
    assert await Verifier(Providers(required=False), US).verify_token("x") is None
    assert access_token(Principal("ada", (ANONYMOUS,), "key"), US).client_id == "key:ada"


PIECES = ["eyJ", ".", "..", "Bearer ", "lab_", '"', "\r\n", "ü", "\x00", "=", "none", "A" * 40, token(CORP, US), KEY]
ONE_DOOR = door()


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=5).map("".join))
@settings(max_examples=150, derandomize=True, deadline=None)
def test_whatever_is_sent_it_is_read_without_stumbling(text: str) -> None:
    for headers in ({"authorization": text}, {"x-api-key": text}, [(b"authorization", f"Bearer {text}".encode())]):
        found = ONE_DOOR.check_now(headers)
        if isinstance(found, Principal):
            assert text.removeprefix("Bearer ").strip() == KEY
        elif found is None:  # a token of corp, whose keys have not been fetched
            assert PIECES[-2].split(".")[1] in text
        else:
            assert found.status in (400, 401)
            assert "\r" not in found.authenticate and "\n" not in found.authenticate and "ü" not in found.authenticate


async def test_what_is_no_request_of_http_gets_nowhere() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError(scope["type"])

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await Guard(app, door(), US)({"type": "websocket", "path": "/mcp", "headers": []}, None, send)  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_an_issuer_without_a_name_names_nobody_of_another_issuer() -> None:
    """It could call somebody "corp:ada", and that is the id of corp's ada."""
    with pytest.raises(LabError, match="has no name"):
        Providers(issuers=[JwtConfig(CORP, US, ("ES256",), jwks="x", name="corp"), JwtConfig(PARTNER, US, ("ES256",), jwks="x")])  # fmt: skip


NOTHING_OR_NONE: list[dict[str, Any]] = [{}, {"roles": []}, {"roles": ["a"]}]


async def test_no_role_and_nothing_said_of_roles_are_not_the_same() -> None:
    said = [await check(token(CORP, US, **more)) for more in NOTHING_OR_NONE]
    told = [access_token(each, US).claims for each in said if isinstance(each, Principal)]
    assert [(claims or {})["roles"] for claims in told] == [None, [], ["a"]]
