import sqlite3
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("expenses", log_level="ERROR")
db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
db.row_factory = sqlite3.Row
db.execute("CREATE TABLE expenses (number INTEGER PRIMARY KEY, user TEXT, category TEXT, cents INTEGER, note TEXT)")
totals = {}


def current_user(ctx):
    """Who calls. The gateway has verified it, and wrote it where no model writes."""
    user = (ctx.request_context.meta or {}).get("lab.example/user")
    if not user:
        raise ToolError("nobody is signed in")
    return user


def rows(statement, *values):
    return [dict(row) for row in db.execute(statement, values)]


@server.tool()
async def add_expense(category: str, cents: int, note: str, ctx: Context) -> int:
    """Record an expense. Answers with its number."""
    user = current_user(ctx)
    totals.pop((user, category), None)
    statement = "INSERT INTO expenses (user, category, cents, note) VALUES (?, ?, ?, ?) RETURNING number"
    return rows(statement, user, category, cents, note)[0]["number"]


@server.tool()
async def list_expenses(ctx: Context) -> list[dict[str, Any]]:
    """List your expenses."""
    statement = "SELECT number, category, cents, note FROM expenses WHERE user = ? ORDER BY number"
    return rows(statement, current_user(ctx))


@server.tool()
async def find_expenses(word: str, ctx: Context) -> list[dict[str, Any]]:
    """Find your expenses by a word in their note or category."""
    like = f"%{word}%"
    return rows(
        "SELECT number, category, cents, note FROM expenses "
        "WHERE user = ? AND (note LIKE ? OR category LIKE ?) ORDER BY number",
        current_user(ctx), like, like,
    )  # fmt: skip


@server.tool()
async def total(category: str, ctx: Context) -> int:
    """Tell how many cents you have spent in a category."""
    key = current_user(ctx), category
    if key not in totals:
        totals[key] = rows("SELECT sum(cents) AS cents FROM expenses WHERE user = ? AND category = ?", *key)[0]["cents"]
    return totals[key] or 0


@server.tool()
async def remove_expense(number: int, ctx: Context) -> int:
    """Remove one of your expenses. Answers with how many you have left."""
    user = current_user(ctx)
    removed = rows("DELETE FROM expenses WHERE number = ? AND user = ? RETURNING category", number, user)
    if not removed:
        raise ToolError(f"you have no expense {number}")
    totals.pop((user, removed[0]["category"]), None)
    return rows("SELECT count(*) AS n FROM expenses WHERE user = ?", user)[0]["n"]


if __name__ == "__main__":
    server.run()
