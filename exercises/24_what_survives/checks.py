"""Checks of 24_what_survives. Fleets and names come from the seed."""

import random
from itertools import pairwise
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

Packaging = dict[str, list[str]]
Servers = dict[str, dict[str, list[Any]]]


def words(rng: random.Random, count: int) -> list[str]:
    found = set[str]()
    while len(found) < count:
        found.add("".join(rng.choices("bdfgklmnprst", k=2)) + "".join(rng.choices("aeiou", k=1)) + rng.choice("klmnst"))
    return rng.sample(sorted(found), count)


def left(submission: Submission, packaging: Packaging, servers: Servers, killed: str | None, wanted: list[str]) -> None:
    got = submission.call("survivors", packaging, servers, killed)
    expect(got, sorted(wanted), f"survivors({packaging}, {servers}, {killed!r})")


@check(
    "what ran in the process is gone, the rest is not",
    points=3,
    reason="This is what a packaging decides: what one process takes along.",
    about="survivors",
)
def test_own(submission: Submission, rng: random.Random) -> None:
    a, b, c, one, two, x, y = words(rng, 7)
    servers: Servers = {a: {x: [], y: []}, b: {x: []}, c: {y: [], one: []}}
    packaging = {one: [a, b], two: [c]}
    left(submission, packaging, servers, one, [f"{c}.{y}", f"{c}.{one}"])
    left(submission, packaging, servers, two, [f"{a}.{x}", f"{a}.{y}", f"{b}.{x}"])
    left(submission, packaging, servers, None, [f"{a}.{x}", f"{a}.{y}", f"{b}.{x}", f"{c}.{y}", f"{c}.{one}"])
    left(submission, {one: [a, b, c]}, servers, one, [])


@check(
    "a tool falls with what it needs, however far below",
    points=4,
    reason="A layer that runs and cannot reach the one below it answers, and its answers are errors.",
    about="survivors",
)
def test_chains(submission: Submission, rng: random.Random) -> None:
    names = words(rng, rng.randint(4, 6))
    tool, free, odd = words(rng, 3)
    servers: Servers = {name: {tool: [f"{below}.{tool}"], free: []} for name, below in pairwise(names)}
    servers[names[-1]] = {tool: [], free: []}
    packaging = {f"of-{name}": [name] for name in names}
    for place in range(len(names)):
        wanted = [f"{name}.{free}" for name in names if name != names[place]]
        wanted += [f"{name}.{tool}" for name in names[place + 1 :]]
        left(submission, packaging, servers, f"of-{names[place]}", wanted)
    both: Servers = {
        names[0]: {tool: [f"{names[1]}.{tool}", f"{names[2]}.{tool}"]},
        names[1]: {tool: []},
        names[2]: {tool: []},
    }
    packaging = {name: [name] for name in names[:3]}
    left(submission, packaging, both, names[1], [f"{names[2]}.{tool}"])
    left(submission, packaging, both, names[2], [f"{names[1]}.{tool}"])
    nobody: Servers = {names[0]: {tool: [f"{names[0]}.{odd}"], free: [f"{odd}.{free}"]}, names[1]: {tool: []}}
    left(submission, {"p": names[:2]}, nobody, None, [f"{names[1]}.{tool}"])


@check(
    "of a choice one is enough",
    points=2,
    reason="A fallback is there for this moment. It has to be somewhere else to be any use.",
    about="survivors",
)
def test_choices(submission: Submission, rng: random.Random) -> None:
    a, b, c, x, y = words(rng, 5)
    servers: Servers = {a: {x: [[f"{b}.{y}", f"{c}.{y}"]]}, b: {y: []}, c: {y: []}}
    each = {"a": [a], "b": [b], "c": [c]}
    left(submission, each, servers, "b", [f"{a}.{x}", f"{c}.{y}"])
    left(submission, each, servers, "c", [f"{a}.{x}", f"{b}.{y}"])
    left(submission, {"a": [a], "bc": [b, c]}, servers, "bc", [])


@check(
    "a server with a replica goes on",
    points=2,
    reason="Twice the same server in two processes survives the end of either.",
    about="survivors",
)
def test_replicas(submission: Submission, rng: random.Random) -> None:
    a, b, x, one, two, three = words(rng, 6)
    servers: Servers = {a: {x: [f"{b}.{x}"]}, b: {x: []}}
    packaging = {one: [a, b], two: [b], three: [a]}
    for killed in (one, two, three):
        left(submission, packaging, servers, killed, [f"{a}.{x}", f"{b}.{x}"])
    left(submission, {one: [a], two: [b], three: [a]}, servers, two, [])


@check(
    "tools that need each other stand and fall together",
    points=1,
    reason="Servers call each other more often than their diagrams show.",
    about="survivors",
)
def test_circles(submission: Submission, rng: random.Random) -> None:
    a, b, c, x, y = words(rng, 5)
    servers: Servers = {a: {x: [f"{b}.{x}"]}, b: {x: [f"{a}.{x}", f"{c}.{y}"]}, c: {y: [], x: []}}
    packaging = {"a": [a], "b": [b], "c": [c], "d": []}
    left(submission, packaging, servers, "d", [f"{a}.{x}", f"{b}.{x}", f"{c}.{x}", f"{c}.{y}"])
    left(submission, packaging, servers, "c", [])
    left(submission, packaging, servers, "a", [f"{c}.{x}", f"{c}.{y}"])


@check(
    "the worst process to lose is named",
    points=2,
    reason="It is where a second instance, or a restart that works, helps most. It need not be the biggest.",
    about="worst",
)
def test_worst(submission: Submission, rng: random.Random) -> None:
    a, b, c, base, x, y = words(rng, 6)
    servers: Servers = {a: {x: [], y: [f"{base}.{x}"]}, b: {x: [f"{base}.{x}"]}, c: {y: [f"{base}.{x}"]}, base: {x: []}}
    expect(
        submission.call("worst", {"small": [base], "big": [a, b], "rest": [c]}, servers), "small", "the worst to lose"
    )
    alone: Servers = {name: {x: []} for name in (a, b, c)}
    order = rng.sample([("m", a), ("k", b), ("z", c)], 3)
    expect(
        submission.call("worst", {process: [name] for process, name in order}, alone), "k", "of three that cost alike"
    )


@check(
    "the packaging with the smallest loss is chosen",
    points=2,
    reason="It is decided by the worst that can happen to each, and with as few processes as that takes.",
    about="choose",
)
def test_choose(submission: Submission, rng: random.Random) -> None:
    a, b, c, base, x, y = words(rng, 6)
    servers: Servers = {name: {x: [f"{base}.{x}"]} for name in (a, b, c)} | {base: {x: [], y: []}}
    mono = {"p": [a, b, c, base]}
    micro = {name: [name] for name in (a, b, c, base)}
    pair = {"one": [a, b, c, base], "two": [a, b, c, base]}
    cases: list[tuple[dict[str, Packaging], str]] = [
        ({"micro": micro, "mono": mono}, "mono"),  # each loses everything at its worst
        ({"mono": mono, "micro": micro, "pair": pair}, "pair"),
        ({"apart": {"big": [a, b], "c": [c], "small": [base]}, "kept": {"p": [a, b, c, base], "q": [base]}}, "kept"),
        ({"z": pair, "k": {"three": [a, b, c, base], **pair}, "m": pair}, "m"),
    ]
    free: Servers = {name: {x: []} for name in (a, b, c)}
    cases_free: list[tuple[dict[str, Packaging], str]] = [
        ({"mono": {"p": [a, b, c]}, "micro": {n: [n] for n in (a, b, c)}, "hybrid": {"p": [a, b], "q": [c]}}, "micro"),
        ({"mono": {"p": [a, b, c]}, "hybrid": {"p": [a, b], "q": [c]}}, "hybrid"),
        ({"z": {"p": [a, b], "q": [c]}, "k": {"p": [a], "q": [b, c]}, "m": {"p": [c, a], "q": [b]}}, "k"),
    ]
    for given, tools in ((cases, servers), (cases_free, free)):
        for packagings, wanted in given:
            items = list(packagings.items())
            got = submission.call("choose", dict(rng.sample(items, len(items))), tools)
            expect(got, wanted, f"choose of {packagings} with {tools}")
