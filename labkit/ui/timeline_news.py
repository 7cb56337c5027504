"""News of a tape: told once, after the first new frame, and not again before somebody listens anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from labkit.wire import Frame, Tape

BEAT = 0.1
"""Seconds between two pieces of news, at least."""


class News:
    """Calls `tell` on `loop` after a frame came, at most once per `listen()` and per BEAT.

    What a recording pays is a look at a flag; a view that asks for nothing more costs nothing more. Call `listen`
    and `stop` on `loop`.
    """

    def __init__(self, tape: Tape, loop: asyncio.AbstractEventLoop, tell: Callable[[], object]) -> None:
        self._tape, self._loop, self._tell = tape, loop, tell
        self._armed = self._attached = False
        self._told_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def listen(self) -> None:
        """Tell of the next frame."""
        self._armed = True
        if not self._attached:
            self._attached = True
            self._tape.listeners.append(self._heard)

    def stop(self) -> None:
        """Leave the tape alone."""
        self._armed = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._detach()

    def _detach(self) -> None:
        if self._attached:
            self._attached = False
            with suppress(ValueError):
                self._tape.listeners.remove(self._heard)

    def _heard(self, _: Frame) -> None:
        # On whichever thread records; two may pass the flag at once.
        if self._armed:
            self._armed = False
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._soon)

    def _soon(self) -> None:
        if not self._attached:  # stopped in between, or the second of two threads
            return
        self._detach()
        if self._timer is None:
            self._timer = self._loop.call_later(max(0.0, self._told_at + BEAT - time.monotonic()), self._now)

    def _now(self) -> None:
        self._timer, self._told_at = None, time.monotonic()
        self._tell()
