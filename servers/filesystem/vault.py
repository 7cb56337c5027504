"""The allowed roots: what may be listed, read, written and searched, with limits. Knows nothing of MCP.

A path here is the name of a root, then names below it: "files/letters/one.txt". Paths of the machine are neither taken
nor told. "" is where the roots are.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from labkit.defences.folders import HELD, Folder, HeldFolder, LinkRefused, NamedFolder
from labkit.defences.paths import NameRefused, PathRefused, names_below
from servers.globs import matches

DEEPEST = 40
"""Levels that a search goes down."""
MOST_VISITED = 200_000
"""Entries that a search looks at before it gives up."""

Kind = Literal["file", "folder", "link", "other"]


class FileError(Exception):
    """The request cannot be met; the message says why and what to do."""


class NotThere(FileError):
    """There is nothing of that name."""


@dataclass(frozen=True)
class Entry:
    path: str
    kind: Kind
    size: int | None
    modified: str


@dataclass(frozen=True)
class Limits:
    max_bytes: int = 1_000_000
    """Largest file to read or write."""
    blocked: Sequence[str] = (".exe", ".dll", ".so", ".dylib", ".sh", ".bat", ".cmd", ".ps1", ".pem", ".key", ".env")
    """Endings of names that are neither read nor written."""


class Vault:
    """Access to some folders, and to nothing else."""

    def __init__(self, roots: Sequence[Path], limits: Limits = Limits(), *, held: bool = HELD) -> None:
        self.limits = limits
        self._kind: type[HeldFolder] | type[NamedFolder] = HeldFolder if held else NamedFolder
        self._roots: dict[str, Path] = {}
        for root in roots:
            resolved, number = root.resolve(), 1
            while (name := resolved.name + (f"-{number}" if number > 1 else "")) in self._roots:
                number += 1
            self._roots[name or "root"] = resolved

    @property
    def names(self) -> list[str]:
        """The names of the roots."""
        return list(self._roots)

    @property
    def races(self) -> str:
        """How safe this system makes us against those who change links meanwhile."""
        return self._kind.races

    def entries(self, path: str, *, hidden: bool = False) -> list[Entry]:
        """What is in a folder, folders first. The roots, for ""."""
        if not self._parts(path):
            return [Entry(name, "folder", None, _time(root.stat())) for name, root in self._roots.items()]
        with self._told(path), self._opened(self._parts(path)) as folder:
            found = [
                _entry(f"{path.strip('/')}/{_printable(name)}", state)
                for name, state in folder.entries()
                if hidden or not name.startswith(".")
            ]
        return sorted(found, key=lambda entry: (entry.kind != "folder", entry.path.casefold(), entry.path))

    def read(self, path: str) -> tuple[bytes, int]:
        """The first `max_bytes` of a file, and how long it is."""
        *above, name = self._file(path)
        with self._told(path), self._opened(above) as folder, folder.read(name) as file:
            data = file.read(self.limits.max_bytes)
            # A file may grow while it is read: what counts is what was read.
            return data, max(len(data), os.fstat(file.fileno()).st_size)

    def text(
        self, path: str, encoding: str = "utf-8", first_line: int = 1, max_lines: int | None = None
    ) -> tuple[str, bool]:
        """Lines of a text file, and whether there is more. A file that is too large gives its beginning, by lines."""
        data, size = self.read(path)
        whole = len(data) == size
        if not whole and max_lines is None:
            raise FileError(
                f"{path!r} holds {size} bytes, more than the {self.limits.max_bytes} that are read at once: "
                "ask for its first lines with max_lines"
            )
        try:
            # Not final if cut: the last character may be in two.
            text = codecs.getincrementaldecoder(encoding)().decode(data, final=whole)
        except UnicodeDecodeError as error:
            raise FileError(
                f"{path!r} is not {encoding} text: byte {error.start} cannot be read. "
                "Pass another encoding, such as latin-1; binary files are read as resources"
            ) from error
        lines = text.split("\n")  # not splitlines: it also splits where no editor does
        last = len(lines) if max_lines is None else first_line - 1 + max_lines
        wanted = "\n".join(lines[first_line - 1 : last])
        more = last < len(lines) and lines[last:] != [""]
        return wanted + ("\n" if last < len(lines) else ""), more or not whole

    def write(self, path: str, data: bytes, *, overwrite: bool = False, create_folders: bool = False) -> bool:
        """Put a file there, all of it or nothing. Returns whether it is a new one."""
        if len(data) > self.limits.max_bytes:
            raise FileError(
                f"the text has {len(data)} bytes, more than the {self.limits.max_bytes} that may be written: "
                "split it up"
            )
        *above, name = self._file(path)
        with self._told(path), self._opened(above, make=create_folders) as folder:
            new = folder.state(name) is None
            folder.write(name, data, overwrite=overwrite)
            return new

    def search(self, path: str, pattern: str) -> Generator[Entry | None]:
        """Walk down from a folder: entries that match, None for those that do not. Never through links.

        Patterns: * ? [abc] within one name; with a slash, compared with the whole path below the folder, where **
        stands for any number of folders.
        """
        start = self._parts(path)
        for root in [start] if start else [[name] for name in self._roots]:
            with self._told(path), self._opened(root) as folder:
                yield from self._walk(folder, "/".join(root), "", pattern, DEEPEST)

    def _walk(self, folder: Folder, above: str, below: str, pattern: str, deeper: int) -> Iterator[Entry | None]:
        for name, state in sorted(folder.entries()):
            if name.startswith("."):
                continue
            path = f"{below}{_printable(name)}"
            yield _entry(f"{above}/{path}", state) if matches(path, pattern) else None
            if stat.S_ISDIR(state.st_mode) and deeper:
                try:
                    inner = folder.folder(name)
                except OSError:  # forbidden, or exchanged for a link: it is not ours to walk
                    continue
                try:
                    yield from self._walk(inner, above, f"{path}/", pattern, deeper - 1)
                finally:
                    inner.close()

    def _parts(self, path: str) -> list[str]:
        """The names in a path. Refuses what could mean another place, whatever is there."""
        told = f"{path!r} is no path below a root: begin with {self._choice()}, and go downwards only"
        if path.startswith("~"):  # nothing here expands it, and whoever writes it means another place
            raise NotThere(told)
        try:
            parts = names_below(path)
        except NameRefused as error:
            raise FileError(str(error)) from error
        except PathRefused as error:
            raise NotThere(told) from error
        if parts and parts[0] not in self._roots:
            raise NotThere(f"{path!r} is in no root: begin with {self._choice()}")
        return parts

    def _file(self, path: str) -> list[str]:
        parts = self._parts(path)
        if len(parts) < 2:
            raise FileError(f"{path!r} is a folder: name a file in it")
        # Windows ignores dots and spaces at the end.
        name = parts[-1].rstrip(". ").casefold()
        for ending in self.limits.blocked:
            if name.endswith(ending.casefold()):
                raise FileError(f"{path!r} is of a blocked type ({ending}): this server does not touch such files")
        return parts

    def _choice(self) -> str:
        return " or ".join(repr(f"{name}/") for name in self._roots)

    @contextmanager
    def _opened(self, parts: list[str], *, make: bool = False) -> Generator[Folder]:
        """The folder at the end of a path, reached step by step."""
        folder: Folder = self._kind(self._roots[parts[0]])
        try:
            for name in parts[1:]:
                if make:
                    folder.make(name)
                above, folder = folder, folder.folder(name)
                above.close()
            yield folder
        finally:
            folder.close()

    @contextmanager
    def _told(self, path: str) -> Generator[None]:
        """Say what the system said, with our path instead of the machine's."""
        try:
            yield
        except LinkRefused as error:
            raise FileError(f"{path!r}: {error}, and links are not followed. Name the file itself") from error
        except FileNotFoundError as error:
            raise NotThere(f"there is nothing at {path!r}: list the folder to see what there is") from error
        except FileExistsError as error:
            raise FileError(f"{path!r} exists already: choose another name, or pass overwrite=true") from error
        except IsADirectoryError as error:
            raise FileError(f"{path!r} is a folder: name a file in it") from error
        except NotADirectoryError as error:
            raise FileError(f"{path!r} goes through a file, or ends at one: name a folder") from error
        except PermissionError as error:
            raise FileError(f"{path!r} is not for this server: the system forbids it") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise FileError(f"{path!r} cannot be used: {reason}") from error


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _entry(path: str, state: os.stat_result) -> Entry:
    kinds: list[tuple[bool, Kind]] = [
        (stat.S_ISDIR(state.st_mode), "folder"),
        (stat.S_ISREG(state.st_mode), "file"),
        (stat.S_ISLNK(state.st_mode), "link"),
    ]
    kind: Kind = next((kind for fits, kind in kinds if fits), "other")
    return Entry(path, kind, state.st_size if kind == "file" else None, _time(state))


def _time(state: os.stat_result) -> str:
    return datetime.fromtimestamp(state.st_mtime, UTC).isoformat(timespec="seconds")


def _printable(name: str) -> str:
    """A name that is no UTF-8 on the disk cannot travel in JSON; it is shown, but cannot be asked for."""
    return os.fsencode(name).decode("utf-8", "backslashreplace") if os.name != "nt" else name
