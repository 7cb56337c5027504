"""Questions to a database, put the same way to either kind. Knows nothing of MCP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.defences.sql import StatementError, check, match, near, quoted
from servers.database.reading import Answer, Backend, Column, DatabaseError, Table

COUNT_SECONDS = 2.0
PROFILE_SECONDS = 15.0
# Types that have an order which MIN and MAX can use, in both databases; others are compared as text.
_ORDERED = ("int", "numeric", "decimal", "real", "double", "float", "text", "char", "date", "time")


@dataclass(frozen=True)
class Fact:
    """What is in one column."""

    nulls: int
    distinct: int
    minimum: Any
    maximum: Any


async def ask(
    database: Backend, sql: str, values: Mapping[str, Any], *, max_rows: int, seconds: float
) -> tuple[str, Answer]:
    """Check a statement and run it. Returns how it was written for the database, and the answer."""
    statement = check(sql, database.dialect, await database.tables(), database.schema)
    match(statement, values)
    written = statement.sql()
    ordered = {name: values[name] for name in statement.parameters}
    return written, await database.run(written, ordered, max_rows=max_rows, seconds=seconds)


def find(tables: Mapping[str, Table], name: str) -> Table:
    """The table of that name. Names come from callers and cannot be parameters, so they must be on the list."""
    if name not in tables:
        raise StatementError(f"there is no table {name!r}. {near(name, tables)}")
    return tables[name]


async def count(database: Backend, table: Table) -> int | None:
    """How many rows there are, None if that takes too long to find out."""
    try:
        answer = await database.run(f"SELECT COUNT(*) FROM {quoted(table.name)}", {}, max_rows=1, seconds=COUNT_SECONDS)
    except DatabaseError as error:
        if "took longer" in str(error):
            return None
        raise
    return int(answer.rows[0][0])


def sample(table: Table, rows: int) -> str:
    """SELECT of `:rows` rows, evenly spread over the table in the order of its key."""
    names = ", ".join(quoted(column.name) for column in table.columns)
    key = [column.name for column in table.columns if column.primary_key] or [table.columns[0].name]
    order = ", ".join(quoted(name) for name in key)
    inner = f"SELECT {names}, ROW_NUMBER() OVER (ORDER BY {order}) AS lab_n, COUNT(*) OVER () AS lab_all"
    spread = "(lab_n - 1) * :rows / lab_all <> (lab_n - 2) * :rows / lab_all"
    return (
        f"SELECT {names} FROM ({inner} FROM {quoted(table.name)}) AS lab_t "
        f"WHERE lab_n = 1 OR lab_all <= :rows OR {spread} ORDER BY lab_n"
    )


async def profile(database: Backend, table: Table) -> tuple[int, list[Fact]]:
    """Number of rows, and a fact for each column, from one pass over the table."""
    asked = ["COUNT(*)"]
    for column in table.columns:
        name = _comparable(column)
        asked += [f"COUNT({name})", f"COUNT(DISTINCT {name})", f"MIN({name})", f"MAX({name})"]
    sql = f"SELECT {', '.join(asked)} FROM {quoted(table.name)}"
    answer = await database.run(sql, {}, max_rows=1, seconds=PROFILE_SECONDS)
    rows, *found = answer.rows[0]
    facts = [
        Fact(rows - present, distinct, low, high)
        for present, distinct, low, high in (found[n : n + 4] for n in range(0, len(found), 4))
    ]
    return rows, facts


def _comparable(column: Column) -> str:
    ordered = any(word in column.type.lower() for word in _ORDERED) and not column.type.endswith("[]")
    return quoted(column.name) if ordered else f"CAST({quoted(column.name)} AS TEXT)"
