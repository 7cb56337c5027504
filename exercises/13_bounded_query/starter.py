import sqlite3
from contextlib import closing
from typing import Any

from mcp.server import MCPServer

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
db = sqlite3.connect(PATH, check_same_thread=False, isolation_level=None)


@server.tool()
async def query(sql: str, parameters: dict[str, Any] = {}, max_rows: int = 10) -> dict[str, Any]:  # noqa: B006
    """Answer one SELECT over products (id, name, cents), with parameters such as :name."""
    for name, value in parameters.items():
        sql = sql.replace(f":{name}", f"'{value}'" if isinstance(value, str) else str(value))
    cursor = db.execute(sql)
    rows = cursor.fetchall()[:max_rows]
    columns = [column[0] for column in cursor.description]
    return {"columns": columns, "rows": [list(row) for row in rows], "truncated": len(rows) == max_rows}


if __name__ == "__main__":
    server.run()
