"""Checks of 33_router. Words come from the seed."""

import random
from collections.abc import Mapping
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

Mount = tuple[str, str, list[str] | None]


def words(rng: random.Random, number: int) -> list[str]:
    return ["".join(rng.choices("bcdfghjklmnpqrstvwxz", k=5)) + str(place) for place in range(number)]


def routes(submission: Submission, mounts: list[Mount], wanted: Mapping[str, list[str] | None]) -> None:
    """Mount, with no collision, and route; None for an unknown tool."""
    found = submission.call("rehearse", mounts, list(wanted))
    expect(found["refused"], [None] * len(mounts), f"what mount returns or raises for {mounts}")
    for (name, want), got in zip(wanted.items(), found["routes"], strict=True):
        if want is None:
            unknown(got, name, mounts)
        else:
            expect(got, want, f"route({name!r}) after {mounts}")


def unknown(got: Any, name: str, mounts: list[Mount]) -> None:
    what = f"route({name!r}) after {mounts}"
    expect_true(isinstance(got, list) and got[:1] == ["UnknownTool"], f"{what} is {got!r}, not UnknownTool")
    expect_true(name in got[1], f"{what} raises {got[1]!r}: the name is not in it")


@check(
    "a listed tool goes to its server",
    points=2,
    reason="Own names have dots, too: a name that is taken apart at the first one reaches the wrong server.",
    about="Router",
)
def test_listed(submission: Submission, rng: random.Random) -> None:
    git, hub, log, find, one, two, three = words(rng, 7)
    mounts: list[Mount] = [
        (git, one, [log, f"{hub}.{find}"]),
        (f"{git}.{hub}", two, [log]),
        ("", three, [log, f"{log}.{log}"]),
    ]
    wanted = {
        f"{git}.{log}": [one, log],
        f"{git}.{hub}.{find}": [one, f"{hub}.{find}"],
        f"{git}.{hub}.{log}": [two, log],
        log: [three, log],
        f"{log}.{log}": [three, f"{log}.{log}"],
        f"{git}.{find}": None,
        find: None,
    }
    routes(submission, mounts, wanted)


@check(
    "the longest open prefix, in whole words",
    points=3,
    reason="github begins with git, and is somebody else. The order in which servers were mounted must not matter.",
    about="route",
)
def test_longest(submission: Submission, rng: random.Random) -> None:
    git, hub, a, b, one, two, three = words(rng, 7)
    mounts: list[Mount] = [(git, one, None), (f"{git}.{hub}.{a}", three, None), (f"{git}.{hub}", two, None)]
    rng.shuffle(mounts)
    wanted = {
        f"{git}.{a}": [one, a],
        f"{git}.{a}.{hub}": [one, f"{a}.{hub}"],
        f"{git}.{hub}": [one, hub],
        f"{git}.{hub}.{b}": [two, b],
        f"{git}.{hub}.{a}": [two, a],
        f"{git}.{hub}.{a}.{b}.{a}": [three, f"{b}.{a}"],
        f"{git}x.{a}": None,
        git: None,
        a: None,
    }
    routes(submission, mounts, wanted)
    rest = {f"{git}x.{a}": ["rest", f"{git}x.{a}"], git: ["rest", git], f"{git}.{a}": [one, a]}
    routes(submission, [("", "rest", None), *mounts], rest)


@check(
    "what is listed wins",
    points=1,
    reason="A list is known, a prefix is a guess - however long it is.",
    about="route",
)
def test_wins(submission: Submission, rng: random.Random) -> None:
    git, hub, a, b, one, two = words(rng, 6)
    mounts: list[Mount] = [(f"{git}.{hub}", two, None), (git, one, [f"{hub}.{a}", hub]), (git, two, None)]
    wanted = {
        f"{git}.{hub}.{a}": [one, f"{hub}.{a}"],
        f"{git}.{hub}": [one, hub],
        f"{git}.{hub}.{b}": [two, b],
        f"{git}.{a}": [two, a],
    }
    routes(submission, mounts, wanted)


def collides(submission: Submission, mounts: list[Mount], place: int, words: list[str]) -> list[Any]:
    """The mount at `place` is refused, with these words, and no other; what the router says afterwards to each name."""
    names = [f"{prefix}.{own}" if prefix else own for prefix, _, tools in mounts for own in tools or ["any"]]
    found = submission.call("rehearse", mounts, names)
    got = found["refused"][place]
    what = f"mount{mounts[place]} after {mounts[:place]}"
    expect_true(isinstance(got, list) and got[:1] == ["Collision"], f"{what}: {got!r}, not a Collision")
    missing = [word for word in words if word not in got[1]]
    expect_true(not missing, f"{what} raises {got[1]!r}: {missing} not in it")
    others = found["refused"][:place] + found["refused"][place + 1 :]
    expect(others, [None] * len(others), f"what the other mounts of {mounts} return or raise")
    return list(zip(names, found["routes"], strict=True))


@check(
    "a name that is taken is refused",
    points=2,
    reason="The last one to come would take over the calls of the others. Two prefixes can make one name.",
    about="mount",
)
def test_collision(submission: Submission, rng: random.Random) -> None:
    git, hub, a, b, one, two = words(rng, 6)
    name = f"{git}.{hub}.{a}"
    said = [name, one, two]
    collides(submission, [(git, one, [f"{hub}.{a}"]), (f"{git}.{hub}", two, [a])], 1, said)
    collides(submission, [("", one, [b, name]), (git, two, [f"{hub}.{a}"])], 1, said)
    collides(submission, [(git, one, None), (git, "x", [a]), ("", "y", None), (git, two, None)], 3, [git, one, two])


@check(
    "a refused server leaves nothing behind",
    points=2,
    reason="Half a server is worse than none: it answers, and nobody knows that it was refused.",
    about="mount",
)
def test_whole(submission: Submission, rng: random.Random) -> None:
    git, a, b, c, one, two, three = words(rng, 7)
    mounts: list[Mount] = [(git, one, [b]), (git, two, [a, b, c]), (git, three, [c])]
    said = dict(collides(submission, mounts, 1, [f"{git}.{b}", one, two]))
    expect(said[f"{git}.{b}"], [one, b], f"route of {git}.{b} after {mounts}")
    expect(said[f"{git}.{c}"], [three, c], f"route of {git}.{c} after {mounts}")
    unknown(said[f"{git}.{a}"], f"{git}.{a}", mounts)
