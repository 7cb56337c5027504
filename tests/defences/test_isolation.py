"""Isolation: nobody but the owner gets anything, by whatever name, handle or sealed text."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.defences.isolation import Handles, NoPrincipalError, NoSuchHandleError, Owned, TooManyHandlesError
from labkit.defences.sealing import Seal, SealError
from labkit.patterns.calls import joined
from labkit.patterns.clock import VirtualClock

KEY = bytes(range(32))
NAMES = (
    "alice",
    "Alice",
    "alice:",
    "alice:1",
    "5:alice",
    "1:a",
    "a",
    "",
    "álice",
    "alice\x00",
    "al",
    "bob",
    "\ud800",
    "a" * 300,
)
cheap = settings(deadline=None, max_examples=60, derandomize=True)


def numbers() -> dict[str, int]:
    """How many tries of others there are, how many got something, and how many owners were refused."""
    counted = {"attacks": 0, "passes": 0, "legitimate": 0, "refusals": 0}
    store, handles, seal = Owned[str]({}), Handles[str](), Seal([KEY])
    owners = [name for name in NAMES if name]
    mine = {name: (handles.issue(name, name), seal.close(name, "cart", name)) for name in owners}
    for name in owners:
        store.of(name)["it"] = name
    for name, (handle, sealed) in mine.items():
        for other in NAMES:
            for get in (
                lambda who=other, h=handle: handles.find(who, h),
                lambda who=other, s=sealed: seal.open(who, "cart", s),
                lambda who=other, o=name: store.of(who)[f"{len(o)}:{o}it"],
                lambda who=other: store.of(who)["it"],
            ):
                with contextlib.suppress(NoPrincipalError, NoSuchHandleError, SealError, KeyError):
                    if other != name:
                        counted["attacks"] += 1
                        counted["passes"] += get() == name
        counted["legitimate"] += 3
        good = [
            handles.find(name, handle) == name,
            seal.open(name, "cart", sealed) == name,
            store.of(name)["it"] == name,
        ]
        counted["refusals"] += good.count(False)
    return counted


def test_no_other_principal_gets_anything() -> None:
    found = numbers()
    assert found["attacks"] > 500 and found["legitimate"] > 30
    assert (found["passes"], found["refusals"]) == (0, 0)


@cheap
@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_two_rows_never_have_one_key(one: list[str], two: list[str]) -> None:
    assert (joined(one) == joined(two)) == (one == two)


@cheap
@given(st.dictionaries(st.text(min_size=1), st.dictionaries(st.text(), st.integers(), max_size=3), max_size=4))
def test_a_shelf_is_a_mapping_of_its_own(users: dict[str, dict[str, int]]) -> None:
    store = Owned[int]({})
    for user, entries in users.items():
        store.of(user).update(entries)
    for user, entries in users.items():
        assert dict(store.of(user)) == entries and len(store.of(user)) == len(entries)
        store.of(user).clear()
    assert all(not store.of(user) for user in users)


@pytest.mark.parametrize("nobody", ["", None, 7, b"alice"])
def test_nothing_can_be_asked_for_without_a_principal(nobody: Any) -> None:
    handles, seal = Handles[int](), Seal([KEY])
    for ask in (
        lambda: Owned[int]({}).of(nobody),
        lambda: handles.issue(nobody, 1),
        lambda: handles.find(nobody, "x"),
        lambda: seal.close(nobody, "p", 1),
        lambda: seal.open(nobody, "p", seal.close("alice", "p", 1)),
    ):
        with pytest.raises(NoPrincipalError):
            ask()


def test_a_missing_entry_is_named_as_the_caller_knows_it() -> None:
    shelf = Owned[int]({}).of("alice")
    for act in (shelf.__getitem__, shelf.__delitem__):
        with pytest.raises(KeyError, match="^'cents'$"):
            act("cents")


def test_a_handle_is_random_and_not_kept_as_it_is() -> None:
    handles = Handles[str](each=1000)
    made = {handles.issue("alice", "x") for _ in range(500)}
    assert len(made) == 500 and all(len(handle) >= 22 for handle in made)
    kept = repr({name: getattr(handles, name) for name in vars(handles)})
    assert not any(handle in kept for handle in made)


def test_what_is_anothers_is_answered_like_what_is_not() -> None:
    clock = VirtualClock()
    handles = Handles[str](seconds=10, clock=clock)
    theirs, ended = handles.issue("bob", "x"), handles.issue("alice", "y")
    clock.jump(10)
    theirs = handles.issue("bob", "x")
    said: set[str] = set()
    for handle in (theirs, ended, "never"):
        with pytest.raises(NoSuchHandleError) as caught:
            handles.find("alice", handle)
        said.add(str(caught.value).replace(handle, "HANDLE"))
    assert len(said) == 1


def test_a_handle_ends_and_can_be_renewed() -> None:
    clock = VirtualClock()
    handles = Handles[str](seconds=10, clock=clock)
    handle = handles.issue("alice", "x")
    clock.jump(9.9)
    handles.renew("alice", handle)
    clock.jump(9.9)
    assert handles.find("alice", handle) == "x"
    clock.jump(0.2)
    for act in (handles.find, handles.end, handles.renew):
        with pytest.raises(NoSuchHandleError):
            act("alice", handle)


def test_a_handle_is_ended_by_its_owner_only() -> None:
    handles = Handles[str]()
    handle = handles.issue("alice", "x")
    with pytest.raises(NoSuchHandleError):
        handles.end("bob", handle)
    assert handles.end("alice", handle) == "x" and len(handles) == 0


def test_one_user_cannot_fill_the_store_and_ended_ones_make_room() -> None:
    clock = VirtualClock()
    handles = Handles[int](seconds=10, each=3, most=5, clock=clock)
    first, *rest = [handles.issue("alice", n) for n in range(4)]
    assert len(handles) == 3
    with pytest.raises(NoSuchHandleError):
        handles.find("alice", first)
    assert [handles.find("alice", handle) for handle in rest] == [1, 2, 3]
    handles.issue("bob", 1), handles.issue("carol", 1)
    with pytest.raises(TooManyHandlesError):
        handles.issue("dave", 1)
    assert handles.find("alice", rest[0]) == 1
    clock.jump(10)
    handles.issue("dave", 1)
    assert len(handles) == 1 and len(handles._users) == 1  # pyright: ignore[reportPrivateUsage]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v, max_size=3), max_leaves=5
)


@cheap
@given(values, st.text(min_size=1), st.text())
def test_what_is_sealed_comes_back(value: Any, principal: str, purpose: str) -> None:
    seal = Seal([KEY])
    assert seal.open(principal, purpose, seal.close(principal, purpose, value)) == value


@settings(deadline=None, max_examples=200, derandomize=True)
@given(at=st.integers(0, 10_000), flip=st.integers(1, 127))
def test_any_flipped_byte_of_sealed_state_is_refused(at: int, flip: int) -> None:
    seal = Seal([KEY])
    text = bytearray(seal.close("alice", "cart", {"step": 2, "to": "bob"}).encode())
    text[at % len(text)] ^= flip
    with pytest.raises(SealError):
        seal.open("alice", "cart", text.decode("latin-1"))


@pytest.mark.parametrize(
    "text", ["", "s1.", "s2.AAAA", "s1.!!!!", "s1." + "A" * 44, "s1." + "A" * 100_000, "\ud800", None]
)
def test_what_is_no_sealed_text_is_refused(text: Any) -> None:
    with pytest.raises(SealError):
        Seal([KEY]).open("alice", "cart", text)


@cheap
@given(st.integers(1, 80), st.text("A=+/ \n", min_size=1, max_size=3))
def test_another_spelling_of_sealed_state_is_refused(cut: int, more: str) -> None:
    seal = Seal([KEY])
    text = seal.close("alice", "cart", 1)
    for other in (text[:-cut], text + more, text[:10] + more + text[10:]):
        with pytest.raises(SealError):
            seal.open("alice", "cart", other)


def test_state_is_bound_to_its_purpose_and_ends() -> None:
    now = [1000.0]
    seal = Seal([KEY], seconds=60, clock=lambda: now[0])
    text = seal.close("alice", "cart", 1)
    with pytest.raises(SealError, match="begin anew") as caught:
        seal.open("alice", "payment", text)
    assert "user or purpose" in caught.value.why and "user" not in str(caught.value)
    now[0] += 59.9
    assert seal.open("alice", "cart", text) == 1
    now[0] += 0.2
    with pytest.raises(SealError) as caught:
        seal.open("alice", "cart", text)
    assert "over" in caught.value.why


def test_user_and_purpose_cannot_be_shifted() -> None:
    seal = Seal([KEY])
    with pytest.raises(SealError):
        seal.open("alicec", "art", seal.close("alice", "cart", 1))


def test_state_opens_once_where_that_is_asked_for() -> None:
    seal = Seal([KEY], once=True)
    text = seal.close("alice", "cart", 1)
    assert seal.open("alice", "cart", text) == 1
    with pytest.raises(SealError) as caught:
        seal.open("alice", "cart", text)
    assert "before" in caught.value.why


def test_keys_rotate_without_losing_what_is_on_its_way() -> None:
    old, new = bytes(32), KEY
    text = Seal([old]).close("alice", "cart", 1)
    both = Seal([new, old])
    assert both.open("alice", "cart", text) == 1
    assert Seal([new]).open("alice", "cart", both.close("alice", "cart", 2)) == 2
    with pytest.raises(SealError):
        Seal([new]).open("alice", "cart", text)


def test_nothing_is_readable_in_the_text() -> None:
    import base64

    text = Seal([KEY]).close("alice", "cart", {"to": "canary-bob"})
    raw = base64.urlsafe_b64decode(text[3:] + "=" * (-len(text[3:]) % 4))
    assert b"canary" not in raw and b"alice" not in raw and b"cart" not in raw


@pytest.mark.parametrize("keys", [[], [b"short"], [KEY, b""]])
def test_a_weak_key_is_refused(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        Seal(keys)


@pytest.mark.parametrize("seconds", [float("inf"), float("nan")])
def test_nothing_is_good_for_ever(seconds: float) -> None:
    handles, seal = Handles[str](), Seal([KEY])
    handle = handles.issue("alice", "x")
    for act in (
        lambda: Handles[str](seconds),
        lambda: handles.issue("alice", "x", seconds=seconds),
        lambda: handles.renew("alice", handle, seconds=seconds),
        lambda: seal.close("alice", "cart", 1, seconds=seconds),
    ):
        with pytest.raises(ValueError, match="good for some time|has an end"):
            act()
    assert len(handles) == 1
