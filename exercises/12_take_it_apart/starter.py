import sqlite3
from datetime import date

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("leave")
db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
db.execute("CREATE TABLE employees (id TEXT PRIMARY KEY, days_left INTEGER NOT NULL)")
db.execute("INSERT INTO employees VALUES ('E001', 20), ('E002', 5)")


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
    days = (date.fromisoformat(end) - date.fromisoformat(start)).days + 1
    left = db.execute("SELECT days_left FROM employees WHERE id = ?", [employee]).fetchone()[0]
    if left < days:
        raise ToolError("not enough")
    db.execute("UPDATE employees SET days_left = ? WHERE id = ?", [left - days, employee])
    return left - days


if __name__ == "__main__":
    server.run()
