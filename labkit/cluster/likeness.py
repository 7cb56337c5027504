"""What a worker must have in common with the process that hands out the jobs, or results would not be comparable."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from labkit.catalog import LAB_ROOT

CODE = ("labkit",)
COURSE = ("servers", "notebooks", "exercises")
PACKAGES = ("labkit", "mcp", "dask", "distributed")
_SUFFIXES = {".py", ".toml", ".ipynb", ".md", ".json", ".js", ".mjs", ".ts", ".css", ".html", ".yml", ".yaml", ".sql"}
_NOT_OURS = {"__pycache__", "node_modules"}
_told: Likeness | None = None


@dataclass(frozen=True)
class Likeness:
    """The facts that have to agree. An empty `code` or `course` is not compared."""

    python: str
    """Such as 3.11."""
    packages: tuple[tuple[str, str], ...]
    """Name and version."""
    code: str
    """Digest of labkit/ when this process loaded it."""
    course: str
    """Digest of servers/, notebooks/ and exercises/ now."""


def own() -> Likeness:
    """Those of this process; the files of the course are read anew."""
    global _told
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = tuple((name, _version(name)) for name in PACKAGES)
    _told = Likeness(python, packages, loaded_code(), digest(COURSE))
    return _told


@cache
def loaded_code() -> str:
    """Digest of labkit/, taken once: a process goes on with the code that it has loaded, whatever happens on disk."""
    return digest(CODE)


def digest(folders: Iterable[str]) -> str:
    """SHA-256 of names and texts of the lab's files below these folders, 16 hex digits; line ends count as \\n."""
    total = hashlib.sha256()
    for folder in folders:
        for path in sorted((LAB_ROOT / folder).rglob("*")):
            name = path.relative_to(LAB_ROOT)
            if path.suffix not in _SUFFIXES or any(p in _NOT_OURS or p.startswith(".") for p in name.parts):
                continue
            try:
                text = path.read_bytes().replace(b"\r\n", b"\n")
            except OSError:
                continue  # gone since it was listed, or no file
            total.update(f"{name.as_posix()}\0{len(text)}\0".encode() + text)
    return total.hexdigest()[:16]


def differences(wanted: Likeness, found: Likeness) -> list[str]:
    """What differs, each as `found, wanted`; empty when the two are alike."""
    told: list[str] = []
    if found.python != wanted.python:
        told.append(f"Python {found.python}, not {wanted.python}")
    theirs = dict(found.packages)
    told += [f"{name} {theirs.get(name)}, not {this}" for name, this in wanted.packages if theirs.get(name) != this]
    if wanted.code and found.code != wanted.code:
        told.append("other code in labkit/")
    if wanted.course and found.course != wanted.course:
        told.append("other files in servers/, notebooks/ or exercises/")
    return told


@cache
def unlike(wanted: Likeness) -> str:
    """What differs in this process, once looked up for each `wanted`; empty when nothing does.

    A process that was asked before the run goes by what it said then: an edit during a run does not break it off.
    """
    return "; ".join(differences(wanted, _told or own()))


def same_checkout() -> Likeness:
    """What workers of this very checkout have to be like: files are not compared, somebody may be editing them."""
    return replace(own(), code="", course="")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
