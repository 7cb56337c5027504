"""Pools of connections to SQLite and PostgreSQL.

    pool = SqlitePool("lab.db", size=4)                      # or PostgresPool("postgresql://...", size=4)
    async with pool.lend() as db:
        rows = await db.run("SELECT * FROM notes WHERE id = $1", 7)      # [{"id": 7, ...}]
        async with db.transaction():
            await db.run("UPDATE notes SET text = $1 WHERE id = $2", "new", 7)

Both write parameters as $1, $2, and both give a connection back only when it is as clean as when it was lent.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import anyio

from labkit.patterns.clock import SYSTEM, Clock
from labkit.patterns.pools import Pool

R = TypeVar("R")
Row = dict[str, Any]


class SqliteConnection:
    """One connection; its statements run in a thread, one at a time."""

    def __init__(self, raw: sqlite3.Connection, threads: ThreadPoolExecutor) -> None:
        self.raw = raw
        self._threads = threads

    async def run(self, statement: str, *values: Any) -> list[Row]:
        """The rows of one statement; when cancelled, it is interrupted. Raises sqlite3.Error."""
        written = re.sub(r"\$(\d+)", r"?\1", statement)
        return await self.in_thread(lambda: [dict(row) for row in self.raw.execute(written, values)])

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """All or nothing. It takes SQLite's one place for a writer at once."""
        await self.run("BEGIN IMMEDIATE")
        yield
        await self.run("COMMIT")  # what does not come to this is undone when the connection is given back

    async def in_thread(self, function: Callable[[], R]) -> R:
        """Run it in a thread, and stay until it has ended: somebody else will be lent this connection."""
        work = asyncio.get_running_loop().run_in_executor(self._threads, function)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self.raw.interrupt()
            with anyio.CancelScope(shield=True):
                while not work.done():
                    try:
                        await asyncio.wait([work])
                    except asyncio.CancelledError:
                        continue  # cancelled once more; raised below all the same
            if not work.cancelled():
                work.exception()  # looked at, so that nobody is told that nobody did
            raise


class SqlitePool(Pool[SqliteConnection]):
    """Connections to one database file. `busy` is how many seconds a statement waits for another writer."""

    def __init__(
        self, path: str | Path, *, size: int = 4, wait: float = 5.0, busy: float = 5.0, clock: Clock = SYSTEM
    ) -> None:
        # A thread for each connection: a statement never waits for a thread that waits for its lock.
        threads = ThreadPoolExecutor(size, thread_name_prefix="labkit sqlite")

        def connect() -> sqlite3.Connection:
            raw = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False)
            raw.row_factory = sqlite3.Row
            raw.execute("PRAGMA foreign_keys = ON")
            return raw

        async def opened() -> SqliteConnection:
            raw = await asyncio.get_running_loop().run_in_executor(threads, connect)
            return SqliteConnection(raw, threads)

        async def closed(db: SqliteConnection) -> None:
            await db.in_thread(db.raw.close)

        async def looked_at(db: SqliteConnection) -> None:
            await db.run("SELECT 1")

        async def cleaned(db: SqliteConnection) -> None:
            if db.raw.in_transaction:
                await db.in_thread(db.raw.rollback)

        self._threads = threads
        super().__init__(opened, closed, check=looked_at, reset=cleaned, size=size, wait=wait, clock=clock)

    async def close(self) -> None:
        """See `Pool.close`."""
        await super().close()
        if not self.stats().in_use:
            self._threads.shutdown(wait=False)


class PostgresConnection:
    """One connection."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    async def run(self, statement: str, *values: Any) -> list[Row]:
        """The rows of one statement. Raises asyncpg.PostgresError."""
        return [dict(row) for row in await self.raw.fetch(statement, *values)]

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """All or nothing."""
        async with self.raw.transaction():
            yield


class PostgresPool(Pool[PostgresConnection]):
    """Connections to one PostgreSQL. `statement` is the longest time for a statement, `connect` for connecting.

    Not asyncpg's own pool: it has no end of the line and no counters, and its one time limit holds for waiting and
    connecting together, so that a slow network looks like a pool that is too small.
    """

    def __init__(
        self, url: str, *, size: int = 10, wait: float = 5.0, max_waiting: int = 100, idle: float = 300.0,
        statement: float = 30.0, connect: float = 10.0, clock: Clock = SYSTEM,
    ) -> None:  # fmt: skip
        async def opened() -> PostgresConnection:
            import asyncpg

            open_one: Any = cast(Any, asyncpg).connect
            return PostgresConnection(await open_one(url, timeout=connect, command_timeout=statement))

        async def closed(db: PostgresConnection) -> None:
            try:
                await db.raw.close(timeout=2)
            except Exception:
                db.raw.terminate()
                raise

        async def looked_at(db: PostgresConnection) -> None:
            await db.run("SELECT 1")

        async def cleaned(db: PostgresConnection) -> None:
            await db.raw.reset(timeout=5)  # transaction, settings, locks, listeners

        super().__init__(
            opened, closed, check=looked_at, reset=cleaned, size=size, wait=wait, max_waiting=max_waiting, idle=idle,
            clock=clock,
        )  # fmt: skip
