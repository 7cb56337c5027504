"""A backend that is a process of the gateway's: one line, one message."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from contextvars import Context
from typing import Any, cast

import anyio
from mcp import StdioServerParameters

from labkit.errors import ConnectError, ConnectionClosedError, LabError, ServerDiedError
from labkit.gateway.exchange import Exchange, Json, decode, encode
from labkit.gateway.peer import PATIENCE, OnEvent, OnLost
from labkit.gateway.peer_pipe import PipePeer
from labkit.session.child import ServerLog, StderrPipe, end_group, group_alive, guard, release
from labkit.session.http import MAX_ANSWER
from labkit.session.sdk import (
    ServerProcess,
    find_executable,
    get_default_environment,
    spawn_process,
    stop_process,
)
from labkit.session.stdio import Child, why_not_started

_CLOSED = (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, ConnectionError, OSError)
CHUNK = 256 * 1024
MOST_UNREAD = 16 * 1024 * 1024
"""Bytes that may wait for a server which does not read its stdin; then requests are refused."""


class StdioPeer(PipePeer):
    """A server process. `log` has what it writes to stderr."""

    transport = "stdio"

    def __init__(
        self,
        name: str,
        params: StdioServerParameters,
        *,
        log: ServerLog | None = None,
        era: str = "auto",
        on_event: OnEvent | None = None,
        on_lost: OnLost | None = None,
        client_info: Json | None = None,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(name, era=era, on_event=on_event, on_lost=on_lost, client_info=client_info, patience=patience)
        self.params = params
        self.log = log or ServerLog()
        self.noise = 0
        """Lines on stdout that are no JSON-RPC."""
        self._last_noise = ""
        self._child = Child(self.log)
        self._out: deque[bytes] = deque()
        self._unread = 0
        self._more = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None before the start."""
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """How the process ended; None while it runs."""
        return self._child.process.returncode if self._child.process else None

    async def _start(self) -> None:
        pipe = StderrPipe(self.log)
        params = self.params
        try:
            command = await find_executable(params.command)
            process = await spawn_process(
                command=command,
                args=params.args,
                env=get_default_environment() | (params.env or {}),
                errlog=cast(Any, pipe.writer),
                cwd=params.cwd,
            )
        except BaseException as error:  # cancelled, too
            pipe.abandon()
            if isinstance(error, OSError | ValueError):
                raise ConnectError(why_not_started(params, error)) from error
            raise
        self._child.process, self._child.pipe = process, pipe
        pipe.start()
        guard(self, lambda: end_group(process.pid))
        # Tasks of their own, not among those that `close` ends first: the pipes are read until the process is gone.
        self._reader = self._loop.create_task(self._read(process), name="labkit-gateway-stdout", context=Context())
        self._writer = self._loop.create_task(self._drain(process), name="labkit-gateway-stdin", context=Context())

    def _send(self, exchange: Exchange, message: Json) -> None:
        if self._unread > MOST_UNREAD:
            raise ConnectionClosedError(
                f"{self.who} (pid {self.pid}) does not read its stdin: {self._unread:,} bytes wait for it."
            )
        super()._send(exchange, message)

    def _write(self, message: Json) -> None:
        line = encode(message) + b"\n"
        self._unread += len(line)
        self._out.append(line)
        self._more.set()

    async def _drain(self, process: ServerProcess) -> None:
        assert process.stdin is not None
        try:
            while True:
                await self._more.wait()
                self._more.clear()
                while self._out:
                    lines = b"".join(self._out)
                    self._out.clear()
                    await process.stdin.send(lines)
                    self._unread -= len(lines)
        except _CLOSED:
            # Its end is noticed by the reader, unless it goes on without its stdin: then nothing would answer.
            await asyncio.sleep(0.5)
            if self._child.ended.is_set():
                return
            self._lose(ConnectionClosedError(f"{self.who} (pid {self.pid}) closed its stdin.{self.log.last_words()}"))

    async def _read(self, process: ServerProcess) -> None:
        assert process.stdout is not None
        parts: list[bytes] = []
        size = 0
        with suppress(*_CLOSED):
            while True:
                chunk = await process.stdout.receive(CHUNK)
                first, *rest = chunk.split(b"\n")
                parts.append(first)
                size += len(first)
                if rest:
                    self._line(parts[0] if len(parts) == 1 else b"".join(parts))
                    for line in rest[:-1]:
                        self._line(line)
                    parts, size = [rest[-1]], len(rest[-1])
                elif size > MAX_ANSWER:
                    self._lose(ConnectionClosedError(f"{self.who} wrote a line of more than {MAX_ANSWER:,} bytes."))
                    return
        self._child.ended.set()
        if self._state in ("open", "opening"):
            self._lose(await self._obituary())

    def _line(self, line: bytes) -> None:
        if line.strip() and self._state in ("open", "opening") and not self._heard(decode(line)):
            self.noise += 1
            self._last_noise = line[:200].decode("utf-8", "replace")

    async def _obituary(self) -> LabError:
        waiting = len(self._exchanges)
        how = await self._child.how_it_ended()
        when = "while the gateway connected" if self._state == "opening" else f"with {waiting} requests in flight"
        noise = f" It wrote to stdout what is not JSON-RPC: {self._last_noise!r}." if self._last_noise else ""
        return ServerDiedError(f"{self.who} (pid {self.pid}) {how} {when}.{noise}{self.log.last_words()}")

    async def _stop(self) -> None:
        process = self._child.process
        if process is None:
            return
        await _end(self._writer)
        await stop_process(process)  # meanwhile stdout is read: a server that blocks on it would not see its stdin end
        if group_alive(process.pid):
            await asyncio.to_thread(end_group, process.pid)
        await _end(self._reader)
        await self._child.read_stderr()
        release(self)


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
