"""SQLite that cannot write (labkit/defences/sql_engine.py), asked in threads.

Time is limited by looking at the clock while the statement runs, which also ends a query whose caller has gone.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from labkit.defences.sql import Dialect
from labkit.defences.sql_engine import only_reading, open_read_only, stop_when
from servers.database.reading import (
    CHUNK,
    Answer,
    Collector,
    Column,
    DatabaseError,
    Index,
    PoolState,
    Table,
    all_busy,
    too_long,
)
from servers.database.shop import shop, statements

T = TypeVar("T")


class Sqlite:
    """Implements `reading.Backend`. A connection for each query: opening one takes less than a millisecond."""

    dialect: Dialect = "sqlite"
    schema = ""

    def __init__(self, path: Path, *, pool_size: int, pool_wait: float) -> None:
        self._path, self._limit, self._wait = path, pool_size, pool_wait
        self._places: anyio.CapacityLimiter | None = None
        self._served = self._timed_out = 0

    async def tables(self) -> dict[str, Table]:
        return await self._in_thread(lambda db, _: _catalog(db), seconds=10.0)

    async def run(self, sql: str, values: Mapping[str, Any], *, max_rows: int, seconds: float) -> Answer:
        def query(db: sqlite3.Connection, _: threading.Event) -> Answer:
            only_reading(db)
            cursor = db.execute(sql, dict(values))
            collector = Collector([column[0] for column in cursor.description], max_rows)
            while rows := cursor.fetchmany(CHUNK):
                if not collector.take(rows):
                    break
            return collector.answer()

        return await self._in_thread(query, seconds)

    def pool(self) -> PoolState:
        waiting = self._places.statistics().tasks_waiting if self._places else 0
        in_use = int(self._places.borrowed_tokens) if self._places else 0
        return PoolState(in_use, in_use, waiting, self._limit, self._served, self._timed_out, 0)

    async def close(self) -> None:
        """Nothing stays open between queries."""

    async def _in_thread(self, work: Callable[[sqlite3.Connection, threading.Event], T], seconds: float) -> T:
        gone = threading.Event()

        def run() -> T:
            with closing(self._open()) as db:
                until = time.monotonic() + seconds
                stop_when(db, lambda: gone.is_set() or time.monotonic() > until)
                try:
                    return work(db, gone)
                except sqlite3.OperationalError as error:
                    if str(error) == "interrupted":
                        raise too_long(seconds) from None
                    raise

        async with self._place() as limiter:
            try:
                return await anyio.to_thread.run_sync(run, limiter=limiter, abandon_on_cancel=True)
            except (sqlite3.Error, sqlite3.Warning, OSError, OverflowError) as error:
                raise self._said(error) from error
            finally:
                gone.set()  # the caller may have left: then the thread ends at its next look

    @asynccontextmanager
    async def _place(self) -> AsyncGenerator[anyio.CapacityLimiter]:
        self._places = self._places or anyio.CapacityLimiter(self._limit)
        owner = object()
        with anyio.move_on_after(self._wait) as waited:
            await self._places.acquire_on_behalf_of(owner)
        if waited.cancelled_caught:
            self._timed_out += 1
            raise all_busy(self._limit, self._wait)
        try:
            self._served += 1
            yield anyio.CapacityLimiter(1)  # its own thread: the place is held already
        finally:
            self._places.release_on_behalf_of(owner)

    def _open(self) -> sqlite3.Connection:
        if self._path.is_dir():
            raise IsADirectoryError("it is a folder")
        if not self._path.exists() or self._path.stat().st_size == 0:
            make_shop(self._path)
        return open_read_only(self._path)

    def _said(self, error: Exception) -> DatabaseError:
        text = str(error)
        if isinstance(error, sqlite3.DatabaseError) and ("not authorized" in text or "prohibited" in text):
            return DatabaseError(f"SQLite refused: {text}. Only tables that list_tables shows can be read")
        if isinstance(error, OSError) or "unable to open" in text or "not a database" in text:
            return DatabaseError(
                f"cannot open {self._path}: {text}. Start the server with DATABASE_URL=sqlite:///PATH of a database "
                "file that can be read, or of one that is to be made"
            )
        return DatabaseError(f"SQLite says: {text}")


def make_shop(path: Path) -> None:
    """Make the file with the shop in it: all of it or nothing, also when several processes do it at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        draft.unlink(missing_ok=True)
        before, after = statements(dates=False)
        with closing(sqlite3.connect(draft)) as db, db:
            db.execute("PRAGMA synchronous = OFF")
            for statement in before:
                db.execute(statement)
            for table, rows in shop().rows.items():
                places = ", ".join("?" * len(rows[0]))
                texts = ([str(v) if hasattr(v, "isoformat") else v for v in row] for row in rows)
                db.executemany(f"INSERT INTO {table} VALUES ({places})", texts)
            for statement in after:
                db.execute(statement)
        draft.replace(path)  # another process may have been first: its file holds the same
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _catalog(db: sqlite3.Connection) -> dict[str, Table]:
    names = (
        "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY 1"
    )
    return {
        name: Table(name, kind, _columns(db, name), _indexes(db, name)) for name, kind in db.execute(names).fetchall()
    }


def _columns(db: sqlite3.Connection, table: str) -> list[Column]:
    points_to = {
        column: f"{other}.{their or column}"
        for other, column, their in db.execute('SELECT "table", "from", "to" FROM pragma_foreign_key_list(?)', (table,))
    }
    return [
        Column(name, (kind or "any").lower(), not required and not key, bool(key), points_to.get(name))
        for name, kind, required, key in db.execute(
            'SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (table,)
        )
    ]


def _indexes(db: sqlite3.Connection, table: str) -> list[Index]:
    found = db.execute('SELECT name, "unique" FROM pragma_index_list(?) ORDER BY name', (table,)).fetchall()
    columns = {
        name: [column or "(expression)" for (column,) in db.execute("SELECT name FROM pragma_index_info(?)", (name,))]
        for name, _ in found
    }
    return [Index(name, columns[name], bool(unique)) for name, unique in found]
