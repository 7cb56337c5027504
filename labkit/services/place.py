"""Where a service keeps its things: one folder each, private files, and a lock that ends with its holder."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from labkit.catalog import WORK
from labkit.files import move_over
from labkit.locks import try_lock
from labkit.services.service import ServiceError

LOCK_SECONDS = 60.0

_here: ContextVar[Path | None] = ContextVar("_here", default=None)


def home() -> Path:
    """The folder of all services: LAB_SERVICES, or work/services below the lab."""
    return (_here.get() or Path(os.environ.get("LAB_SERVICES") or WORK / "services")).resolve()


@contextmanager
def at(folder: Path) -> Generator[None]:
    """Inside of this block, `folder` is the folder of all services."""
    before = _here.set(folder)
    try:
        yield
    finally:
        _here.reset(before)


def folder(name: str) -> Path:
    """The folder of one service, made if it is not there."""
    place = home() / name
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceError(
            f"Cannot make {place} for {name}: {error}. Set LAB_SERVICES to a folder that can be written."
        ) from error
    return place


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, all of it or nothing."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    # Private from the start: chmod after writing would leave a moment in which the password can be read.
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    move_over(draft, path)


def read_settings(path: Path) -> dict[str, Any]:
    """What was kept in a JSON file; nothing if it is not there or was damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def free_port(preferred: int | None = None) -> int:
    """The preferred port if it is free, or any free one. Somebody may still take it before it is used."""
    for port in (preferred, 0) if preferred else (0,):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            if os.name != "nt":  # connections of the service that has just ended do not keep its port from it
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServiceError("No port is free on 127.0.0.1. End some of the programs that listen there.")


def accepts(port: int) -> bool:
    """Whether anything accepts connections on that port of loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


@contextmanager
def only_one(place: Path) -> Generator[None]:
    """Hold the lock of a service: starting and stopping happen one after the other, in all processes and threads.

    It is a lock of the operating system, which ends with the process that holds it: it can never be stale.
    """
    with (place / "lock").open("a+b") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while not try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"Another process has been starting or stopping {place.name} for {LOCK_SECONDS:.0f} seconds. "
                    f"Look for a `labkit services` that hangs, end it, and try again."
                )
            time.sleep(0.05)
        yield
