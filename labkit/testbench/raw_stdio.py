"""A server process, spoken to line by line."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from contextlib import suppress
from typing import Any, cast

from mcp import StdioServerParameters

from labkit.errors import ConnectError
from labkit.session.child import ServerLog, StderrPipe, describe_exit, end_group, guard, release
from labkit.session.sdk import (
    ServerProcess,
    find_executable,
    get_default_environment,
    spawn_process,
    stop_process,
)
from labkit.session.stdio import why_not_started
from labkit.testbench.raw import (
    KEPT,
    MAX_LINE,
    MOST_BEFORE,
    PATIENCE,
    Answer,
    Came,
    Json,
    RawWire,
    answer_of,
    came_of,
    is_message,
    parsed,
)


class RawStdio(RawWire):
    """A server process, line by line."""

    transport = "stdio"

    def __init__(self, params: StdioServerParameters, era: str) -> None:
        super().__init__(era)
        self.params = params
        self.log = ServerLog()
        self.lines: asyncio.Queue[str | None] = asyncio.Queue(10_000)
        self.seen: deque[str] = deque(maxlen=2_000)
        """The lines of stdout, as they came; messages longer than `KEPT` are left out."""
        self._process: ServerProcess | None = None
        self._pipe: StderrPipe | None = None
        self._reader: asyncio.Task[None] | None = None
        self._closed = False
        self._began = time.perf_counter()
        self._reading = asyncio.Event()
        self._reading.set()

    def pause(self) -> None:
        """Read nothing more of stdout: once the pipe is full, the server has to wait."""
        self._reading.clear()

    def resume(self) -> None:
        """Read on."""
        self._reading.set()

    async def open(self) -> RawStdio:
        """Start the process. Raises ConnectError."""
        self._pipe = pipe = StderrPipe(self.log)
        self._began = time.perf_counter()
        try:
            command = await find_executable(self.params.command)
            self._process = await spawn_process(
                command=command,
                args=self.params.args,
                env=get_default_environment() | (self.params.env or {}),
                errlog=cast(Any, pipe.writer),
                cwd=self.params.cwd,
            )
        except BaseException as error:
            pipe.abandon()
            if isinstance(error, OSError | ValueError):
                raise ConnectError(why_not_started(self.params, error)) from error
            raise
        pipe.start()
        process = self._process
        guard(self, lambda: end_group(process.pid))
        self._reader = asyncio.create_task(self._read(), name="labkit-raw-stdout")
        return self

    @property
    def pid(self) -> int | None:
        """The process id."""
        return self._process.pid if self._process else None

    @property
    def returncode(self) -> int | None:
        """How the process ended; None while it runs."""
        return self._process.returncode if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None and not self._over

    @property
    def _over(self) -> bool:
        return self._reader is not None and self._reader.done()

    async def _read(self) -> None:
        stdout = cast(ServerProcess, self._process).stdout
        assert stdout is not None
        rest = b""
        with suppress(Exception):  # whichever way a pipe ends, it has ended
            while chunk := await stdout.receive():
                await self._reading.wait()
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    self._heard(line)
                if len(rest) > MAX_LINE:
                    self._heard(rest[:1000] + b"... (a line without end)")
                    break
        if rest.strip():
            self._heard(rest)
        with suppress(asyncio.QueueFull):
            self.lines.put_nowait(None)

    def _heard(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        if not text.strip():
            return
        if len(text) <= KEPT or not is_message(text):
            self.seen.append(text[:KEPT])
        self._note("received", text)
        with suppress(asyncio.QueueFull):
            self.lines.put_nowait(text)

    async def write(self, data: bytes) -> None:
        """Send these bytes. Raises OSError or anyio's errors when nobody reads them."""
        for line in data.decode("utf-8", "replace").splitlines():
            self._note("sent", line)
            if isinstance(id := parsed(line).get("id"), int | str):
                self._asked.add((type(id), id))
        stdin = cast(ServerProcess, self._process).stdin
        assert stdin is not None
        await stdin.send(data)

    def _never_asked(self, line: str) -> bool:
        """Whether it is an answer under an id that no request had."""
        message = parsed(line)
        id = message.get("id")
        return "method" not in message and isinstance(id, int | str) and (type(id), id) not in self._asked

    async def next(self, timeout: float) -> str | None:
        """The next line of stdout; None when none came, or when stdout has closed."""
        if self._over and self.lines.empty():
            return None  # that it has closed was told before
        try:
            return await asyncio.wait_for(self.lines.get(), timeout)
        except TimeoutError:
            return None

    async def ask(self, message: Json, *, timeout: float = PATIENCE) -> Answer:
        return await self.ask_text(json.dumps(message), message.get("id"), timeout=timeout)

    async def ask_text(self, text: str, id: Any, *, timeout: float = PATIENCE) -> Answer:
        """Send a line as it is, and wait for an answer to `id`."""
        began, timeout = time.perf_counter(), self.patience(timeout)
        before: list[str] = []
        try:
            await self.write(text.encode("utf-8", "surrogatepass") + b"\n")
        except Exception:  # the pipe's own kinds differ by system
            return Answer("closed", text, seconds=time.perf_counter() - began)
        while (left := timeout - (time.perf_counter() - began)) > 0:
            line = await self.next(left)
            if line is None:
                came: Came = "closed" if self._over and self.lines.empty() else "silence"
                return Answer(came, text, seconds=time.perf_counter() - began, before=before)
            if (message := answer_of(line, id)) is not None:
                return Answer(came_of(message), text, line, message, time.perf_counter() - began, before=before)
            before.append(line)
            if len(before) > 2 * MOST_BEFORE:  # a flood
                del before[:MOST_BEFORE]
            if self._never_asked(line):
                return Answer("other", text, line, seconds=time.perf_counter() - began, before=before)
        return Answer("silence", text, "\n".join(before[-3:]), seconds=timeout, before=before)

    async def notify(self, method: str, params: Json | None = None) -> None:
        message: Json = {"jsonrpc": "2.0", "method": method} | ({"params": params} if params else {})
        with suppress(Exception):  # a server that is gone hears nothing: the next request says so
            await self.write(json.dumps(message).encode() + b"\n")

    async def give_up(self, answer: Answer) -> None:
        if answer.came == "silence":
            await self.notify("notifications/cancelled", {"requestId": parsed(answer.sent).get("id")})

    async def end_input(self) -> None:
        """Close its stdin, as a host does that wants it to end."""
        stdin = cast(ServerProcess, self._process).stdin
        if stdin is not None:
            with suppress(Exception):
                await stdin.aclose()

    async def gone(self, timeout: float) -> bool:
        """Wait until the process has ended; False when it has not in time."""
        deadline = time.monotonic() + timeout
        while self.returncode is None and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return self.returncode is not None

    @property
    def how_it_ended(self) -> str:
        """One clause for messages."""
        return describe_exit(self.returncode)

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is None or self._closed:
            self._process = process
            return
        self._closed = True
        if self.stubborn:
            await asyncio.to_thread(end_group, process.pid)
        await stop_process(process)
        await asyncio.to_thread(end_group, process.pid)
        release(self)
        if self._reader:
            self._reader.cancel()
        self._process = process  # `returncode` is still asked for
