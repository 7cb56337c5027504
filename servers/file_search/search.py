"""Walk a tree of files and look into them. Generators that can be stopped after every file. Knows nothing of MCP.

Links are not followed, and nothing can be slipped in (labkit/defences/folders.py). Hidden names and what .gitignore
files name are left out. Text is searched as it is, not as a regular expression: those can be written so that one line
takes hours.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from labkit.defences.folders import Folder, open_folder
from servers.file_search.ignore import IgnoreFile
from servers.globs import matches

MAX_BYTES = 2_000_000
"""Longer files are not searched."""
MAX_LINE = 200
DEEPEST = 100
SLICE_SECONDS = 0.1
"""How long a search works before it looks up: the longest that a cancellation waits."""


@dataclass(frozen=True)
class Hit:
    """A file, or a line of one."""

    path: str
    line: int = 0
    text: str = ""


@dataclass
class Tally:
    """What a search has done so far."""

    visited: int = 0
    skipped: int = 0
    """Files that were not searched: too long, binary, or forbidden."""


Search = Generator[list[Hit] | None, None, None]


def find(root: Path, pattern: str, tally: Tally, *, everything: bool = False) -> Search:
    """Files whose name, or path if the pattern has a slash, fits. Yields once per file."""
    for _, _, path in walk(root, tally, everything=everything):
        yield [Hit(_printable(path))] if matches(path, pattern) else None


def search(
    root: Path, text: str, tally: Tally, *, files: str = "*", ignore_case: bool = True, everything: bool = False
) -> Search:
    """Lines that hold the text. Yields once per file."""
    finder = Finder(text, ignore_case)
    for folder, name, path in walk(root, tally, everything=everything):
        if files != "*" and not matches(path, files):
            yield None
            continue
        try:
            data = folder.content(name, MAX_BYTES)
        except OSError:  # gone meanwhile, forbidden, or exchanged for a link
            data = None
        if data is None or b"\x00" in data[:8192]:
            tally.skipped += 1
            yield None
        else:
            yield [Hit(_printable(path), line, shown) for line, shown in finder.lines(data)] or None


class Finder:
    """One text to look for, prepared for many files."""

    def __init__(self, text: str, ignore_case: bool) -> None:
        self._bytewise = text.isascii() or not ignore_case
        self._fold = ignore_case
        self._text = text.casefold()
        self._bytes = text.lower().encode() if ignore_case else text.encode()

    def lines(self, data: bytes) -> list[tuple[int, str]]:
        """Numbers, from 1, and texts of the lines that hold it."""
        if not self._bytewise:
            return self._lines_of_text(data)
        compared = data.lower() if self._fold else data
        found: list[tuple[int, str]] = []
        number, counted, at = 1, 0, compared.find(self._bytes)
        while at >= 0:
            number += compared.count(b"\n", counted, at)
            start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
            end = len(data) if end < 0 else end
            found.append(
                (number, data[start : min(end, start + 4 * MAX_LINE)].decode("utf-8", "replace").strip()[:MAX_LINE])
            )
            counted, at = at, compared.find(self._bytes, end)
        return found

    def _lines_of_text(self, data: bytes) -> list[tuple[int, str]]:
        # Upper and lower case beyond ASCII exist in text only, not in bytes.
        text = data.decode("utf-8", "replace")
        if self._text not in text.casefold():
            return []
        lines = enumerate(text.split("\n"), start=1)
        return [(number, line.strip()[:MAX_LINE]) for number, line in lines if self._text in line.casefold()]


def walk(root: Path, tally: Tally, *, everything: bool = False) -> Generator[tuple[Folder, str, str], None, None]:
    """Every file: its open folder, its name, its path below the root. The files of a folder come before its folders."""
    open_folders: list[Folder] = []
    try:
        open_folders.append(open_folder(root))
        # For each open folder: its path, the folders still to enter, and the ignore files that hold there.
        pending: list[tuple[str, list[str], list[IgnoreFile]]] = []
        path, ignoring = "", list[IgnoreFile]()
        while True:
            folder = open_folders[-1]
            files, folders = _contents(folder)
            if not everything:
                if ".gitignore" in files:
                    ignoring = [*ignoring, _ignore_file(folder, path)]
                files = [name for name in files if _wanted(path, name, False, ignoring)]
                folders = [name for name in folders if _wanted(path, name, True, ignoring)]
            for name in files:
                tally.visited += 1
                yield folder, name, path + name
            pending.append((path, folders[::-1] if len(open_folders) < DEEPEST else [], ignoring))
            entered = False
            while pending and not entered:
                path, folders, ignoring = pending[-1]
                if folders:
                    name = folders.pop()
                    try:
                        open_folders.append(open_folders[-1].folder(name))
                    except OSError:  # forbidden, or exchanged for a link: it is not ours to walk
                        continue
                    path, entered = f"{path}{name}/", True
                else:
                    pending.pop()
                    open_folders.pop().close()
            if not entered:
                return
    finally:
        for folder in open_folders:
            folder.close()


def advance(work: Search, hits: list[Hit], limit: int) -> bool:
    """Go on with a search until it ends (True), or has its first hit, or more than `limit`, or time is up (False)."""
    first, until = not hits, time.monotonic() + SLICE_SECONDS
    for found in work:
        if found:
            hits.extend(found)
            if first or len(hits) > limit:
                return False
        if time.monotonic() >= until:
            return False
    return True


def _contents(folder: Folder) -> tuple[list[str], list[str]]:
    try:
        return folder.names()
    except OSError:
        return [], []


def _wanted(path: str, name: str, is_folder: bool, ignoring: list[IgnoreFile]) -> bool:
    if name.startswith("."):
        return False
    whole = path + name
    for file in reversed(ignoring):  # the nearest one that has something to say
        verdict = file.ignores(whole, name, is_folder)
        if verdict is not None:
            return not verdict
    return True


def _ignore_file(folder: Folder, path: str) -> IgnoreFile:
    try:
        data = folder.content(".gitignore", MAX_BYTES) or b""
    except OSError:
        data = b""
    return IgnoreFile(data.decode("utf-8", "replace"), path)


def _printable(path: str) -> str:
    """A name that is no UTF-8 on the disk cannot travel in JSON."""
    return path if path.isascii() or os.name == "nt" else os.fsencode(path).decode("utf-8", "backslashreplace")
