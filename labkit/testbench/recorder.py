"""Stand between a client and a server on stdio: pass every line on, and keep it."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from labkit.errors import ConnectError
from labkit.session.child import end_group
from labkit.session.sdk import get_default_environment
from labkit.session.stdio import why_not_started
from labkit.session.targets import make_plan
from labkit.wire import Tape

PATIENCE = 5.0
"""Seconds that a server has to end once its stdin is closed."""


def record(
    target: str,
    lines: Iterable[bytes],
    out: IO[bytes],
    tape: Tape,
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> int:
    """Run the server until the client's lines end or it does; returns its exit code. Its stderr is ours.

    Raises ConnectError when the target is not run by a command, or cannot be started.
    """
    plan = make_plan(target, via=None if target.lower().startswith("http") else "stdio", env=env, cwd=cwd)
    if plan.params is None:
        raise ConnectError(
            f"{plan.shown} has no process to stand in front of. Connect to it, and make a cassette of the tape:"
            " lab.Cassette.from_tape(conn.tape)."
        )
    tape.title = plan.name
    params = plan.params
    try:
        server = subprocess.Popen(
            [params.command, *params.args],
            env=get_default_environment() | dict(params.env or {}),
            cwd=params.cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=os.name != "nt",  # a group, so that what it starts can be ended with it
        )
    except OSError as error:
        raise ConnectError(why_not_started(params, error)) from error
    assert server.stdin is not None and server.stdout is not None
    threading.Thread(target=_pass_to, args=(server, server.stdin, lines, tape), daemon=True).start()
    try:
        for line in server.stdout:
            tape.record("received", line.decode("utf-8", "replace").rstrip("\r\n"))
            out.write(line)
            out.flush()
        with suppress(subprocess.TimeoutExpired):
            server.wait(PATIENCE)
    finally:
        _end(server)
        server.stdout.close()
    return server.returncode


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a pipe as they come, read below its buffer.

    A thread that waits in a buffer holds its lock, and Python aborts when it ends with one of stdin held.
    """
    rest = b""
    while block := os.read(stream.fileno(), 1 << 16):
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest


def _pass_to(server: subprocess.Popen[bytes], stdin: IO[bytes], lines: Iterable[bytes], tape: Tape) -> None:
    with suppress(OSError, ValueError):  # the server has gone: its stdout says so to the other half
        for line in lines:
            tape.record("sent", line.decode("utf-8", "replace").rstrip("\r\n"))
            stdin.write(line)
            stdin.flush()
    with suppress(OSError):
        stdin.close()
    with suppress(subprocess.TimeoutExpired):
        server.wait(PATIENCE)
    _end(server)  # what it has started may hold its stdout open, for which the other half would wait


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    end_group(server.pid)
