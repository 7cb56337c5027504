"""Defect: a name is joined to the folder of notes without looking where it leads."""

import tempfile
from pathlib import Path

from _plain import TEXT, Error, Plain

FOLDER = Path(tempfile.gettempdir()) / "notes-of-a-broken-server"


def note(arguments):
    """The text of a note."""
    try:
        return (FOLDER / arguments["text"]).read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise Error(-32602, "There is no such note") from None


if __name__ == "__main__":
    Plain({"note": (TEXT, note)}).run()
