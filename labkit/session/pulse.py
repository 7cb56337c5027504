"""Small matters of life in a kernel: interrupts that wake the loop, logs that find their connection."""

from __future__ import annotations

import asyncio
import logging
import weakref
from contextvars import ContextVar
from types import TracebackType

from labkit.session.child import ServerLog

BEAT = 0.1

current_log: ContextVar[ServerLog | None] = ContextVar("labkit_log", default=None)
"""Where log records of an in-memory server go: set around calls and in the owner task of a connection."""


class Pulse:
    """Wakes an event loop ten times a second while calls are in flight.

    A SIGINT makes ipykernel cancel the cell's task, but does not wake a loop parked in `select`: the
    cell would stay stuck until something else happens. With a pulse an interrupt takes at most 0.1 s.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls = 0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        self._calls += 1
        if self._timer is None:
            self._timer = self._loop.call_later(BEAT, self._beat)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calls -= 1

    def _beat(self) -> None:
        self._timer = self._loop.call_later(BEAT, self._beat) if self._calls else None


_PULSES: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Pulse] = weakref.WeakKeyDictionary()


def pulse_of(loop: asyncio.AbstractEventLoop) -> Pulse:
    """The one pulse of a loop."""
    if loop not in _PULSES:
        _PULSES[loop] = Pulse(loop)
    return _PULSES[loop]


class _Router(logging.Handler):
    """Records of the SDK: to the connection concerned if there is one, else on to the root logger's handlers."""

    def emit(self, record: logging.LogRecord) -> None:
        log = current_log.get()
        if log is None:
            logging.getLogger().callHandlers(record)
            return
        try:
            for line in self.format(record).splitlines():
                log.add(line)
        except Exception:
            self.handleError(record)


def quiet_loggers() -> None:
    """Keep the SDK's and the HTTP client's log records out of the learner's cells. Idempotent."""
    for name in ("mcp", "client"):
        logger = logging.getLogger(name)
        if not any(isinstance(h, _Router) for h in logger.handlers):
            router = _Router()
            router.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
            logger.addHandler(router)
            logger.propagate = False
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
