"""API keys: kept as hashes, replaced without an outage, and never two more than one."""

from __future__ import annotations

import dataclasses

import pytest

from labkit.defences.api_keys import PREFIX, ApiKeys, hash_key, new_key, revoke, rotate
from labkit.defences.identity_config import KeyConfig
from labkit.defences.providers import Providers
from labkit.errors import LabError

NOW = 1_000_000.0


def keys(*given: KeyConfig, now: float = NOW) -> ApiKeys:
    return ApiKeys(given, clock=lambda: now)


def test_a_key_is_random_and_what_is_kept_does_not_show_it() -> None:
    made = [new_key("ada", ["staff"], scopes=["a"]) for _ in range(50)]
    assert len({key for key, _ in made}) == 50 and all(key.startswith(PREFIX) and len(key) >= 47 for key, _ in made)
    key, kept = made[0]
    assert kept == KeyConfig("ada", hash_key(key), ("staff",), None, ("a",))
    assert key not in repr(kept) and kept.sha256 not in repr(kept)
    found = keys(kept).find(key)
    assert found is not None and (found.subject, found.roles, found.scopes, found.how) == (
        "ada",
        ("staff",),
        ("a",),
        "key",
    )


@pytest.mark.parametrize("change", [
    lambda key: key[:-1], lambda key: key + "x", lambda key: key.upper(), lambda key: hash_key(key), lambda key: "", lambda key: f" {key}",
    lambda key: key + "\x00", lambda key: "\ud800",
])  # fmt: skip
def test_what_is_nearly_a_key_is_none(change: object) -> None:
    key, kept = new_key("ada")
    assert keys(kept).find(change(key)) is None  # type: ignore[operator]


def test_two_keys_are_valid_until_the_old_one_ends() -> None:
    old, kept = new_key("ada", ["staff"], scopes=["a"])
    _, other = new_key("ben")
    new, after = rotate([kept, other], "ada", overlap=60, now=NOW)
    for now, good in ((NOW, True), (NOW + 59.9, True), (NOW + 60, False), (NOW + 1e9, False)):
        assert (keys(*after, now=now).find(old) is not None) is good
        found = keys(*after, now=now).find(new)
        assert found is not None and (found.subject, found.roles, found.scopes) == ("ada", ("staff",), ("a",))
    assert other in after and len(after) == 3
    # A third one takes the place of the first: never more than two.
    third, later = rotate(after, "ada", overlap=60, now=NOW + 1)
    assert [keys(*later, now=NOW + 2).find(key) is not None for key in (old, new, third)] == [False, True, True]


def test_a_key_that_was_to_end_sooner_still_does() -> None:
    old, kept = new_key("ada", expires=NOW + 10)
    _, after = rotate([kept], "ada", overlap=3600, now=NOW)
    assert keys(*after, now=NOW + 9).find(old) and keys(*after, now=NOW + 11).find(old) is None
    # Rotated when only the new one is left, nothing that has ended comes back.
    _, later = rotate(after, "ada", now=NOW + 20)
    assert len(later) == 2 and keys(*later, now=NOW + 21).find(old) is None


def test_who_has_no_valid_key_has_none_to_replace() -> None:
    _, kept = new_key("ada", expires=NOW - 1)
    for given in ([], [kept], [dataclasses.replace(kept, principal="ben", expires=None)]):
        with pytest.raises(LabError, match="'ada' has no valid key"):
            rotate(given, "ada", now=NOW)


def test_a_revoked_key_is_gone_at_once() -> None:
    one, kept_one = new_key("ada")
    two, kept_two = new_key("ada")
    left = revoke([kept_one, kept_two], one)
    assert keys(*left).find(one) is None and keys(*left).find(two)


@pytest.mark.anyio
async def test_an_ended_key_is_refused_at_the_door() -> None:
    key, kept = new_key("ada", expires=NOW)
    for now, status in ((NOW - 1, None), (NOW, 401)):
        found = await Providers(keys=[kept], clock=lambda now=now: now).check({"X-API-Key": key})
        assert getattr(found, "status", None) == status and key not in repr(found)


def test_a_key_is_revoked_however_its_hash_is_written() -> None:
    key, kept = new_key("ada")
    loud = dataclasses.replace(kept, sha256=kept.sha256.upper())
    assert keys(loud).find(key) is not None
    assert revoke([loud], key) == () and revoke([loud], "\ud800") == (loud,)
