"""fails: take, tool
why: Greater than, where greater or equal is meant: the last day can never be taken.
"""

import sqlite3
from datetime import date, timedelta

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("leave")
db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
db.execute("CREATE TABLE employees (id TEXT PRIMARY KEY, days_left INTEGER NOT NULL)")
db.execute("INSERT INTO employees VALUES ('E001', 20), ('E002', 5)")

TAKE = """
    UPDATE employees SET days_left = days_left - :days
    WHERE id = :employee AND days_left > :days
    RETURNING days_left
"""


def working_days(start, end):
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    every = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day.isoformat() for day in every if day.weekday() < 5]


def refusal(days):
    if not days:
        return "there is no working day in it: choose other dates"
    if len(days) > 15:
        return f"these are {len(days)} days: apply for at most 15 at a time"


@server.tool()
async def get_balance(employee: str) -> int:
    """Tell how many days an employee has left."""
    found = db.execute("SELECT days_left FROM employees WHERE id = ?", [employee]).fetchone()
    if not found:
        raise ToolError(f"there is no employee {employee}")
    return found[0]


@server.tool()
async def apply_leave(employee: str, start: str, end: str) -> int:
    """Take leave from the first to the last day. Answers with the days left."""
    days = working_days(start, end)
    if sentence := refusal(days):
        raise ToolError(sentence)
    taken = db.execute(TAKE, {"employee": employee, "days": len(days)}).fetchone()
    if not taken:
        left = await get_balance(employee)
        raise ToolError(f"only {left} days are left")
    return taken[0]


if __name__ == "__main__":
    server.run()
