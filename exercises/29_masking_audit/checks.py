"""Checks of 29_masking_audit. Names, secrets and lengths are made from the seed."""

import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

SPELLINGS = {
    "password": ["password", "PASSWORD", "Pass-Word"],
    "token": ["token", "Token"],
    "secret": ["secret", "SECRET_"],
    "authorization": ["Authorization", "authorization"],
    "api key": ["api_key", "API-KEY", "apiKey", "apikey"],
}
INNOCENT = ["max_tokens", "token_count", "secretary", "author", "key", "passwords", "authorizations"]


def word(rng: random.Random, length: int = 12) -> str:
    return "".join(rng.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(length))


@check(
    "a credential is hidden, however its name is written",
    points=3,
    reason="Every library spells its names in its own way, and the log holds the calls of all of them.",
    about="mask",
)
def test_names(submission: Submission, rng: random.Random) -> None:
    for spellings in SPELLINGS.values():
        for name in spellings:
            secret: Any = rng.choice([word(rng), rng.randint(1000, 9999), [word(rng)], {"is": word(rng)}, True])
            value = {name: secret, "city": "Oslo"}
            expect(submission.call("mask", value), {name: "***", "city": "Oslo"}, f"mask({value})")


@check(
    "at any depth",
    points=3,
    reason="Arguments are nested as the tool's schema wants it; a secret is no less one in the third level.",
    about="mask",
)
def test_depth(submission: Submission, rng: random.Random) -> None:
    secret = word(rng)
    value: Any = {"token": secret}
    wanted: Any = {"token": "***"}
    for level in range(rng.randint(3, 6)):
        value, wanted = (
            ({f"level{level}": value}, {f"level{level}": wanted})
            if rng.random() < 0.5
            else ([level, value], [level, wanted])
        )
    expect(submission.call("mask", {"a": value}), {"a": wanted}, f"mask({ {'a': value} })")
    rows = [{"user": "ada", "password": secret}, {"user": "bob", "password": secret}]
    hidden = [{**row, "password": "***"} for row in rows]
    expect(submission.call("mask", rows), hidden, f"mask({rows})")


@check(
    "what only looks like one is shown",
    points=2,
    reason="An audit that hides what people need will be switched off.",
    about="mask",
)
def test_innocent(submission: Submission, rng: random.Random) -> None:
    value: dict[str, Any] = {name: rng.randint(1, 99) for name in INNOCENT}
    value |= {"none": None, "yes": True, "half": 0.5, "text": "the Bearer", "list": []}
    expect(submission.call("mask", value), value, f"mask({value})")


@check(
    "a secret in a text is hidden before the text is cut",
    points=3,
    reason="Half a token fits no pattern, and half a token may be enough.",
    about="mask",
)
def test_cut(submission: Submission, rng: random.Random) -> None:
    for before in range(20, 40):
        secret = word(rng, rng.randint(12, 30))
        text = f"{'x' * before} Bearer {secret} and more"
        limit = 40
        shown = f"{'x' * before} Bearer *** and more"
        shown = shown if len(shown) <= limit else shown[:limit] + "..."
        expect(
            submission.call("mask", {"note": text}), {"note": shown}, f"mask of a text with {secret!r} at {before + 8}"
        )
    limit = rng.randint(5, 15)
    for length in (limit - 1, limit, limit + 1):
        text = "y" * length
        wanted = text if length <= limit else "y" * limit + "..."
        expect(submission.call("mask", [text], limit), [wanted], f"mask([{length} characters], {limit})")
    text = f"Bearer {word(rng)} Bearer {word(rng)}"
    expect(submission.call("mask", text), "Bearer *** Bearer ***", f"mask({text!r})")


@check(
    "the call itself does not change",
    points=2,
    reason="The tool works with these arguments: with a password of three stars it cannot log in.",
    about="mask",
)
def test_copy(submission: Submission, rng: random.Random) -> None:
    user = word(rng)
    arguments = {"user": user, "password": word(rng)}
    call = {"principal": "ada", "tool": "login", "arguments": arguments, "began": 1, "ended": 2}
    found = submission.call("run", call)
    expect(found["answer"], f"{user} logs in with a password of 12", f"the answer of the tool in run({call})")
    wanted = {
        "who": "ada",
        "tool": "login",
        "outcome": "ok",
        "ms": 1000,
        "arguments": {"user": user, "password": "***"},
    }
    expect(found["record"], wanted, f"the record of run({call})")


@check(
    "the record says who, what and how long",
    points=2,
    reason="What a caller says about itself is an argument like any other. A token proves it.",
    about="record",
)
def test_record(submission: Submission, rng: random.Random) -> None:
    for outcome in ("ok", "refused"):
        who, began, ms, secret = word(rng), rng.randint(1, 99), rng.randint(2, 999), word(rng)
        call = {
            "principal": who,
            "tool": "pay",
            "arguments": {"user": "eve", "token": secret, "cents": 5},
            "began": began,
            "ended": began + ms / 1000,
        }
        arguments = {"user": "eve", "token": "***", "cents": 5}
        wanted = {"who": who, "tool": "pay", "arguments": arguments, "outcome": outcome, "ms": ms}
        expect(submission.call("record", call, outcome), wanted, f"record({call}, {outcome!r})")
