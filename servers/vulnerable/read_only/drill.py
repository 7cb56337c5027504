"""The drill of class 3: a console that is said to be read-only changes rows and files, and reads a file of others."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

from labkit.range import Target
from labkit.session.connection import Connection
from labkit.session.results import Result

MARK = "SELECT count(*) FROM accounts WHERE owner = '{canary}'"
WRITES = (
    "SELECT 1; REPLACE INTO accounts VALUES (1, '{canary}', 0, '', '')",
    "WITH x AS (SELECT 2 AS id) REPLACE INTO accounts SELECT id, '{canary}', 0, '', '' FROM x",
    "WITH x AS (SELECT 3) INSERT INTO accounts (owner) SELECT '{canary}' FROM x",
    "WITH x AS (SELECT 3) UPDATE accounts SET owner = '{canary}' WHERE id = 3",
    "WITH x AS (SELECT '{canary}' AS y) REPLACE INTO accounts (id, owner) SELECT 21, y FROM x RETURNING id",
    "/* SELECT */ UPDATE accounts SET owner = '{canary}' WHERE id = 5",
    "SELECT 1; BEGIN; REPLACE INTO accounts (id, owner) VALUES (6, '{canary}'); COMMIT",
    "SELECT 1; PRAGMA query_only = OFF; REPLACE INTO accounts (id, owner) VALUES (7, '{canary}')",
)
"""Statements that leave the canary in the table."""
NEIGHBOUR = (
    "SELECT 1; ATTACH '{root}/payroll.db' AS other; SELECT owner FROM other.wages",
    "WITH x AS (SELECT 1) SELECT * FROM x; ATTACH DATABASE '{root}/payroll.db' AS o2; SELECT * FROM o2.wages",
)
"""Statements that read the other file."""
FILES = (
    "SELECT 1; VACUUM INTO '{root}/dump.db'",
    "SELECT 1; ATTACH '{root}/new.db' AS b; PRAGMA b.user_version = 5",
)
"""Statements that leave a new file."""
SETTINGS = "SELECT 1; PRAGMA user_version = 77"
COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most}) SELECT count(*) FROM n"
MOST = 1_500_000
"""Rows that one question makes the database compute. Nobody needs the answer."""
LEGITIMATE = {
    "SELECT owner, cents FROM accounts WHERE id <= 2 ORDER BY id": [["owner 1", 100], ["owner 2", 200]],
    "SELECT count(*), sum(cents), max(owner) FROM accounts": [[20, 21000, "owner 9"]],
    "WITH rich AS (SELECT id FROM accounts WHERE cents > 1900) SELECT * FROM rich": [[20]],
    "select a.id from accounts a join accounts b on b.id = a.id + 1 where b.cents = 500": [[4]],
    "SELECT upper(owner) FROM accounts WHERE id = 1 UNION ALL SELECT 'x'": [["OWNER 1"], ["x"]],
}
NEAR_MISSES = {
    "SELECT created_at FROM accounts WHERE id = 3": [["2026-11-03"]],
    "SELECT 'Update; later' AS text": [["Update; later"]],
    "SELECT count(*) FROM accounts WHERE note = 'Update; later'": [[20]],
    "SELECT replace(owner, 'owner', 'drop table') FROM accounts WHERE id = 1": [["drop table 1"]],
    "SELECT 'DELETE FROM accounts' AS inserted": [["DELETE FROM accounts"]],
    'SELECT 1 AS "drop"': [[1]],
    "-- who is first?\nSELECT id FROM accounts LIMIT 1": [[1]],
    "SELECT id FROM accounts LIMIT 1;": [[1]],
    "SELECT 'a;b' || '--' || 'c'": [["a;b--c"]],
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT count(*) FROM n": [[5000]],
    "SELECT count(*) FROM accounts a, accounts b, accounts c": [[8000]],
    "VALUES (1, 'attach')": [[1, "attach"]],
}
"""Questions with words, marks and sizes that alarm, and nothing behind them."""


async def attack(target: Target) -> list[str]:
    conn = await target.connect()
    obtained: list[str] = []
    marks = held(target)
    for template in WRITES:
        await conn.call("query", sql=(sql := template.format(canary=target.canary)))
        if (now := held(target)) != marks:
            obtained.append(f"wrote a row: {sql}")
            marks = now
    for template in NEIGHBOUR:
        answer = await ask(conn, target, template)
        if target.canary in answer.text:
            obtained.append(f"read another file, with {target.canary} in it: {template}")
    for template in FILES:
        before = set(target.folder.iterdir())
        await ask(conn, target, template)
        obtained += [f"made the file {path.name}: {template}" for path in set(target.folder.iterdir()) - before]
    await ask(conn, target, SETTINGS)
    if asked(target, "PRAGMA user_version") == 77:
        obtained.append(f"changed a setting of the file: {SETTINGS}")
    answer = await conn.call("query", sql=COUNT.format(most=MOST))
    if not answer.is_error and answer.data == [[MOST]]:
        obtained.append(f"had {MOST:,} rows computed for one question")
    return obtained


async def legitimate(target: Target) -> list[str]:
    conn = await target.connect()
    wrong = [line async for line in differences(conn, LEGITIMATE)]
    for sql in ("SELECT nope FROM accounts", "SELECT * FORM accounts"):
        if not (await conn.call("query", sql=sql)).is_error:
            wrong.append(f"{sql!r} should be an error")
    rows = await conn.call("query", sql="SELECT a.id FROM accounts a, accounts b")
    if rows.is_error or len(rows.data) != 100:
        wrong.append("a question with 400 rows should be answered with 100 of them")
    return wrong


async def near_misses(target: Target) -> list[str]:
    return [line async for line in differences(await target.connect(), NEAR_MISSES)]


async def differences(conn: Connection, cases: dict[str, list[list[Any]]]) -> AsyncIterator[str]:
    """A sentence for each statement that is not answered as it should be."""
    for sql, wanted in cases.items():
        answer = await conn.call("query", sql=sql)
        if answer.is_error or answer.data != wanted:
            yield f"{sql!r} should answer {wanted}, not {answer.text!r}"


async def ask(conn: Connection, target: Target, template: str) -> Result:
    return await conn.call("query", sql=template.format(root=target.folder.as_posix(), canary=target.canary))


def held(target: Target) -> int:
    """How many rows hold the canary."""
    return asked(target, MARK.format(canary=target.canary))


def asked(target: Target, sql: str) -> int:
    with closing(sqlite3.connect(target.folder / "shop.db")) as db:
        return db.execute(sql).fetchone()[0]
