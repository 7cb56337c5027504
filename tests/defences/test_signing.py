"""The signed principal: good for one backend, for a while, once; nothing else is believed."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.defences.signing import LEEWAY, LONGEST, MOST_BYTES, Claims, Nonces, Verifier, _mac, sign, verify  # pyright: ignore
from labkit.errors import PrincipalError

SECRET = "s" * 32
NOW = 1_800_000_000.0


def signed(**options: object) -> str:
    return sign(SECRET, "alice", ["staff", "ops"], **{"audience": "notes", "now": NOW, **options})  # type: ignore[arg-type]


def check(header: str | None, *, secret: str = SECRET, audience: str = "notes", now: float = NOW) -> Claims:
    return verify(header, secret, audience, now, Nonces())


def forged(**claims: object) -> str:
    """Signed with the right secret, by a gateway that says something else."""
    whole = {"sub": "a", "roles": [], "aud": "notes", "iat": NOW, "exp": NOW + 9, "nonce": "n", **claims}
    text = "v1;" + base64.urlsafe_b64encode(json.dumps(whole).encode()).decode().rstrip("=")
    return f"{text};{_mac(SECRET, text.encode())}"


def test_a_backend_learns_who_calls() -> None:
    claims = check(signed(seconds=20))
    assert (claims.subject, claims.roles, claims.audience) == ("alice", ("staff", "ops"), "notes")
    assert (claims.issued, claims.expires) == (NOW, NOW + 20)


def test_the_header_fits_on_a_line_whatever_the_name_is() -> None:
    header = sign(SECRET, "älice\r\nX-Evil: 1;\ud800", [], audience="notes", now=NOW)
    assert header.isascii() and header.isprintable() and " " not in header
    assert check(header).subject == "älice\r\nX-Evil: 1;\ud800"


@pytest.mark.parametrize(
    "header", [None, "", ";", "v1", "v1;;", "v1;x", "v2;x;y", "v1;é;ü", "v1;\ud800;x", "x" * (MOST_BYTES + 9)]
)
def test_what_is_no_signature_is_refused(header: str | None) -> None:
    with pytest.raises(PrincipalError):
        check(header)


def test_a_long_header_is_refused_before_it_is_hashed() -> None:
    with pytest.raises(PrincipalError, match="not written as"):
        check(sign(SECRET, "a" * MOST_BYTES, [], audience="notes", now=NOW))


@settings(deadline=None, max_examples=150)
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_any_flipped_byte_is_refused(at: int, flip: int) -> None:
    header = bytearray(signed().encode("ascii"))
    header[at % len(header)] ^= flip
    with pytest.raises(PrincipalError):
        check(header.decode("latin-1"))


@settings(deadline=None, max_examples=40)
@given(cut=st.integers(1, 400), more=st.text("0aA=; ", min_size=1, max_size=3))
def test_a_shorter_or_a_longer_one_is_refused(cut: int, more: str) -> None:
    header = signed()
    for other in (header[:-cut], header[cut:], header + more, more + header):
        with pytest.raises(PrincipalError):
            check(other)


def test_another_spelling_of_the_same_signature_is_refused() -> None:
    head, _, mac = signed().rpartition(";")
    assert check(f"{head};{mac}")
    for other in (f"{head};{mac.upper()}", f"{head}=;{mac}", f"{head};{mac} "):
        with pytest.raises(PrincipalError):
            check(other)


def test_another_secret_is_refused() -> None:
    with pytest.raises(PrincipalError, match="need the same secret"):
        check(signed(), secret="t" * 32)


def test_a_signature_for_another_backend_is_refused() -> None:
    with pytest.raises(PrincipalError, match="signed for another server than 'calc'"):
        check(signed(), audience="calc")


def test_a_signature_ends() -> None:
    assert check(signed(seconds=20), now=NOW + 20 + LEEWAY - 0.1)
    with pytest.raises(PrincipalError, match="expired"):
        check(signed(seconds=20), now=NOW + 20 + LEEWAY)


def test_a_signature_from_the_future_is_refused() -> None:
    assert check(signed(), now=NOW - LEEWAY + 0.1)
    with pytest.raises(PrincipalError, match="future"):
        check(signed(), now=NOW - LEEWAY - 1)


def test_no_signature_is_good_for_ever() -> None:
    assert check(signed(seconds=1e9)).expires == NOW + LONGEST
    with pytest.raises(PrincipalError, match="too long"):
        check(forged(exp=NOW + 1e9))


@pytest.mark.parametrize(
    "claims",
    [{"sub": 1}, {"roles": "staff"}, {"roles": [1]}, {"roles": None}, {"aud": None}, {"exp": "x"}, {"exp": None},
     {"nonce": 7}, {"iat": float("nan")}, {"exp": float("inf")}],
)  # fmt: skip
def test_claims_of_another_shape_are_refused(claims: dict[str, object]) -> None:
    assert check(forged())
    with pytest.raises(PrincipalError):
        check(forged(**claims))


def test_a_signature_is_good_once() -> None:
    now = [NOW]
    verifier = Verifier(SECRET, "notes", clock=lambda: now[0])
    header = signed()
    assert verifier.verify(header)
    for later in (0.0, 30.0, 60.0 + LEEWAY - 0.01):
        now[0] = NOW + later
        with pytest.raises(PrincipalError, match="used before"):
            verifier.verify(header)
    now[0] = NOW + 60 + LEEWAY
    with pytest.raises(PrincipalError, match="expired"):
        verifier.verify(header)


def test_two_signatures_of_one_moment_are_two() -> None:
    verifier = Verifier(SECRET, "notes", clock=lambda: NOW)
    assert verifier.verify(signed()).nonce != verifier.verify(signed()).nonce


def test_a_refused_signature_uses_nothing_up() -> None:
    nonces, header = Nonces(), signed()
    with pytest.raises(PrincipalError):
        verify(header, SECRET, "calc", NOW, nonces)
    assert len(nonces) == 0 and verify(header, SECRET, "notes", NOW, nonces)


def test_the_memory_for_nonces_has_an_end_and_forgets_nothing_too_early() -> None:
    nonces = Nonces(most=3)
    assert [nonces.take(str(n), NOW + 10 + n, NOW) for n in range(4)] == [True, True, True, False]
    assert not nonces.take("0", NOW + 99, NOW + 10)
    assert nonces.take("4", NOW + 99, NOW + 10.5)  # "0" is over, and has made room
    assert not nonces.take("1", NOW + 99, NOW + 10.5)
    assert len(nonces) == 3


def test_nonces_that_are_over_are_forgotten() -> None:
    nonces = Nonces()
    for n in range(1000):
        assert nonces.take(str(n), NOW + n + 10, NOW + n)
    assert len(nonces) <= 12


@pytest.mark.parametrize(("secret", "audience"), [("", "notes"), ("short", "notes"), (SECRET, "")])
def test_a_setting_that_is_missing_is_no_secret_that_anybody_has(secret: str, audience: str) -> None:
    for act in (
        lambda: Verifier(secret, audience),
        lambda: sign(secret, "root", [], audience=audience),
        lambda: verify("v1;e30;00", secret, audience, NOW, Nonces()),
    ):
        with pytest.raises(ValueError, match="needs a secret"):
            act()
