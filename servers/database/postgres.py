"""PostgreSQL that cannot write: a role without rights to, in a read-only transaction with a time limit, in a pool.

The URL may be of the owner: then the server makes the schema (when it is the shop's) and a role that may only read
that schema, and works as that role. A URL of a role that cannot write is used as it is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from uuid import UUID

import anyio

from labkit.defences.sql import Dialect
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
from servers.databases import postgres_errors

SHOP = "shop"
LOCK = 20261
"""Names the advisory lock: several servers may start on one empty database."""
CONNECT_SECONDS = 10.0
_WRITES = "INSERT, UPDATE, DELETE, TRUNCATE"


class Postgres:
    """Implements `reading.Backend`."""

    dialect: Dialect = "postgres"

    def __init__(self, url: str, *, schema: str, pool_size: int, pool_wait: float) -> None:
        self._url, self.schema, self._limit, self._wait = url, schema, pool_size, pool_wait
        self._pool: Any = None
        self._opening: anyio.Lock | None = None
        self._waiting = self._served = self._timed_out = self._lost = 0

    async def tables(self) -> dict[str, Table]:
        async with self._connection(10.0) as connection:
            found = await connection.fetch(_TABLES, self.schema)
            columns = await connection.fetch(_COLUMNS, self.schema)
            indexes = await connection.fetch(_INDEXES, self.schema)
        return {
            name: Table(
                name,
                kind,
                [Column(*rest) for table, *rest in columns if table == name],
                [Index(index, list(of), unique) for table, index, of, unique in indexes if table == name],
            )
            for name, kind in found
        }

    async def run(self, sql: str, values: Mapping[str, Any], *, max_rows: int, seconds: float) -> Answer:
        async with self._connection(seconds) as connection:
            prepared = await connection.prepare(sql)
            types = [parameter.name for parameter in prepared.get_parameters()]
            arguments = [_fit(name, value, kind) for (name, value), kind in zip(values.items(), types, strict=True)]
            collector = Collector([attribute.name for attribute in prepared.get_attributes()], max_rows)
            # A cursor, so that the server computes and sends only what is wanted.
            cursor = await prepared.cursor(*arguments)
            while rows := await cursor.fetch(min(CHUNK, max_rows + 1)):
                if not collector.take(rows):
                    break
            return collector.answer()

    def pool(self) -> PoolState:
        size = self._pool.get_size() if self._pool else 0
        idle = self._pool.get_idle_size() if self._pool else 0
        return PoolState(size, size - idle, self._waiting, self._limit, self._served, self._timed_out, self._lost)

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            with anyio.move_on_after(3, shield=True) as scope:
                await pool.close()
            if scope.cancelled_caught:
                pool.terminate()

    @asynccontextmanager
    async def _connection(self, seconds: float) -> AsyncGenerator[Any]:
        """A connection in a read-only transaction that ends itself after `seconds`; every failure told in our words."""
        try:
            pool = await self._open()
            connection, transaction = await self._begin(pool, seconds)
            try:
                with anyio.fail_after(seconds + 2):  # should the server not answer at all
                    yield connection
            finally:
                with anyio.move_on_after(5, shield=True):
                    with suppress(*postgres_errors()):
                        # Never COMMIT: what a function may do even in a read-only transaction is undone.
                        await transaction.rollback()
                    await pool.release(connection, timeout=4)
        except (*postgres_errors(), TimeoutError) as error:
            raise self._said(error, seconds) from error

    async def _begin(self, pool: Any, seconds: float) -> tuple[Any, Any]:
        """A connection and its transaction. Those that died while they were idle are thrown away unnoticed."""
        for attempt in range(self._limit + 1):
            connection = await self._acquire(pool)
            try:
                transaction = connection.transaction(readonly=True)
                await transaction.start()
                # SELECT, not SET: once a transaction has read anything, it cannot be made read-write any more.
                limit = str(max(1, int(seconds * 1000)))
                await connection.fetchval("SELECT set_config('statement_timeout', $1, true)", limit)
                return connection, transaction
            except BaseException as error:
                with anyio.move_on_after(5, shield=True), suppress(*postgres_errors()):
                    await pool.release(connection, timeout=4)
                if attempt == self._limit or not isinstance(error, _lost()):
                    raise
        raise AssertionError("unreachable")

    async def _acquire(self, pool: Any) -> Any:
        self._waiting += 1
        try:
            connection = await pool.acquire(timeout=self._wait)
        except TimeoutError:
            self._timed_out += 1
            raise all_busy(self._limit, self._wait) from None
        finally:
            self._waiting -= 1
        self._served += 1
        return connection

    async def _open(self) -> Any:
        import asyncpg

        self._opening = self._opening or anyio.Lock()
        async with self._opening:
            if self._pool is None:
                url = await self._prepare()
                self._pool = await asyncpg.create_pool(
                    url,
                    min_size=0,
                    max_size=self._limit,
                    max_inactive_connection_lifetime=60,
                    timeout=CONNECT_SECONDS,
                    server_settings={
                        "application_name": "mcp-lab-database",
                        "search_path": self.schema,
                        "default_transaction_read_only": "on",
                        "lock_timeout": "2s",
                        "idle_in_transaction_session_timeout": "60s",
                    },
                )
            return self._pool

    async def _prepare(self) -> str:
        """Make the schema and the role that reads it, if we may and must. Returns the URL to read with."""
        import asyncpg

        try:
            connection = await asyncpg.connect(self._url, timeout=CONNECT_SECONDS)
        except TimeoutError:
            raise ConnectionError(f"no answer within {CONNECT_SECONDS:g} seconds") from None
        try:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
                can_administer, can_write = await connection.fetchrow(_RIGHTS, self.schema)
                exists = await connection.fetchval("SELECT to_regnamespace(quote_ident($1)) IS NOT NULL", self.schema)
                if can_administer:
                    if not exists and self.schema == SHOP:
                        await _make_shop(connection)
                        exists = True
                    if exists:
                        return await self._make_reader(connection)
                if not exists:
                    raise DatabaseError(
                        f"the database has no schema {self.schema!r}: start the server with DATABASE_SCHEMA set to one "
                        "that it has, such as public"
                    )
                if can_write:
                    raise DatabaseError(
                        "the role of DATABASE_URL may write, and may not make one that only reads: start the server "
                        f"with the URL of a role that has SELECT on the schema {self.schema} and nothing else"
                    )
                return self._url
        finally:
            await connection.close(timeout=5)

    async def _make_reader(self, connection: Any) -> str:
        parts = urlsplit(self._url)
        secret = unquote(parts.password or "")
        if not secret:
            raise DatabaseError("DATABASE_URL holds no password: write postgresql://user:password@host:port/name")
        name = f"mcp_lab_reads_{self.schema}"[:63]
        # Derived, so that every server with this URL knows it and nobody has to keep it.
        password = hmac.new(secret.encode(), name.encode(), hashlib.sha256).hexdigest()
        role, schema = _quoted(name), _quoted(self.schema)
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
            await connection.execute(f"CREATE ROLE {role} LOGIN")
        for statement in (
            f"ALTER ROLE {role} NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT LOGIN PASSWORD '{password}'",
            f"GRANT USAGE ON SCHEMA {schema} TO {role}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
            f"REVOKE {_WRITES} ON ALL TABLES IN SCHEMA {schema} FROM {role}",
        ):
            await connection.execute(statement)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{quote(name)}:{password}@{host}"))

    def _said(self, error: BaseException, seconds: float) -> DatabaseError:
        import asyncpg

        text = (str(error) or type(error).__name__).splitlines()[0]
        if isinstance(error, asyncpg.QueryCanceledError | TimeoutError):
            return too_long(seconds)
        if isinstance(error, asyncpg.InsufficientPrivilegeError | asyncpg.ReadOnlySQLTransactionError):
            return DatabaseError(f"PostgreSQL refused: {text}. The database can be read here, not changed")
        if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InvalidCatalogNameError):
            return DatabaseError(f"PostgreSQL does not let this server in: {text}. Correct DATABASE_URL")
        if isinstance(error, asyncpg.TooManyConnectionsError):
            return DatabaseError(f"PostgreSQL has no connection left for this server: {text}. Ask again in a moment")
        if isinstance(error, _lost()):
            self._lost += 1
            where = urlsplit(self._url).netloc.rpartition("@")[2]
            return DatabaseError(
                f"the connection to PostgreSQL at {where} was lost: {text}. Ask again: the server connects anew. If it "
                "stays so, PostgreSQL is down; the lab's own comes up with: labkit services up postgres"
            )
        return DatabaseError(f"PostgreSQL says: {text}")


def _lost() -> tuple[type[BaseException], ...]:
    import asyncpg

    return (
        *(kind for kind in postgres_errors() if kind is not asyncpg.PostgresError),
        asyncpg.PostgresConnectionError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.CannotConnectNowError,
    )


async def _make_shop(connection: Any) -> None:
    before, after = statements(dates=True)
    await connection.execute(f"CREATE SCHEMA {SHOP}")
    await connection.execute(f"SET LOCAL search_path = {SHOP}")
    for statement in before:
        await connection.execute(statement)
    for table, rows in shop().rows.items():
        await connection.copy_records_to_table(table, records=rows, schema_name=SHOP)
    for statement in after:
        await connection.execute(statement)


def _fit(name: str, value: Any, kind: Any) -> Any:
    """JSON has few types, PostgreSQL many and is strict: make of a value what the parameter needs."""
    try:
        return _CONVERT.get(kind, lambda it: it)(value) if value is not None else None
    except (TypeError, ValueError, InvalidOperation):
        example = _EXAMPLES.get(kind, "")
        raise DatabaseError(f"the parameter {name!r} has to be of type {kind}{example}, not {value!r}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_CONVERT: dict[str, Any] = {
    **dict.fromkeys(("text", "varchar", "bpchar", "name"), _text),
    **dict.fromkeys(("int2", "int4", "int8"), _whole),
    **dict.fromkeys(("float4", "float8"), float),
    "numeric": lambda value: Decimal(str(value)),
    "bool": _truth,
    "date": lambda value: date.fromisoformat(_text(value)),
    "time": lambda value: time.fromisoformat(_text(value)),
    **dict.fromkeys(("timestamp", "timestamptz"), lambda value: datetime.fromisoformat(_text(value))),
    "uuid": lambda value: UUID(_text(value)),
}
_EXAMPLES = {"date": ", such as 2025-01-31", "timestamp": ", such as 2025-01-31T09:00:00"}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# Whether we may make schemas and roles; whether we could write to the schema.
_RIGHTS = f"""
SELECT r.rolsuper OR (r.rolcreaterole AND has_database_privilege(current_database(), 'CREATE')),
       EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                 AND has_table_privilege(c.oid, '{_WRITES}'))
       OR EXISTS (SELECT FROM pg_namespace WHERE nspname = $1 AND has_schema_privilege(oid, 'CREATE'))
FROM pg_roles r WHERE r.rolname = current_user"""

_TABLES = """
SELECT c.relname, CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY c.relname"""

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
       EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attnum = ANY (k.conkey)),
       (SELECT f.relname || '.' || fa.attname FROM pg_constraint k
        JOIN pg_class f ON f.oid = k.confrelid
        JOIN pg_attribute fa ON fa.attrelid = f.oid AND fa.attnum = k.confkey[array_position(k.conkey, a.attnum)]
        WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey) LIMIT 1)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname, a.attnum"""

_INDEXES = """
SELECT c.relname, i.relname,
       ARRAY(SELECT coalesce(a.attname::text, '(expression)')
             FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (number, place)
             LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number AND k.number > 0
             ORDER BY k.place),
       x.indisunique
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 ORDER BY c.relname, i.relname"""
