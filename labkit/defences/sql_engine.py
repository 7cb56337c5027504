"""SQLite that only reads, whatever it is asked: the inner wall behind sql.py, and enough by itself for a console.

    rows = ask(path, "SELECT name FROM goods WHERE id = :id", {"id": 7})       # EngineRefused for all but reading

Four things, because each leaves something open. The file is opened with `mode=ro`: nothing writes to it, but ATTACH
would still open other files. An authorizer is asked before each step of a statement: only reading is allowed. `execute`
takes one statement. A progress handler counts the steps and looks at the clock: a SELECT may be endless.

Between two steps nobody looks: one call of a function runs to its end. So values and patterns have a greatest length,
which bounds what a call can cost (LIKE and instr compare each place of the one with all of the other: some tenths of a
second at most), printf and format are refused, which pad to any width before they see that limit, and trim of
certain characters is done here, because SQLite's own compares each character of the one text with all of the other.
An answer has a greatest length as well: the same long value may be asked for in each of many columns and rows.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from labkit.errors import LabError

STEPS = 1_000
"""How many instructions of SQLite's machine run between two looks at the budget."""
MAX_VALUE = 200_000
"""Longest value that a query may read or compute, in bytes."""
MAX_PATTERN = 1_000
"""Longest pattern of LIKE and GLOB, in bytes."""
MAX_COLUMNS = 500
"""Columns of a table and of an answer."""
MAX_ANSWER = 20_000_000
"""Bytes of text and other values in one answer."""
BUDGET = 5_000_000
"""Instructions that one statement may take: some tenths of a second, if each is a small one."""
SECONDS = 5.0
"""Time that one statement may take, for those whose instructions are not."""
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_REFUSED_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "printf", "format"}


class EngineRefused(LabError):
    """SQLite does not run a statement: it is no reading, there are two, or it takes too long."""


def ask(
    path: Path, sql: str, values: Mapping[str, Any] | None = None, *, max_rows: int = 100, budget: int = BUDGET
) -> list[tuple[Any, ...]]:
    """The first rows of one statement that reads the file. Raises EngineRefused with SQLite's own words."""
    with closing(open_read_only(path)) as db:
        only_reading(db)
        stop_when(db, Budget(budget))
        try:
            return _first(db.execute(sql, dict(values or {})), max_rows)
        # Of two statements at once, older Pythons say so with a Warning, which is no Error.
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            over = f"it takes more than {budget:,} steps, or {SECONDS:g} seconds"
            said = over if str(error) == "interrupted" else str(error).rstrip(".")
            raise EngineRefused(
                f"SQLite does not answer this: {said}. One SELECT over the tables can be run"
            ) from error


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection that can neither write to the file nor open another one. Raises sqlite3.Error, OSError."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    db.text_factory = _text
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
    db.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN)
    db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    db.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, MAX_COLUMNS)
    db.execute("PRAGMA query_only = ON")
    db.execute("PRAGMA trusted_schema = OFF")
    return db


def only_reading(db: sqlite3.Connection) -> None:
    """From now on, refuse whatever is not reading tables and computing: SQLite asks before each step."""
    # Views may use the functions that are put in the place of SQLite's; which those are, the authorizer says.
    db.execute("PRAGMA trusted_schema = ON")
    for name, sides in (("trim", "lr"), ("ltrim", "l"), ("rtrim", "r")):
        db.create_function(name, 2, partial(_trimmed, sides), deterministic=True)
    db.set_authorizer(_authorize)


def stop_when(db: sqlite3.Connection, over: Callable[[], bool]) -> None:
    """End a statement ("interrupted") as soon as `over()` is true; it is asked every STEPS instructions."""
    db.set_progress_handler(over, STEPS)


class Budget:
    """Says that it is over after so many instructions, or after so long. It begins when it is made."""

    def __init__(self, instructions: int = BUDGET, seconds: float = SECONDS) -> None:
        self._left, self._until = instructions, time.monotonic() + seconds

    def __call__(self) -> bool:
        self._left -= STEPS
        return self._left < 0 or time.monotonic() > self._until


def _first(cursor: sqlite3.Cursor, max_rows: int) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    size = 0
    while len(rows) < max_rows and (row := cursor.fetchone()) is not None:
        size += sum(len(each) for each in row if isinstance(each, str | bytes))
        if size > MAX_ANSWER:
            raise sqlite3.DataError(f"the answer has more than {MAX_ANSWER:,} bytes")
        rows.append(row)
    return rows


def _trimmed(sides: str, value: Any, characters: Any) -> str | None:
    """SQLite's trim(X, Y), in time that grows with the sum of their lengths, not with the product."""
    if value is None or characters is None:
        return None
    text, gone = _as_text(value), frozenset(_as_text(characters))
    start, end = 0, len(text)
    while "l" in sides and start < end and text[start] in gone:
        start += 1
    while "r" in sides and start < end and text[end - 1] in gone:
        end -= 1
    return text[start:end]


def _as_text(value: Any) -> str:
    return _text(value) if isinstance(value, bytes) else str(value)


def _text(value: bytes) -> str:
    """SQLite keeps any bytes as text."""
    return value.decode("utf-8", "replace")


def _authorize(action: int, first: str | None, second: str | None, database: str | None, source: str | None) -> int:
    """SQLite's authorizer callback: https://www.sqlite.org/c3ref/c_alter_table.html names the actions."""
    allowed = action in _ALLOWED
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _REFUSED_FUNCTIONS:
        allowed = False
    if action == sqlite3.SQLITE_READ and (first or "").lower().startswith(("sqlite_", "pragma_")):
        allowed = False
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
