"""Checks of 33_redactor. Secrets come from the seed, and are made up."""

import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

LETTERS = string.ascii_letters + string.digits
URLSAFE = LETTERS + "_-"
SAFE = """AKIA  AKIAshort  NAKIAABCDEFGHIJKLMNOP  ghp_short  sk-learn  task-force-of-the-northern-coasts  eyJ.eyJ.x
5d41402abc4b2a76b9719d911017c592a1b2c3d4  http://127.0.0.1:8000/@docs  mailto:ada:b@example.org"""
"""Texts of the task that are no secrets; two spaces or a line break between."""


def some(rng: random.Random, characters: str, number: int) -> str:
    return "".join(rng.choices(characters, k=number))


def keys(rng: random.Random) -> list[str]:
    """A secret of each of the first four kinds, in any order; none of them ends with a hyphen."""
    token = ".".join(f"eyJ{some(rng, URLSAFE, rng.choice([5, 30]))}" for _ in range(2))
    found = [
        "AKIA" + some(rng, string.ascii_uppercase + string.digits, 16),
        "ghp_" + some(rng, LETTERS, 36),
        "sk-" + some(rng, URLSAFE, rng.choice([19, 40])) + some(rng, LETTERS, 1),
        f"{token}.{some(rng, URLSAFE, rng.choice([7, 42]))}{some(rng, LETTERS, 1)}",
    ]
    return rng.sample(found, len(found))


def redacts(submission: Submission, value: Any, wanted: Any) -> None:
    found, _ = submission.call("rehearse", value)
    expect(found, wanted, f"redact({value!r})")
    if isinstance(wanted, dict):
        expect(list(found), list(wanted), f"the order of the members of redact({value!r})")


@check(
    "keys in a text",
    points=3,
    reason="What is around a key is what the line was written for. Line breaks and full stops are no part of it.",
    about="redact",
)
def test_keys(submission: Submission, rng: random.Random) -> None:
    for key in keys(rng):
        for text in ("{}", "with {}.", "say:\n{}\n", "é{}é", '"{}",', "key={}&x=1", "/{}/", "{} {}"):
            redacts(submission, text.replace("{}", key), text.replace("{}", "<secret 1>"))
    for key in ("sk-" + some(rng, URLSAFE, 20) + "-", "eyJabcde.eyJabcde." + some(rng, URLSAFE, 8) + "_"):
        redacts(submission, f"{key}, {key}", "<secret 1>, <secret 1>")
    a, b, c, d = keys(rng)
    labels = [f"<secret {number}>" for number in (1, 2, 3, 4)]
    redacts(submission, f"{a}, {b}: {c} {d}", "{}, {}: {} {}".format(*labels))


@check(
    "passwords in URLs",
    points=2,
    reason="Connection strings are the secrets that are logged most. Host and user are what one wants to see.",
    about="redact",
)
def test_urls(submission: Submission, rng: random.Random) -> None:
    word, user = some(rng, LETTERS + "!$%", 12), some(rng, LETTERS, 5)
    for text in ("postgres://USER:{}@db:5432/x", "redis://:{}@cache", "at http://USER:{}@h/a:b@c and http://:{}@i ok"):
        text = text.replace("USER", user)
        redacts(submission, text.replace("{}", word), text.replace("{}", "<secret 1>"))
    key = keys(rng)[0].replace(".", "x")
    redacts(submission, [f"https://{user}:{key}@git", word], [f"https://{user}:<secret 1>@git", word])


@check(
    "what only looks like one stays",
    points=2,
    reason="A redactor that blackens words is switched off within a week.",
    about="redact",
)
def test_safe(submission: Submission, rng: random.Random) -> None:
    texts = [*SAFE.replace("\n", "  ").split("  "), "see https://docs.example/a:b@c"]
    for text in texts:
        redacts(submission, text, text)
    redacts(submission, " ".join(texts), " ".join(texts))
    for key in keys(rng):
        for text in (f"x{key}", f"_{key}", f"-{key}"):
            redacts(submission, text, text)
    forge, cloud = "ghp_" + some(rng, LETTERS, 36), "AKIA" + some(rng, string.ascii_uppercase, 16)
    model = "sk-" + some(rng, URLSAFE, 19)
    for text in (f"{forge}x", f"{forge}_", f"{cloud}7", forge[:-1], cloud[:-1], cloud.lower(), model):
        redacts(submission, text, text)
    for parts in (
        ("eyJabcd", "eyJabcde", "a" * 8),
        ("eyJabcde", "eyJabcd", "a" * 8),
        ("eyJabcde", "eyJabcde", "a" * 7),
    ):
        redacts(submission, ".".join(parts), ".".join(parts))


@check(
    "at any depth, in names as well",
    points=2,
    reason="Tables are often keyed by what should not be seen. Two secret names must not become one.",
    about="redact",
)
def test_depth(submission: Submission, rng: random.Random) -> None:
    a, b, c, d = keys(rng)
    value = {a: 1, "x": [{f"of {b}": [[c]]}, True, None, 1.5, ""], d: {}, "last": []}
    wanted = {"<secret 1>": 1, "x": [{"of <secret 2>": [["<secret 3>"]]}, True, None, 1.5, ""], "<secret 4>": {}}
    redacts(submission, value, {**wanted, "last": []})
    for plain in (a, [a], {"n": a}):
        shown = submission.call("redact", plain)
        expect_true(a not in str(shown), f"redact({plain!r}) is {shown!r}")
    for plain in (7, True, None, 2.5, [], {}, ""):
        redacts(submission, plain, plain)


@check(
    "the same secret, the same label",
    points=2,
    reason="Whether two calls used the same key is often all that support wants to know.",
    about="redact",
)
def test_labels(submission: Submission, rng: random.Random) -> None:
    a, b, c, _ = keys(rng)
    value = {"one": f"{a} {b}", "two": [b, {c: a}], "three": f"{c}, {b}"}
    wanted = {
        "one": "<secret 1> <secret 2>",
        "two": ["<secret 2>", {"<secret 3>": "<secret 1>"}],
        "three": "<secret 3>, <secret 2>",
    }
    redacts(submission, value, wanted)
    redacts(submission, [b, a], ["<secret 1>", "<secret 2>"])


@check(
    "the value stays as it was",
    points=1,
    reason="The tool still works with it: a key that is a label opens nothing.",
    about="redact",
)
def test_copy(submission: Submission, rng: random.Random) -> None:
    a, b, _, _ = keys(rng)
    value = {"a": [a, {"b": b}], b: [[a]]}
    _, after = submission.call("rehearse", value)
    expect(after, value, "the value itself after redact")
