"""Text that becomes a query, and consoles for queries that say to be read-only.

Nothing is changed: what would write is aimed at no row, and files are made in a folder of our own only.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

from labkit.testbench.bench import Bench
from labkit.testbench.canary import word
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.places import Place
from labkit.testbench.raw import Answer, Json
from labkit.testbench.schemas import as_object
from labkit.testbench.security import probe, spots_of, worked
from labkit.testbench.tour import objects, read_only, tour

_SQL_ERRORS = re.compile(
    r"near \"[^\"]*\": syntax error|syntax error at or near|unterminated quoted string at or near|unrecognized token"
    r"|You have an error in your SQL syntax|SQLSTATE|ORA-\d{5}|SQLite error|sqlite3\.OperationalError",
    re.IGNORECASE,
)
_READ_ONLY = re.compile(r"\bread[- _]?only\b|\bonly (?:read|select)|\bselect(?: statements?)? only\b", re.IGNORECASE)
_REFUSED = re.compile(
    r"read-?only|not (?:be )?(?:allowed|authorized|permitted|accepted)|only select|refus|denied|forbidden|prohibited"
    r"|error|cannot|invalid|one statement at a time",
    re.IGNORECASE,
)
ASKING, UNIONS, ERRORS = 3.0, 9.0, 4.0
"""Seconds: to find consoles, to have a query of ours run, and to see one break."""
WRITES = (
    "DELETE FROM {table} WHERE 1=0",
    "UPDATE {table} SET {column}={column} WHERE 1=0",
    "REPLACE INTO {table} SELECT * FROM {table} WHERE 1=0",
    "WITH one AS (SELECT 1) DELETE FROM {table} WHERE 1=0",
    "WITH one AS (SELECT 1) REPLACE INTO {table} SELECT * FROM {table} WHERE 1=0",
    "/* SELECT */ DELETE FROM {table} WHERE 1=0",
    "SELECT 1; DELETE FROM {table} WHERE 1=0",
    "SELECT 1; REPLACE INTO {table} SELECT * FROM {table} WHERE 1=0",
    "SELECT 1; COMMIT; DELETE FROM {table} WHERE 1=0",
    "EXPLAIN ANALYZE DELETE FROM {table} WHERE 1=0",
)
"""Statements that write, and find no row to write: a database that may not write refuses them all the same."""
_FIRST = {
    "table": (
        "SELECT '{one}'||name||'{two}' FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite%' LIMIT 1",
        "SELECT '{one}'||table_schema||'.'||table_name||'{two}' FROM information_schema.tables"
        " WHERE table_type='BASE TABLE' AND table_schema NOT IN ('pg_catalog','information_schema') LIMIT 1",
    ),
    "column": (
        "SELECT '{one}'||name||'{two}' FROM pragma_table_info('{table}') LIMIT 1",
        "SELECT '{one}'||column_name||'{two}' FROM information_schema.columns"
        " WHERE table_schema||'.'||table_name='{table}' LIMIT 1",
    ),
}
"""How databases tell the name of their first table, and of its first column."""


async def consoles(bench: Bench, era: str, spots: list[Place]) -> dict[bool, list[Place]]:
    """The places that run any query (True), and those that do not; in `ASKING` seconds, so not all may be told.

    Not by their name: `query` is what a search calls its words, too. A console runs any query, and is meant to.
    """
    one, two = word(), word()
    found: dict[bool, list[Place]] = {True: [], False: []}
    deadline = time.monotonic() + ASKING
    for place in spots:
        if time.monotonic() < deadline:
            answer = await place.send(bench, era, f"SELECT '{one}'||'{two}'")
            found[one + two in answer.received].append(place)
    return found


@check(
    "security.sql",
    "No text becomes part of a query",
    severity="error",
    spec="server/tools#security-considerations",
    fix="Pass values beside the statement, as parameters, never formatted into it; compare names of tables and columns"
    " with a list.",
    profile="full",
)
async def sql(bench: Bench) -> AsyncGenerator[Finding]:
    """A quote that ends the value, and a word that only a database could have put together from two halves.

    Where a name of a table or column is meant, and no word comes back: a query in brackets that can be run and one with
    the same words that cannot are told apart by a database only.
    An argument that takes whole queries, and answers one, is a console: what it may do is for its author to say.
    """
    era = bench.eras[-1]
    one, two = word(), word()
    spots = await spots_of(bench, era)
    spots = (await consoles(bench, era, spots))[False]
    joined = [f"SELECT {columns}" for n in range(1, 7) for columns in [", ".join([f"'{one}'||'{two}'"] * n)]]
    payloads = [f"' UNION {each}--" for each in joined]
    payloads += [f"{begin} UNION {each}--" for begin in ("0", "x')") for each in joined[:3]]
    payloads.append(f"({joined[0]})")
    found: list[Place] = []
    async for place, payload, answer in probe(bench, era, spots, [(text, one + two) for text in payloads], UNIONS):
        found.append(place)
        yield place.finding(f"ran a query of ours: {payload}", payload, answer, era)
    deadline = time.monotonic() + ERRORS
    for place in spots:
        if place in found or place.waits(bench) or time.monotonic() > deadline:
            continue
        quotes = "x'x\"x"
        plain, quoted = await place.send(bench, era, "xx"), await place.send(bench, era, quotes)
        said = _SQL_ERRORS.search(quoted.received)
        if said and not _SQL_ERRORS.search(plain.received):
            yield place.finding(f"breaks a query with a quote: {said[0]}", quotes, quoted, era)
        elif answer := await _told_apart(bench, era, place):
            yield place.finding(f"ran a query of ours in the place of a name: {_RUNS[0]}", _RUNS[0], answer, era)


_RUNS = ("(SELECT 7 WHERE 9)", "(SELECT 9 WHERE 7)")
_FAILS = ("(7 SELECT WHERE 9)", "(9 WHERE SELECT 7)")
"""The same words in an order that no database takes. Each is a pattern and a phrase that searches take."""


async def _told_apart(bench: Bench, era: str, place: Place) -> Answer | None:
    """The answer to a query in brackets, when such queries are answered alike, and well, and others fail."""
    first: Answer | None = None
    for text, fits in ((_RUNS[0], True), (_FAILS[0], False), (_RUNS[1], True), (_FAILS[1], False)):
        answer = await place.send(bench, era, text)
        first = first or answer
        if worked(answer) != fits:
            return None
    return first


@check(
    "security.read-only",
    "A console that says to be read-only cannot write",
    severity="error",
    spec="server/tools#security-considerations",
    fix="Open the database read-only, let an authorizer refuse everything but reading (ATTACH and PRAGMA too), and take"
    " one statement at a time. A look at the first word of a statement is no guard.",
    profile="full",
)
async def console(bench: Bench) -> AsyncGenerator[Finding]:
    """Statements that write - to no row - are run where they should be refused; so are files that are not its own.

    Whether a statement was run is seen from the same about a table that is not there: only that one may fail.
    """
    era = bench.eras[-1]
    tools = {str(tool.get("name")): tool for tool in (await tour(bench, era)).items.get("tools/list", [])}
    spots = [place for place in await spots_of(bench, era) if says_read_only(tools.get(place.owner, {}))]
    spots = (await consoles(bench, era, spots))[True]
    if not spots:
        raise NotApplicable("no argument that takes any query belongs to a tool that says to be read-only")
    deadline = time.monotonic() + UNIONS
    for place in spots:
        table = await _first(bench, era, place, "table")
        column = await _first(bench, era, place, "column", table=table) if table else ""
        for statement in WRITES if table else ():
            if time.monotonic() > deadline:
                return
            text = statement.format(table=table, column=column or "rowid")
            answer = await place.send(bench, era, text)
            nowhere = statement.format(table=f"{table}{word()}", column=column or "rowid")
            if worked(answer) and _ran(answer) and not _ran(await place.send(bench, era, nowhere)):
                yield place.finding(f"runs what writes, though it says to be read-only: {text}", text, answer, era)
                break
        async for finding in _files(bench, era, place):
            yield finding


def says_read_only(tool: Json) -> bool:
    """Whether a tool claims to be read-only: by its annotation, or in its words."""
    text = f"{tool.get('name')} {tool.get('title')} {as_object(tool.get('annotations')).get('title')}"
    return read_only(tool) or bool(_READ_ONLY.search(f"{text} {tool.get('description')}"))


def _ran(answer: Answer) -> bool:
    said = " ".join(str(part.get("text", "")) for part in objects(answer.result.get("content")))
    return worked(answer) and not _REFUSED.search(said) and not re.search("no such table|not exist|unknown", said, re.I)


async def _first(bench: Bench, era: str, place: Place, what: str, **known: str) -> str:
    """The name of the first table of the database, or of its first column; '' when it is not told."""
    for query in _FIRST[what]:
        one, two = word(), word()
        answer = await place.send(bench, era, query.format(one=one, two=two, **known))
        if found := re.search(rf"{one}([\w.]+){two}", answer.received):
            return found[1]
    return ""


async def _files(bench: Bench, era: str, place: Place) -> AsyncGenerator[Finding]:
    """SQLite opens any file it is told to, and writes a copy of everything to any other."""
    with tempfile.TemporaryDirectory(prefix="labkit-canary-", ignore_cleanup_errors=True) as folder:
        other, copy, name, canary = Path(folder) / "other.db", Path(folder) / "copy.db", word(), word()
        with closing(sqlite3.connect(other)) as made, made:
            made.execute(f"CREATE TABLE {name} AS SELECT '{canary}' AS said")
        attach, read = f"ATTACH DATABASE '{other.as_posix()}' AS {name}", f"SELECT said FROM {name}.{name}"
        for statements in ((attach, read), (f"{attach}; {read}",)):
            answers = [await place.send(bench, era, each) for each in statements]
            if canary in answers[-1].received:
                said = f"reads a database that is not its own, though it says to be read-only: {attach}"
                yield place.finding(said, statements[0], answers[-1], era)
                await place.send(bench, era, f"DETACH DATABASE {name}")
                break
        vacuum = f"VACUUM INTO '{copy.as_posix()}'"
        for text in (vacuum, f"SELECT 1; {vacuum}"):
            answer = await place.send(bench, era, text)
            if copy.exists():
                said = f"wrote a copy of its database to a file, though it says to be read-only: {text}"
                yield place.finding(said, text, answer, era)
                break
