"""Defect: a path may be anything that begins with the name of the folder, as text, and the folder next to it does."""

import os
import tempfile
from pathlib import Path

from _plain import TEXT, Plain

ROOT = os.path.realpath(os.environ.get("BROKEN_ROOT", tempfile.gettempdir()))


def read(arguments):
    """The text of a file."""
    path = os.path.realpath(Path(ROOT, arguments["text"]))
    if not path.startswith(ROOT):
        return {"content": [{"type": "text", "text": "That is not in the folder"}], "isError": True}
    try:
        with Path(path).open(encoding="utf-8") as file:
            return file.read(10_000)
    except (OSError, ValueError):
        return {"content": [{"type": "text", "text": "There is no such file"}], "isError": True}


if __name__ == "__main__":
    Plain({"read": (TEXT, read)}).run()
