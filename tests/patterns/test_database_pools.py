"""Connections to SQLite and PostgreSQL come back clean or not at all, whatever becomes of those who had them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from labkit import services
from labkit.patterns.clock import settle
from labkit.patterns.database_pools import PostgresPool, SqlitePool
from labkit.patterns.pools import PoolBusyError, PoolError

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqlitePool]:
    pool = SqlitePool(tmp_path / "pool.db", size=3, wait=30)
    async with pool.lend() as db:
        await db.run("CREATE TABLE t (n INTEGER)")
    yield pool
    await pool.close()


async def test_sqlite_connections_are_reused_and_bounded(sqlite: SqlitePool) -> None:
    async def add(n: int) -> None:
        async with sqlite.lend() as db:
            await db.run("INSERT INTO t VALUES ($1)", n)

    await asyncio.gather(*(add(n) for n in range(30)))
    async with sqlite.lend() as db:
        assert await db.run("SELECT count(*) AS n, sum(n) AS s FROM t") == [{"n": 30, "s": 435}]
    stats = sqlite.stats()
    assert stats.opened <= 3 and stats.lent == 32 and stats.broken == stats.busy == 0
    assert await sqlite.check() >= 0


async def test_what_a_borrower_left_undone_is_undone_for_the_next(sqlite: SqlitePool) -> None:
    with pytest.raises(ZeroDivisionError):
        async with sqlite.lend() as db, db.transaction():
            await db.run("INSERT INTO t VALUES (1)")
            raise ZeroDivisionError
    async with sqlite.lend() as again:
        assert again is db and not again.raw.in_transaction
        assert await again.run("SELECT * FROM t") == []
        async with again.transaction():
            await again.run("INSERT INTO t VALUES (2)")
        assert await again.run("SELECT * FROM t") == [{"n": 2}]


async def test_a_cancelled_statement_is_interrupted_before_somebody_else_has_the_connection(sqlite: SqlitePool) -> None:
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
    began = threading.Event()

    async def count() -> None:
        async with sqlite.lend() as db:
            await db.in_thread(lambda: db.raw.create_function("began", 0, lambda: began.set() or 1))
            await db.run("SELECT began()")
            await db.run(endless)

    task = asyncio.create_task(count())
    async with asyncio.timeout(10):
        while not began.is_set():
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()
    async with sqlite.lend() as db:
        assert await db.run("SELECT 1 AS one") == [{"one": 1}]
    assert sqlite.stats().opened == 1


async def test_sqlite_errors_are_told_and_leave_the_pool_whole(sqlite: SqlitePool, tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        async with sqlite.lend() as db:
            await db.run("SELECT * FROM missing")
    assert sqlite.stats().in_use == 0 and sqlite.stats().idle == 1
    nowhere = SqlitePool(tmp_path / "no" / "such.db")
    with pytest.raises(sqlite3.OperationalError):
        await nowhere.check()
    assert nowhere.stats().broken == 1 and nowhere.stats().in_use == 0
    await nowhere.close()


@pytest.fixture(scope="module")
def postgres_url() -> Any:
    with services.Temporary() as own:
        try:
            yield own.up("postgres")[0].url
        except services.ServiceMissingError as error:
            pytest.skip(str(error))


async def test_postgres_connections_are_reused_bounded_and_counted(postgres_url: str) -> None:
    pool = PostgresPool(postgres_url, size=2, wait=0.1, max_waiting=1)
    assert await pool.check() >= 0
    async with pool.lend() as one, pool.lend() as two:
        assert (await one.run("SELECT $1::int AS n", 7)) == [{"n": 7}]
        assert (pool.stats().in_use, pool.stats().idle) == (2, 0)
        waits = asyncio.create_task(pool.check())
        await settle()
        assert pool.stats().waiting == 1
        with pytest.raises(PoolBusyError, match="wait"):
            await pool.check()
        with pytest.raises(PoolBusyError, match="came free in 0.1 s"):
            await waits
        assert two.raw
    stats = pool.stats()
    assert (stats.opened, stats.idle, stats.in_use, stats.waiting, stats.busy, stats.lent) == (2, 2, 0, 0, 2, 3)
    assert stats.waited >= 0.1
    await pool.close()
    with pytest.raises(PoolError, match="closed"):
        await pool.check()


async def test_a_postgres_connection_that_died_is_replaced(postgres_url: str) -> None:
    pool = PostgresPool(postgres_url, size=2)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
        async with pool.lend() as db:
            mine = (await db.run("SELECT pg_backend_pid() AS pid"))[0]["pid"]
            other = await asyncpg.connect(postgres_url)
            await other.fetch("SELECT pg_terminate_backend($1)", mine)
            await other.close()
            await db.run("SELECT 1")
    assert await pool.check() >= 0
    stats = pool.stats()
    assert (stats.opened, stats.closed, stats.broken) == (2, 1, 1)
    with pytest.raises(ZeroDivisionError):
        async with pool.lend() as db, db.transaction():
            await db.run("CREATE TABLE half_done (n INT)")
            raise ZeroDivisionError
    async with pool.lend() as db:
        assert await db.run("SELECT to_regclass('half_done') AS there") == [{"there": None}]
    await pool.close()


async def test_a_cancelled_postgres_statement_ends_there_too_and_the_connection_is_clean(postgres_url: str) -> None:
    pool = PostgresPool(postgres_url, size=2)
    running = "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"

    async def sleepers() -> int:
        async with pool.lend() as db:
            return (await db.run(running))[0]["n"]

    async def sleep() -> None:
        async with pool.lend() as db:
            await db.run("SET application_name = 'dirty'")
            await db.run("SELECT pg_sleep(60)")

    task = asyncio.create_task(sleep())
    async with asyncio.timeout(10):
        while not await sleepers():
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()
    async with asyncio.timeout(10):
        while await sleepers():
            await asyncio.sleep(0.001)
    async with pool.lend() as one, pool.lend() as two:
        assert [(await db.run("SHOW application_name"))[0]["application_name"] for db in (one, two)] == ["", ""]
    stats = pool.stats()
    assert stats.in_use == 0 and stats.open == stats.opened - stats.closed == 2
    await pool.close()
