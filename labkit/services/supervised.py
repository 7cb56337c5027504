"""A program of somebody else that ends with whoever started it, however that ends.

A supervisor, a process of its own, runs the program, and ends it when its own standard input does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from labkit.catalog import LAB_ROOT

_SUPERVISOR = "from labkit.services.supervised import supervise; supervise()"


def apart() -> dict[str, Any]:
    """Options of Popen for a group of its own: an interrupt of a cell or in the terminal is meant for a whole group."""
    if os.name == "nt":
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    return {"start_new_session": True}


class Supervised:
    """A program at work. What it says on either stream goes to the file `output`."""

    def __init__(self, command: Sequence[str], output: Path) -> None:
        with output.open("wb") as file:
            self._supervisor = subprocess.Popen[bytes](
                [sys.executable, "-c", _SUPERVISOR, *command],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                cwd=LAB_ROOT,
                **apart(),
            )

    @property
    def pid(self) -> int:
        """The supervisor; the program is its child."""
        return self._supervisor.pid

    def becomes(self, ready: Callable[[], bool], seconds: float, every: float) -> bool:
        """Wait until it is ready; False when it has ended before, or is not after so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._supervisor.poll() is None:
            if ready():
                return True
            time.sleep(every)
        return False

    def end(self) -> None:
        """End it, and wait for its end. Twice is fine."""
        self._supervisor.communicate()  # closes the supervisor's input


def supervise() -> None:
    """Run the command of the arguments until it ends, or our standard input does."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_input, args=(child,), daemon=True).start()
    code = child.wait()
    # Without waiting for the thread, which may hold the lock of a standard input that nobody closes.
    os._exit(code if code >= 0 else 1)


def _end_with_input(child: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
