"""Where kernels come from that need not import everything again: forked from a template (template.py), on Linux.

A process that runs several notebooks has one template, from its second notebook on, or from the first when it knows
that more will come. The template ends with that process, in whichever way that ends, because it waits at the other end
of a socket. Everywhere else, with LABKIT_NO_FORK in the environment, and whenever anything is not as it should be,
`take` gives None and the kernel is started in the ordinary way.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("template.py")
LAUNCH = [sys.executable, "-m", "ipykernel_launcher", "-f"]
BOOT = 60.0
"""Seconds that a template may take for its imports."""
REPORT = 5.0
"""Seconds in which a template tells of a birth or of an end; it is one system call away."""
OWN = {"IPYTHONDIR", "JPY_PARENT_PID", "JPY_SESSION_NAME", "PYTEST_CURRENT_TEST"}
"""What differs between the environments of two kernels; no module of the template reads it when it is imported."""


class Forked:
    """A kernel forked from a template; what jupyter_client uses of `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, pidfd: int, line: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._pidfd, self._line = pidfd, line
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """The exit code, minus a signal's number when it was killed; None while it lives."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        code = self._look(None if timeout is None else timeout * 1000)
        if code is None:
            raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, to this process and to no later one of the same number."""
        if sys.platform == "linux" and self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.Signals["SIGKILL"])

    def _look(self, timeout: float | None) -> int | None:
        with self._lock:
            if self.returncode is None and _readable(self._pidfd, timeout):
                try:
                    self.returncode = int(self._line.recv(20))
                except (OSError, ValueError):  # the template ended first, and took the code with it
                    self.returncode = -int(signal.Signals["SIGKILL"])
                self._line.close()
                os.close(self._pidfd)
            return self.returncode


class Nursery:
    """The template of this process, and when it is worth having one. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._template: _Template | None = None
        self._for: dict[str, str] = {}
        self._taken = 0
        self._more = False
        self._broken = False

    @property
    def pid(self) -> int | None:
        """The template's process, if there is one."""
        return self._template.process.pid if self._template else None

    def expect(self, kernels: int, env: Mapping[str, str]) -> None:
        """Say that so many kernels are to come, so that the template's imports can begin before the first."""
        if kernels > 1 and _allowed():
            with self._lock:
                self._more = True
                self._prepare(env)

    def take(self, cmd: list[str], *, env: Mapping[str, str], cwd: str, stdout: Any, stderr: Any) -> Forked | None:
        """A process as `Popen(cmd, ...)` would start it, its stdin at its end; None when it has to be started so.

        `stdout` and `stderr` are open files.
        """
        if not _allowed() or cmd[: len(LAUNCH)] != LAUNCH:
            return None
        with self._lock:
            self._prepare(env, cmd)
            self._taken += 1
            template = self._template
            if template is None:
                return None
            try:
                fds = (stdout.fileno(), stderr.fileno())
                return template.fork({"cmd": cmd, "env": dict(env), "cwd": cwd, "umask": umask()}, fds)
            except (OSError, ValueError, AttributeError):
                # One that never came up will not the next time; one that has been killed may be followed by another.
                self._broken = not template.ready
                self._drop()
                return None

    def close(self) -> None:
        """End the template. Kernels that still run end within a second, as they do when their parent dies."""
        with self._lock:
            self._drop()

    def _prepare(self, env: Mapping[str, str], cmd: list[str] | None = None) -> None:
        lasting = {name: value for name, value in env.items() if name not in OWN}
        if lasting != self._for:  # a module may have read what is different now
            self._drop()
            self._for, self._taken, self._broken = lasting, 0, False
        if self._template is None and not self._broken and (self._more or self._taken):
            try:
                self._template = _Template(lasting, cmd)
            except OSError:
                self._broken = True

    def _drop(self) -> None:
        if self._template:
            self._template.close()
            self._template = None


class _Template:
    """The process that is forked."""

    def __init__(self, env: Mapping[str, str], cmd: list[str] | None) -> None:
        self.ready = False
        self._control, theirs = socket.socketpair()
        self._control.settimeout(REPORT)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        command = [sys.executable, str(TEMPLATE), str(theirs.fileno())]
        # As long as the command of a kernel, which a child then puts in its place.
        length = len("\0".join(cmd or _likely_command()).encode())
        command.append("-" * max(0, length - len("\0".join(command).encode()) - 1))
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                cwd="/",
                env=dict(env),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError:
            self._control.close()
            self._said.close()
            raise
        finally:
            theirs.close()

    def fork(self, job: Mapping[str, Any], outputs: tuple[int, int]) -> Forked:
        """A kernel. Raises OSError or ValueError when there is none to be had."""
        if not self.ready:
            # Whatever a module says when it is imported, a notebook would have shown.
            quiet = _readable(self._control.fileno(), BOOT * 1000) and self._control.recv(1) == b"r"
            if not quiet or os.fstat(self._said.fileno()).st_size:
                raise OSError("the template did not come up, or said something on the way")
            self.ready = True
        line, theirs = socket.socketpair()
        line.settimeout(REPORT)
        read, write = os.pipe()
        os.close(write)
        try:
            send(self._control, job, [read, *outputs, theirs.fileno()])
            theirs.close()
            pid, received, _, _ = socket.recv_fds(line, 20, 1)
            return Forked(int(pid), received[0], line)
        except (OSError, ValueError, IndexError) as error:
            line.close()
            raise OSError("the template gave no child") from error
        finally:
            os.close(read)
            theirs.close()

    def close(self) -> None:
        """End it, and wait until it has."""
        self._control.close()
        self.process.kill()
        self.process.wait()
        self._said.close()


def send(control: socket.socket, job: Mapping[str, Any], fds: list[int]) -> None:
    """Ask a template for a child; `template.receive` is the other end. Raises OSError."""
    text = json.dumps(job).encode()
    socket.send_fds(control, [len(text).to_bytes(8, "big")], fds)
    control.sendall(text)


def _allowed() -> bool:
    return sys.platform == "linux" and "LABKIT_NO_FORK" not in os.environ


def _readable(fd: int, timeout: float | None) -> bool:
    """Whether there is something to read, within so many milliseconds; of a pidfd: whether the process has ended."""
    if sys.platform == "win32":
        return False
    watched = select.poll()
    watched.register(fd, select.POLLIN)
    return bool(watched.poll(timeout))


def umask() -> int:
    """This process's, which cannot be asked for without setting it but here."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1], 8) for line in lines if line.startswith("Umask:"))


def _likely_command() -> list[str]:
    """A kernel's command as nbclient gives it, but for the letters of its connection file's name."""
    file = os.path.realpath(Path(tempfile.gettempdir(), "tmp12345678.json"))
    return [*LAUNCH, file, "--HistoryManager.hist_file=:memory:"]


NURSERY = Nursery()
"""The one of this process."""
atexit.register(NURSERY.close)


def kernel_environment(scratch: Path | None = None) -> dict[str, str]:
    """A kernel's environment: scripted answers instead of forms, and none of the person's IPython start-up files."""
    return {
        **os.environ,
        "LABKIT_SCRIPTED": "1",
        **({"IPYTHONDIR": str(scratch / "ipython")} if scratch else {}),
        "PYTHONUTF8": "1",
        "NO_COLOR": "1",
        # The debugger's warning about frozen modules goes to stderr of every kernel.
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
