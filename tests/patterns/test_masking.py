"""What is hidden, what is not, and that it stays small and quick whatever comes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.patterns.masking import DEPTH, ITEMS, NODES, mask_text, masked, sounds_secret

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.sIgNaTuRe"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "apiKey",
        "API_KEY",
        "x-api-key",
        "X-Auth-Token",
        "accessToken",
        "clientSecret",
        "PIN",
        "jwt",
        "signing_key",
    ],
)
def test_names_of_credentials_however_they_are_written(name: str) -> None:
    assert sounds_secret(name) and masked({name: "abc"}) == {name: "***"}
    assert masked({"deep": [{name: {"nested": "abc"}}]}) == {"deep": [{name: "***"}]}


@pytest.mark.parametrize(
    "name", ["max_tokens", "author", "key", "primaryKey", "secretary", "spinning", "monkey", "tokens", "keyboard"]
)
def test_names_that_only_look_alike(name: str) -> None:
    assert masked({name: "abc"}) == {name: "abc"}


SECRETS = {
    "Authorization: Bearer abcdef123456": "Authorization: Bearer ***",
    "basic dXNlcjpwYXNz": "basic ***",
    "token: Bearer abcdef123456": "token: ***",
    f"see {JWT} there": "see *** there",
    "postgres://ada:pa55@db/shop": "postgres://***@db/shop",
    "password=hunter2&page=1": "password=***&page=1",
    '{"password": "two words", "page": 1}': '{"password": ***, "page": 1}',
    r"{\"api_key\": \"k 1\", \"page\": 1}": r"{\"api_key\": ***, \"page\": 1}",
    "Cookie: a=b; c=d\nHost: x": "Cookie: ***\nHost: x",
    "key sk-abcdefghijklmnop, used": "key ***, used",
    "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----.": "***.",
    "AKIAABCDEFGHIJKLMNOP": "***",
}


@pytest.mark.parametrize(("text", "shown"), SECRETS.items())
def test_secrets_within_texts(text: str, shown: str) -> None:
    assert mask_text(text) == shown
    assert masked({"log": [text]}) == {"log": [shown]}
    assert shown in masked({text: 1})


@pytest.mark.parametrize(
    "text", ["the secret is out", "http://localhost:8000/a?b=c", "a-b_c: d = e", "basic income", "x" * 19]
)
def test_texts_without_secrets_stay_as_they_are(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize("before", range(150, 210))
def test_a_secret_is_hidden_before_the_text_is_cut(before: int) -> None:
    shown = mask_text("x" * (before - 1) + " " + f"password=hunter2hunter2 {JWT}" + " end" * 50, limit=200)
    assert "hunter" not in shown and "eyJ" not in shown and shown.endswith("characters)")


def test_what_is_hidden_brings_nothing_else_into_view() -> None:
    # 100 secrets of 40 characters become short, and what stood far behind the limit must stay there.
    text = " ".join(f"password={'s' * 30}" for _ in range(300)) + " HALF-A-SECRET"
    assert "HALF" not in mask_text(text, limit=200) and len(mask_text(text, limit=200)) < 250


def test_a_text_behind_the_limit_is_counted_not_shown() -> None:
    assert mask_text("a" * 300, limit=10) == "aaaaaaaaaa... (300 characters)"
    assert mask_text("a" * 10, limit=10) == "a" * 10


def test_a_number_may_not_be_endless() -> None:
    assert masked([2**64 - 1, -(10**5000), True]) == [2**64 - 1, "(a number of 16610 bits)", True]


def size(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(size(each) for each in value.values())
    return 1 + sum(size(each) for each in value) if isinstance(value, list) else 1


def test_size_and_depth_are_bounded() -> None:
    deep: list[object] = []
    for _ in range(500):
        deep = [deep]
    assert str(masked(deep)).count("[") == DEPTH
    wide = [[[1] * 1000] * 1000] * 1000
    assert size(masked(wide)) < 3 * NODES
    assert masked(list(range(100)))[-1] == "... (100 items)" and len(masked(list(range(100)))) == ITEMS + 1
    assert masked({str(n): n for n in range(100)})["..."] == "100 members"


@pytest.mark.parametrize(
    "bad",
    [
        "password" + " " * 200_000,
        "eyJ" * 70_000,
        "://" + "a" * 200_000,
        "-----BEGIN A PRIVATE KEY-----" * 7000,
        'password="' * 20_000,
        "bearer " * 30_000,
    ],
)
def test_no_text_makes_it_slow(bad: str) -> None:
    began = time.process_time()
    mask_text(bad)
    assert time.process_time() - began < 0.25


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text("abc {}"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_a_small_value_without_secrets_stays_as_it_is(value: object) -> None:
    assert masked(value) == value
