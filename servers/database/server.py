"""Database: look into a SQLite or PostgreSQL database with SQL, without any way to change it.

Run it by itself (it speaks MCP on stdin and stdout): python servers/database/server.py
DATABASE_URL        sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME; work/shop.db below the lab if unset
DATABASE_SCHEMA     the one PostgreSQL schema that is shown; `shop` if unset
DATABASE_POOL_SIZE  most queries at one time, 5 if unset;  DATABASE_POOL_WAIT  seconds that others wait, 2 if unset
A SQLite file that is not there, and a schema `shop` that is not there, are made with the data of a small shop.

Worth noticing:
- two walls, either of which is enough: labkit/defences/sql.py parses and lets only a known kind of SELECT through, and
  the database itself is open in a way that cannot write (sqlite.py, postgres.py);
- values travel as parameters, never inside of the statement; names of tables are compared with the list of tables;
- every answer has limits, and says when it hit one: rows, time, length of a cell;
- a lost connection is an error for the one who lost it; the next call gets a new connection.
"""

import json
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import unquote

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from mcp_types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
    ToolAnnotations,
)
from pydantic import BaseModel, Field, StrictBool, StrictFloat, StrictInt, StrictStr

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from labkit.defences.sql import MAX_LENGTH, TITLES, StatementError
from servers.database import asking
from servers.database.postgres import SHOP, Postgres
from servers.database.reading import Backend, DatabaseError, Table
from servers.database.sqlite import Sqlite

ROOT = Path(__file__).resolve().parents[2]
MAX_ROWS, MAX_SECONDS = 1_000, 30


def backend_from_environment() -> Backend:
    """The database that the environment names; nothing is opened yet. Raises DatabaseError."""
    url = os.environ.get("DATABASE_URL") or f"sqlite:///{(ROOT / 'work' / 'shop.db').as_posix()}"
    size, wait = _number("DATABASE_POOL_SIZE", 5, 1, 100), _number("DATABASE_POOL_WAIT", 2, 0.01, 60)
    if url.startswith("sqlite:///"):
        return Sqlite(Path(unquote(url.removeprefix("sqlite:///"))), pool_size=int(size), pool_wait=wait)
    if url.startswith(("postgresql://", "postgres://")):
        return Postgres(url, schema=os.environ.get("DATABASE_SCHEMA") or SHOP, pool_size=int(size), pool_wait=wait)
    # Not the whole URL: it may hold a password.
    raise DatabaseError(
        f"DATABASE_URL begins with {url.split(':')[0]!r}: write sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
    )


def _number(name: str, default: float, low: float, high: float) -> float:
    text = os.environ.get(name) or str(default)
    try:
        if low <= float(text) <= high:
            return float(text)
    except ValueError:
        pass
    raise DatabaseError(f"{name} is {text!r}: give a number from {low:g} to {high:g}")


class Unusable:
    """Stands in for a database that the environment describes wrongly, so that each call says what is wrong."""

    def __init__(self, error: DatabaseError) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        raise self._error

    async def close(self) -> None: ...


current: Backend | None = None
"""Set by the lifespan. Not taken from the context, as the SDK gives none to completion and to fixed resources."""


@asynccontextmanager
async def lifespan(server: MCPServer[Backend]) -> AsyncGenerator[Backend]:
    global current
    try:
        current = backend_from_environment()
    except DatabaseError as error:
        current = cast(Backend, Unusable(error))
    try:
        yield current
    finally:
        await current.close()


server = MCPServer(
    "database",
    title="Database",
    version="1.0.0",
    instructions="Answer questions about a database. Begin with list_tables, look with sample and analyse, then write "
    "SQL for query, with named parameters such as :city. Nothing here can change the data.",
    log_level="WARNING",
    lifespan=lifespan,
)

READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

TableName = Annotated[str, Field(description="A table or view that list_tables shows.", max_length=200)]
Value = StrictBool | StrictInt | StrictFloat | StrictStr | None
Cell = bool | int | float | str | None


class TableInfo(BaseModel):
    """One table or view."""

    name: str
    kind: str = Field(description="table or view")
    columns: list[str]
    rows: int | None = Field(description="How many; null when counting took too long.")


class TableList(BaseModel):
    """What can be read."""

    database: str = Field(description="SQLite or PostgreSQL: write SQL of that kind.")
    tables: list[TableInfo]


class Rows(BaseModel):
    """The answer of a query."""

    columns: list[str]
    rows: list[list[Cell]] = Field(description="One list per row, in the order of `columns`. Dates are ISO 8601 text.")
    row_count: int = Field(description="Number of rows here.")
    truncated: bool = Field(description="True when there are more rows than these.")
    cut_cells: int = Field(description="Number of cells whose text was cut; it then ends with an ellipsis.")
    sql: str = Field(description="The statement as it was run.")
    milliseconds: float


class ColumnProfile(BaseModel):
    """One column and what is in it."""

    name: str
    type: str
    nullable: bool
    primary_key: bool
    references: str | None = Field(description="table.column that it points to.")
    nulls: int
    distinct: int
    minimum: Cell
    maximum: Cell


class IndexInfo(BaseModel):
    """One index."""

    name: str
    columns: list[str]
    unique: bool


class Profile(BaseModel):
    """A table: its columns, what is in them, its indexes."""

    table: str
    kind: str
    rows: int
    columns: list[ColumnProfile]
    indexes: list[IndexInfo]


class PoolStatistics(BaseModel):
    """Connections to the database."""

    database: str
    size: int = Field(description="Open now.")
    in_use: int
    waiting: int = Field(description="Callers that wait for one.")
    limit: int = Field(description="Most that are opened.")
    served: int = Field(description="Times one was handed out since the server started.")
    timed_out: int = Field(description="Callers that waited in vain.")
    lost: int = Field(description="Times the database was gone.")


def backend() -> Backend:
    """The database of the running server."""
    assert current is not None, "the server is not running"
    return current


@server.tool(title="List tables", annotations=READS)
async def list_tables() -> TableList:
    """List the tables and views that can be read, with their columns and numbers of rows."""
    database = backend()
    try:
        tables = await database.tables()
        counts = [await asking.count(database, table) for table in tables.values()]
    except DatabaseError as error:
        raise ToolError(str(error)) from error
    return TableList(
        database=TITLES[database.dialect],
        tables=[
            TableInfo(name=table.name, kind=table.kind, columns=[column.name for column in table.columns], rows=rows)
            for table, rows in zip(tables.values(), counts, strict=True)
        ],
    )


@server.tool(title="Query", annotations=READS)
async def query(
    sql: Annotated[
        str,
        Field(
            description="One SELECT (or WITH ... SELECT) with named parameters such as :city.", max_length=MAX_LENGTH
        ),
    ],
    parameters: Annotated[
        dict[str, Value] | None,
        Field(description='Value of each parameter: {"city": "Oslo"}. Dates are ISO 8601 text.'),
    ] = None,
    max_rows: Annotated[StrictInt, Field(description="Most rows to return.", ge=1, le=MAX_ROWS)] = 100,
    max_seconds: Annotated[
        StrictInt | StrictFloat, Field(description="Stop the query after this time.", gt=0, le=MAX_SECONDS)
    ] = 5,
) -> Rows:
    """Answer one SELECT. Rows, time and the length of cells are limited; `truncated` tells when there was more."""
    return await answer(backend(), sql, parameters or {}, max_rows, max_seconds)


@server.tool(title="Sample", annotations=READS)
async def sample(
    table: TableName,
    rows: Annotated[StrictInt, Field(description="How many rows.", ge=1, le=100)] = 5,
) -> Rows:
    """Show some rows of a table, taken evenly from its beginning to its end: the same ones each time."""
    database = backend()
    try:
        found = asking.find(await database.tables(), table)
    except (StatementError, DatabaseError) as error:
        raise ToolError(str(error)) from error
    return await answer(database, asking.sample(found, rows), {"rows": rows}, rows, 10)


@server.tool(title="Analyse", annotations=READS)
async def analyse(table: TableName) -> Profile:
    """Describe a table: number of rows, each column's type, empty and different values and range, and the indexes."""
    database = backend()
    try:
        found = asking.find(await database.tables(), table)
        rows, facts = await asking.profile(database, found)
    except (StatementError, DatabaseError) as error:
        raise ToolError(str(error)) from error
    return Profile(
        table=found.name,
        kind=found.kind,
        rows=rows,
        columns=[
            ColumnProfile(**asdict(column), **asdict(fact)) for column, fact in zip(found.columns, facts, strict=True)
        ],
        indexes=[IndexInfo(**asdict(index)) for index in found.indexes],
    )


@server.tool(title="Pool statistics", annotations=READS)
async def pool_statistics() -> PoolStatistics:
    """Tell how many connections to the database are open, in use and waited for, and what happened so far."""
    database = backend()
    try:
        return PoolStatistics(database=TITLES[database.dialect], **asdict(database.pool()))
    except DatabaseError as error:
        raise ToolError(str(error)) from error


@server.resource("schema://tables", name="schemas", title="All tables", mime_type="application/json")
async def schemas() -> str:
    """Every table and view: columns with type, keys and what they point to, and indexes."""
    return _json([asdict(table) for table in (await _tables()).values()])


@server.resource("schema://tables/{table}", name="schema", title="One table", mime_type="application/json")
async def schema(table: str) -> str:
    """One table or view: columns with type, keys and what they point to, and indexes."""
    try:
        return _json(asdict(asking.find(await _tables(), table)))
    except StatementError as error:
        raise ResourceNotFoundError(str(error)) from error


@server.completion()
async def complete(
    ref: PromptReference | ResourceTemplateReference, argument: CompletionArgument, context: CompletionContext | None
) -> Completion | None:
    """Names of tables, for who types the address of a schema."""
    if not isinstance(ref, ResourceTemplateReference) or argument.name != "table":
        return None
    try:
        names = sorted(await current.tables()) if current else []
    except DatabaseError:
        return None  # who reads the resource is told
    return Completion(values=[name for name in names if name.startswith(argument.value)][:100])


async def answer(database: Backend, sql: str, values: dict[str, Value], max_rows: int, seconds: float) -> Rows:
    """Check a statement, run it, and time it. Raises ToolError."""
    began = time.perf_counter()
    try:
        written, found = await asking.ask(database, sql, values, max_rows=max_rows, seconds=seconds)
    except (StatementError, DatabaseError) as error:
        raise ToolError(str(error)) from error
    return Rows(
        columns=found.columns,
        rows=found.rows,
        row_count=len(found.rows),
        truncated=found.truncated,
        cut_cells=found.cut_cells,
        sql=written,
        milliseconds=round((time.perf_counter() - began) * 1000, 1),
    )


async def _tables() -> dict[str, Table]:
    try:
        return await backend().tables()
    except DatabaseError as error:
        raise ResourceError(str(error)) from error


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    server.run()
