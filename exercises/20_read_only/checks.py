"""Checks of 20_read_only."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import Reply


def word(rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijkmnpqrstuvwxyz", k=7))


class Console:
    """A console over a file with rows of its own."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self.root = submission.folder / word(rng)
        self.root.mkdir()
        self.owners = [word(rng) for _ in range(rng.randint(12, 20))]
        self.note = f"Update; {word(rng)} -- later"
        rows = [(n, owner, n * 100, f"2026-11-{n:02}", self.note) for n, owner in enumerate(self.owners, 1)]
        with closing(sqlite3.connect(self.root / "shop.db")) as db, db:
            db.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner, cents, created_at, note)")
            db.executemany("INSERT INTO accounts VALUES (?, ?, ?, ?, ?)", rows)
        self.key = f"canary-{word(rng)}"
        self.session = submission.made({"RANGE_ROOT": str(self.root), "RANGE_CANARY": self.key})
        self.before = self.state()

    def state(self) -> list[Any]:
        """The names of the files, and all that is in the one of the shop."""
        with closing(sqlite3.connect(self.root / "shop.db")) as db:
            settings = [db.execute(f"PRAGMA {name}").fetchone() for name in ("user_version", "journal_mode")]
            held = list(db.iterdump())
        return [sorted(path.name for path in Path(self.root).iterdir()), settings, held]

    def ask(self, sql: str) -> Reply:
        return self.session.call("query", sql=sql)

    def refuses(self, *statements: str) -> None:
        """Each is a tool error, changes nothing, and tells nothing of the other file."""
        for sql in statements:
            sql = sql.replace("{root}", self.root.as_posix())
            reply = self.ask(sql)
            now = self.state()
            expect_true(now[0] == self.before[0], f"{sql!r} leaves the files {now[0]}")
            expect_true(now == self.before, f"{sql!r} changes the database")
            expect_true(self.key not in reply.text, f"{sql!r} reads another file: {reply.text!r}")
            expect_true(reply.is_error, f"{sql!r} is answered: {reply.text!r}")

    def answers(self, sql: str, rows: list[list[Any]]) -> None:
        reply = self.ask(sql)
        expect(reply.data and reply.data.get("result"), rows, f"{sql!r}, {reply.text[:160]!r}")


@check(
    "attack: a second statement is not run",
    points=3,
    reason="Whatever the first one is, and whatever it was begun with: the next one may end that.",
    about="make",
)
def test_stacked(submission: Submission, rng: random.Random) -> None:
    Console(submission, rng).refuses(
        "SELECT 1; REPLACE INTO accounts (id, owner) VALUES (1, 'x')",
        "SELECT 1; COMMIT; REPLACE INTO accounts (id, owner) VALUES (2, 'x')",
        "SELECT 1; PRAGMA query_only = OFF; REPLACE INTO accounts (id, owner) VALUES (3, 'x')",
        "SELECT 1; PRAGMA query_only = OFF; DELETE FROM accounts",
        "SELECT 1; ROLLBACK; UPDATE accounts SET owner = 'x'; COMMIT",
        f"SELECT 1; PRAGMA user_version = {rng.randint(2, 99)}",
        "SELECT 1; PRAGMA journal_mode = WAL",
        "SELECT 1; ANALYZE",
        "SELECT 1; SELECT 2",
    )


@check(
    "attack: one statement that writes is not run, however it begins",
    points=3,
    reason="WITH stands before a SELECT or before anything else, and so does a comment.",
    about="make",
)
def test_inside(submission: Submission, rng: random.Random) -> None:
    Console(submission, rng).refuses(
        "WITH x AS (SELECT 1 AS id) REPLACE INTO accounts (id, owner) SELECT id, 'x' FROM x",
        "WITH x AS (SELECT 2 AS id) REPLACE INTO accounts (id) SELECT id FROM x RETURNING id",
        "WITH x AS (SELECT 3) DELETE FROM accounts",
        "/* SELECT */ UPDATE accounts SET owner = 'x'",
        "-- SELECT\nDELETE FROM accounts",
        "REPLACE INTO accounts (id) VALUES (4)",
        f"PRAGMA user_version = {rng.randint(2, 99)}",
        "ANALYZE",
        "CREATE TABLE x (a)",
    )


@check(
    "attack: no other file is read or made",
    points=3,
    reason="A connection is open for one file. ATTACH opens another one, and VACUUM INTO writes one.",
    about="make",
)
def test_files(submission: Submission, rng: random.Random) -> None:
    name = word(rng)
    Console(submission, rng).refuses(
        "SELECT 1; ATTACH '{root}/payroll.db' AS other; SELECT owner FROM other.wages",
        "WITH x AS (SELECT 1) SELECT 1 FROM x; ATTACH '{root}/payroll.db' AS other; SELECT * FROM other.wages",
        "ATTACH '{root}/payroll.db' AS other",
        f"SELECT 1; VACUUM INTO '{{root}}/{name}.db'",
        f"VACUUM INTO '{{root}}/{name}.db'",
        f"ATTACH '{{root}}/{name}.db' AS made",
        f"SELECT 1; ATTACH '{{root}}/{name}.db' AS made; PRAGMA made.user_version = 5",
    )


@check(
    "attack: no question keeps the database busy",
    points=2,
    reason="A SELECT may be endless, and changes nothing: nobody else gets an answer meanwhile.",
    about="make",
)
def test_endless(submission: Submission, rng: random.Random) -> None:
    most = rng.randint(1_400_000, 1_600_000)
    reply = Console(submission, rng).ask(
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) SELECT count(*) FROM n"
    )
    expect_true(reply.is_error, f"{most:,} rows were computed for one question: {reply.text!r}")


@check(
    "use: questions are answered",
    points=3,
    reason="A console that refuses everything is safe, and nobody needs it.",
    about="make",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    console = Console(submission, rng)
    owners, n = console.owners, rng.randint(3, 9)
    console.answers(f"SELECT id, owner, cents FROM accounts WHERE id = {n}", [[n, owners[n - 1], n * 100]])
    console.answers("select owner from accounts order by id", [[owner] for owner in owners])
    console.answers("SELECT count(*), max(cents) FROM accounts", [[len(owners), len(owners) * 100]])
    console.answers(f"WITH x AS (SELECT id FROM accounts WHERE id < {n}) SELECT count(*) FROM x", [[n - 1]])
    console.answers("SELECT a.id FROM accounts a JOIN accounts b ON b.id = a.id + 1 LIMIT 1", [[1]])
    console.answers(f"SELECT upper(owner) FROM accounts WHERE id = {n}", [[owners[n - 1].upper()]])
    pairs = [[a, b] for a in range(1, len(owners) + 1) for b in range(1, len(owners) + 1)]
    console.answers("SELECT a.id, b.id FROM accounts a, accounts b ORDER BY 1, 2", pairs[:100])
    console.answers("SELECT id FROM accounts WHERE id > 99", [])
    for sql, said in (
        ("SELECT x FROM accounts", "no such column: x"),
        ("SELECT id FROM nowhere", "no such table: nowhere"),
        ("SELECT id FORM accounts", "syntax error"),
    ):
        reply = console.ask(sql)
        expect_true(reply.is_error and said in reply.text, f"{sql!r} should be told {said!r}: {reply.text!r}")
    folder, key = console.root / "a" / "b", word(rng)
    new = submission.made({"RANGE_ROOT": str(folder), "RANGE_CANARY": key})
    first = new.call("query", sql="SELECT * FROM accounts WHERE id IN (1, 20) ORDER BY id DESC").data
    wanted = [[20, "owner 20", 2000, "2026-11-20", "Update; later"], [1, "owner 1", 100, "2026-11-01", "Update; later"]]
    expect(first and first["result"], wanted, "the accounts of a folder where nothing was before")
    with closing(sqlite3.connect(folder / "payroll.db")) as db:
        expect(db.execute("SELECT owner FROM wages").fetchall(), [(key,)], "what is in payroll.db")
    hint = console.session.tools()["query"].get("annotations", {}).get("readOnlyHint")
    expect(hint, True, "readOnlyHint of query")


@check(
    "near miss: words and marks in a question are no command",
    points=2,
    reason="A column may be called created_at, and a note may say Update.",
    about="make",
)
def test_words(submission: Submission, rng: random.Random) -> None:
    console, some = Console(submission, rng), word(rng)
    console.answers("SELECT created_at FROM accounts WHERE id = 3", [["2026-11-03"]])
    console.answers(f"SELECT count(*) FROM accounts WHERE note = '{console.note}'", [[len(console.owners)]])
    console.answers("SELECT note FROM accounts LIMIT 1;", [[console.note]])
    console.answers(f"SELECT 'DROP TABLE {some}; --' AS deleted", [[f"DROP TABLE {some}; --"]])
    console.answers(f"SELECT replace('{some}', '{some}', 'attach')", [["attach"]])
    console.answers(f'-- who is it?\nSELECT 1 AS "{some} update"', [[1]])
    console.answers(f"/* insert */ SELECT '{some}' -- delete", [[some]])
    console.answers("VALUES (1, 'vacuum'), (2, 'pragma')", [[1, "vacuum"], [2, "pragma"]])


@check(
    "near miss: a large question with an end is answered",
    points=2,
    reason="Whoever sums up a year has some thousand rows to look at.",
    about="make",
)
def test_sizes(submission: Submission, rng: random.Random) -> None:
    console, most = Console(submission, rng), rng.randint(20_000, 30_000)
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})"
    console.answers(f"{numbers} SELECT sum(i) FROM n", [[most * (most + 1) // 2]])
    console.answers("SELECT count(*) FROM accounts a, accounts b, accounts c", [[len(console.owners) ** 3]])
