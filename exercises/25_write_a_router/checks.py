"""Checks of 25_write_a_router. Backends, tools and sizes come from the seed."""

import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

Backends = dict[str, dict[str, Any]]


def words(rng: random.Random, count: int) -> list[str]:
    found = set[str]()
    while len(found) < count:
        found.add("".join(rng.choices("bdfgklmnprst", k=2)) + rng.choice("aeiou") + "".join(rng.choices("klmnst", k=2)))
    return rng.sample(sorted(found), count)


def attempt(submission: Submission, function: str, *arguments: Any) -> dict[str, Any]:
    return submission.call("attempt", function, *arguments)


def answer(submission: Submission, function: str, *arguments: Any) -> Any:
    got = attempt(submission, function, *arguments)
    expect_true("answer" in got, f"{function}{arguments[1:]} raised {got.get('raised')}: {got.get('says')}")
    return got["answer"]


def built(submission: Submission, backends: Backends) -> Any:
    got = attempt(submission, "build", backends)
    expect_true("answer" in got, f"build({backends}) raised {got.get('raised')}: {got.get('says')}")
    return got["answer"]


def listed(submission: Submission, backends: Backends, wanted: dict[str, list[str]]) -> None:
    """The list has these names, and each of them leads where it should."""
    table = built(submission, backends)
    shown = answer(submission, "page", table, None, 1000)
    expect(shown, {"tools": sorted(wanted), "next": None}, f"the list of {backends}")
    for name, owner in wanted.items():
        expect(answer(submission, "route", table, name), owner, f"route to {name!r} with {backends}")


@check(
    "tools have the names that they should have",
    points=3,
    reason="The name is all that a client knows of a tool: prefix and own name, or the one that somebody has chosen.",
    about="build",
)
def test_names(submission: Submission, rng: random.Random) -> None:
    a, b, c, x, y, z, new = words(rng, 7)
    backends: Backends = {
        a: {"tools": [x, y], "prefix": f"{a}_"},
        b: {"tools": [x, z], "prefix": f"{b}.", "names": {z: new}, "only": [x, z]},
        c: {"tools": [y], "prefix": ""},
    }
    wanted = {f"{a}_{x}": [a, x], f"{a}_{y}": [a, y], f"{b}.{x}": [b, x], new: [b, z], y: [c, y]}
    listed(submission, backends, wanted)
    listed(submission, {c: {"tools": [x]}}, {x: [c, x]})
    listed(submission, {}, {})


@check(
    "what is filtered is not offered, and in nobody's way",
    points=3,
    reason="A filter names what a backend calls its tools. What it takes away is as if it were not there.",
    about="build",
)
def test_hidden(submission: Submission, rng: random.Random) -> None:
    a, b, x, y, z = words(rng, 5)
    tools = [f"get_{x}", f"get_{y}", f"drop_{x}", f"Get_{z}"]
    only: Backends = {a: {"tools": tools, "prefix": f"{a}_", "only": ["get_*"]}}
    listed(submission, only, {f"{a}_get_{x}": [a, f"get_{x}"], f"{a}_get_{y}": [a, f"get_{y}"]})
    both: Backends = {a: {"tools": tools, "prefix": f"{a}_", "only": ["get_*", "drop_*"], "never": [f"*_{x}"]}}
    listed(submission, both, {f"{a}_get_{y}": [a, f"get_{y}"]})
    listed(submission, {a: {"tools": tools, "only": []}}, {})
    never: Backends = {a: {"tools": [x, y], "never": [x]}, b: {"tools": [x, z], "never": [z]}}
    listed(submission, never, {y: [a, y], x: [b, x]})


@check(
    "a name that two want is refused, with both owners",
    points=3,
    reason="Whoever is called instead of the other may do something else. To mend it, one has to know both.",
    about="build",
)
def test_collisions(submission: Submission, rng: random.Random) -> None:
    a, b, c, x, y = words(rng, 5)
    cases: list[tuple[Backends, str]] = [
        ({a: {"tools": [x]}, c: {"tools": [y]}, b: {"tools": [x]}}, x),
        ({a: {"tools": [f"{b}_{x}"], "prefix": f"{c}_"}, b: {"tools": [x], "prefix": f"{c}_{b}_"}}, f"{c}_{b}_{x}"),
        ({a: {"tools": [y], "prefix": "p_"}, b: {"tools": [x], "prefix": "q_", "names": {x: f"p_{y}"}}}, f"p_{y}"),
    ]
    for backends, name in cases:
        got = attempt(submission, "build", backends)
        expect(got.get("raised"), "Collision", f"build({backends})")
        for word in (name, a, b):
            expect_true(word in got["says"], f"the message does not name {word!r}: {got['says']!r}, for {backends}")


@check(
    "a name leads to its owner, whatever is in it",
    points=3,
    reason="Prefixes and tools have underscores of their own. What a name looks like says nothing about whose it is.",
    about="route",
)
def test_route(submission: Submission, rng: random.Random) -> None:
    a, b, x, y = words(rng, 4)
    backends: Backends = {
        a: {"tools": [f"{b}_{y}"], "prefix": f"{a}_"},
        f"{a}_{b}": {"tools": [x], "prefix": f"{a}_{b}_"},
        b: {"tools": [f"{a}_{x}", x], "prefix": ""},
        "": {"tools": [f"_{y}"], "prefix": "_"},
    }
    wanted = {f"{a}_{b}_{y}": [a, f"{b}_{y}"], f"{a}_{b}_{x}": [f"{a}_{b}", x], f"{a}_{x}": [b, f"{a}_{x}"]}
    listed(submission, backends, {**wanted, x: [b, x], f"__{y}": ["", f"_{y}"]})
    table = built(submission, backends)
    for name in (y, f"{a}_{y}", f"{b}_{x}", f"{a}_{b}", ""):
        got = attempt(submission, "route", table, name)
        expect(got.get("raised"), "UnknownTool", f"route to {name!r} with {backends}")


@check(
    "pages are full, sorted, and end",
    points=2,
    reason="A client goes on until there is no cursor. One that leads to nothing costs a round trip, or never ends.",
    about="page",
)
def test_pages(submission: Submission, rng: random.Random) -> None:
    size = rng.randint(2, 5)
    for count in (size * 3, size * 3 + 1, size * 2 - 1, 1):
        names = words(rng, count)
        table = built(submission, {"a": {"tools": names}})
        cursor, pages = None, list[list[str]]()
        for _ in range(count + 2):
            shown = answer(submission, "page", table, cursor, size)
            pages.append(shown["tools"])
            cursor = shown["next"]
            if cursor is None:
                break
        rows = [sorted(names)[first : first + size] for first in range(0, count, size)]
        expect(pages, rows, f"the pages of {count} tools, {size} on each")


@check(
    "a cursor holds while tools come and go",
    points=3,
    reason="Servers change their tools at any time. What is skipped is missing as long as the client keeps its list.",
    about="page",
)
def test_stable(submission: Submission, rng: random.Random) -> None:
    names, size = sorted(words(rng, 12)), rng.randint(3, 5)
    gone = {
        "the last one shown": names[size - 1],
        "one that was shown": names[0],
        "the next one": names[size],
    }
    for what, name in gone.items():
        table = built(submission, {"a": {"tools": names}})
        first = answer(submission, "page", table, None, size)
        left = [each for each in names if each != name]
        rest = answer(submission, "page", built(submission, {"a": {"tools": left}}), first["next"], 1000)
        wanted = [each for each in names[size:] if each != name]
        expect(rest, {"tools": wanted, "next": None}, f"the rest after {first['tools']}, when {what} had gone")
    table = built(submission, {"a": {"tools": names}})
    first = answer(submission, "page", table, None, size)
    more = built(submission, {"a": {"tools": [*names, "AAA", "zzz"]}})
    rest = answer(submission, "page", more, first["next"], 1000)
    expect(rest["tools"], [*names[size:], "zzz"], "the rest, when one had come in front and one at the end")
    few = built(submission, {"a": {"tools": names[:2]}})
    got = answer(submission, "page", few, first["next"], size)
    expect(got, {"tools": [], "next": None}, "the rest, when all behind the cursor had gone")


@check(
    "what is no cursor is refused",
    points=1,
    reason="A client that sends nonsense should hear of it, and not keep half of a list for the whole.",
    about="page",
)
def test_cursors(submission: Submission, rng: random.Random) -> None:
    names = sorted(words(rng, 9))
    table = built(submission, {"a": {"tools": names}})
    for cursor in ("", "0", str(rng.randint(1, 8)), names[3], "nonsense", "\u00e4"):
        got = attempt(submission, "page", table, cursor, 3)
        expect(got.get("raised"), "BadCursor", f"page with the cursor {cursor!r}")
