"""Where a file is for the one who looks: in JupyterLab's file browser, and beside the notebook."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any


@cache
def _root() -> Path | None:
    """The folder that the Jupyter server of this kernel shows; None where there is none to be found."""
    from jupyter_core.paths import jupyter_runtime_dir

    record = Path(jupyter_runtime_dir()) / f"jpserver-{os.environ.get('JPY_PARENT_PID', '')}.json"
    try:
        said: Any = json.loads(record.read_text(encoding="utf-8"))
        return Path(said["root_dir"]).resolve()
    except (OSError, ValueError, KeyError, TypeError):
        return None


def in_browser(path: Path) -> str:
    """The path as JupyterLab's file browser has it; empty when it does not show that folder."""
    root, path = _root(), path.resolve()
    return path.relative_to(root).as_posix() if root and path.is_relative_to(root) else ""


def beside(path: Path) -> str:
    """The path seen from the notebook's folder, for links in saved notebooks; empty when there is no way."""
    try:
        return Path(os.path.relpath(path)).as_posix()
    except ValueError:  # another drive
        return ""
