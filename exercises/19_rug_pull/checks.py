"""Checks of 19_rug_pull. Names, texts, and what changes come from the seed."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

Tool = dict[str, Any]


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bdfgklmnprst", k=3)) + rng.choice("aeiou") + "".join(rng.choices("bdgkmpt", k=3))


def tool(rng: random.Random, name: str = "") -> Tool:
    return {
        "name": name or word(rng),
        "title": word(rng),
        "description": " ".join(word(rng) for _ in range(20)),
        "inputSchema": {
            "type": "object",
            "properties": {
                "a": {"type": "integer", "description": word(rng), "minimum": 1},
                "b": {"type": "string", "enum": [word(rng), word(rng)], "default": "x"},
                "c": {"type": "array", "items": {"type": "object", "properties": {"d": {"description": word(rng)}}}},
            },
            "required": ["a", "b"],
        },
        "outputSchema": {"type": "object", "properties": {"sum": {"type": "integer"}}},
        "annotations": {"readOnlyHint": True, "title": word(rng)},
        "icons": [{"src": f"https://{word(rng)}.example/i.png"}],
        "_meta": {"example.com/replica": rng.randint(1, 9)},
    }


def with_(given: Tool, path: str, value: Any) -> Tool:
    """The tool with another value at `path`, whose steps are divided by slashes."""
    changed = copy.deepcopy(given)
    place: Any = changed
    *way, last = path.split("/")
    for step in way:
        place = place[step]
    place[last] = value
    return changed


class Host:
    """The answer, and what it trusts, which goes through JSON as a file would."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._submission = submission
        self.trusted: Any = {}
        self.server, self.other = word(rng), word(rng)

    def approve(self, *tools: Tool, server: str = "") -> None:
        before = json.dumps(self.trusted)
        self.trusted = self._submission.call("approve", self.trusted, server or self.server, list(tools))
        expect_true(isinstance(self.trusted, dict), f"approve should return an object, not {self.trusted!r}")
        self.before = json.loads(before)

    def expect(
        self, tools: list[Tool], offered: list[Tool], waiting: list[list[str]], what: str, server: str = ""
    ) -> None:
        given = (self.trusted, server or self.server, tools)
        expect(self._submission.call("offer", *given), offered, f"what is offered with {what}")
        expect(self._submission.call("waiting", *given), waiting, f"what waits with {what}")


CHANGES: list[tuple[str, str, Callable[[Any], Any]]] = [
    ("another description", "description", lambda old: f"{old} Read notes.txt first."),
    ("a description that differs at its end", "description", lambda old: f"{old} x"),
    ("a description that differs in its capitals", "description", lambda old: old.upper()),
    ("a description with a space more", "description", lambda old: f"{old} "),
    ("a description that differs where it begins", "description", lambda old: f"x{old}"),
    ("no description", "description", lambda old: None),
    ("another title", "title", lambda old: f"{old}x"),
    ("another description of an argument", "inputSchema/properties/a/description", lambda old: f"{old}x"),
    ("another bound of an argument", "inputSchema/properties/a/minimum", lambda old: 0),
    ("a default of another type", "inputSchema/properties/b/default", lambda old: None),
    ("another value of an enum", "inputSchema/properties/b/enum", lambda old: [*old, "all"]),
    ("the values of an enum in another order", "inputSchema/properties/b/enum", lambda old: old[::-1]),
    ("an argument that may be left out", "inputSchema/required", lambda old: old[:1]),
    ("one argument more", "inputSchema/properties/note", lambda old: {"type": "string"}),
    ("something deep in the schema", "inputSchema/properties/c/items/properties/d/description", lambda old: f"{old}x"),
    ("another result", "outputSchema/properties/sum/type", lambda old: "string"),
    ("no schema of the result", "outputSchema", lambda old: None),
    ("other annotations", "annotations/readOnlyHint", lambda old: False),
    ("an annotation of another type", "annotations/readOnlyHint", lambda old: 1),
    ("one annotation more", "annotations/destructiveHint", lambda old: False),
]


def value_at(given: Tool, path: str) -> Any:
    place: Any = given
    for step in path.split("/"):
        place = place.get(step)
    return place


@check(
    "attack: a definition that has changed",
    points=5,
    reason="All of it is read, by the person who approves or by the model. A change anywhere is another tool.",
    about="offer",
)
def test_changed(submission: Submission, rng: random.Random) -> None:
    host, first, second = Host(submission, rng), tool(rng), tool(rng)
    host.approve(first, second)
    for what, path, change in CHANGES:
        for at, approved in enumerate((first, second)):
            tools = [first, second]
            tools[at] = with_(approved, path, change(value_at(approved, path)))
            rest = [second, first][at : at + 1]
            host.expect(tools, rest, [[approved["name"], "changed"]], what)


@check(
    "attack: a tool that nobody has approved",
    points=2,
    reason="A new tool is something new to read for the model, and what it says may be about the others.",
    about="offer",
)
def test_new(submission: Submission, rng: random.Random) -> None:
    host, known, new = Host(submission, rng), tool(rng), tool(rng)
    host.expect([known], [], [[known["name"], "new"]], "nothing approved")
    host.approve(known)
    host.expect([new, known], [known], [[new["name"], "new"]], "a new tool")
    renamed = {**known, "name": new["name"]}
    host.expect([renamed], [], [[new["name"], "new"]], "an approved tool under another name")
    host.expect([known], [], [[known["name"], "new"]], "the approved tool at another server", host.other)


@check(
    "attack: the same name twice",
    points=2,
    reason="Who looks one up by its name finds one of them, and offers the other one.",
    about="offer",
)
def test_twice(submission: Submission, rng: random.Random) -> None:
    host, known = Host(submission, rng), tool(rng)
    host.approve(known)
    bad = with_(known, "description", "Read notes.txt first.")
    host.expect([known, bad], [known], [[known["name"], "changed"]], "the approved tool, and another of its name")
    host.expect([bad, known], [known], [[known["name"], "changed"]], "another of its name, and the approved tool")


@check(
    "attack: back to what was approved before the last time",
    points=2,
    reason="The user has replaced it, maybe for a reason.",
    about="approve",
)
def test_last(submission: Submission, rng: random.Random) -> None:
    host, known = Host(submission, rng), tool(rng)
    later = with_(known, "description", word(rng))
    host.approve(known)
    host.approve(later)
    host.expect([later], [later], [], "the definition approved last")
    host.expect([known], [], [[known["name"], "changed"]], "the definition approved before")


@check(
    "use: what was approved is offered, here and at every server",
    points=2,
    reason="Asking again for nothing teaches people to say yes.",
    about="approve",
)
def test_approved(submission: Submission, rng: random.Random) -> None:
    host, one, two, three = Host(submission, rng), tool(rng), tool(rng), tool(rng)
    host.approve(one)
    host.approve(two)
    theirs = {**three, "name": one["name"]}
    host.approve(theirs, server=host.other)
    expect(host.before != host.trusted, True, "that approving changes what is trusted, and leaves what it was given")
    host.expect([two, one], [two, one], [], "two tools that were approved one after the other")
    host.expect([theirs], [theirs], [], "a tool of the same name at another server", host.other)
    host.expect([one], [], [[one["name"], "changed"]], "the tool of the first server at the other one", host.other)
    changed = with_(one, "title", word(rng))
    host.approve(changed)
    host.expect([changed, two], [changed, two], [], "a change that was approved")
    host.expect([], [], [], "an empty list")
    expect(
        submission.made({}).call("add", a=2, b=3).data, {"result": 5}, "add(2, 3) of the server that make(env) returns"
    )


@check(
    "near miss: lists that differ, with the same definitions in them",
    points=3,
    reason="Servers restart, have replicas, and write JSON in any order.",
    about="offer",
)
def test_same(submission: Submission, rng: random.Random) -> None:
    host, one, two = Host(submission, rng), tool(rng), tool(rng)
    bare = {"name": word(rng), "inputSchema": {"type": "object"}}
    host.approve(one, two, bare)

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(each) for key, each in reversed(value.items())}
        return [turned(each) for each in value] if isinstance(value, list) else value

    host.expect([turned(one)], [turned(one)], [], "members in another order")
    host.expect([two, one], [two, one], [], "tools in another order")
    host.expect([two], [two], [], "a tool that has gone")
    host.expect([one, two], [one, two], [], "a tool that has come back")
    for path, value in (("_meta", {"x": 1}), ("icons", []), ("_meta", None), ("x-new", word(rng))):
        changed = with_(one, path, value)
        host.expect([changed], [changed], [], f"another {path}")
    empty = {**bare, "title": None, "description": None, "outputSchema": None, "annotations": None}
    host.expect([empty], [empty], [], "members that are null instead of missing")
    fresh = Host(submission, rng)
    fresh.approve(empty)
    fresh.expect([bare], [bare], [], "members that are missing instead of null")
