"""Defect: a value is formatted into the statement."""

import sqlite3

from _plain import TEXT, Plain

DB = sqlite3.connect(":memory:")
DB.executescript(
    "CREATE TABLE books (title TEXT, year INT); INSERT INTO books VALUES ('Emma', 1815), ('Ulysses', 1922)"
)


def find(arguments):
    """Books with this title."""
    try:
        return DB.execute(f"SELECT title, year FROM books WHERE title = '{arguments['text']}'").fetchall()
    except (sqlite3.Error, ValueError) as error:
        return {"content": [{"type": "text", "text": str(error)}], "isError": True}


if __name__ == "__main__":
    Plain({"find": (TEXT, find)}).run()
