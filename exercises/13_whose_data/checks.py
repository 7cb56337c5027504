"""Checks of 13_whose_data. Users are made up for each session, so that no answer knows them."""

import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import Reply, Session

KEY = "lab.example/user"
ARGUMENTS = {
    "add_expense": {"category", "cents", "note"},
    "list_expenses": set[str](),
    "find_expenses": {"word"},
    "total": {"category"},
    "remove_expense": {"number"},
}


class User:
    """Somebody who is signed in."""

    def __init__(self, session: Session, rng: random.Random) -> None:
        self.session, self.name = session, word(rng)

    def __call__(self, tool: str, **arguments: Any) -> Reply:
        return self.session.request("tools/call", {"name": tool, "arguments": arguments}, meta={KEY: self.name})

    def add(self, category: str, cents: int, note: str) -> dict[str, Any]:
        """Add an expense. Returns it as lists have to show it."""
        number = self("add_expense", category=category, cents=cents, note=note).data["result"]
        return {"number": number, "category": category, "cents": cents, "note": note}

    def sees(self, tool: str, wanted: object, **arguments: Any) -> None:
        """Fail unless the answer of a tool is this."""
        expect(self(tool, **arguments).data, {"result": wanted}, f"{tool} {arguments or ''} ({self.session})")


def word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=9))


def users(session: Session, rng: random.Random) -> tuple[User, User, User]:
    return User(session, rng), User(session, rng), User(session, rng)


@check(
    "everybody lists their own",
    points=2,
    reason="Who calls is known to the server; it is a value of the statement, like every other.",
    about="list_expenses",
)
def test_own(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        ada, ben, carol = users(session, rng)
        first, his = ada.add("food", rng.randint(1, 999), word(rng)), ben.add("food", rng.randint(1, 999), word(rng))
        second = ada.add("travel", rng.randint(1, 999), word(rng))
        ada.sees("list_expenses", [first, second])
        ben.sees("list_expenses", [his])
        carol.sees("list_expenses", [])


@check(
    "no argument says who calls",
    points=2,
    reason="The model fills in arguments, with any name that it has read somewhere.",
    about="list_expenses",
)
def test_arguments(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        tools = {name: set(tool["inputSchema"].get("properties", {})) for name, tool in session.tools().items()}
        for name, arguments in ARGUMENTS.items():
            expect(sorted(tools.get(name, {"no such tool"})), sorted(arguments), f"the arguments of {name} ({session})")


@check(
    "nobody is nobody",
    points=1,
    reason="A default user is a user whose data everybody has.",
    about="list_expenses",
)
def test_nobody(submission: Submission, rng: random.Random) -> None:
    session = submission.fresh("process")
    ada = User(session, rng)
    there = ada.add("food", 5, word(rng))
    given: dict[str, dict[str, Any]] = {
        "add_expense": {"category": "food", "cents": 1, "note": ""},
        "list_expenses": {},
        "find_expenses": {"word": "o"},
        "total": {"category": "food"},
        "remove_expense": {"number": there["number"]},
    }
    for tool, arguments in given.items():
        for meta in ({}, {KEY: ""}):
            reply = session.request("tools/call", {"name": tool, "arguments": arguments}, meta=meta)
            expect_true(reply.is_error, f"{tool} works without a user: {reply.text!r}")
            expect_true("signed in" in reply.text, f"{tool} fails for another reason: {reply.text!r}")
    ada.sees("list_expenses", [there])


@check(
    "a search stays within one's own",
    points=3,
    reason="AND binds tighter than OR: `mine AND this OR that` gives away all that.",
    about="find_expenses",
)
def test_search(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        ada, ben, carol = users(session, rng)
        wanted = word(rng)
        in_note = ada.add("food", 1, f"a {wanted} b")
        ada.add("food", 2, word(rng))
        in_category = ada.add(f"x{wanted}y", 3, word(rng))
        his = [ben.add(f"{wanted}s", 4, word(rng)), ben.add("food", 5, f"one {wanted}")]
        ada.sees("find_expenses", [in_note, in_category], word=wanted)
        ben.sees("find_expenses", his, word=wanted)
        carol.sees("find_expenses", [], word=wanted)


@check(
    "totals are one's own, and true after a change",
    points=3,
    reason="The user belongs into the key of every cache, and what has changed has to leave it.",
    about="total",
)
def test_cache(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        ada, ben, carol = users(session, rng)
        category, hers, his, more = word(rng), *rng.sample(range(100, 999), 3)
        ada.add(category, hers, "")
        ada.add(word(rng), 7, "")
        ben.add(category, his, "")
        for user, cents in ((ada, hers), (ben, his), (carol, 0), (ada, hers)):
            user.sees("total", cents, category=category)
        number = ada.add(category, more, "")["number"]
        ada.sees("total", hers + more, category=category)
        ben.sees("total", his, category=category)
        ada("remove_expense", number=number)
        ada.sees("total", hers, category=category)


@check(
    "what is somebody else's is answered like what is not there",
    points=3,
    reason="An error that tells the two apart tells who has what; a note in it tells more.",
    about="remove_expense",
)
def test_silence(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        ada, ben, _ = users(session, rng)
        hers, his = ada.add("food", 1, word(rng)), [ben.add("food", 2, word(rng)) for _ in range(3)]
        theirs, nobodys = hers["number"], rng.randint(10**6, 10**7)
        said: list[str] = []
        for number in (theirs, nobodys):
            reply = ben("remove_expense", number=number)
            expect_true(reply.is_error, f"removing {number}, which is not ben's, succeeded: {reply.text!r} ({session})")
            expect_true(str(number) in reply.text, f"the error does not name the number {number}: {reply.text!r}")
            said.append(reply.text.replace(str(number), "NUMBER"))
        expect(said[0], said[1], f"the error for another user's, compared with that for a missing one ({session})")
        ada.sees("list_expenses", [hers])
        ben.sees("list_expenses", his)
        ben.sees("remove_expense", 2, number=his[0]["number"])
        ben.sees("list_expenses", his[1:])
        expect_true(ben("remove_expense", number=his[0]["number"]).is_error, "removing it again succeeded")
        ada.sees("remove_expense", 0, number=theirs)
