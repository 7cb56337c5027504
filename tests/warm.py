"""Servers that tests start need not import the SDK again: forked from a template (warm_template.py), on Linux.

An SDK server needs 0.6 s of processor time for its imports, and the tests start hundreds. The first start of each
program by a process is an ordinary one, so that nothing which a server forgot to import can hide behind the template;
the following ones are forked. To whoever started it a forked server is what an ordinary one is: a child with its own
pid, pipes, folder, environment and process group. LABKIT_NO_FORK turns it off, and so does LAB_WHOLE.
"""

from __future__ import annotations

import ctypes
import inspect
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.course import nursery

TEMPLATE = Path(__file__).with_name("warm_template.py")
ROOT = Path(__file__).resolve().parents[1]
ENOUGH = 200
"""Tests that a run should have for a template to be worth its start."""
BOOT = 60.0
"""Seconds that a template may take for its imports."""
PLAIN: dict[str, Any] = {
    "preexec_fn": None,
    "close_fds": True,
    "pass_fds": (),
    "shell": False,
    "executable": None,
    "gid": None,
    "gids": None,
    "uid": None,
    "umask": -1,
    "process_group": -1,
    "restore_signals": True,
}
"""What has to be asked of subprocess.Popen for a fork to be the same."""
PIPES = ("p2cread", "p2cwrite"), ("c2pread", "c2pwrite"), ("errread", "errwrite")
CHILD = ("p2cread", "c2pwrite", "errwrite")
"""The ends that become stdin, stdout and stderr."""
KNOWN = {"PYTHONPATH", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONFAULTHANDLER"}
"""What may be in the environment: the child does as it says. Any other setting of Python's needs a Python of its own."""
SERVES = re.compile(r"(\bserver|_server|_api)\.py$")
PR_SET_CHILD_SUBREAPER = 36


def allowed() -> bool:
    """Whether this machine and this run want it."""
    return sys.platform == "linux" and not {"LABKIT_NO_FORK", "LAB_WHOLE"} & set(os.environ)


def program(command: list[str]) -> tuple[str, ...] | None:
    """What is run, without its arguments; None for what is not forked."""
    if len(command) < 2 or command[0] != sys.executable:
        return None
    if command[1:3] == ["-m", "labkit.session.launch"]:
        return tuple(command[1:5])
    if command[1:3] == ["-m", "labkit"]:
        return tuple(command[1:4])
    return (command[1],) if SERVES.search(command[1]) else None


class Warm:
    """The template of this process. While it is on, `subprocess.Popen` forks what it may."""

    def __init__(self) -> None:
        self.forked = 0
        """How many processes it has given."""
        self._lock = threading.Lock()
        self._seen: set[tuple[str, ...]] = set()
        self._ready = self._broken = False
        self._control, theirs = socket.socketpair()
        self._control.settimeout(BOOT)
        # The space is for the names of the forked, which `ps` and psutil then show.
        command = [sys.executable, str(TEMPLATE), str(theirs.fileno()), "-" * 2000]
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        with theirs:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                env={**env, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
                pass_fds=[theirs.fileno()],
            )
        self._ordinary = subprocess.Popen._execute_child
        signature = inspect.signature(self._ordinary)

        def execute(popen: Any, *args: Any, **named: Any) -> None:
            asked = signature.bind(popen, *args, **named).arguments
            pid = self._take(asked)
            if pid is None:
                self._ordinary(popen, *args, **named)
                return
            popen.pid, popen._child_created = pid, True
            popen._close_pipe_fds(*(asked[name] for pair in PIPES for name in pair))

        subprocess.Popen._execute_child = execute

    def close(self) -> None:
        """End the template; what has been forked goes on."""
        subprocess.Popen._execute_child = self._ordinary
        self._control.close()
        self.process.kill()
        self.process.wait()

    def _take(self, asked: Mapping[str, Any]) -> int | None:
        """The pid of a fork that is what subprocess.Popen was asked for; None where it has to start it itself."""
        command, env = asked["args"], os.environ if asked["env"] is None else asked["env"]
        cwd = os.fspath(asked["cwd"] or Path.cwd())
        plain = all(asked[name] == value for name, value in PLAIN.items() if name in asked)
        if not plain or not all(isinstance(word, str) for word in (*command, *env, *env.values(), cwd)):
            return None
        key = program(list(command))
        own = {name for name in env if name.startswith("PYTHON")} - KNOWN
        if key is None or own or not Path(cwd).is_dir():
            return None
        with self._lock:
            if key not in self._seen or self._broken:
                self._seen.add(key)
                return None
            job = {"cmd": list(command), "cwd": cwd, "env": dict(env), "session": asked["start_new_session"]}
            try:
                ends = [standard if asked[end] == -1 else asked[end] for standard, end in enumerate(CHILD)]
                return self._fork({**job, "umask": nursery.umask()}, ends)
            except (OSError, ValueError):  # it was killed, perhaps: what follows is started as if it had never been
                self._broken = True
                return None

    def _fork(self, job: dict[str, Any], ends: list[int]) -> int:
        if not self._ready and self._control.recv(1) != b"r":
            raise OSError("the template did not come up")
        self._ready = True
        adopt(True)
        try:
            nursery.send(self._control, job, ends)
            pid = int(self._control.recv(20))
        finally:
            adopt(False)
        if not pid:
            raise OSError("there was no fork to be had")
        self.forked += 1
        return pid


def adopt(whether: bool) -> None:
    """Whether this process becomes the parent of those below it whose own parent ends (prctl(2))."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, int(whether), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
