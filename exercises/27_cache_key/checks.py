"""Checks of 27_cache_key. Words come from the seed."""

import random
from typing import Any

from labkit.grading.checks import check, expect_true
from labkit.grading.submission import Submission

Call = tuple[str, dict[str, Any], str, str]


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=6))


def shown(call: Call) -> str:
    text = f"cache_key{call}"
    return text if len(text) <= 120 else text[:117] + "..."


def key(submission: Submission, call: Call) -> str:
    found = submission.call("cache_key", *call)
    expect_true(isinstance(found, str), f"{shown(call)} is {found!r}, not a text")
    return found


def same(submission: Submission, one: Call, other: Call) -> None:
    expect_true(key(submission, one) == key(submission, other), f"{shown(one)} and {shown(other)} differ")


def differ(submission: Submission, one: Call, other: Call) -> None:
    expect_true(key(submission, one) != key(submission, other), f"{shown(one)} and {shown(other)} are the same")


@check(
    "the same call has the same key",
    points=2,
    reason="A client may send the members of an object in any order: each order of its own would be a miss.",
    about="cache_key",
)
def test_same(submission: Submission, rng: random.Random) -> None:
    a, b, tool, user = (word(rng) for _ in range(4))
    for scope in ("private", "public"):
        call: Call = (tool, {a: 1, b: [1, {"x": None}]}, user, scope)
        same(submission, call, call)
        same(submission, call, (tool, {b: [1, {"x": None}], a: 1}, user, scope))
        deep: Call = (tool, {"deep": [{a: 1, b: 2}]}, user, scope)
        same(submission, deep, (tool, {"deep": [{b: 2, a: 1}]}, user, scope))


@check(
    "texts cannot be pushed from one place to the next",
    points=3,
    reason="Whoever chooses a text may put a separator or a quote into it, and reach what others were answered.",
    about="cache_key",
)
def test_apart(submission: Submission, rng: random.Random) -> None:
    a, b, c, user = (word(rng) for _ in range(4))
    for mark in (":", "=", ",", "|", "/", "&", "\0", "\n", " ", '"', "', '", '", "', "\\"):
        one: Call = (a, {"x": f"{b}{mark}y={c}"}, user, "private")
        differ(submission, one, (a, {"x": b, "y": c}, user, "private"))
        differ(submission, (f"{a}{mark}{b}", {"x": c}, user, "private"), (a, {"x": f"{b}{mark}{c}"}, user, "private"))
        differ(submission, (a, {f"{b}{mark}x": c}, user, "private"), (a, {b: f"x{mark}{c}"}, user, "private"))
    differ(submission, (a + b, {}, user, "public"), (a, {}, user, "public"))
    differ(submission, (a, {"x": b}, c + user, "private"), (a, {"x": b + c}, user, "private"))
    differ(submission, (a, {"x": b}, user, "private"), (a, {"y": b}, user, "private"))


@check(
    "values keep their kind and lists their order",
    points=2,
    reason="A tool that is given 1 and one that is given the text 1 may answer differently; so may [1, 2] and [2, 1].",
    about="cache_key",
)
def test_kinds(submission: Submission, rng: random.Random) -> None:
    tool, user, n = word(rng), word(rng), rng.randint(2, 99)
    kinds: list[Any] = [
        1,
        "1",
        True,
        "True",
        "true",
        None,
        "None",
        "null",
        "",
        [],
        {},
        [1],
        "[1]",
        {"a": 1},
        "{'a': 1}",
    ]
    kinds += [[n, 1], [1, n], [[n], 1], [[n, 1]], {"a": n}, {"n": "a"}, 0, False]
    seen: dict[str, Any] = {}
    for kind in kinds:
        found = key(submission, (tool, {"x": kind}, user, "private"))
        expect_true(found not in seen, f"x={kind!r} and x={seen.get(found)!r} have the same key")
        seen[found] = kind
    differ(submission, (tool, {"x": None}, user, "private"), (tool, {}, user, "private"))


@check(
    "what is private is of one user",
    points=3,
    reason="This is the mistake that makes it into the news: the second caller reads what the first was answered.",
    about="cache_key",
)
def test_private(submission: Submission, rng: random.Random) -> None:
    tool, one, other = word(rng), word(rng), word(rng)
    for arguments in ({}, {"x": 1}, {"user": other}):
        differ(submission, (tool, arguments, one, "private"), (tool, arguments, other, "private"))
        differ(submission, (tool, arguments, one, "private"), (tool, arguments, "", "private"))
    differ(submission, (tool, {"user": one}, other, "private"), (tool, {"user": other}, one, "private"))


@check(
    "what is public is of everybody, and nobody else's",
    points=1,
    reason="Kept once for all users, it is fetched once. A private answer of somebody without a name is not public.",
    about="cache_key",
)
def test_public(submission: Submission, rng: random.Random) -> None:
    tool, one, other = word(rng), word(rng), word(rng)
    same(submission, (tool, {"x": 1}, one, "public"), (tool, {"x": 1}, other, "public"))
    same(submission, (tool, {"x": 1}, one, "public"), (tool, {"x": 1}, "", "public"))
    for user in (one, "", "public", "None", "null"):
        differ(submission, (tool, {"x": 1}, user, "private"), (tool, {"x": 1}, one, "public"))


@check(
    "keys are short",
    points=1,
    reason="A cache with room for a thousand entries has none for a thousand keys of a megabyte, and a caller chooses.",
    about="cache_key",
)
def test_short(submission: Submission, rng: random.Random) -> None:
    long = word(rng) * 2000
    for call in ((long, {}, "", "public"), ("t", {"x": long}, "", "public"), ("t", {"x": [1] * 5000}, long, "private")):
        length = len(key(submission, call))
        expect_true(length <= 100, f"a call with {len(str(call))} characters has a key of {length}")
    differ(submission, ("t", {"x": long + "a"}, "", "public"), ("t", {"x": long + "b"}, "", "public"))
