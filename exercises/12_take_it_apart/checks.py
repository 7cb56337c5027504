"""Checks of 12_take_it_apart. The statement is run here, on a database of the check's own."""

import ast
import random
import sqlite3
from contextlib import closing
from datetime import date, timedelta

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

ERAS = ("2025-11-25", "2026-07-28")
STEPS = 100_000
"""What a statement may take before it is stopped; the right one takes a few dozen."""


def monday(rng: random.Random) -> date:
    return date(2026, 11, 23) + timedelta(weeks=rng.randint(0, 400))


def iso(first: date, plus: int) -> str:
    return (first + timedelta(days=plus)).isoformat()


@check(
    "working_days leaves weekends out",
    points=2,
    reason="A plain function with dates in and dates out can be tested in a microsecond, and used anywhere.",
    about="working_days",
)
def test_days(submission: Submission, rng: random.Random) -> None:
    first = monday(rng)
    week = [iso(first, n) for n in range(5)]
    for start, end, wanted in (
        (0, 4, week),
        (0, 6, week),
        (-2, 4, week),
        (4, 7, [iso(first, 4), iso(first, 7)]),
        (2, 2, [iso(first, 2)]),
        (5, 6, []),
        (3, 1, []),
    ):
        got = submission.call("working_days", iso(first, start), iso(first, end))
        expect(got, wanted, f"working_days({iso(first, start)!r}, {iso(first, end)!r})")


@check(
    "refusal says why, or None",
    points=2,
    reason="A rule that returns its sentence can be used by a tool, a web page and a test alike.",
    about="refusal",
)
def test_rules(submission: Submission, rng: random.Random) -> None:
    days = [iso(monday(rng), n) for n in range(30)]
    for count in (1, rng.randint(2, 14), 15):
        expect(submission.call("refusal", days[:count]), None, f"refusal of {count} days")
    for count, words in ((0, "no working day"), (16, "at most 15"), (rng.randint(17, 30), "at most 15")):
        said = submission.call("refusal", days[:count])
        expect_true(isinstance(said, str) and words in said, f"refusal of {count} days lacks {words!r}: {said!r}")


@check(
    "TAKE checks and changes in one statement",
    points=4,
    reason="Between a question and a change others get a turn, here or in another process; inside a statement nobody.",
    about="TAKE",
)
def test_take(submission: Submission, rng: random.Random) -> None:
    statement = submission.value("TAKE")
    expect_true(isinstance(statement, str), f"TAKE is {statement!r}, not the text of a statement")
    left, others, days = rng.randint(10, 30), rng.randint(10, 30), rng.randint(2, 9)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.execute("CREATE TABLE employees (id TEXT PRIMARY KEY, days_left INTEGER NOT NULL)")
        db.execute("INSERT INTO employees VALUES ('me', ?), ('other', ?)", [left, others])
        table_only = (sqlite3.SQLITE_READ, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION)
        db.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in table_only else sqlite3.SQLITE_DENY)
        db.set_progress_handler(lambda: 1, STEPS)

        def take(employee: str, number: int) -> list[tuple[object, ...]]:
            try:
                return db.execute(statement, {"employee": employee, "days": number}).fetchall()
            except (sqlite3.Error, sqlite3.Warning) as error:
                raise AssertionError(f"the database refuses TAKE: {error}") from None

        def balances() -> dict[str, int]:
            return dict(db.execute("SELECT id, days_left FROM employees"))

        expect(take("me", days), [(left - days,)], f"the rows of TAKE for {days} of {left} days")
        expect(balances(), {"me": left - days, "other": others}, "the balances afterwards")
        expect(take("me", left - days + 1), [], "the rows of TAKE for one day more than there is")
        expect(take("nobody", 1), [], "the rows of TAKE for somebody who does not exist")
        expect(balances(), {"me": left - days, "other": others}, "the balances after two refusals")
        expect(take("me", left - days), [(0,)], "the rows of TAKE for all that is left")
        expect(balances(), {"me": 0, "other": others}, "the balances at the end")


@check(
    "the tool puts the parts together",
    points=3,
    reason="For a client nothing has changed but what was wrong; and every refusal says what to do differently.",
    about="apply_leave",
)
def test_tool(submission: Submission, rng: random.Random) -> None:
    for era in ERAS:
        session = submission.fresh("process", era)
        first = monday(rng)

        def apply(employee: str, start: int, end: int, session=session, first=first) -> object:  # noqa: ANN001
            return session.call("apply_leave", employee=employee, start=iso(first, start), end=iso(first, end))

        for employee, start, end, left in (("E001", 4, 7, 18), ("E001", 0, 13, 8), ("E002", 2, 2, 4)):
            reply = apply(employee, start, end)
            expect(
                reply.data,
                {"result": left},
                f"apply_leave by {employee}, day {start} to {end} after a Monday ({session})",
            )
        for employee, start, end, words in (
            ("E002", 0, 4, "4"),
            ("E002", 5, 6, "no working day"),
            ("E001", 0, 25, "at most 15"),
            ("E999", 0, 1, "E999"),
        ):
            reply = apply(employee, start, end)
            expect_true(reply.is_error, f"apply_leave by {employee}, day {start} to {end}, is no error: {reply.text!r}")
            expect_true(words in reply.text, f"the error lacks {words!r}: {reply.text!r}")
        expect(session.call("get_balance", employee="E001").data, {"result": 8}, "the balance of E001 after refusals")
        expect(session.call("get_balance", employee="E002").data, {"result": 4}, "the balance of E002 after refusals")
        expect(apply("E002", 0, 3).data, {"result": 0}, "taking all that is left")


@check(
    "the rules know nothing of MCP or the database",
    points=1,
    reason="What a function does not mention it cannot depend on: that is what lets it move, and be tested alone.",
    about="working_days",
)
def test_layers(submission: Submission, rng: random.Random) -> None:
    functions = {node.name: node for node in submission.tree.body if isinstance(node, ast.FunctionDef)}
    for name in ("working_days", "refusal"):
        expect_true(name in functions, f"there is no function {name} at the top level of the file")
        mentioned = {node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)}
        found = sorted(mentioned & {"server", "MCPServer", "ToolError", "db", "sqlite3", "TAKE"})
        expect_true(not found, f"{name} mentions {', '.join(found)}")
    used = {
        node.id for node in ast.walk(submission.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    unused = sorted({"working_days", "refusal", "TAKE"} - used)
    expect_true(not unused, f"nothing in the file uses {', '.join(unused)}")
