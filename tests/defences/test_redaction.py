"""Redaction under attack: a corpus of spellings, made-up ones by the hundred, and what must come back untouched."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import string
import time
import tomllib
import unicodedata
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.defences.redaction import Redacted, Redactor
from labkit.defences.redaction_rules import RULES, hides, is_card

CORPUS = Path(__file__).with_name("corpus")
REDACTOR = Redactor()


def cases(name: str) -> list[dict[str, Any]]:
    return tomllib.loads((CORPUS / f"redaction_{name}.toml").read_text(encoding="utf-8"))[name.removesuffix("s")]


ATTACKS, LEGITIMATE = cases("attacks"), cases("legitimate")


def texts(value: Any) -> Iterator[str]:
    """Every text, number and name in a value."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    else:
        yield str(value)


def passes(case: dict[str, Any]) -> bool:
    told = REDACTOR.redact(json.loads(case["value"]))
    left = "\0".join(texts(told.value))
    return not told.hidden or any(gone in left for gone in case["gone"])


def is_refused(case: dict[str, Any]) -> bool:
    value = json.loads(case["value"])
    return REDACTOR.redact(value) != Redacted(value, {})


def numbers() -> tuple[int, int, int, int]:
    """Attacks, those that pass, legitimate values, those that are changed."""
    return len(ATTACKS), sum(map(passes, ATTACKS)), len(LEGITIMATE), sum(map(is_refused, LEGITIMATE))


# -- the corpora --------------------------------------------------------------------------------------------------------


def test_no_attack_of_the_corpus_passes() -> None:
    assert len(ATTACKS) >= 80
    assert [case["what"] for case in ATTACKS if passes(case)] == []


def test_each_attack_holds_what_has_to_go() -> None:
    for case in ATTACKS:
        left = "\0".join(texts(json.loads(case["value"])))
        assert case["gone"] and all(gone in left for gone in case["gone"]), case["what"]


def test_nothing_legitimate_of_the_corpus_is_changed() -> None:
    assert len(LEGITIMATE) >= 80
    assert [case["what"] for case in LEGITIMATE if is_refused(case)] == []


def test_the_numbers_for_the_table() -> None:
    attacks, passed, legitimate, refused = numbers()
    assert (passed, refused) == (0, 0) and attacks >= 80 and legitimate >= 80


# -- made-up ones -------------------------------------------------------------------------------------------------------


def with_luhn(body: str) -> str:
    return next(body + digit for digit in string.digits if is_card(body + digit))


def account(body: int) -> str:
    """A German account: country, check digits, 18 digits."""
    number = f"{body:018}"
    return f"DE{98 - int(number + '131400') % 97:02}{number}"


def spaced(secret: str, size: int, gap: str) -> str:
    return gap.join(secret[at : at + size] for at in range(0, len(secret), size))


CARDS = st.from_regex(r"\A(?:4[0-9]{14}|5[1-5][0-9]{13}|3[47][0-9]{12})\Z").map(with_luhn)
ACCOUNTS = st.integers(0, 10**18 - 1).map(account)
NUMBERS = st.one_of(CARDS, ACCOUNTS)
SPACED = st.builds(spaced, NUMBERS, st.sampled_from([1, 4, 40]), st.sampled_from([" ", "-", "\u00a0", "\u2011"]))
TOKENS = st.from_regex(r"\Aghp_[a-z]{3}[0-9][A-Za-z0-9]{12,20}\Z")
SECRETS = st.one_of(NUMBERS, SPACED, TOKENS)
CODINGS: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "hex": lambda text: text.encode().hex(),
    "percent": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "json": lambda text: json.dumps("".join(f"\\u{ord(c):04x}" for c in text))[1:-1].replace("\\\\", "\\"),
    "entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "wide": lambda text: "".join(chr(ord(c) + 0xFEE0) if c.isdigit() and c.isascii() else c for c in text),
}
WORDS = st.sampled_from(["", "paid with ", "see: ", "für ", "the number is "])


def plain(text: str, depth: int = 5) -> set[str]:
    """What a reader with a decoder for everything gets out of a text: written without the code under test."""
    seen = {text}
    for _ in range(depth):
        more = {unquote(each) for each in seen} | {html.unescape(each) for each in seen}
        more |= {unicodedata.normalize("NFKC", each) for each in seen}
        more |= {re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), each) for each in seen}
        for each in seen:
            for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", each):
                for decode in (
                    lambda r: base64.urlsafe_b64decode(r.translate("".maketrans("+/", "-_")) + "==="),
                    bytes.fromhex,
                ):
                    try:
                        more.add(decode(run).decode())
                    except ValueError:
                        continue
        if more <= seen:
            break
        seen |= more
    return {re.sub(r"[^A-Za-z0-9_]", "", each) for each in seen}


def check_gone(value: Any, secret: str) -> Redacted:
    told = REDACTOR.redact(value)
    bare = re.sub(r"[^A-Za-z0-9_]", "", secret)
    assert told.hidden
    for text in [*texts(told.value), "".join(texts(told.value))]:
        assert not any(bare in spelling for spelling in plain(text)), (value, told)
    return told


@settings(max_examples=120, deadline=None, derandomize=True)
@given(SECRETS, st.lists(st.sampled_from(sorted(CODINGS)), max_size=3), WORDS, st.booleans())
def test_no_encoding_hides_a_secret(secret: str, codings: list[str], word: str, outside: bool) -> None:
    carried = secret if outside else word + secret
    for coding in codings:
        carried = CODINGS[coding](carried)
    check_gone({"note": f"{word}{carried}." if outside else carried}, secret)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    SECRETS, st.lists(st.sampled_from(["list", "object", "text", "name"]), max_size=7), st.sampled_from(["", "base64"])
)
def test_no_depth_hides_a_secret(secret: str, ways: list[str], coding: str) -> None:
    value: Any = CODINGS[coding](f"it is {secret}") if coding else secret
    for number, way in enumerate(ways):
        if way == "list":
            value = [number, value, "more"]
        elif way == "object":
            value = {"n": number, f"member{number}": value}
        elif way == "text":
            value = json.dumps(value)
        else:
            value = {value if isinstance(value, str) else "other": value}
    # JSON in JSON in JSON is a depth of its own, and has a bound of its own: what is deeper is hidden as a whole.
    check_gone(value, secret)


def parts_of(secret: str, cuts: list[int]) -> list[str]:
    places = [0, *sorted({1 + cut % (len(secret) - 1) for cut in cuts}), len(secret)]
    return [secret[a:b] for a, b in pairwise(places)]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.one_of(NUMBERS, TOKENS),
    st.lists(st.integers(0, 500), min_size=1, max_size=3),
    st.sampled_from(["lines", "items", "members", "blocks", "rows"]),
    st.sampled_from(["", "base64", "hex", "wide"]),
)
def test_no_end_of_a_text_hides_a_secret(secret: str, cuts: list[int], way: str, coding: str) -> None:
    parts = parts_of(CODINGS[coding](f"it is {secret}") if coding else secret, cuts)
    value: Any = {
        "lines": "\n".join(["a line", *parts, "another line"]),
        "items": ["first", *parts, "last"],
        "members": {"n": 1, **{f"part{number}": part for number, part in enumerate(parts)}},
        "blocks": {"content": [{"type": "text", "text": part} for part in parts]},
        "rows": [{"label": f"row {number}", "part": part} for number, part in enumerate(parts)],
    }[way]
    check_gone(value, secret)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [shape(each) for each in value.values()]
    return [shape(each) for each in value] if isinstance(value, list) else type(value)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(JSON, CARDS)
def test_the_shape_stays_and_a_second_time_changes_nothing(value: Any, secret: str) -> None:
    before = json.dumps([value, {"token": value, "note": secret}])
    told = REDACTOR.redact(json.loads(before))
    assert shape(told.value) == shape(json.loads(before))
    again = REDACTOR.redact(told.value)
    assert again.value == told.value


# -- what it says, and its bounds ---------------------------------------------------------------------------------------


def test_it_says_how_often_which_rule_hid_something_and_nothing_of_what() -> None:
    told = REDACTOR.redact(
        {"password": "swordfish", "a": "4111111111111111", "b": "5500005555555559 and ghp_ab1cdefghijkl"}
    )
    assert told.hidden == {"field": 1, "card": 2, "token": 1}
    assert told.value == {
        "password": "[hidden: field]",
        "a": "[hidden: card]",
        "b": "[hidden: card] and [hidden: token]",
    }


def test_the_value_that_was_given_stays_as_it_is() -> None:
    value = {"a": ["4111111111111111"], "password": {"b": [1]}}
    before = json.dumps(value)
    REDACTOR.redact(value)
    assert json.dumps(value) == before


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_rule_can_be_switched_off(rule: str) -> None:
    secrets = {
        "field": {"password": "sword"},
        "card": "4111111111111111",
        "iban": "DE89370400440532013000",
        "id": "078-05-1120",
        "token": "Bearer abcdef123456",
        "private key": "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----",
        "named": "pwd=hunter2",
        "known": "what a-very-own-secret is",
        "email": "ada@example.org",
    }
    known = ["a-very-own-secret"]
    assert Redactor([rule], known=known).redact(secrets[rule]).hidden == {rule: 1}
    if rule != "known":  # that one is on when it is given texts
        assert Redactor(sorted(set(RULES) - {rule}), known=known).redact(secrets[rule]) == Redacted(secrets[rule], {})


@pytest.mark.parametrize("spelling", ["plain", *sorted(CODINGS)])
def test_what_is_known_to_be_secret_is_found_in_any_spelling(spelling: str) -> None:
    redactor = Redactor(known=["correct horse battery staple 1"])
    text = CODINGS.get(spelling, str)("say correct horse battery staple 1, please")
    assert redactor.redact({"a": text}).hidden == {"known": 1}


@pytest.mark.parametrize(
    "token",
    ["npm_abcdefghijklmnopqrstuvwxyz", "eyJabcdefgh.abcdefgh.abcdefgh", "Bearer abcdefghijklmnopqrstuvwxyz"],
)
def test_a_token_need_not_have_a_digit(token: str) -> None:
    assert REDACTOR.redact(token).hidden == {"token": 1}


@pytest.mark.parametrize("text", ["correct+horse+battery", "correct horse\nbattery", "correct  horse battery"])
def test_the_blanks_of_what_is_known_may_be_others(text: str) -> None:
    assert Redactor(known=["correct horse battery"]).redact(f"say {text}!").value == "say [hidden: known]!"


def test_the_longest_of_what_is_known_is_hidden() -> None:
    assert Redactor(known=["secret1", "secret1-and-more"]).redact("a secret1-and-more b").value == "a [hidden: known] b"


def test_names_are_added() -> None:
    assert Redactor(fields=["Salary"]).redact({"salary": 610000, "name": "Chen"}).value == {"salary": 0, "name": "Chen"}


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match="no rule 'cards'"):
        Redactor(["cards"])
    with pytest.raises(ValueError, match="at least 6"):
        Redactor(known=["abc"])


@pytest.mark.parametrize(
    ("name", "hidden"), [("clientSecret", True), ("card_number", True), ("page_token", False), ("keys", False)]
)
def test_names(name: str, hidden: bool) -> None:
    assert hides(name) is hidden


def test_what_is_too_deep_or_too_long_is_hidden_and_not_passed() -> None:
    deep: Any = "4111111111111111"
    for _ in range(200):
        deep = [deep]
    assert Redactor().redact(deep).hidden == {"limit": 1}
    long = ["words and words " * 100, "4111111111111111"]
    told = Redactor(limit=1000).redact(long)
    assert told.value == ["[hidden: limit]"] * 2
    coded = "card 4111111111111111"
    for _ in range(12):
        coded = CODINGS["base64"](coded)
    assert not any("4111111111111111" in spelling for spelling in plain(str(REDACTOR.redact(coded).value), 14))


@pytest.mark.parametrize(
    "text",
    [
        "4 " * 60_000,
        "4111 " * 20_000,
        "%41" * 30_000,
        "&#" * 40_000,
        "\\" * 60_000,
        "[" * 60_000,
        '{"a":' * 10_000,
        "a" * 100_000,
        "QUFB" * 20_000,
        "DE8" * 30_000,
        "password=" * 10_000,
        "-----BEGIN PRIVATE KEY-----" * 3_000,
        "eyJ" * 30_000,
        "\n" * 60_000,
        "x\n" * 30_000,
        "\u0664" * 20_000,
        "0x" * 40_000,
        "12-" * 30_000,
        "a@" * 40_000,
        "=3" * 40_000,
        "\x00" * 40_000,
        "\x1b[" * 30_000,
        "://" * 30_000,
        "cookie:" * 10_000,
        "-----BEGIN PGP PRIVATE KEY BLOCK-----" * 2_000,
    ],
    ids=lambda text: ascii(text[:9]),
)
def test_hostile_text_takes_no_time_to_speak_of(text: str) -> None:
    began = time.process_time()
    REDACTOR.redact({"note": text})
    assert time.process_time() - began < 20  # of this process alone; it is a tenth of a second, or minutes


def test_random_numbers_are_rarely_taken_for_cards() -> None:
    rng = random.Random(21)
    made_up = ["".join(rng.choices(string.digits, k=16)) for _ in range(3_000)]
    taken = sum(bool(REDACTOR.redact(f"order {each} has shipped").hidden) for each in made_up)
    assert taken / len(made_up) < 0.035  # one in ten has Luhn's digit, one in four of those an issuer's beginning
