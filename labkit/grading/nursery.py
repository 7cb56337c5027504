"""Where the processes for learner code come from.

On Linux a clean parent that has the SDK imported forks one per job (5 ms). Elsewhere, where forking is missing or not
safe, spare processes are started ahead of need and wait at a pipe. Neither a parent nor a spare ever ran learner code.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from labkit.grading.sandbox import Subject, kill_tree, status_of

SUBJECT = Path(__file__).with_name("subject.py")
_COMMAND = [sys.executable, "-I", "-X", "utf8", str(SUBJECT)]
_WINDOWS = sys.platform == "win32"


class Subjects:
    """Where processes come from. `spares` are kept started where forking is not to be had."""

    def __init__(self, spares: int = 3, fork: bool | None = None) -> None:
        self._spares = spares
        self._idle: list[Subject] = []
        can_fork = sys.platform == "linux" and "LABKIT_NO_FORK" not in os.environ
        self._nursery = _Nursery() if (can_fork if fork is None else fork) else None
        self._home = tempfile.mkdtemp(prefix="labkit-idle-")
        if sys.platform == "linux":
            # Orphans of a learner's process come to us instead of to init, so that none escapes `sweep`.
            with contextlib.suppress(OSError, AttributeError):
                libc = ctypes.CDLL(None)
                libc.prctl(36, 1, 0, 0, 0)
                libc.prctl(4, 0, 0, 0, 0)  # not dumpable: others of this user cannot read this memory
        self.refill()

    def ready(self) -> None:
        """Wait until the next process can be had at once, so that a run's time does not go to imports."""
        if self._nursery:
            with contextlib.suppress(OSError, ValueError):
                self._nursery.wait_ready()

    def take(self) -> Subject:
        """A clean process, ready for a job."""
        if self._nursery:
            try:
                return self._nursery.fork()
            except (OSError, ValueError):
                self._nursery.close()
                self._nursery = _Nursery()
                return self._nursery.fork()
        while self._idle:
            subject = self._idle.pop(0)
            if psutil.pid_exists(subject.pid):
                return subject
            subject.close()
        return _spawn(self._home)

    def refill(self) -> None:
        """Start spare processes, where they are needed."""
        while not self._nursery and len(self._idle) < self._spares:
            self._idle.append(_spawn(self._home))

    def sweep(self) -> int:
        """Kill what learners' processes left behind; the number found."""
        if sys.platform != "linux":
            return 0
        keep = {subject.pid for subject in self._idle} | ({self._nursery.pid} if self._nursery else set[int]())
        found = 0
        for _ in range(50):
            strays = [p for p in psutil.Process().children() if p.pid not in keep]
            if self._nursery:
                with contextlib.suppress(psutil.Error):
                    strays += psutil.Process(self._nursery.pid).children()
            living = [p for p in strays if status_of(p) not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)]
            for process in living:
                kill_tree(process.pid)
            found += len(living)
            for process in strays:
                with contextlib.suppress(OSError):
                    os.waitpid(process.pid, os.WNOHANG)
            if not living:
                break
        return found

    def close(self) -> None:
        """End everything."""
        for subject in self._idle:
            subject.close()
        if self._nursery:
            self._nursery.close()
        with contextlib.suppress(OSError):
            Path(self._home).rmdir()


def _clean_environment(home: str) -> dict[str, str]:
    """What a learner's process sees of the environment: nothing of yours but where the system is."""
    keep = ("PATH", "SYSTEMROOT", "COMSPEC", "PATHEXT", "LANG", "LC_ALL")
    kept = {name: os.environ[name] for name in keep if name in os.environ}
    homes = ["HOME", "TMPDIR", "TEMP", "TMP"]
    if _WINDOWS:
        homes.append("USERPROFILE")  # where a home is looked for there
    return kept | dict.fromkeys(homes, home) | {"PYTHONUTF8": "1", "PYTHONHASHSEED": "random"}


def _spawn(home: str) -> Subject:
    pipe = subprocess.PIPE
    extra: dict[str, Any] = {"start_new_session": True}
    if _WINDOWS:
        extra = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    process: subprocess.Popen[bytes] = subprocess.Popen(  # pyright: ignore[reportAssignmentType, reportUnknownVariableType]
        _COMMAND, stdin=pipe, stdout=pipe, stderr=pipe, cwd=home, env=_clean_environment(home), bufsize=0, **extra
    )
    return _subject_of(process)


def _subject_of(process: subprocess.Popen[bytes]) -> Subject:
    assert process.stdin and process.stdout and process.stderr
    # Detached copies, so that the Popen object does not close them behind the readers' backs.
    fds = [os.dup(stream.fileno()) for stream in (process.stdin, process.stdout, process.stderr)]
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
    return Subject(_Spawned(process), fds[0], fds[1], fds[2])


class _Spawned:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self.pid = process, process.pid

    def exit_code(self, timeout: float) -> int | None:
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None


class _Forked:
    def __init__(self, nursery: _Nursery, pid: int) -> None:
        self._nursery, self.pid = nursery, pid

    def exit_code(self, timeout: float) -> int | None:
        end = time.monotonic() + timeout
        while (code := self._nursery.code_of(self.pid)) is None and self._nursery.alive and time.monotonic() < end:
            time.sleep(0.01)
        return code


class _Nursery:
    """The clean parent that forks subjects (Linux)."""

    def __init__(self) -> None:
        home = tempfile.gettempdir()
        self._control, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [*_COMMAND, "--nursery", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=home,
            env=_clean_environment(home),
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self.pid = self._process.pid
        self._codes: dict[int, int] = {}
        self._answers = self._control.makefile("rb")
        self._ready = False
        self.alive = True

    def wait_ready(self) -> None:
        """Wait for the end of its imports."""
        if not self._ready:
            self._read()
            self._ready = True

    def fork(self) -> Subject:
        """A new child. Raises OSError or ValueError when the parent is gone."""
        self.wait_ready()
        pipes = [os.pipe() for _ in range(3)]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        ours = [pipes[0][1], pipes[1][0], pipes[2][0]]
        try:
            socket.send_fds(self._control, [b"f"], theirs)
            while "born" not in (answer := self._read()):
                pass
        except (OSError, ValueError):
            for fd in ours:
                os.close(fd)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        self._codes.pop(answer["born"], None)  # the system gives numbers out again
        return Subject(_Forked(self, answer["born"]), ours[0], ours[1], ours[2])

    def code_of(self, pid: int) -> int | None:
        """The exit code of a child that has ended."""
        if pid not in self._codes and self.alive:
            try:
                self._control.send(b"w")
                while "all" not in self._read():
                    pass
            except (OSError, ValueError):
                self.alive = False
        return self._codes.get(pid)

    def close(self) -> None:
        """End the parent."""
        self._control.close()
        kill_tree(self.pid)
        self._process.wait()
        self._answers.close()

    def _read(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._answers.readline())
        if "ended" in answer:
            self._codes[answer["ended"]] = answer["code"]
        return answer
