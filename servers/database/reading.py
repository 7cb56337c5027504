"""What both databases have in common: how a catalog, an answer and a pool look, and what can go wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Protocol

from labkit.defences.sql import Dialect

MAX_CELL = 2_000
"""Longest text in one cell of an answer, in characters."""
MAX_ANSWER = 200_000
"""Roughly the longest answer, in characters."""
CHUNK = 100


class DatabaseError(Exception):
    """The database cannot answer; the message says why and what to do. Asking again is safe."""


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    nullable: bool
    primary_key: bool = False
    references: str | None = None
    """`table.column` that a foreign key points to."""


@dataclass(frozen=True)
class Index:
    name: str
    columns: list[str]
    unique: bool


@dataclass(frozen=True)
class Table:
    name: str
    kind: str
    """`table` or `view`."""
    columns: list[Column]
    indexes: list[Index] = field(default_factory=list[Index])


@dataclass(frozen=True)
class Answer:
    columns: list[str]
    rows: list[list[Any]]
    truncated: bool
    """There were more rows."""
    cut_cells: int
    """Cells whose text was cut."""


@dataclass
class PoolState:
    """Connections now, and since the server started."""

    size: int
    in_use: int
    waiting: int
    limit: int
    served: int
    timed_out: int
    lost: int


class Backend(Protocol):
    """One database. Everything opens when first needed, and again after it was lost."""

    dialect: Dialect
    schema: str

    async def tables(self) -> dict[str, Table]:
        """What can be read, by name."""
        ...

    async def run(self, sql: str, values: Mapping[str, Any], *, max_rows: int, seconds: float) -> Answer:
        """Run a checked statement where nothing can be written. Parameters are in the order of `values`."""
        ...

    def pool(self) -> PoolState: ...

    async def close(self) -> None: ...


class Collector:
    """Takes rows as the database gives them, and stops when there are enough."""

    def __init__(self, columns: list[str], max_rows: int) -> None:
        self._columns, self._max_rows = columns, max_rows
        self._rows: list[list[Any]] = []
        self._truncated, self._cut, self._size = False, 0, 0

    def take(self, rows: Iterable[Iterable[Any]]) -> bool:
        """Whether more are wanted."""
        for row in rows:
            if len(self._rows) == self._max_rows or self._size > MAX_ANSWER:
                self._truncated = True
                return False
            self._rows.append([self._cell(value) for value in row])
        return True

    def answer(self) -> Answer:
        return Answer(self._columns, self._rows, self._truncated, self._cut)

    def _cell(self, value: Any) -> Any:
        value = plain(value)
        if isinstance(value, str):
            if len(value) > MAX_CELL:
                self._cut += 1
                value = value[:MAX_CELL] + "…"
            self._size += len(value)
        self._size += 8
        return value


def plain(value: Any) -> Any:
    """A value as JSON has it. Exact numbers become whole numbers or floats, everything else text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        value = int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, bytes):
        return value[:MAX_CELL].hex()
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def too_long(seconds: float) -> DatabaseError:
    return DatabaseError(
        f"the query took longer than {seconds:g} seconds and was stopped: ask for less, with WHERE, LIMIT or an index "
        "(analyse shows them), or allow more time"
    )


def all_busy(limit: int, wait: float) -> DatabaseError:
    return DatabaseError(
        f"all {limit} connections are busy, and none became free within {wait:g} seconds: ask again in a moment, "
        "or start the server with a larger DATABASE_POOL_SIZE"
    )
