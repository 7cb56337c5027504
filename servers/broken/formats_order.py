"""Defect: the name of a column, to sort by, is put into the statement as it comes. Errors are not told."""

import sqlite3

from _plain import TEXT, Plain

DB = sqlite3.connect(":memory:")
DB.executescript(
    "CREATE TABLE books (title TEXT, year INT); INSERT INTO books VALUES ('Emma', 1815), ('Ulysses', 1922)"
)


def books(arguments):
    """All books in an order."""
    try:
        return DB.execute(f"SELECT title, year FROM books ORDER BY {arguments['text']}").fetchall()
    except (sqlite3.Error, ValueError):
        return {"content": [{"type": "text", "text": "The books cannot be sorted so"}], "isError": True}


if __name__ == "__main__":
    Plain({"books": (TEXT, books)}).run()
