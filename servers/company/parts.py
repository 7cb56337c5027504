"""What the servers of the company are put together from. The tools themselves stand in the module of each domain.

A domain is a module (hr/staff.py, finance/budgets.py, it_tickets/desk.py) with a name, tables of its own, and
`register(server, database)`. How domains are packed into servers is decided here and nowhere else: `build` takes one of
them, or several. No domain imports another one or reads its tables, so that any packing works.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from labkit.defences.redaction_results import Redaction
from servers.databases import Database, DatabaseError, Run

WORK = Path(__file__).resolve().parents[2] / "work"
READ = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
ADD = types.ToolAnnotations(destructive_hint=False, open_world_hint=False)
CHANGE = types.ToolAnnotations(destructive_hint=True, idempotent_hint=True, open_world_hint=False)

Department = Literal["engineering", "finance", "operations", "sales"]
EmployeeId = Annotated[str, Field(description="E and three digits or more, such as E001.", max_length=20)]
Limit = Annotated[int, Field(description="Most to return.", ge=1, le=100)]
MOST_CENTS = 10_000_000_000
Cents = Annotated[int, Field(description="An amount, in cents.", ge=1, le=MOST_CENTS)]


class Refusal(Exception):
    """The request cannot be met; the message says why and what to do."""


class Domain(Protocol):
    """What a module has to have to be packed."""

    NAME: str
    SCHEMA: Sequence[str]

    def register(self, server: MCPServer[Any], database: Database, /) -> None: ...


def build(name: str, title: str, instructions: str, *domains: Any) -> MCPServer[None]:
    """A server with the tools of these domains (modules, see `Domain`)."""
    databases = {domain.NAME: Database(database_url(domain.NAME), domain.SCHEMA) for domain in domains}

    @asynccontextmanager
    async def lifespan(server: MCPServer[None]) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            for database in databases.values():
                stack.push_async_callback(database.close)
            yield

    server = MCPServer(
        name, title=title, version="1.0.0", instructions=instructions, log_level="WARNING", lifespan=lifespan
    )
    # People write into titles and notes what they should not: card numbers, passwords, what a colleague's id is.
    Redaction().install(server)
    for domain in domains:
        domain.register(server, databases[domain.NAME])
    return server


def database_url(name: str) -> str:
    """DATABASE_URL, or a file of its own for each domain: the same file, however the domains are packed."""
    return os.environ.get("DATABASE_URL") or f"sqlite:///{(WORK / f'{name}.db').as_posix()}"


@contextmanager
def refusals() -> Generator[None]:
    """Turn a refusal into an error that reaches the caller; all other exceptions stay private."""
    try:
        yield
    except (Refusal, DatabaseError) as error:
        raise ToolError(str(error)) from error


def number_of(text: str, letter: str, what: str) -> int:
    """The number in an id such as T-12 or E012. Raises Refusal when it is none."""
    digits = text.removeprefix(letter)
    if not (text.startswith(letter) and digits.isascii() and digits.isdecimal() and len(digits) <= 9):
        raise Refusal(f"{text!r} is not the id of {what}: write {letter} and a number, such as {letter}001")
    return int(digits)


async def next_number(run: Run, table: str) -> int:
    """The next number of `TABLE_numbers`: never one that was given before, also with two who ask at once."""
    return (await run(f"UPDATE {table}_numbers SET last = last + 1 RETURNING last"))[0]["last"]
