"""Defect: a console for queries says to be read-only, and looks at no more than the first word of a statement."""

import sqlite3

from _plain import TEXT, Plain

DB = sqlite3.connect(":memory:", isolation_level=None)
DB.executescript("CREATE TABLE books (title TEXT, year INT); INSERT INTO books VALUES ('Emma', 1815)")


def refused(text):
    """A tool error."""
    return {"content": [{"type": "text", "text": text}], "isError": True}


class Console(Plain):
    """Marked read-only."""

    def listing(self):
        return [tool | {"annotations": {"readOnlyHint": True}} for tool in super().listing()]


def query(arguments):
    """Rows of any query."""
    if not arguments["text"].lstrip().upper().startswith(("SELECT", "WITH")):
        return refused("Only SELECT is taken here")
    try:
        return DB.execute(arguments["text"]).fetchall()
    except (sqlite3.Error, ValueError) as error:
        return refused(str(error))


if __name__ == "__main__":
    Console({"query": (TEXT, query)}, {"query": "Runs a read-only query."}).run()
