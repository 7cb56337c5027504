"""Whose process is that? A pid in a file proves nothing: the process may be gone, and its number given to another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from psutil import Process


def belonging(program: str, data: Path) -> list[Process]:
    """Every living process of `program` whose working folder is `data`, as servers do it; oldest first."""
    mine = [process for process in psutil.process_iter() if _belongs(process, program, data)]
    return sorted(mine, key=lambda process: (_created(process), process.pid))


def naming(programs: tuple[str, ...], folders: Sequence[Path]) -> list[Process]:
    """Every living process of these programs that one of the folders was named to, on its command line."""
    return [process for process in psutil.process_iter() if _names(process, programs, folders)]


def of_pid_file(file: Path, program: str, data: Path) -> Process | None:
    """The process whose number is the first line of `file`, if it lives and is `program` at work in `data`."""
    try:
        process = Process(int(file.read_text(encoding="utf-8", errors="replace").splitlines()[0]))
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process if _belongs(process, program, data) else None


def end(found: list[Process], grace: float) -> list[Process]:
    """Wait for them to go by themselves, then ask, then insist. Returns what is left even so."""
    left = _wait(found, grace)
    for act, wait in (("terminate", 3.0), ("kill", 5.0)):
        for process in left:
            with suppress(psutil.Error):
                getattr(process, act)()
        left = _wait(left, wait)
    return left


def _wait(found: list[Process], seconds: float) -> list[Process]:
    # Not psutil.wait_procs: a container whose first process collects nobody keeps the dead, and it waits for those.
    deadline = time.monotonic() + seconds
    while (found := [process for process in found if lives(process)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def lives(process: Process) -> bool:
    """Whether it runs: a process that has ended and was not collected does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def wait_until_gone(program: str, data: Path, grace: float) -> None:
    """Wait for what an ended server left behind; end it when it does not go."""
    deadline = time.monotonic() + 5.0
    while found := belonging(program, data):
        end(found, grace)
        if time.monotonic() > deadline:
            return


def _belongs(process: Process, program: str, data: Path) -> bool:
    try:
        with process.oneshot():
            name = process.name().lower().removesuffix(".exe")
            return (
                name.startswith(program)
                and process.status() != psutil.STATUS_ZOMBIE
                and Path(process.cwd()).resolve() == data.resolve()
            )
    except (psutil.Error, OSError):
        return False


def _names(process: Process, programs: tuple[str, ...], folders: Sequence[Path]) -> bool:
    try:
        words = process.cmdline() if process.name().lower().startswith(programs) else []
    except (psutil.Error, OSError):
        return False
    return any(str(folder) in word for folder in folders for word in words)  # there are none once it is dead


def _created(process: Process) -> float:
    try:
        return process.create_time()
    except psutil.Error:
        return 0.0
