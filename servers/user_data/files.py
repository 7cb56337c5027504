"""Files of users: a folder for each, and in it names, never paths."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labkit.defences.folders import Folder, LinkRefused, open_folder

MAX_BYTES = 100_000
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}(\.[a-z0-9]{1,8})?")
"""Lower case only, no dots in front, nothing to climb with: the same file on every system. Some names are devices."""
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


class FileError(Exception):
    """The file cannot be had; the message says why and what to do."""


class UserFiles:
    """Files below `root`, apart by user."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self, user: str) -> list[dict[str, Any]]:
        with self._folder(user) as folder:
            return sorted(
                ({"name": name, "bytes": state.st_size} for name, state in folder.entries() if NAME.fullmatch(name)),
                key=lambda file: file["name"],
            )

    def read(self, user: str, name: str) -> str:
        with self._folder(user) as folder:
            try:
                with folder.read(checked(name)) as file:
                    data = file.read(MAX_BYTES + 1)
            except FileNotFoundError:
                raise FileError(f"you have no file {name!r}: list_files shows what there is") from None
            except (LinkRefused, OSError):
                raise FileError(f"{name!r} is not a plain file: it is not read") from None
        if len(data) > MAX_BYTES:
            raise FileError(f"{name!r} has more than {MAX_BYTES} bytes: it is too large to read")
        return data.decode("utf-8", "replace")

    def write(self, user: str, name: str, text: str) -> int:
        data = text.encode("utf-8")
        if len(data) > MAX_BYTES:
            raise FileError(f"the text has {len(data)} bytes, at most {MAX_BYTES} are allowed: write less")
        with self._folder(user) as folder:
            try:
                folder.write(checked(name), data, overwrite=True)
            except OSError as error:
                raise FileError(f"{name!r} cannot be written ({error.strerror or 'not a plain file'})") from None
        return len(data)

    @contextmanager
    def _folder(self, user: str) -> Iterator[Folder]:
        # A digest, not the name: subjects hold any character, and "Ada" and "ada" are one folder on some systems.
        own = hashlib.sha256(user.encode("utf-8")).hexdigest()[:40]
        self._root.mkdir(parents=True, exist_ok=True)
        root = open_folder(self._root)
        try:
            root.make(own)
            folder = root.folder(own)
        except OSError as error:
            raise FileError(f"your folder cannot be opened ({error.strerror or 'it leads elsewhere'})") from None
        finally:
            root.close()
        try:
            yield folder
        finally:
            folder.close()


def checked(name: str) -> str:
    if not NAME.fullmatch(name) or DEVICES.fullmatch(name):
        raise FileError(
            f"{name[:60]!r} is not a file name here: use up to 40 of a-z, 0-9, - and _, and an ending such as .txt"
        )
    return name
