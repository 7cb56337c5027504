"""SQLite or PostgreSQL behind one URL, for servers that keep something. Knows nothing of MCP.

    database = Database("sqlite:///work/leave.db", schema=["CREATE TABLE IF NOT EXISTS ..."])
    async with database.transaction(write=True) as run:
        rows = await run("UPDATE t SET n = n + $1 WHERE id = $2 RETURNING n", 1, "a")     # -> [{"n": 2}]

A transaction is all or nothing: it commits when the block ends, and rolls back when the block raises or is cancelled.
Statements are written once, for both: `$1` marks a parameter, and only what both understand is used (RETURNING and
ON CONFLICT are fine, dates are kept as ISO text).

What differs is who may write at the same time. SQLite has one writer at a time: `write=True` takes the lock at once
and the others wait, up to `BUSY_SECONDS`. PostgreSQL locks the rows that a statement changes, until the end of the
transaction: let statements check and change in one step (`UPDATE ... WHERE balance >= $1`), do not read first and
write later.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

BUSY_SECONDS = 30
"""How long a transaction waits for others before it gives up."""
POOL_SIZE = 10
SCHEMA_LOCK = 2026
"""Names the advisory lock: CREATE TABLE IF NOT EXISTS by two at once may fail in PostgreSQL."""

Row = dict[str, Any]
Run = Callable[..., Awaitable[list[Row]]]


class DatabaseError(Exception):
    """The database cannot be used; the message says which, why, and what to do."""


class Database:
    """The database that `url` names. Opened on first use, closed by `close`, opened again by the next use."""

    def __init__(self, url: str, schema: Sequence[str] = ()) -> None:
        self._backend: _Sqlite | _Postgres
        if url.startswith("sqlite:///"):
            self._backend = _Sqlite(Path(url.removeprefix("sqlite:///")), schema)
        elif url.startswith(("postgresql://", "postgres://")):
            self._backend = _Postgres(url, schema)
        else:
            # Not the whole URL: it may hold a password.
            raise DatabaseError(
                f"cannot use a database URL that begins with {url.split(':')[0]!r}: "
                "write sqlite:///path/to/file.db or postgresql://user:password@host/name"
            )

    def transaction(self, *, write: bool = False) -> AbstractAsyncContextManager[Run]:
        """One transaction. Yields a function that runs one statement and returns its rows."""
        return self._backend.transaction(write)

    async def close(self) -> None:
        """Let go of all connections. Closing twice is fine."""
        await self._backend.close()


class _Sqlite:
    """A connection for each transaction; its statements run in threads, so that the server goes on meanwhile."""

    def __init__(self, path: Path, schema: Sequence[str]) -> None:
        self._path, self._schema = path, schema
        self._ready = False
        self._writer: anyio.Lock | None = None
        self._threads: anyio.CapacityLimiter | None = None

    @asynccontextmanager
    async def transaction(self, write: bool) -> AsyncGenerator[Run]:
        # The threads that wait for the lock of the file must leave one for the transaction that holds it. So writers
        # of this process queue here, and the threads are our own.
        self._writer = self._writer or anyio.Lock()
        self._threads = self._threads or anyio.CapacityLimiter(8)
        if write:
            async with self._writer, self._connected(write) as run:
                yield run
        else:
            async with self._connected(write) as run:
                yield run

    @asynccontextmanager
    async def _connected(self, write: bool) -> AsyncGenerator[Run]:
        try:
            db = await self._in_thread(self._open)
            try:
                await self._in_thread(db.execute, "BEGIN IMMEDIATE" if write else "BEGIN")

                async def run(statement: str, *values: Any) -> list[Row]:
                    return await self._in_thread(_fetch, db, re.sub(r"\$(\d+)", r"?\1", statement), values)

                yield run
                with anyio.CancelScope(shield=True):
                    await self._in_thread(db.execute, "COMMIT")
            finally:
                db.close()  # what was not committed is undone
        except (sqlite3.Error, OSError) as error:
            self._ready = False  # somebody may have replaced the file: look at it afresh next time
            raise DatabaseError(
                f"cannot use the database {self._path}: {error}. Is the file writable, and free of other writers?"
            ) from error

    async def close(self) -> None:
        self._ready = False

    async def _in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        return await anyio.to_thread.run_sync(function, *args, limiter=self._threads)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Statements of one transaction may run in different threads, but never two at a time.
        db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        db.row_factory = sqlite3.Row
        try:
            db.execute("PRAGMA foreign_keys = ON")
            if not self._ready:
                _readers_beside_writer(db)
                db.execute("BEGIN IMMEDIATE")
                for statement in self._schema:
                    db.execute(statement)
                db.execute("COMMIT")
                self._ready = True
        except BaseException:
            db.close()
            raise
        return db


def _readers_beside_writer(db: sqlite3.Connection) -> None:
    """Turn on WAL. SQLite does not wait when another process is just doing the same, so we do."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _fetch(db: sqlite3.Connection, statement: str, values: Sequence[Any]) -> list[Row]:
    return [dict(row) for row in db.execute(statement, values)]


class _Postgres:
    """A pool of connections, made on first use."""

    def __init__(self, url: str, schema: Sequence[str]) -> None:
        self._url, self._schema = url, schema
        self._pool: Any = None
        self._opening: anyio.Lock | None = None

    @asynccontextmanager
    async def transaction(self, write: bool) -> AsyncGenerator[Run]:
        try:
            pool = await self._open()
            async with pool.acquire(timeout=BUSY_SECONDS) as connection:
                # What a reader sees is of one moment; a writer waits for rows and then sees them as they are.
                isolation = "read_committed" if write else "repeatable_read"
                async with connection.transaction(isolation=isolation, readonly=not write):

                    async def run(statement: str, *values: Any) -> list[Row]:
                        return [dict(row) for row in await connection.fetch(statement, *values)]

                    yield run
        except postgres_errors() as error:
            raise DatabaseError(
                f"cannot use the database {self._name}: {error or type(error).__name__}. "
                "Is it running, and the URL right?"
            ) from error

    async def _open(self) -> Any:
        import asyncpg

        self._opening = self._opening or anyio.Lock()
        async with self._opening:
            if self._pool is None:
                pool = await asyncpg.create_pool(
                    self._url, min_size=0, max_size=POOL_SIZE, timeout=10, command_timeout=BUSY_SECONDS
                )
                try:
                    async with pool.acquire() as connection, connection.transaction():
                        await connection.execute("SELECT pg_advisory_xact_lock($1)", SCHEMA_LOCK)
                        for statement in self._schema:
                            await connection.execute(statement)
                except BaseException:
                    pool.terminate()
                    raise
                self._pool = pool
            return self._pool

    async def close(self) -> None:
        pool, self._pool = self._pool, None  # whoever comes now opens a new one
        if pool is not None:
            with anyio.move_on_after(5) as scope:
                await pool.close()  # waits for transactions under way
            if scope.cancelled_caught:
                pool.terminate()

    @property
    def _name(self) -> str:
        """The URL without user and password."""
        parts = urlsplit(self._url)
        return f"{parts.path.lstrip('/') or 'postgres'!r} at {parts.hostname or 'its socket'}"


def postgres_errors() -> tuple[type[Exception], ...]:
    """What asyncpg raises when PostgreSQL refuses (PostgresError), or cannot be talked to (the others)."""
    import asyncpg  # only who uses PostgreSQL pays for it

    # InternalClientError means a mistake in asyncpg, and also comes when a connection dies as it is used.
    return (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
