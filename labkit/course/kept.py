"""What an earlier run has done, so that a run that was broken off goes on: a file beside the executed copies.

A notebook that passed is kept for as long as nothing that its result may depend on has changed: its own text, the
parameters, the lab's code, servers and exercises, and its copy is still there. One that failed runs again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from labkit.cluster.likeness import digest
from labkit.files import replace_text

RECORD = "passed.json"
_WHOLE = ("labkit", "servers", "exercises")


class Kept:
    """The record of one folder of copies."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RECORD
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            data = {}
        self._entries = {id: entry for id, entry in data.items() if _whole_entry(entry)} if _is_table(data) else {}

    def find(self, id: str) -> dict[str, Any] | None:
        """What was kept of this job: seconds, cells, copy (a name below the folder); None when it has to run."""
        entry = self._entries.get(id)
        return entry if entry and (self._path.parent / str(entry["copy"])).is_file() else None

    def add(self, id: str, seconds: float, cells: int, copy: str) -> None:
        """Keep a notebook that has passed, in the file at once; it replaces what was kept of the same copy."""
        self._entries = {each: entry for each, entry in self._entries.items() if entry.get("copy") != copy}
        self._entries[id] = {"seconds": round(seconds, 3), "cells": cells, "copy": copy}
        replace_text(self._path, json.dumps(self._entries, indent=1) + "\n")


def _is_table(data: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(data, dict)


def _whole_entry(entry: Any) -> bool:
    """A file that somebody has edited must not end a run."""
    return _is_table(entry) and {"seconds", "cells", "copy"} <= entry.keys()


def job_ids(paths: Iterable[Path], parameters: Mapping[str, Any], html: bool) -> dict[str, Path]:
    """An id for each notebook: a digest of all that its result may depend on."""
    whole = f"{digest(_WHOLE)}{json.dumps(dict(parameters), sort_keys=True, default=str)}{html}"
    ids: dict[str, Path] = {}
    for path in paths:
        text = path.read_bytes() if path.is_file() else b""
        ids[hashlib.sha256(f"{whole}\0{path}\0".encode() + text).hexdigest()[:24]] = path
    return ids
