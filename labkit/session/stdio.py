"""The lab's stdio transport: the SDK's process handling, with every line on the tape as it was sent.

The SDK's own transport hands each message through two queues and parses before anyone may look.
This one writes and reads the pipes where the dispatcher asks, so the tape holds the exact bytes,
lines that are not JSON-RPC too, and a call costs less.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, cast

import anyio
import mcp_types as types
from mcp import StdioServerParameters

from labkit.errors import ConnectError
from labkit.session.child import ServerLog, StderrPipe, describe_exit, end_group, group_alive, guard, release
from labkit.session.http import MAX_ANSWER
from labkit.session.sdk import (
    ServerProcess,
    SessionMessage,
    TransportStreams,
    find_executable,
    get_default_environment,
    spawn_process,
    stop_process,
)
from labkit.wire import Tape, mask_words

_CLOSED = (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, ConnectionError, OSError)


class Child:
    """The server process of one connection. `ended` is set when its stdout closes."""

    def __init__(self, log: ServerLog) -> None:
        self.log = log
        self.ended = anyio.Event()
        self.process: ServerProcess | None = None
        self.pipe: StderrPipe | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None before the start."""
        return self.process.pid if self.process else None

    async def how_it_ended(self) -> str:
        """One clause, once the process has been given a moment to be reaped and its stderr read."""
        process = self.process
        if process is None:
            return "never started"
        with anyio.move_on_after(1.0):
            while process.returncode is None:
                await anyio.sleep(0.01)  # polling: anyio's wait() also waits for pipes that a grandchild may hold
        if process.returncode is not None:
            await self.read_stderr()
        return describe_exit(process.returncode)

    async def read_stderr(self) -> None:
        """Wait a moment until the log holds all that the process wrote."""
        with anyio.move_on_after(0.5):
            while self.pipe is not None and not self.pipe.drained:
                await anyio.sleep(0.005)


class _Reader:
    """The read stream: lines of the server's stdout as messages."""

    def __init__(self, child: Child, tape: Tape) -> None:
        self._child, self._tape = child, tape
        self._process = cast(ServerProcess, child.process)
        self._buffer = bytearray()
        self._scanned = 0
        self._closed = False

    async def receive(self) -> SessionMessage | Exception:
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            raise anyio.EndOfStream from None

    def __aiter__(self) -> _Reader:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        stdout = self._process.stdout
        assert stdout is not None
        while True:
            line = self._take_line()
            if line is not None:
                if item := self._parse(line):
                    return item
                continue
            if self._closed:
                raise StopAsyncIteration
            try:
                self._buffer += await stdout.receive()
                if len(self._buffer) > MAX_ANSWER and b"\n" not in self._buffer[self._scanned :]:
                    self._give_up()
            except _CLOSED:
                if self._buffer.strip():
                    text = bytes(self._buffer).decode("utf-8", "replace")
                    self._tape.record("received", text, note="the server's last words had no line end")
                    self._buffer.clear()
                self._child.ended.set()
                raise StopAsyncIteration from None

    def _give_up(self) -> None:
        text = bytes(self._buffer[:1000]).decode("utf-8", "replace")
        self._tape.record("received", text, note=f"the start of a line of more than {MAX_ANSWER:,} bytes")
        self._buffer.clear()
        raise anyio.EndOfStream

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._scanned = 0
        return line

    def _parse(self, line: bytes) -> SessionMessage | Exception | None:
        line = line.rstrip(b"\r")
        if not line.strip():
            return None
        try:
            message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError as error:
            text = line.decode("utf-8", "replace")
            self._tape.record("received", text, note="the server wrote something that is not JSON-RPC to stdout")
            return error
        self._tape.record("received", line.decode("utf-8", "surrogateescape"))
        return SessionMessage(message)

    async def aclose(self) -> None:
        self._closed = True

    async def __aenter__(self) -> _Reader:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


class _Writer:
    """The write stream: one message, one line on the server's stdin."""

    def __init__(self, child: Child, tape: Tape) -> None:
        self._tape = tape
        self._process = cast(ServerProcess, child.process)
        self._closed = False

    async def send(self, item: SessionMessage, /) -> None:
        if self._closed:
            raise anyio.ClosedResourceError
        text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        stdin = self._process.stdin
        assert stdin is not None
        self._tape.record("sent", text)
        try:
            await stdin.send(text.encode() + b"\n")
        except OSError as error:
            raise anyio.BrokenResourceError from error

    async def aclose(self) -> None:
        self._closed = True

    async def __aenter__(self) -> _Writer:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


@asynccontextmanager
async def stdio_transport(params: StdioServerParameters, tape: Tape, child: Child) -> AsyncGenerator[TransportStreams]:
    """Start the server and talk to it over its stdin and stdout; on leaving, end it and all it started.

    Raises ConnectError when the command cannot be started.
    """
    pipe = StderrPipe(child.log)
    try:
        command = await find_executable(params.command)
        child.process = await spawn_process(
            command=command,
            args=params.args,
            env=get_default_environment() | (params.env or {}),
            errlog=cast(Any, pipe.writer),
            cwd=params.cwd,
        )
    except BaseException as error:  # cancelled, too
        pipe.abandon()
        if isinstance(error, (OSError, ValueError)):
            raise ConnectError(why_not_started(params, error)) from error
        raise
    process = child.process
    child.pipe = pipe
    pipe.start()
    guard(child, lambda: end_group(process.pid))
    try:
        yield _Reader(child, tape), _Writer(child, tape)
    finally:
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as group:
                group.start_soon(_drain, process)
                await stop_process(process)
                group.cancel_scope.cancel()
            if group_alive(process.pid):
                await anyio.to_thread.run_sync(end_group, process.pid)
            await child.read_stderr()
            release(child)


async def _drain(process: ServerProcess) -> None:
    # A server blocked on a full stdout would never see that its stdin has closed.
    with suppress(*_CLOSED):
        while process.stdout is not None:
            await process.stdout.receive()


def why_not_started(params: StdioServerParameters, error: OSError | ValueError) -> str:
    """The sentence for a command that cannot be started."""
    shown = " ".join([params.command, *mask_words(params.args)])
    if isinstance(error, FileNotFoundError) and params.cwd and error.filename == str(params.cwd):
        return f"Cannot start {shown!r}: the folder {params.cwd} does not exist. Correct cwd=."
    if isinstance(error, FileNotFoundError):
        return (
            f"Cannot start {shown!r}: there is no program {params.command!r} on the PATH."
            " Install it, or give its full path."
        )
    if isinstance(error, PermissionError):
        return f"Cannot start {shown!r}: {params.command!r} may not be executed. Check its permissions."
    return f"Cannot start {shown!r}: {error}."
