"""Files that are written whole or not at all, and the way to them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from urllib.parse import quote

WINDOWS = sys.platform == "win32"
PATIENCE = 2.0
"""Seconds for which a file that somebody has open is waited for, on Windows."""


def replace_text(path: Path, text: str, *, errors: str = "strict", newline: str | None = None) -> None:
    """Write UTF-8 text in one step: a kill leaves the old file or the new one, and two writers do not mix.

    The folder has to be there. `errors` and `newline` are those of `Path.write_text`. Raises OSError.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", errors=errors, newline=newline)
        move_over(part, path)
    finally:
        part.unlink(missing_ok=True)


def move_over(draft: Path, path: Path) -> None:
    """Put the file `draft` in the place of `path` in one step. Raises OSError.

    Windows refuses that while anybody has the old file open, if only a virus scanner: there it is tried again for a
    while. Blocks.
    """
    end = time.monotonic() + PATIENCE
    while True:
        try:
            draft.replace(path)
            return
        except PermissionError:
            if not WINDOWS or time.monotonic() > end:
                raise
        time.sleep(0.02)


def way(path: Path, folder: Path) -> str:
    """Where a link that stands in a file of `folder` leads to reach `path`: relative, with slashes, and quoted.

    From one drive of Windows to another there is no relative way: then it is the file's URI.
    """
    try:
        return quote(Path(os.path.relpath(path, folder)).as_posix())
    except ValueError:
        return path.absolute().as_uri()
