"""When the database is busy, gone or not what the URL says: a clear error for the caller, and no restart to recover."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import anyio
import asyncpg
import pytest
from mcp import Client

from labkit import services
from servers.database.postgres import Postgres
from servers.database.reading import DatabaseError

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

ENDLESS = (
    "SELECT COUNT(*) FROM order_items a, order_items b, order_items c, order_items d WHERE a.line + b.line > c.line"
)
COUNT = "SELECT COUNT(*) FROM orders"


@pytest.fixture(scope="module")
def own() -> Iterator[str]:
    """The URL of a PostgreSQL that these tests may stop and break."""
    with services.Temporary() as place, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_SERVICES", str(place.folder))
        try:
            url = services.up("postgres")[0].url
        except services.ServiceMissingError as error:
            pytest.skip(str(error))
        yield url


@pytest.fixture(scope="module", params=["memory", "stdio"])
async def client(connect: Any, own: str, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    env = {"DATABASE_URL": own, "DATABASE_POOL_SIZE": "2", "DATABASE_POOL_WAIT": "0.3"}
    async with connect("database", (request.param, "modern"), env) as client:
        assert await said(client, COUNT) == "5000"
        yield client


async def said(client: Client, sql: str, **options: Any) -> str:
    """The first value of the answer as text, or the error."""
    result = await client.call_tool("query", {"sql": sql, **options})
    return result.content[0].text if result.is_error else str(result.structured_content["rows"][0][0])  # type: ignore


async def pool(client: Client) -> dict[str, Any]:
    return (await client.call_tool("pool_statistics", {})).structured_content  # type: ignore[return-value]


async def until(condition: Any) -> Any:
    """What the condition gives once it is true."""
    with anyio.fail_after(15):
        while not (found := await condition()):
            await anyio.sleep(0.02)
        return found


@asynccontextmanager
async def administrator(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


async def busy_backend(connection: Any) -> int:
    """The process that works on the endless query."""
    return await until(
        lambda: connection.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'mcp-lab-database' AND state = 'active' "
            "AND query LIKE '%order_items AS d%'"
        )
    )


@pytest.mark.parametrize("how", ["terminated", "killed"])
async def test_a_connection_that_dies_in_the_middle_of_a_query(client: Client, own: str, how: str) -> None:
    if how == "killed" and os.name == "nt":
        pytest.skip("there is no kill -9 on Windows")
    answers: list[str] = []

    async def ask() -> None:
        answers.append(await said(client, ENDLESS, max_seconds=20))

    async with administrator(own) as connection, anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        pid = await busy_backend(connection)
        if how == "terminated":
            await connection.fetchval("SELECT pg_terminate_backend($1)", pid)
        else:  # PostgreSQL then ends all connections and starts over
            os.kill(pid, signal.SIGKILL)
    assert "the connection to PostgreSQL at 127.0.0.1" in answers[0]
    assert "was lost" in answers[0] and "Ask again: the server connects anew" in answers[0]

    async def recovered() -> bool:
        return await said(client, COUNT) == "5000"

    await until(recovered)
    assert (await pool(client))["lost"] >= 1
    assert (await pool(client))["in_use"] == 0


@pytest.mark.parametrize("step", ["fetchval", "prepare"])
async def test_a_connection_that_dies_as_it_is_used(own: str, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then asyncpg may speak of a mistake of its own. Before the query that is not noticed, in it the caller is told."""
    database = Postgres(own, schema="shop", pool_size=1, pool_wait=5)
    assert (await database.run(COUNT, {}, max_rows=1, seconds=5)).rows == [[5000]]

    async def dies(self: Any, *args: Any, **options: Any) -> Any:
        monkeypatch.undo()
        self.terminate()
        raise asyncpg.InternalClientError("got result for unknown protocol state 3")

    monkeypatch.setattr(asyncpg.Connection, step, dies)
    if step == "prepare":
        with pytest.raises(DatabaseError, match="was lost: got result for unknown protocol state 3. Ask again"):
            await database.run(COUNT, {}, max_rows=1, seconds=5)
    assert (await database.run(COUNT, {}, max_rows=1, seconds=5)).rows == [[5000]]
    assert database.pool().lost == (1 if step == "prepare" else 0)
    assert database.pool().in_use == 0
    await database.close()


async def test_a_server_that_is_stopped_and_started_again(client: Client, own: str) -> None:
    services.down("postgres")
    for _ in range(3):
        stopped = await said(client, COUNT)
        assert "was lost" in stopped and "labkit services up postgres" in stopped
        assert urlsplit(own).password not in stopped
    result = await client.call_tool("list_tables", {})
    assert result.is_error
    services.up("postgres")
    assert await said(client, COUNT) == "5000"


async def test_a_server_that_was_restarted_between_two_calls_is_not_noticed(client: Client, own: str) -> None:
    services.down("postgres")
    services.up("postgres")
    assert await said(client, COUNT) == "5000"


async def exhausted(client: Client) -> None:
    """Two callers hold both connections, a third is told; cancelling the two ends their queries and frees the places."""
    before = await pool(client)

    async def both_busy() -> bool:
        now = await pool(client)
        return now["in_use"] == 2 and now["served"] == before["served"] + 4  # each looked up the tables first

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(lambda: said(client, ENDLESS, max_seconds=20))
        await until(both_busy)
        third = await said(client, COUNT)
        assert "all 2 connections are busy, and none became free within 0.3 seconds: ask again in a moment" in third
        assert (await pool(client))["timed_out"] == before["timed_out"] + 1
        tasks.cancel_scope.cancel()

    async def free() -> bool:
        return (await pool(client))["in_use"] == 0

    await until(free)
    assert await said(client, COUNT) == "5000"


async def test_all_connections_busy_on_postgres(client: Client, own: str) -> None:
    await exhausted(client)

    async def idle() -> bool:
        async with administrator(own) as connection:
            active = (
                "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'mcp-lab-database' AND state = 'active'"
            )
            return await connection.fetchval(active) == 0

    await until(idle)  # cancelled in the database, too


@pytest.mark.parametrize("via", ["memory", "stdio"])
async def test_all_connections_busy_on_sqlite(connect: Any, tmp_path: Path, via: str) -> None:
    env = {"DATABASE_URL": f"sqlite:///{tmp_path / 'shop.db'}", "DATABASE_POOL_SIZE": "2", "DATABASE_POOL_WAIT": "0.3"}
    async with connect("database", (via, "modern"), env) as client:
        await exhausted(client)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_two_servers_meet_an_empty_database_at_once(
    connect: Any, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path / 'shop.db'}"
    else:
        own = request.getfixturevalue("own")
        async with administrator(own) as connection:
            await connection.execute("DROP DATABASE IF EXISTS fresh")
            await connection.execute("CREATE DATABASE fresh")
        url = own.removesuffix("/lab") + "/fresh"
    answers: list[str] = []
    env = {"DATABASE_URL": url}
    async with (
        connect("database", ("stdio", "modern"), env) as one,
        connect("database", ("memory", "modern"), env) as two,
        anyio.create_task_group() as tasks,
    ):

        async def ask(client: Client) -> None:
            answers.append(await said(client, "SELECT COUNT(*) FROM order_items"))

        tasks.start_soon(ask, one)
        tasks.start_soon(ask, two)
    assert answers == ["12480", "12480"]
    assert [path.name for path in tmp_path.iterdir()] == (["shop.db"] if kind == "sqlite" else [])


@pytest.fixture
async def role(own: str) -> AsyncIterator[str]:
    """The URL of a role without any rights."""
    async with administrator(own) as connection:
        await connection.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
        yield f"postgresql://guest:guest@{urlsplit(own).netloc.rpartition('@')[2]}/lab"
        await connection.execute("DROP OWNED BY guest; DROP ROLE guest")


async def test_a_role_that_only_reads_is_used_as_it_is(connect: Any, own: str, role: str) -> None:
    async with connect("database", ("memory", "modern"), {"DATABASE_URL": own}) as client:
        assert await said(client, COUNT) == "5000"  # makes the shop
    async with administrator(own) as connection:
        await connection.execute("GRANT USAGE ON SCHEMA shop TO guest; GRANT SELECT ON shop.orders TO guest")
    async with connect("database", ("memory", "modern"), {"DATABASE_URL": role}) as client:
        assert await said(client, COUNT) == "5000"
        assert "there is no table 'customers'" in await said(client, "SELECT * FROM customers")
    async with administrator(own) as connection:
        await connection.execute("GRANT UPDATE ON shop.orders TO guest")
    async with connect("database", ("memory", "modern"), {"DATABASE_URL": role}) as client:
        assert "start the server with the URL of a role that has SELECT on the schema shop" in await said(client, COUNT)


async def test_what_a_function_does_in_spite_of_all_is_undone(own: str) -> None:
    """Up to version 15, PostgreSQL let read-only transactions make large objects."""
    database = Postgres(own, schema="shop", pool_size=1, pool_wait=5)
    with suppress(DatabaseError):
        await database.run("SELECT lo_from_bytea(0, 'x')", {}, max_rows=1, seconds=5)
    await database.close()
    async with administrator(own) as connection:
        assert await connection.fetchval("SELECT COUNT(*) FROM pg_largeobject_metadata") == 0


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (
            "same",
            {"DATABASE_SCHEMA": "nowhere"},
            "the database has no schema 'nowhere': start the server with DATABASE_SCHEMA",
        ),
        ("password", {}, "PostgreSQL does not let this server in: password authentication failed"),
        ("no password", {}, "PostgreSQL does not let this server in"),
        (
            "database",
            {},
            'PostgreSQL does not let this server in: database "elsewhere" does not exist. Correct DATABASE_URL',
        ),
        ("port", {}, "the connection to PostgreSQL at 127.0.0.1:1 was lost"),
    ],
)
async def test_a_url_that_is_wrong(connect: Any, own: str, change: str, settings: dict[str, str], message: str) -> None:
    parts = urlsplit(own)
    url = {
        "same": own,
        "password": own.replace(str(parts.password), quote("wrong one")),
        "no password": own.replace(f":{parts.password}@", "@"),
        "database": own.removesuffix("/lab") + "/elsewhere",
        "port": own.replace(f":{parts.port}/", ":1/"),
    }[change]
    async with connect("database", ("memory", "modern"), {"DATABASE_URL": url, **settings}) as client:
        text = await said(client, COUNT)
        assert message in text
        assert str(parts.password) not in text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"DATABASE_URL": "mysql://root:secret@host/x"}, "DATABASE_URL begins with 'mysql': write sqlite:///PATH or"),
        ({"DATABASE_POOL_SIZE": "many"}, "DATABASE_POOL_SIZE is 'many': give a number from 1 to 100"),
        ({"DATABASE_POOL_WAIT": "-1"}, "DATABASE_POOL_WAIT is '-1': give a number from 0.01 to 60"),
        ({"DATABASE_URL": "sqlite:///FOLDER"}, "cannot open"),
        ({"DATABASE_URL": "sqlite:///FOLDER/text.db"}, "file is not a database"),
        ({"DATABASE_URL": "sqlite:///FOLDER/text.db/x.db"}, "cannot open"),
    ],
)
async def test_settings_that_are_wrong(connect: Any, tmp_path: Path, settings: dict[str, str], message: str) -> None:
    (tmp_path / "text.db").write_text("This is not a database, but long enough to look into. " * 20, encoding="utf-8")
    env = {key: value.replace("FOLDER", str(tmp_path)) for key, value in settings.items()}
    async with connect("database", ("memory", "modern"), {"DATABASE_URL": "", **env}) as client:
        text = await said(client, COUNT)
        assert message in text
        assert "secret" not in text


async def test_a_database_of_ones_own_is_left_as_it_is(connect: Any, tmp_path: Path) -> None:
    file = tmp_path / "my own ünïcode.db"
    with closing(sqlite3.connect(file)) as db, db:
        db.execute('CREATE TABLE "odd "" name" ("a b" BLOB, n NUMERIC)')
        db.execute("""INSERT INTO "odd "" name" VALUES (x'00ff', 1.5)""")
    before = file.read_bytes()
    async with connect(
        "database", ("memory", "modern"), {"DATABASE_URL": f"sqlite:///{quote(file.as_posix())}"}
    ) as client:
        found = (await client.call_tool("analyse", {"table": 'odd " name'})).structured_content
        assert found and [(c["name"], c["distinct"]) for c in found["columns"]] == [("a b", 1), ("n", 1)]
        assert await said(client, 'SELECT "a b" FROM "odd "" name"') == "00ff"
    assert file.read_bytes() == before
