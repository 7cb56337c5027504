"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def replace_text(path: Path, text: str, *, errors: str = "strict", newline: str | None = None) -> None:
    """Write UTF-8 text in one step: a kill leaves the old file or the new one, and two writers do not mix.

    The folder has to be there. `errors` and `newline` are those of `Path.write_text`. Raises OSError.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", errors=errors, newline=newline)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
