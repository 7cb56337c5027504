"""Log lines that a program can read, with the id of the call they belong to, and never on stdout, which is the wire.

    server = MCPServer("mine", middleware=[Logs()])               # one line of JSON for each call, on stderr
    server = MCPServer("mine", middleware=[Logs("server.log")])   # in a file that is rotated

    log = open_log()                                              # for the server's own lines
    log.info("menu loaded", dishes=12)

structlog does the work. Each line has time, level and event; inside of a call also its correlation id, in tools that
run in threads too. Secrets are masked as in the audit. `adopt` brings the lines of `logging` along.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Protocol, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from labkit.patterns import correlation
from labkit.patterns.calls import META_REASON, Call, CallMiddleware, Proceed, Result, outcome_of
from labkit.patterns.masking import HIDDEN, mask_text, masked, sounds_secret
from labkit.patterns.records import encoded, timestamp

LEVELS = {
    "ok": "info",
    "asked": "info",
    "cancelled": "info",
    "refused": "warning",
    "error": "warning",
    "failed": "error",
}
_OURS = frozenset(("tool", "outcome", "ms", "who", "client", "request", "reason"))
"""Members of the line for a call: names, not texts, and cut already."""
_TEXT = 2000
"""Characters of a value that are written."""
CALL = "tool call"
"""The event of the line for a call."""


class Sink(Protocol):
    """Where lines go."""

    def write(self, line: bytes) -> None:
        """One whole line. Never raises: a log that cannot be written must not stop what it tells about."""
        ...


class StreamSink:
    """Lines to a text stream; to whatever `sys.stderr` is at the time when none is given."""

    def __init__(self, stream: TextIO | None = None) -> None:
        if stream is not None and _is_stdout(stream):
            raise ValueError("A log does not go to stdout: on stdio that is the wire. Use stderr, or a file.")
        self._stream = stream
        self.lost = 0

    def write(self, line: bytes) -> None:
        stream = self._stream or sys.stderr
        try:
            stream.write(line.decode())
            stream.flush()
        except (OSError, ValueError):
            self.lost += 1


class FileSink:
    """Lines to a file; at `max_bytes` it becomes NAME.1, that NAME.2, and so on up to `keep`."""

    def __init__(self, path: str | Path, *, max_bytes: int = 10_000_000, keep: int = 5) -> None:
        self.path = Path(path)
        self._max_bytes, self._keep = max_bytes, keep
        self._lock = threading.Lock()
        self._fd = -1
        self._size = 0
        self.lost = 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def write(self, line: bytes) -> None:
        with self._lock:
            try:
                if self._fd < 0:
                    self._open()
                if self._size and self._size + len(line) > self._max_bytes:
                    self._rotate()
                self._size += os.write(self._fd, line)
            except OSError:
                self.lost += 1

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        with self._lock:
            self._drop()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._fd = os.open(self.path, flags, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        self._drop()  # Windows renames no open file
        names = [self.path, *(self.path.with_name(f"{self.path.name}.{n}") for n in range(1, self._keep + 1))]
        for newer, older in reversed(list(pairwise(names))):
            if newer.exists():
                newer.replace(older)
        self._open()

    def _drop(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Levels:
    """A sink as structlog sees it: a method for each level."""

    __slots__ = ("critical", "debug", "error", "info", "warning")

    def __init__(self, sink: Sink) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = sink.write


def open_log(to: str | Path | TextIO | Sink | None = None, *, level: str = "info") -> FilteringBoundLogger:
    """A structlog logger that writes JSON lines: to stderr, a file, a stream that is not stdout, a sink of your own.

    It stands alone: the global settings of structlog stay as they are. ValueError for stdout.
    """
    return structlog.wrap_logger(
        _Levels(_sink(to)),
        processors=[structlog.processors.add_log_level, structlog.processors.format_exc_info, _clean, _rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


class Logs(CallMiddleware):
    """One line for each call, when it ends: tool, outcome, milliseconds, who, and the correlation id; no arguments.

    `to` as in `open_log`, or a logger of it.
    """

    def __init__(self, to: str | Path | TextIO | Sink | FilteringBoundLogger | None = None) -> None:
        if hasattr(to, "bind"):
            self.log, self._sink = cast(FilteringBoundLogger, to), None
        else:
            self._sink = _sink(cast("Sink | None", to))
            self.log = open_log(self._sink)

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Let the call pass under its id, and write its line."""
        token = correlation.begin(call)
        began = time.perf_counter()
        try:
            result = await proceed()
        except BaseException as error:
            self._line(call, began, error)
            raise
        else:
            self._line(call, began, result)
            return result
        finally:
            correlation.end(token)

    def _line(self, call: Call, began: float, ended: Result | BaseException) -> None:
        outcome = outcome_of(ended)
        about: EventDict = {
            "tool": call.tool[:100],
            "outcome": outcome,
            "ms": round((time.perf_counter() - began) * 1000, 3),
            "who": call.principal,
            "client": call.client[:100],
            "request": call.ctx.request_id,
        }
        if isinstance(ended, BaseException):
            about["error"] = type(ended).__name__
        elif outcome == "refused":
            about["reason"] = ended["_meta"][META_REASON]
        level = LEVELS[outcome]
        if self._sink is None:
            getattr(self.log, level)(CALL, **about)
        else:
            # The way through structlog takes three times as long, and changes nothing of a line like this one.
            self._sink.write(encoded({**_begun(level, CALL), **about}) + b"\n")


def adopt(log: FilteringBoundLogger, *, root: logging.Logger | None = None, level: str = "INFO") -> logging.Handler:
    """Write what `logging` gets as lines of this log, instead of what its handlers did. Before the first MCPServer.

    Returns the handler, for `removeHandler`.
    """
    root = root or logging.getLogger()
    handler = _Bridge(log)
    root.handlers[:] = [handler]
    root.setLevel(level)
    return handler


class _Bridge(logging.Handler):
    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            more = {"exc_info": record.exc_info} if record.exc_info else {}
            self._log.log(min(50, record.levelno // 10 * 10) or 10, record.getMessage(), logger=record.name, **more)
        except Exception:
            self.handleError(record)


def _sink(to: str | Path | TextIO | Sink | None) -> Sink:
    if isinstance(to, str | Path):
        return FileSink(to)
    if to is None or isinstance(to, io.TextIOBase):
        return StreamSink(cast("TextIO | None", to))
    return cast(Sink, to)


def _begun(level: str, event: str) -> EventDict:
    line: EventDict = {"time": timestamp(), "level": level, "event": event}
    if known := correlation.current():
        line["correlation"] = known
    return line


def _clean(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The line in the order it is read in, with the correlation id, without secrets, bounded."""
    line = _begun(event["level"], mask_text(str(event["event"]), _TEXT))
    for name, value in event.items():
        if name in line:
            continue
        if name in _OURS:
            line[name] = value
        elif type(value) is str:
            line[name] = HIDDEN if sounds_secret(name) else mask_text(value, _TEXT)
        elif type(value) is float or type(value) is int:
            line[name] = HIDDEN if sounds_secret(name) else value
        else:
            line |= masked({name: value}, _TEXT)
    return line


def _rendered(logger: WrappedLogger, method: str, event: EventDict) -> bytes:
    return encoded(event) + b"\n"


def _is_stdout(stream: TextIO) -> bool:
    if stream in (sys.stdout, sys.__stdout__) and stream is not sys.stderr:
        return True
    try:
        return stream.fileno() == 1
    except (OSError, ValueError, AttributeError):
        return False
