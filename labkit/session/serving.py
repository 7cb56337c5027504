"""Servers that run on their own: a process with a URL, or a uvicorn thread for an object of this kernel."""

from __future__ import annotations

import asyncio
import json
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from labkit.catalog import LAB_ROOT
from labkit.errors import ConnectError, LabError
from labkit.session.child import ServerLog, StderrPipe, describe_exit, end_process, guard, release
from labkit.session.launch import listen
from labkit.session.pulse import current_log, quiet_loggers
from labkit.session.sdk import get_default_environment

READY_TIMEOUT = 60.0
_numbers = count(1)


def launch_command(via: str, path: Path, *rest: str) -> list[str]:
    """The command that starts a server file in a process of the lab's own; `rest` is its object, and a port.

    A file that is not Python goes to Node, and takes `http` and the port. Its packages may have to be installed, once.
    Raises NodeError.
    """
    if path.suffix == ".py":
        return [sys.executable, "-m", "labkit.session.launch", via, str(path), *rest]
    from labkit.session import node

    return node.command(path, *(() if via == "stdio" else (via, *rest[1:])))


def launch_environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """What such a process gets: the small default environment, the lab on its path, and `env`."""
    # A server in another language starts what is in Python with the Python that has the lab's packages.
    own = {"PYTHONPATH": str(LAB_ROOT), "PYTHONUTF8": "1", "LAB_PYTHON": sys.executable}
    return get_default_environment() | own | dict(env or {})


def claim(name: str, port: int) -> socket.socket:
    """A listening socket on 127.0.0.1. Raises ConnectError when the port cannot be had."""
    try:
        return listen(port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConnectError(
            f"The server {name!r} cannot listen on port {port} of 127.0.0.1: {reason}. Leave port= out for a free one."
        ) from error


def url_of(line: str) -> str:
    """The address in the line by which a launcher says that it is ready; '' for any other line."""
    try:
        said: Any = json.loads(line)
    except ValueError:
        return ""
    return str(cast("dict[str, Any]", said).get("url", "")) if isinstance(said, dict) else ""


class RunningServer:
    """A server with a `url`, until `stop()`; `stderr` is what it wrote, `pid` its process (this one for a thread)."""

    def __init__(self, name: str, via: str = "http", port: int = 0) -> None:
        self.number = next(_numbers)
        self.name, self.via = name, via
        self.url = ""
        self._port = port
        self.pid: int | None = None
        self.started = 0.0
        """When it last began, in seconds since the epoch."""
        self.stderr = ServerLog()

    @property
    def how_it_ended(self) -> str:
        """One clause when the process has ended by itself, else ''."""
        return ""

    @property
    def state(self) -> str:
        """`running`, `stopped` (on request), or `died`."""
        return "stopped" if not self.url else "died" if self.how_it_ended else "running"

    def begin(self) -> None:
        """Start, and return when the server accepts connections. Raises ConnectError. Blocks."""
        raise NotImplementedError(type(self).__name__)

    def end(self) -> None:
        """Stop, whatever state it is in. Blocks up to a few seconds."""
        raise NotImplementedError(type(self).__name__)

    def kill(self) -> None:
        """SIGKILL (TerminateProcess on Windows), as `kill -9` would. Raises LabError when it has no process."""
        raise LabError(f"The server {self.name!r} runs inside this kernel: only the kernel itself could be killed.")

    def restart(self) -> None:
        """`end`, then `begin` on the port it had, so that its URL stays. Raises ConnectError. Blocks."""
        self.end()
        self.begin()

    def _begun(self) -> None:
        self.started = time.time()
        self._port = urlsplit(self.url).port or self._port

    async def start(self) -> RunningServer:
        """`begin` without blocking the loop; an interrupted start leaves nothing."""
        starting = asyncio.ensure_future(asyncio.to_thread(self.begin))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            with suppress(ConnectError):
                await starting
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """`end` without blocking the loop."""
        await asyncio.to_thread(self.end)

    async def __aenter__(self) -> RunningServer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __repr__(self) -> str:
        return f"<server {self.name} at {self.url or '(not running)'}, pid {self.pid}>"


class ProcessServer(RunningServer):
    """A server file in a process of its own, over Streamable HTTP or SSE, on a free port or `port`."""

    def __init__(
        self,
        name: str,
        path: Path,
        attribute: str,
        *,
        via: str = "http",
        port: int = 0,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
    ) -> None:
        super().__init__(name, via, port)
        self._cwd = cwd
        self._command = launch_command(via, path, attribute)
        self._env = launch_environment(env)
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        if self._port:
            claim(self.name, self._port).close()  # the process would say it with a traceback
        first: queue.SimpleQueue[str] = queue.SimpleQueue()

        def hear(line: str) -> None:
            if not self.url and (url := url_of(line)):
                self.url = url
                first.put(url)
            else:  # what a server prints belongs to its log, and must be read: a full pipe would stop it for ever
                self.stderr.add(line)

        errors, output = StderrPipe(self.stderr), StderrPipe(self.stderr, hear)
        try:
            process = subprocess.Popen(
                [*self._command, str(self._port)],
                stdin=subprocess.PIPE,
                stdout=output.writer,
                stderr=errors.writer,
                env=self._env,
                cwd=self._cwd,
                start_new_session=sys.platform != "win32",
            )
        except OSError as error:
            errors.abandon()
            output.abandon()
            raise ConnectError(
                f"Cannot start the server {self.name!r}: {error}. Correct cwd=, if you gave it."
            ) from error
        errors.start()
        output.start()
        self._process, self.pid = process, process.pid
        guard(self, lambda: end_process(process, grace=0.2))
        deadline = time.monotonic() + READY_TIMEOUT
        while not self.url and not output.drained and time.monotonic() < deadline:
            with suppress(queue.Empty):
                first.get(timeout=0.05)
        if not self.url:
            late = "" if output.drained else f"did not say within {READY_TIMEOUT:g} s that it is ready, and"
            self.end()
            errors.join(1.0)
            how = f"{late} {self.how_it_ended} before it was ready".strip()
            raise ConnectError(f"The server {self.name!r} {how}.{self.stderr.last_words()}")
        self._begun()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        if self._process is None:
            return
        release(self)
        end_process(self._process)
        self.url = ""

    @property
    def how_it_ended(self) -> str:
        if self._process is None or self._process.poll() is None:
            return ""
        return describe_exit(self._process.returncode)


class ThreadServer(RunningServer):
    """A server object of this kernel, served over Streamable HTTP by uvicorn in a thread."""

    def __init__(self, name: str, server: Any, *, via: str = "http", port: int = 0) -> None:
        super().__init__(name, via, port)
        self._server = server
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        import os

        import uvicorn

        from labkit.session.launch import PATHS, web_app

        self._listener = claim(self.name, self._port)
        config = uvicorn.Config(
            web_app(self._server, self.via),
            http="h11",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._runner = uvicorn.Server(config)
        quiet_loggers()
        thread = threading.Thread(target=self._serve, name=f"labkit-http-{self.name}", daemon=True)
        thread.start()
        self._thread, self.pid = thread, os.getpid()
        deadline = time.monotonic() + READY_TIMEOUT
        while not self._runner.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                self.end()
                raise ConnectError(f"The server {self.name!r} did not start in this kernel; see the output above.")
            thread.join(0.005)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}{PATHS[self.via]}"
        self._begun()

    def _serve(self) -> None:
        current_log.set(self.stderr)  # what the server logs is its stderr, not the learner's cell
        self._runner.run(sockets=[self._listener])

    def end(self) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._runner.should_exit = True
        thread.join(10)
        self._listener.close()
        self.url = ""
