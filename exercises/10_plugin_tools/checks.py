"""Checks of 10_plugin_tools. Plugins, tools and texts come from the seed; `Ear` counts what one client is told."""

import random
from typing import Any

from labkit.grading.checks import check, expect, expect_names, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import HANDSHAKE, Session

CHANGED = "notifications/tools/list_changed"
FIXED = ["install", "remove"]


class Ear:
    """Counts the announcements that arrive in one session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._id = session.listen({"toolsListChanged": True})
        self.told()

    def told(self) -> int:
        """How many since the last time. What was announced before a round trip has arrived after it."""
        for _ in range(2):
            self.session.tools()
        mine = [
            frame
            for frame in self.session.notifications
            if frame["method"] == CHANGED
            and frame.get("params", {}).get("_meta", {}).get("io.modelcontextprotocol/subscriptionId") == self._id
        ]
        self.session.notifications.clear()
        return len(mine)


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=8))


def plugin(rng: random.Random, tools: int) -> tuple[str, dict[str, str]]:
    """A plugin that no answer can know."""
    return word(rng), {word(rng): word(rng) for _ in range(tools)}


def install(session: Session, name: str, tools: dict[str, str]) -> None:
    answer = session.call("install", plugin=name, tools=tools)
    expect([answer.text, answer.is_error], [f"installed {name}", False], f"install {name} with {tools} ({session})")


@check(
    "every tool of a plugin is there, and answers with its own text",
    points=2,
    reason="A function that is made in a loop looks up the loop's variable when it is called, not when it is made.",
    about="install",
)
def test_install(submission: Submission, rng: random.Random) -> None:
    expect(submission.session("memory", HANDSHAKE).hello["serverInfo"]["name"], "workshop", "the server's name")
    for session in submission.everywhere():
        name, tools = plugin(rng, 3)
        install(session, name, tools)
        expect_names(session.tools(), [*FIXED, *tools], f"the tools ({session})")
        for tool, text in tools.items():
            expect(session.call(tool).text, text, f"what {tool} answers ({session})")
        again = session.call("install", plugin=name, tools={word(rng): "new", **dict.fromkeys(tools, "changed")})
        expect([again.text, again.is_error], [f"{name} is there already", False], "install for the second time")
        expect({tool: session.call(tool).text for tool in tools}, tools, "what its tools answer after that")


@check(
    "a plugin that is removed leaves nothing behind",
    points=2,
    reason="Its tools are gone from the list and cannot be called; others stay; and it may come back with other texts.",
    about="remove",
)
def test_remove(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        (name, tools), (other, others) = plugin(rng, 2), plugin(rng, 1)
        install(session, name, tools)
        install(session, other, others)
        expect(session.call("remove", plugin=name).text, f"removed {name}", f"remove ({session})")
        left = session.tools()
        expect_true(not tools.keys() & left.keys(), f"{name} was removed, and of its tools are left: {', '.join(left)}")
        expect_names(left, [*FIXED, *others], f"the tools after {name} was removed ({session})")
        never = session.call("remove", plugin=name)
        expect(never.is_error, True, f"isError for the removal of {name}, which is gone ({session})")
        expect_true(name in never.text, f"the error does not name {name}: {never.text!r}")
        tool, text = next(iter(tools)), word(rng)
        install(session, name, {tool: text})
        expect(session.call(tool).text, text, f"what {tool} answers after {name} has come back ({session})")


@check(
    "all tools of a plugin are added, or none",
    points=2,
    reason="Half a plugin cannot be removed, as it was never installed; and a name must not change its meaning.",
    about="install",
)
def test_taken(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        (name, tools), (other, others) = plugin(rng, 2), plugin(rng, 1)
        install(session, other, others)
        for taken in (next(iter(others)), rng.choice(FIXED)):
            before = sorted(session.tools())
            answer = session.call("install", plugin=name, tools={**tools, taken: "mine now"})
            expect(answer.is_error, True, f"isError for a plugin that brings {taken}, which is taken ({session})")
            expect_true(taken in answer.text, f"the error does not name {taken}: {answer.text!r}")
            expect(sorted(session.tools()), before, f"the tools after {name} was refused ({session})")
        expect({tool: session.call(tool).text for tool in others}, others, f"what the tools of {other} answer")
        expect(session.call("remove", plugin=name).is_error, True, f"isError for the removal of {name}")
        install(session, name, tools)


@check(
    "one announcement for each change, in both eras",
    points=4,
    reason="Each announcement makes every client list again. Today who listens is told, then the caller was.",
    about="install",
)
def test_told(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        ear = Ear(session)
        for count in (1, 3):
            name, tools = plugin(rng, count)
            install(session, name, tools)
            expect(ear.told(), 1, f"announcements of a plugin with tools: {count} ({session})")
            session.call("remove", plugin=name)
            expect(ear.told(), 1, f"announcements of its removal ({session})")


@check(
    "nobody is told when nothing has changed",
    points=2,
    reason="Who is told for nothing lists for nothing, and learns to ignore it.",
    about="install",
)
def test_quiet(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        (name, tools), (empty, _) = plugin(rng, 2), plugin(rng, 0)
        install(session, name, tools)
        ear = Ear(session)
        calls: list[tuple[str, str, dict[str, Any]]] = [
            ("a plugin that is there already", "install", {"plugin": name, "tools": tools}),
            ("a plugin that is refused", "install", {"plugin": word(rng), "tools": tools}),
            ("a plugin without tools", "install", {"plugin": empty, "tools": {}}),
            ("its removal", "remove", {"plugin": empty}),
            ("the removal of a plugin that is not there", "remove", {"plugin": word(rng)}),
        ]
        for what, tool, arguments in calls:
            session.call(tool, **arguments)
            expect(ear.told(), 0, f"announcements of {what} ({session})")
