"""Which place the path of a caller means, and whether that is in the folder that is offered.

    safe_path(root, "notes/../plan.txt")     # root/plan.txt; PathRefused for whatever leads out, links included
    open_below(root, "notes/plan.txt")       # the file, opened so that nobody can slip in a link meanwhile
    names_below("notes/plan.txt")            # ["notes", "plan.txt"]; no disk is asked, and `..` is refused

Comparing texts is not enough: `/data-private` begins with `/data`, an absolute path on the right side of a join takes
the place of the left one, and a link inside leads outside. So a path is resolved first, and compared afterwards.

The limit of `safe_path`: it says where a path led when it looked. Whoever can change the folder may put a link there
before the path is used. `open_below` and `write_below` have no such gap where the system can hold folders: they go
through `folders.py`, step by step. `folders.HeldFolder.races` and `NamedFolder.races` say what holds where.
"""

from __future__ import annotations

import ntpath
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path, PureWindowsPath
from typing import BinaryIO

from labkit.defences.folders import LinkRefused, open_folder
from labkit.errors import LabError

LONGEST = 4096
"""Characters of a path. No system takes more at once, and resolving asks the disk for each name."""
WINDOWS = os.name == "nt"
_PORTS = {f"{kind}{number}" for kind in ("COM", "LPT") for number in "0123456789¹²³"}
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | _PORTS


class PathRefused(LabError):
    """A path that leads out of the folder, or could."""


class NameRefused(PathRefused):
    """A path with a name in it that no file can have, or that means something else than a file."""


def safe_path(root: Path, text: str, *, windows: bool = WINDOWS) -> Path:
    """The place that `text` means below `root`, with all links followed. It need not exist.

    Absolute paths, `..` and links are fine as long as they stay inside. Raises PathRefused. The root itself is the
    operator's choice, and may be reached through links. `windows` applies the rules of that system's names.
    """
    _spelled(text)
    root = root.resolve()
    if windows:
        _windows(root, text)
    try:
        place = (root / text).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a circle of links, among others
        raise PathRefused(f"{text!r} leads nowhere: name a file below the folder itself") from error
    if not place.is_relative_to(root):
        raise PathRefused(f"{text!r} leads out of the folder: name something below it")
    return place


def open_below(root: Path, text: str) -> BinaryIO:
    """Open the regular file that `text` means below `root`, to read.

    Raises PathRefused, also for a link that was put there meanwhile; FileNotFoundError, IsADirectoryError and other
    kinds of OSError as the system says them.
    """
    above, name = _split(root, text)
    try:
        with closing(open_folder(root, above)) as folder:
            return folder.read(name)
    except LinkRefused as error:
        raise PathRefused(f"{text!r} was exchanged for a link meanwhile: it is not opened") from error


def write_below(root: Path, text: str, data: bytes, *, overwrite: bool = False) -> None:
    """Put a file at the place that `text` means below `root`: readers see all of it, or what was there before.

    The folder has to exist. Raises PathRefused, FileExistsError without `overwrite`, and other kinds of OSError.
    """
    above, name = _split(root, text)
    try:
        with closing(open_folder(root, above)) as folder:
            folder.write(name, data, overwrite=overwrite)
    except LinkRefused as error:
        raise PathRefused(f"{text!r} was exchanged for a link meanwhile: nothing is written") from error


def names_below(text: str, *, windows: bool = WINDOWS) -> list[str]:
    """The names in a path that goes downwards only, separated by slashes. No disk is asked.

    Raises PathRefused for an absolute path and for `..`, NameRefused for a name that can be no file's.
    """
    if len(text) > LONGEST:
        _spelled(text)  # before it is quoted
    names = [name for name in text.split("/") if name not in ("", ".")]
    drive = windows and names and ":" in names[0]
    if text.startswith(("/", "\\")) or ".." in names or "\x00" in text or drive:
        raise PathRefused(f"{text!r} does not go downwards: begin with a name, and leave out '..'")
    _spelled(text)
    if windows:
        _named(text, names)
    return names


def means_more_on_windows(name: str) -> bool:
    """Whether Windows takes a single name for something else: a device, a stream, a separator, or a shorter name."""
    stem = name.split(".")[0].rstrip(" ").upper()
    strange = any(character in name for character in '\\/:*?"<>|') or any(ord(character) < 32 for character in name)
    return strange or name != name.rstrip(". ") or stem in _DEVICES


def _spelled(text: str) -> None:
    """Refuse what no system can take for a path, before the disk is asked."""
    if len(text) > LONGEST:
        raise NameRefused(f"a path may have {LONGEST} characters, not {len(text)}")
    if "\x00" in text:
        raise NameRefused(f"{text!r} cannot be the name of a file: it holds a zero")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise NameRefused(f"{text!r} cannot be the name of a file: it holds half of a character") from error


def _windows(root: Path, text: str) -> None:
    """Judge the text alone: only to look at a path such as `\\\\host\\share` logs on to that host."""
    base, asked = PureWindowsPath(root), PureWindowsPath(text)
    if not PureWindowsPath(ntpath.normpath(base / asked)).is_relative_to(base):
        raise PathRefused(f"{text!r} leads out of the folder: name something below it")
    _named(text, [name for name in asked.parts if name not in (asked.anchor, "..")])


def _named(text: str, names: Sequence[str]) -> None:
    if any(means_more_on_windows(name) for name in names):
        raise NameRefused(f"{text!r} holds a name that means something else on Windows: choose another one")


def _split(root: Path, text: str) -> tuple[tuple[str, ...], str]:
    """Names of the folders, and of the file, with links followed already."""
    names = safe_path(root, text).relative_to(root.resolve()).parts
    if not names:
        raise IsADirectoryError(f"{text!r} is the folder itself")
    return names[:-1], names[-1]
