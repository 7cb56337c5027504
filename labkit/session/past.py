"""What ended lately in this process, and how to begin it again. Bounded, and without the tapes of what is gone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.session.handlers import Handlers
    from labkit.session.serving import RunningServer
    from labkit.session.targets import Plan

KEPT = 20


@dataclass(frozen=True)
class Recipe:
    """What it takes to open a connection like one that there was."""

    plan: Plan
    handlers: Handlers
    options: dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """One connection that is over. Times are seconds since the epoch."""

    number: int
    name: str
    transport: str
    era: str
    pid: int | None
    url: str
    began: float
    ended: float
    calls: int
    errors: int
    died: str
    """The obituary; empty when it was closed."""
    stderr: str
    recipe: Recipe | None
    """None for an object of this kernel: keeping that alive would be a leak, and there is no process to restart."""


ENDED: deque[Ended] = deque(maxlen=KEPT)
"""The last connections that ended, oldest first."""

SERVED: list[RunningServer] = []
"""What `serve` started: all that run, and the last that do not."""


def remember(running: RunningServer) -> None:
    """List a server that `serve` started; the oldest of more than twenty stopped ones is forgotten."""
    SERVED.append(running)
    over = [each for each in SERVED if each.state != "running"][:-KEPT]
    SERVED[:] = [each for each in SERVED if each not in over]
