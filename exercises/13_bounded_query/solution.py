import sqlite3
from contextlib import closing
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

PATH = "shop.db"

server = MCPServer("shop", log_level="ERROR")


def prepare():
    """Make the file, as new."""
    with closing(sqlite3.connect(PATH)) as db, db:
        db.execute("DROP TABLE IF EXISTS products")
        db.execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, cents INTEGER)")
        goods = [(number, f"product {number}", number * 25) for number in range(1, 41)]
        db.executemany("INSERT INTO products VALUES (?, ?, ?)", [*goods, (41, 'Ada\'s "best" tea; --', 999)])


prepare()


@server.tool()
async def query(
    sql: str,
    parameters: dict[str, Any] = {},  # noqa: B006
    max_rows: Annotated[int, Field(ge=1, le=100)] = 10,
) -> dict[str, Any]:
    """Answer one SELECT over products (id, name, cents), with parameters such as :name."""
    # Opened anew for each query: what one statement attaches or sets is gone with it.
    with closing(sqlite3.connect(f"file:{PATH}?mode=ro", uri=True)) as db:
        try:
            cursor = db.execute(sql, parameters)
            rows = cursor.fetchmany(max_rows + 1)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise ToolError(str(error)) from error
        if cursor.description is None:
            raise ToolError("this statement answers nothing: write a SELECT")
        columns = [column[0] for column in cursor.description]
    return {"columns": columns, "rows": [list(row) for row in rows[:max_rows]], "truncated": len(rows) > max_rows}


if __name__ == "__main__":
    server.run()
