"""A server process that the lab started: its pid, its stderr, how it ended, and the certainty that it ends."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import IO

STDERR_LINES = 2_000
LINE = 16_384
"""Bytes of a line that are kept in one piece: 2,000 of them are at most 32 MiB."""
SHOWN = 500
"""Characters of a line that messages show."""


class ServerLog:
    """What a server wrote to stderr, or logged: the last 2,000 lines, and how many were dropped before them."""

    def __init__(self, keep: int = STDERR_LINES) -> None:
        self._lines: deque[str] = deque(maxlen=keep)
        self.dropped = 0

    def add(self, line: str) -> None:
        """Append one line; thread-safe."""
        if len(self._lines) == self._lines.maxlen:
            self.dropped += 1
        self._lines.append(line)

    @property
    def lines(self) -> list[str]:
        """The lines, oldest first."""
        return list(self._lines)

    def tail(self, count: int = 5) -> str:
        """The last lines that are not empty."""
        last = [line for line in self.lines if line.strip()][-count:]
        return "\n".join(line if len(line) <= SHOWN else line[:SHOWN] + "..." for line in last)

    def last_words(self) -> str:
        """The tail as a clause for messages, or ''."""
        tail = self.tail()
        return f" Its last words on stderr:\n{tail}\n" if tail else ""

    def __str__(self) -> str:
        head = f"[{self.dropped} earlier lines dropped]\n" if self.dropped else ""
        return head + "\n".join(self.lines)

    def __repr__(self) -> str:
        return str(self) or "(nothing on stderr)"

    def __contains__(self, text: str) -> bool:
        return text in str(self)

    def __len__(self) -> int:
        return len(self._lines)


class StderrPipe:
    """A pipe for a child's stderr, read by a thread so that a busy kernel never blocks the server.

    Lines go to `log`, or to `hear`; a line without an end is handed on in parts.
    """

    def __init__(self, log: ServerLog, hear: Callable[[str], None] | None = None) -> None:
        reader, writer = os.pipe()
        self.writer: IO[bytes] = os.fdopen(writer, "wb")
        self._reader: IO[bytes] = os.fdopen(reader, "rb")
        self._hear = hear or log.add
        self._thread = threading.Thread(target=self._read, name="labkit-stderr", daemon=True)

    def start(self) -> None:
        """Call once the child has its copy of `writer`."""
        self.writer.close()
        self._thread.start()

    def _read(self) -> None:
        with self._reader as stream:
            while line := stream.readline(LINE):
                self._hear(line.decode("utf-8", "replace").rstrip("\r\n"))

    def abandon(self) -> None:
        """Close both ends: the child never started."""
        self.writer.close()
        self._reader.close()

    @property
    def drained(self) -> bool:
        """Whether the child's stderr is read to its end."""
        return not self._thread.is_alive()

    def join(self, timeout: float) -> None:
        """Wait until `drained`. Blocks."""
        self._thread.join(timeout)


def describe_exit(returncode: int | None) -> str:
    """`exited with code 3`, `was ended by SIGKILL`, or `closed its output`."""
    if returncode is None:
        return "closed its output"
    if returncode < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-returncode).name}"
    return f"exited with code {returncode}"


def group_alive(pid: int) -> bool:
    """Whether anything is left of the process group that `pid` led (POSIX)."""
    if sys.platform == "win32":
        return False  # the SDK's job object has ended them
    try:
        os.killpg(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end_group(pid: int) -> None:
    """End what is left of the process group that `pid` led (POSIX); grandchildren may outlive a server. Blocks."""
    if sys.platform == "win32":
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGTERM)
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            os.killpg(pid, 0)  # ProcessLookupError once the group is gone
            time.sleep(0.01)
        os.killpg(pid, signal.SIGKILL)


_END: weakref.WeakKeyDictionary[object, Callable[[], None]] = weakref.WeakKeyDictionary()


def guard(owner: object, end: Callable[[], None]) -> None:
    """Call `end` at interpreter exit if `owner` is still alive and was not released."""
    _END[owner] = end


def release(owner: object) -> None:
    """The owner ended its process itself."""
    _END.pop(owner, None)


@atexit.register
def _end_all() -> None:
    for end in list(_END.values()):
        with suppress(Exception):
            end()


def end_process(process: subprocess.Popen[bytes], *, grace: float = 2.0) -> None:
    """Close stdin, wait, terminate, wait, kill: the order the specification gives for stdio servers."""
    for stream in (process.stdin, process.stdout):
        if stream:
            with suppress(OSError):
                stream.close()
    for act, wait in ((None, grace), (process.terminate, 2.0), (process.kill, 5.0)):
        if act:
            with suppress(OSError):
                act()
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait)
            break
    if sys.platform != "win32":
        end_group(process.pid)
