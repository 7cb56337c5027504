"""User data: four ways to data, and in each of them nobody reaches what belongs to somebody else.

Run it by itself (it speaks MCP on stdin and stdout):

    USER_DATA_DEV=1 USER_DATA_USER=ada python servers/user_data/server.py

USER_DATA_DEV    1 allows the development identity (identity.py); without it only verified access tokens count
USER_DATA_USER   who calls over stdio, in development
DATABASE_URL     sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME; without it, work/user_data.db below the lab
USER_DATA_FILES  folder of the files; without it, work/user_data
USER_DATA_BANK   address of the bank; without it the server starts the one that the lab ships, and ends it

direct database   list_expenses                    the statement stands in the tool
service layer     add_expense, remove_expense      expenses.py: rules, transactions
external API      list_accounts, get_account       bank.py: with the credentials of the user
files             list_files, read_file, ...       files.py: a folder for each user

Worth noticing:
- no tool has a parameter for the user: who calls is taken from the request, in one place;
- what belongs to others is answered like what does not exist;
- URIs say `me`: they name nobody, and are the same for all. (Only a template learns who calls: the SDK gives fixed
  resources no context.)
"""

import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from pydantic import BaseModel, Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.databases import Database, DatabaseError
from servers.upstreams.process import BankUpstream, UpstreamError
from servers.user_data.bank import BankApi, BankError
from servers.user_data.expenses import SCHEMA, ExpenseError, ExpenseService
from servers.user_data.files import FileError, UserFiles
from servers.user_data.identity import Development, NotSignedIn, User, current_user

WORK = Path(__file__).resolve().parents[2] / "work"
READ = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

database = Database(os.environ.get("DATABASE_URL") or f"sqlite:///{(WORK / 'user_data.db').as_posix()}", SCHEMA)
expenses = ExpenseService(database)
development = Development.from_environment()
files = UserFiles(Path(os.environ.get("USER_DATA_FILES") or WORK / "user_data"))


class Bank:
    """Connected on first use, so that the server starts at once."""

    def __init__(self) -> None:
        self._upstream: BankUpstream | None = None
        self._api: BankApi | None = None
        self._lock = anyio.Lock()

    async def api(self) -> BankApi:
        async with self._lock:
            if self._api is None:
                url = os.environ.get("USER_DATA_BANK")
                if not url:
                    self._upstream = self._upstream or BankUpstream()
                    url = await anyio.to_thread.run_sync(self._upstream.url)
                self._api = BankApi(url)
            return self._api

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()
        if self._upstream is not None:
            await anyio.to_thread.run_sync(self._upstream.stop)


@asynccontextmanager
async def lifespan(server: MCPServer[Bank]) -> AsyncGenerator[Bank]:
    bank = Bank()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        stack.push_async_callback(bank.close)
        yield bank


server = MCPServer(
    "user_data",
    title="User data",
    version="1.0.0",
    instructions="Expenses, bank accounts and files of the user who is signed in. There is no way to those of others.",
    log_level="WARNING",
    lifespan=lifespan,
)


class Identity(BaseModel):
    """Who is signed in."""

    user: str
    source: Literal["access token", "development"] = Field(description="How that is known.")


class Expense(BaseModel):
    """Something that was spent."""

    number: int = Field(description="Counts from 1, for each user.")
    category: str
    cents: int
    note: str


class Expenses(BaseModel):
    """What was spent, latest first."""

    total: int = Field(description="How many fit; the list may hold fewer.")
    expenses: list[Expense]


class Receipt(BaseModel):
    """What has changed."""

    expense: Expense
    cents_left: int = Field(description="What may still be spent.")


class Account(BaseModel):
    """A bank account."""

    id: str
    name: str
    cents: int


class Accounts(BaseModel):
    """All accounts of the user."""

    accounts: list[Account]


class FileInfo(BaseModel):
    """A file, without what is in it."""

    name: str
    bytes: int


class Files(BaseModel):
    """All files of the user."""

    files: list[FileInfo]


class FileText(BaseModel):
    """What is in a file."""

    name: str
    text: str


Category = Annotated[str, Field(description="For example travel.", min_length=1, max_length=40)]
FileName = Annotated[str, Field(description="A name such as plan.txt, not a path.")]


def user_of(ctx: Context) -> User:
    """The caller: the one place where the tools learn it."""
    return current_user(ctx.request_context.request, development)


@contextmanager
def refusals(error_type: Any = ToolError) -> Generator[None]:
    """Turn a refusal into the kind of error that reaches the caller; all other exceptions stay private."""
    try:
        yield
    except (NotSignedIn, ExpenseError, BankError, FileError, DatabaseError, UpstreamError) as error:
        raise error_type(str(error)) from error


@server.tool(title="Who am I", annotations=READ)
async def whoami(ctx: Context) -> Identity:
    """Tell who is signed in, and how that is known."""
    with refusals():
        user = user_of(ctx)
        return Identity(user=user.id, source=user.source)


@server.tool(title="List expenses", annotations=READ)
async def list_expenses(
    ctx: Context,
    category: Annotated[str | None, Field(description="Only these; all if left out.")] = None,
    limit: Annotated[int, Field(description="Most expenses to return.", ge=1, le=100)] = 20,
) -> Expenses:
    """List your expenses, latest first."""
    with refusals():
        user = user_of(ctx)
        # Direct: a query is all there is to it. The user is a value of the statement, like every other.
        async with database.transaction() as run:
            rows = await run(
                "SELECT number, category, cents, note FROM user_data_expenses "
                "WHERE user_id = $1 AND ($2 = '' OR category = $2) ORDER BY number DESC",
                user.id, category or "",
            )  # fmt: skip
    return Expenses(total=len(rows), expenses=[Expense(**row) for row in rows[:limit]])


@server.tool(title="Add expense", annotations=types.ToolAnnotations(destructive_hint=False, open_world_hint=False))
async def add_expense(
    category: Category,
    cents: Annotated[int, Field(description="What it cost.", ge=1, le=10_000_000)],
    ctx: Context,
    note: Annotated[str, Field(description="What it was.", max_length=200)] = "",
) -> Receipt:
    """Record an expense. It is refused when it does not fit into the budget."""
    with refusals():
        added, left = await expenses.add(user_of(ctx).id, category, cents, note)
    return Receipt(expense=Expense(**added), cents_left=left)


@server.tool(title="Remove expense", annotations=types.ToolAnnotations(destructive_hint=True, open_world_hint=False))
async def remove_expense(
    number: Annotated[int, Field(description="As list_expenses tells it.", ge=1, le=2**31 - 1)], ctx: Context
) -> Receipt:
    """Take an expense back."""
    with refusals():
        removed, left = await expenses.remove(user_of(ctx).id, number)
    return Receipt(expense=Expense(**removed), cents_left=left)


@server.tool(title="List accounts", annotations=READ)
async def list_accounts(ctx: Context) -> Accounts:
    """List your bank accounts."""
    with refusals():
        api, token = await bank_of(ctx)
        return Accounts(accounts=[Account(**account) for account in await api.accounts(token)])


@server.tool(title="Bank account", annotations=READ)
async def get_account(
    account_id: Annotated[str, Field(description="As list_accounts tells it, such as A-100.")], ctx: Context
) -> Account:
    """Show one of your bank accounts."""
    with refusals():
        api, token = await bank_of(ctx)
        return Account(**await api.account(token, account_id))


async def bank_of(ctx: Context) -> tuple[BankApi, str]:
    """The bank, and the caller's own key to it."""
    user = user_of(ctx)
    async with database.transaction() as run:
        found = await run("SELECT token FROM user_data_credentials WHERE user_id = $1 AND service = 'bank'", user.id)
    if not found:
        raise BankError("you have no bank linked: ask whoever runs this server to link one")
    bank: Bank = ctx.request_context.lifespan_context
    return await bank.api(), found[0]["token"]


@server.tool(title="List files", annotations=READ)
def list_files(ctx: Context) -> Files:
    """List your files."""
    with refusals():
        return Files(files=[FileInfo(**file) for file in files.names(user_of(ctx).id)])


@server.tool(title="Read file", annotations=READ)
def read_file(name: FileName, ctx: Context) -> FileText:
    """Read one of your files."""
    with refusals():
        return FileText(name=name, text=files.read(user_of(ctx).id, name))


@server.tool(
    title="Write file",
    annotations=types.ToolAnnotations(destructive_hint=True, idempotent_hint=True, open_world_hint=False),
)
def write_file(name: FileName, text: str, ctx: Context) -> FileInfo:
    """Write one of your files, over what was there."""
    with refusals():
        return FileInfo(name=name, bytes=files.write(user_of(ctx).id, name, text))


@server.resource("user://me/files/{name}", name="file", title="My file", mime_type="text/plain")
def my_file(name: str, ctx: Context) -> str:
    """One of your files."""
    with refusals(ResourceError):
        return files.read(user_of(ctx).id, name)


if __name__ == "__main__":
    server.run()
