"""Checks of 21_cross_client. Names, tokens, notes, ids and errands are made from the seed."""

import json
import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

MODERN = "2026-07-28"
OWN = "io.modelcontextprotocol/"


class Desk:
    """A fresh server with people of its own, and what they ask."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self.submission, self.rng = submission, rng
        self.canary = f"canary-{self.word(20)}"
        self.people = ["ada", self.word(), self.word()]
        self.tokens = {who: self.word(24) for who in self.people}

    def word(self, length: int = 8) -> str:
        return "".join(self.rng.choices(string.ascii_lowercase, k=length))

    def join(self, who: str) -> str:
        """One more person."""
        self.tokens[who] = self.word(24)
        return who

    def ask(self, who: str, tool: str, arguments: dict[str, Any] | None = None, *, id: Any = 1, once: str = "") -> str:
        """The text of the answer to a call; `refused: ` is before that of an error."""
        given = {"range/once": once} if once else {}
        authorization = f"Bearer {self.tokens[who]}" if who else ""
        result = self.send("tools/call", {"name": tool, "arguments": arguments or {}}, authorization, id=id, **given)
        text = "\n".join(str(block.get("text")) for block in result.get("content", []))
        return f"refused: {text}" if result.get("isError", True) else text

    def send(self, method: str, params: dict[str, Any], authorization: str, *, id: Any = 1, **given: Any) -> Any:
        """The result of a request; {} when there is none."""
        names = {token: who for who, token in self.tokens.items()}
        env = {"RANGE_CANARY": self.canary, "RANGE_TOKENS": json.dumps(names)} if names else {}
        about = {f"{OWN}protocolVersion": MODERN, f"{OWN}clientInfo": {"name": "ada", "version": "1"}}
        meta = {**about, f"{OWN}clientCapabilities": {}, **given}
        headers = {
            "host": "127.0.0.1:8000",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": MODERN,
            "mcp-method": method,
            **({"mcp-name": params["name"]} if "name" in params else {}),
            **({"authorization": authorization} if authorization else {}),
        }
        body = {"jsonrpc": "2.0", "id": id, "method": method, "params": {**params, "_meta": meta}}
        frames = self.submission.http(env, headers=headers, body=body).frames
        return frames[-1].get("result", {}) if frames else {}


@check(
    "attack: another client under the same id",
    points=4,
    reason="A request id tells a request from others of the same client, and every client counts from 1.",
    about="errand_of",
)
def test_same_id(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    for who in (desk.people[1], ""):
        id = rng.choice([rng.randint(1, 99), desk.word()])
        expect_true(desk.canary in desk.ask("ada", "my_notes", id=id), "Ada is not told her notes")
        told = desk.ask(who, "my_notes", id=id)
        expect_true(desk.canary not in told, f"{who or 'a guest'} is told Ada's notes, by asking under the id {id!r}")
    for who in ("ada", ""):
        id, planted = rng.randint(100, 10**6), desk.word(12)
        desk.ask("", "search", {"text": planted}, id=id)
        told = desk.ask(who, "search", {"text": "lunch"}, id=id)
        expect_true(planted not in told, f"{who or 'a guest'} is told what another guest wanted read: {told!r}")


@check(
    "attack: another client with the same name for its errand",
    points=3,
    reason="What a client chooses can be chosen by others. Only the token says who asks.",
    about="errand_of",
)
def test_same_name(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    for who in (desk.people[1], ""):
        once, id = desk.word(), rng.randint(1, 99)
        desk.ask("ada", "my_notes", id=id, once=once)
        for number in (id, id + 100):
            told = desk.ask(who, "my_notes", id=number, once=once)
            expect_true(desk.canary not in told, f"{who or 'a guest'} is told Ada's notes, with the name {once!r}")


@check(
    "attack: a name that reads like a part of somebody's",
    points=2,
    reason="Parts that are joined with a mark between them read the same as other parts with that mark in them.",
    about="errand_of",
)
def test_ambiguous(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    for mark in ":/|-_. \n":
        one, once, note = desk.word(), desk.word(), desk.word(12)
        other, tail = desk.join(one), desk.word()
        long = desk.join(f"{one}{mark}{tail}")
        desk.ask(long, "add_note", {"text": note}, id=1)
        desk.ask(long, "my_notes", id=2, once=once)
        for name in (f"{tail}{mark}{once}", f"{once}{mark}{tail}"):
            told = desk.ask(other, "my_notes", id=3, once=name)
            expect_true(note not in told, f"{other!r} is told the notes of {long!r}, with the name {name!r}")


@check(
    "use: an errand that is asked for again is done once",
    points=3,
    reason="That is what answers are kept for: a connection may break when the work is done.",
    about="app",
)
def test_again(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    note, once, other = desk.word(), desk.word(), desk.people[1]
    wanted = desk.ask("ada", "add_note", {"text": note}, id=1, once=once)
    expect_true(note in wanted and desk.canary in wanted, "add_note does not list Ada's notes")
    desk.ask(other, "add_note", {"text": note}, id=2, once=desk.word())
    desk.ask("ada", "add_note", {"text": desk.word()}, id=3)
    for id in (1, 9, rng.randint(20, 99)):
        told = desk.ask("ada", "add_note", {"text": note}, id=id, once=once)
        expect(told, wanted, f"the answer to the errand {once!r} when it is asked for again, under the id {id}")
    expect(desk.ask("ada", "my_notes", id=4).count(note), 1, "how often Ada's notes have what was noted once")


@check(
    "use: everybody has their own notes, and guests the board",
    points=1,
    reason="Whoever shuts out the attack together with the people it was aimed at has built nothing.",
    about="app",
)
def test_own(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    for number, who in enumerate(desk.people):
        note = desk.word()
        expect_true(note in desk.ask(who, "add_note", {"text": note}, id=number), f"{who} cannot note anything")
        expect_true(note in desk.ask(who, "my_notes", id=number + 10), f"{who} is not told what {who} has noted")
    found = [line[:8] for line in desk.ask("", "search", {"text": "canteen"}).splitlines()]
    expect(found, ["the cant", "the lift"], "how the lines that a guest finds begin")
    missing = desk.word()
    expect(desk.ask("", "search", {"text": missing}), f"nothing is said about {missing}", "what a guest does not find")
    for wrong in ("", f"Bearer {missing}", f"Basic {desk.tokens['ada']}"):
        result = desk.send("tools/call", {"name": "my_notes", "arguments": {}}, wrong, id=desk.word())
        text = str(result.get("content"))
        expect_true(result.get("isError") and "token" in text, f"with the header {wrong!r}, my_notes says {text}")
    tools = {tool["name"]: tool.get("annotations", {}) for tool in desk.send("tools/list", {}, "", id=40)["tools"]}
    marked = {name: annotations.get("readOnlyHint") for name, annotations in tools.items()}
    expect(marked, {"search": True, "my_notes": True, "add_note": None}, "the tools, and which are only for reading")
    desk.tokens = {}
    expect(len(desk.ask("", "search", {"text": "lift"}).splitlines()), 1, "what a guest finds where nobody has a token")


@check(
    "near miss: the same id for two calls of one person",
    points=1,
    reason="A person may run two programs, and each of them counts from 1.",
    about="errand_of",
)
def test_two_programs(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    one, two, who = desk.word(), desk.word(), desk.people[2]
    for text in (one, two, two):
        desk.ask(who, "add_note", {"text": text}, id=1)
    told = desk.ask(who, "my_notes", id=2)
    expect([told.count(one), told.count(two)], [1, 2], "how often the notes have what was noted once, and twice")


@check(
    "near miss: the same name for what is something else",
    points=2,
    reason="Names are made without asking the others, and sometimes without thinking.",
    about="errand_of",
)
def test_shared_name(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    once, note = desk.word(), desk.word()
    for who in desk.people:
        desk.ask(who, "add_note", {"text": note}, id=1, once=once)
        told = desk.ask(who, "my_notes", id=8)
        expect(told.count(note), 1, f"what {who} has noted under the name {once!r}, which others use, too")
    other = desk.word()
    expect_true(other in desk.ask("ada", "add_note", {"text": other}, id=2, once=once), "other words, the same name")
    told = desk.ask("ada", "search", {"text": other}, id=3, once=once)
    expect(told, f"nothing is said about {other}", "another tool, the same name")
    desk.ask("ada", "add_note", {"text": note}, id=4, once=desk.word())
    expect(desk.ask("ada", "my_notes", id=5).count(note), 2, "the same words under two names: how often they are noted")
