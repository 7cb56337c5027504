"""Checks of 33_pages. Items, cursors and sizes come from the seed."""

import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

Page = dict[str, Any]


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=6))


def pages(key: str, cursors: list[str], *contents: list[Any]) -> dict[str, Page]:
    """A list of pages with these cursors between them."""
    names = ["start", *(f"at {cursor}" for cursor in cursors)]
    following = [{"nextCursor": cursor} for cursor in cursors]
    ends = [*following, *[{}] * (len(contents) - len(cursors))]
    return {name: {key: items, **end} for name, items, end in zip(names, contents, ends, strict=True)}


def collects(
    submission: Submission, server: dict[str, Page], asked: list[str | None], wanted: Page, **limits: int
) -> None:
    most, requests = limits.get("most", 1000), limits.get("requests", 100)
    key = next(name for name in server["start"] if name != "nextCursor")
    found = submission.call("rehearse", server, key, most, requests)
    what = f"collect({key!r}, most={most}, requests={requests}) of {server}"
    expect(found["asked"], asked, f"the cursors that were asked for by {what}")
    expect({name: value for name, value in found.items() if name != "asked"}, wanted, what)


def complete(items: list[Any], yes: bool = True) -> Page:
    return {"found": {"items": items, "complete": yes}}


@check(
    "all pages, whatever their size",
    points=2,
    reason="Servers choose how much they send. A filter on their side leaves pages with nothing on them.",
    about="collect",
)
def test_all(submission: Submission, rng: random.Random) -> None:
    key = rng.choice(["tools", "resources", "prompts"])
    a, b, c, d = (word(rng) for _ in range(4))
    one, two, three = word(rng), word(rng), word(rng)
    items = [{"name": a}, {"name": b}, {"name": c}, {"name": b}]
    server = pages(key, [one, two, three], items[:2], [], [], items[2:])
    collects(submission, server, [None, one, two, three], complete(items))
    collects(submission, pages(key, [], [d]), [None], complete([d]))
    collects(submission, pages(key, [one], [], []), [None, one], complete([]))


@check(
    "a cursor is any text",
    points=2,
    reason="An empty text is a cursor, and null is none. What it looks like is the server's affair.",
    about="collect",
)
def test_cursors(submission: Submission, rng: random.Random) -> None:
    a, b, c, d = (word(rng) for _ in range(4))
    odd = rng.sample(["0", " ", "null", "None", "false", "ey==\n"], 2)
    server = pages("tools", ["", *odd], [a], [b], [c], [d])
    server[f"at {odd[1]}"]["nextCursor"] = None
    collects(submission, server, [None, "", *odd], complete([a, b, c, d]))


@check(
    "a circle is noticed",
    points=2,
    reason="It need not go back to the page before: a circle of three is as endless as one of one.",
    about="collect",
)
def test_circle(submission: Submission, rng: random.Random) -> None:
    one, two, three = word(rng), "", word(rng)
    for back in (one, two, three):
        server = pages("tools", [one, two, three], ["a"], ["b"], [], ["d"])
        server[f"at {three}"]["nextCursor"] = back
        collects(submission, server, [None, one, two, three], {"repeated": back})
        collects(submission, server, [None, one, two, three], complete(["a", "b", "d"], False), requests=4)
        collects(submission, server, [None, one, two, three], complete(["a", "b", "d"], False), most=3)


@check(
    "no more items than wanted",
    points=2,
    reason="A list that was cut must not look whole. Whoever has enough does not ask for more.",
    about="collect",
)
def test_most(submission: Submission, rng: random.Random) -> None:
    size, one, two = rng.randint(2, 5), word(rng), word(rng)
    items = [word(rng) for _ in range(3 * size)]
    server = pages("prompts", [one, two], items[:size], items[size : 2 * size], items[2 * size :])
    for most, asked in ((1, 1), (size - 1, 1), (size, 1), (size + 1, 2), (2 * size, 2), (3 * size - 1, 3)):
        collects(submission, server, [None, one, two][:asked], complete(items[:most], False), most=most)
    for most in (3 * size, 3 * size + 1):
        collects(submission, server, [None, one, two], complete(items), most=most)


@check(
    "no more requests than allowed",
    points=2,
    reason="Cursors that are always new, and pages without items: no other limit ends that.",
    about="collect",
)
def test_requests(submission: Submission, rng: random.Random) -> None:
    number = rng.randint(3, 6)
    cursors = [f"{word(rng)}{place}" for place in range(number)]
    server = pages("tools", cursors, *([[]] * number), ["last"])
    for requests in (1, 2, number):
        collects(submission, server, [None, *cursors][:requests], complete([], False), requests=requests)
    for requests in (number + 1, number + 2):
        collects(submission, server, [None, *cursors], complete(["last"]), requests=requests)
