"""An open folder, twice: held by its descriptor where the system can do that, known by its path elsewhere.

`HeldFolder` (Linux, macOS) never names a path twice. A folder is opened relative to the one above it with O_NOFOLLOW,
and files relative to that descriptor: a link on the way is refused by the system itself, in the same step that opens,
so nobody can slip one in between a check and its use.

`NamedFolder` (Windows) looks before it opens and compares what it opened afterwards. Somebody who can change the
folders at the same moment may still win: the limit of that system, which `filesystem://limits` tells.

What neither can know: a hard link to a file outside, and a file system mounted inside. Making those takes rights on
this machine that a client of the server does not have.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

ATTEMPTS = 100
CHUNK = 65536


class LinkRefused(OSError):
    """A name leads elsewhere: a symbolic link, or a junction."""


class Folder(Protocol):
    """What the two kinds have in common. Names are single names, never paths. Everything may raise OSError."""

    def close(self) -> None: ...

    def folder(self, name: str) -> Folder:
        """Open a folder in it."""
        ...

    def make(self, name: str) -> None:
        """Make a folder in it. Fine if there is one."""
        ...

    def entries(self) -> Iterator[tuple[str, os.stat_result]]:
        """Name and state of everything in it; links as links."""
        ...

    def state(self, name: str) -> os.stat_result | None:
        """State of one entry, a link as a link; None if there is none."""
        ...

    def names(self) -> tuple[list[str], list[str]]:
        """Names of the regular files and of the folders in it, sorted; no links, and cheaper than `entries`."""
        ...

    def read(self, name: str) -> BinaryIO:
        """Open a regular file."""
        ...

    def content(self, name: str, limit: int) -> bytes | None:
        """All of a regular file, or None if it is longer than the limit."""
        ...

    def write(self, name: str, data: bytes, *, overwrite: bool) -> None:
        """Put a file there: readers see all of it or what was there before. FileExistsError without `overwrite`."""
        ...


class HeldFolder:
    """Safe against links and against those who change them meanwhile."""

    races = "closed: every step is relative to an open folder, and links are refused by the system"

    def __init__(self, path: Path | None = None, *, descriptor: int = -1) -> None:
        # The root itself is the operator's choice, and may be reached through links.
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY) if path else descriptor

    def close(self) -> None:
        os.close(self._fd)

    def folder(self, name: str) -> HeldFolder:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
        try:
            return HeldFolder(descriptor=os.open(name, flags, dir_fd=self._fd))
        except OSError:  # of a link, Linux says that it is no folder, and others that it loops
            _refuse_links(self.state(name), name)
            raise

    def make(self, name: str) -> None:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=self._fd)

    def entries(self) -> Iterator[tuple[str, os.stat_result]]:
        with os.scandir(self._fd) as found:
            for entry in found:
                with suppress(FileNotFoundError):
                    yield entry.name, entry.stat(follow_symlinks=False)

    def state(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def names(self) -> tuple[list[str], list[str]]:
        with os.scandir(self._fd) as found:
            return _files_and_folders(found)

    def content(self, name: str, limit: int) -> bytes | None:
        # As `read`, with fewer steps in Python: a search does this for every file there is.
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._fd)
        try:
            data = os.read(fd, CHUNK)
            if len(data) < CHUNK:
                return data
            chunks, size = [data], len(data)
            while size <= limit and (data := os.read(fd, CHUNK)):
                chunks.append(data)
                size += len(data)
            return b"".join(chunks) if size <= limit else None
        finally:
            os.close(fd)

    def read(self, name: str) -> BinaryIO:
        _refuse_links(self.state(name), name)  # for the message only; O_NOFOLLOW is what counts
        # Without O_NONBLOCK, opening a named pipe waits for its other end, forever.
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self._fd)
        with ExitStack() as on_error:
            on_error.callback(os.close, fd)
            _only_regular(os.fstat(fd), name)
            on_error.pop_all()
        return os.fdopen(fd, "rb")

    def write(self, name: str, data: bytes, *, overwrite: bool) -> None:
        there = self.state(name)
        _replaceable(there, name, overwrite)
        draft = f".{secrets.token_hex(8)}.new"
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666, dir_fd=self._fd)
        try:
            with os.fdopen(fd, "wb") as file:
                if there is not None:
                    os.fchmod(file.fileno(), stat.S_IMODE(there.st_mode) & 0o777)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if overwrite:
                os.replace(draft, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            else:  # unlike a rename, a link fails if somebody has been faster
                os.link(draft, name, src_dir_fd=self._fd, dst_dir_fd=self._fd, follow_symlinks=False)
            os.fsync(self._fd)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=self._fd)


class NamedFolder:
    """For systems without descriptors of folders: looks twice, and can still be raced."""

    races = "narrowed, not closed: this system cannot open relative to a folder, so paths are checked before and after"

    def __init__(self, path: Path) -> None:
        self._path = path.resolve(strict=True)

    def close(self) -> None:
        pass

    def folder(self, name: str) -> NamedFolder:
        path = self._inside(name)
        if not path.is_dir():
            raise NotADirectoryError(f"{name} is not a folder") if path.exists() else FileNotFoundError(name)
        return NamedFolder(path)

    def make(self, name: str) -> None:
        self._inside(name).mkdir(exist_ok=True)

    def entries(self) -> Iterator[tuple[str, os.stat_result]]:
        with os.scandir(self._path) as found:
            for entry in found:
                with suppress(FileNotFoundError):
                    yield entry.name, entry.stat(follow_symlinks=False)

    def state(self, name: str) -> os.stat_result | None:
        try:
            return (self._path / name).lstat()
        except FileNotFoundError:
            return None

    def names(self) -> tuple[list[str], list[str]]:
        with os.scandir(self._path) as found:
            return _files_and_folders(found)

    def content(self, name: str, limit: int) -> bytes | None:
        with self.read(name) as file:
            data = file.read(limit + 1)
        return data if len(data) <= limit else None

    def read(self, name: str) -> BinaryIO:
        for _ in range(ATTEMPTS):
            path = self._inside(name)
            _only_regular(path.lstat(), name)
            with ExitStack() as on_error:
                file = on_error.enter_context(closing(path.open("rb")))
                state = self._inside(name).lstat()
                if os.path.samestat(os.fstat(file.fileno()), state):
                    on_error.pop_all()
                    return file
            # Somebody has put another file in its place, which a writer like us may do.
        raise OSError(f"{name} changes all the time")

    def write(self, name: str, data: bytes, *, overwrite: bool) -> None:
        path = self._inside(name)
        _replaceable(self.state(name), name, overwrite)
        draft = self._path / f".{secrets.token_hex(8)}.new"
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if overwrite:
                draft.replace(path)
            else:
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)

    def _inside(self, name: str) -> Path:
        path = self._path / name
        _refuse_links(self.state(name), name)
        # Junctions of Windows are no symbolic links, and resolve elsewhere all the same.
        if path.resolve() != path:
            raise LinkRefused(f"{name} leads to another place")
        return path


HELD = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and os.scandir in os.supports_fd
"""Whether this system can hold folders."""


def open_folder(root: Path, names: Sequence[str] = ()) -> Folder:
    """The folder at the end of `names`, reached from the root step by step. To be closed. May raise OSError."""
    folder: Folder = HeldFolder(root) if HELD else NamedFolder(root)
    try:
        for name in names:
            above, folder = folder, folder.folder(name)
            above.close()
    except BaseException:
        folder.close()
        raise
    return folder


def _files_and_folders(found: Iterator[os.DirEntry[str]]) -> tuple[list[str], list[str]]:
    files: list[str] = []
    folders: list[str] = []
    for entry in found:
        if entry.is_file(follow_symlinks=False):
            files.append(entry.name)
        elif entry.is_dir(follow_symlinks=False):
            folders.append(entry.name)
    return sorted(files), sorted(folders)


def _refuse_links(state: os.stat_result | None, name: str) -> None:
    if state is not None and stat.S_ISLNK(state.st_mode):
        raise LinkRefused(f"{name} is a link")


def _only_regular(state: os.stat_result, name: str) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(name)
    if not stat.S_ISREG(state.st_mode):
        raise OSError(f"{name} is no regular file")


def _replaceable(state: os.stat_result | None, name: str, overwrite: bool) -> None:
    if state is None:
        return
    _refuse_links(state, name)
    _only_regular(state, name)
    if not overwrite:
        raise FileExistsError(name)
