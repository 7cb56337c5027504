"""Defect: a search puts its words into the statement. Its argument is named `query`, which makes it no console."""

import sqlite3

from _plain import Plain

DB = sqlite3.connect(":memory:")
DB.executescript("CREATE TABLE goods (name TEXT, price INT); INSERT INTO goods VALUES ('tea', 3), ('jam', 4)")
QUERY = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "A part of the name."}},
    "required": ["query"],
    "additionalProperties": False,
}


def search(arguments):
    """Goods with these words in their name."""
    try:
        return DB.execute(f"SELECT name, price FROM goods WHERE name LIKE '%{arguments['query']}%'").fetchall()
    except (sqlite3.Error, ValueError):
        return {"content": [{"type": "text", "text": "There is nothing of that name"}], "isError": True}


if __name__ == "__main__":
    Plain({"search": (QUERY, search)}).run()
