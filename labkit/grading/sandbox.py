"""One process that runs a learner's code, seen from the judge: bound, watch, kill. Where it comes from: nursery.py.

It gets a temporary folder, a scrubbed environment and three pipes; nothing else is inherited. Bounds:

    inside  rlimits on POSIX: processor time, address space, file size, open files (guard.py)
            files of others closed by the kernel on Linux (landlock.py)
    here    bytes read per stream, resident memory, number of processes, wall time - on every system

A process is used for one job and then killed with everything it started.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import psutil

from labkit.grading.spec import Limits

STDERR_KEPT = 64 * 1024
DELETION = "The code deleted or moved its own file or folder while it was checked."
_WINDOWS = sys.platform == "win32"


class Handle(Protocol):
    """A child process, forked or spawned."""

    pid: int

    def exit_code(self, timeout: float) -> int | None:
        """The exit code (negative: the signal), or None while it runs or when it cannot be known."""
        ...


class Watched(Protocol):
    """What the watcher looks at."""

    def watch(self) -> None:
        """Stop what uses too much."""
        ...

    def stop(self, incident: str) -> None:
        """End it, and remember why."""
        ...


class Subject:
    """One process with a learner's code. Use it for one job, then close it."""

    def __init__(self, handle: Handle, stdin: int, stdout: int, stderr: int) -> None:
        self._handle, self._stdin, self._stdout, self._stderr = handle, stdin, stdout, stderr
        self._limits = Limits()
        self._threads: list[threading.Thread] = []
        self._killed = False
        self._noise = bytearray()
        self._heard = threading.Condition()
        self.pid = handle.pid
        self.lines: queue.Queue[bytes | None] = queue.Queue()
        self.incident = ""
        """One sentence on why the process was ended, empty while all is well."""

    def begin(self, mode: str, file: Path, limits: Limits, forbidden: list[str]) -> None:
        """Hand over the job; the learner's code starts to run."""
        self._limits = limits
        job = {
            "mode": mode,
            "file": str(file),
            "folder": str(file.parent),
            "forbidden": forbidden,
            "limits": {"cpu": limits.cpu, "memory": limits.memory},
        }
        self.send(json.dumps(job).encode() + b"\n")
        for reader in (self._read_stdout, self._read_stderr):
            thread = threading.Thread(target=reader, daemon=True)
            thread.start()
            self._threads.append(thread)

    def send(self, data: bytes) -> None:
        """Write to the process; a process that is gone is noticed by the reader."""
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._stdin, data) :]

    def line(self, timeout: float) -> bytes | None:
        """The next line of its stdout; None when the stream has ended.

        Raises TimeoutError when there is none in time.
        """
        try:
            line = self.lines.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None
        if line is None:
            self.lines.put(None)
        return line

    @property
    def stderr(self) -> str:
        """The last part of its stderr."""
        return bytes(self._noise).decode("utf-8", "replace")

    def stderr_when(self, ready: Callable[[str], bool], timeout: float) -> str:
        """Its stderr once `ready` holds for it, or after `timeout` seconds: what it wrote may still be on the way."""
        with self._heard:
            self._heard.wait_for(lambda: ready(self.stderr), timeout)
            return self.stderr

    def clear_stderr(self) -> None:
        """Forget what it wrote so far."""
        with self._heard:
            self._noise.clear()

    def stop(self, incident: str) -> None:
        """Kill the process and all below it, and remember why. The first reason stays."""
        self.incident = self.incident or incident
        self.kill()

    def obituary(self) -> str:
        """Why the process is gone, in one sentence."""
        if self.incident:
            return self.incident
        code = self._handle.exit_code(2.0)
        for thread in self._threads:
            thread.join(1.0)
        said = self.stderr.strip().splitlines()
        last = f" Its last words: {said[-1][:200]}" if said and code else ""
        if code is None:
            return "The process closed its stdout and went silent."
        if not _WINDOWS and code in (-signal.SIGXCPU, -signal.SIGKILL):
            if code == -signal.SIGXCPU:
                return f"Stopped after {self._limits.cpu} s of processor time: an endless loop?"
            return "The process was killed from outside (signal 9), perhaps by its own hand or for lack of memory."
        if code < 0:
            return f"The process died of signal {-code} ({_signal_name(-code)}).{last}"
        return f"The process ended by itself with exit code {code} instead of answering.{last}"

    def kill(self) -> None:
        """End the process and everything it started."""
        if not self._killed:
            self._killed = True
            kill_tree(self.pid)

    def close(self) -> None:
        """Kill, wait for the readers, close the pipes."""
        self.kill()
        for thread in self._threads:
            thread.join(2.0)
        for fd in (self._stdin, self._stdout, self._stderr):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._handle.exit_code(0)

    def watch(self) -> None:
        """Stop the process if it or its children use too much. Called by the watcher several times a second."""
        try:
            root = psutil.Process(self.pid)
            family = root.children(recursive=True)
            memory = root.memory_info().rss
            busy = root.cpu_times()
        except psutil.Error:
            return
        if len(family) > self._limits.processes:
            self.stop(f"Stopped: the code started {len(family)} processes (allowed: {self._limits.processes}).")
            return
        for child in family:
            with contextlib.suppress(psutil.Error):
                memory += child.memory_info().rss
        # 128 MB is what a process with the SDK imported may weigh before the learner's first line.
        if memory > (self._limits.memory + 128) << 20:
            self.stop(f"Stopped: the code used more than {self._limits.memory} MB of memory.")
        elif busy.user + busy.system > self._limits.cpu + 10:
            # Only where rlimits are missing; the margin covers the imports.
            self.stop(f"Stopped after {self._limits.cpu} s of processor time: an endless loop?")

    def _read_stdout(self) -> None:
        total, rest = 0, b""
        for chunk in _chunks(self._stdout):
            total += len(chunk)
            if total > self._limits.output << 20:
                self.stop(f"Stopped: the code wrote more than {self._limits.output} MB to stdout.")
                rest = b""
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self.lines.put(line)
        if rest:
            self.lines.put(rest)
        self.lines.put(None)

    def _read_stderr(self) -> None:
        total = 0
        for chunk in _chunks(self._stderr):
            total += len(chunk)
            with self._heard:
                self._noise += chunk
                del self._noise[:-STDERR_KEPT]
                self._heard.notify_all()
            if total > self._limits.output << 20:
                self.stop(f"Stopped: the code printed more than {self._limits.output} MB.")
                break


class Watcher:
    """Looks at the active processes a few times a second."""

    def __init__(self, period: float = 0.15) -> None:
        self._period, self._active = period, list[Watched]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, subject: Watched) -> None:
        """Watch one more."""
        self._active.append(subject)

    def remove(self, subject: Watched) -> None:
        """Watch it no more."""
        with contextlib.suppress(ValueError):
            self._active.remove(subject)

    def stop_all(self, incident: str) -> None:
        """Stop all of them."""
        for subject in list(self._active):
            subject.stop(incident)

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stop.wait(self._period):
            for subject in list(self._active):
                subject.watch()


def kill_tree(pid: int, patience: float = 5.0) -> None:
    """Kill a process, its session and its descendants, again and again until none is left (or patience is)."""
    end = time.monotonic() + patience
    while True:
        try:
            root = psutil.Process(pid)
            family = [root, *root.children(recursive=True)]
        except psutil.Error:
            family = []
        if not _WINDOWS:
            # The whole group at once: a fork bomb outruns a loop over its members.
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if all(status_of(process) in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) for process in family):
            return
        if time.monotonic() > end:
            return
        time.sleep(0.01)


def status_of(process: psutil.Process) -> str:
    """The status as psutil names it; a process that is gone is dead."""
    try:
        return process.status()
    except psutil.Error:
        return psutil.STATUS_DEAD


def _chunks(fd: int) -> Any:
    while True:
        try:
            chunk = os.read(fd, 65536)
        except OSError:
            return
        if not chunk:
            return
        yield chunk


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return "unknown"
