"""Where a front end comes in: it may show exercises and the board as live views, and hears of what changes.

The grader knows no front end. `labkit.magics` puts one here when a kernel has somebody to look at it.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from labkit.grading.attempt import Exercise
    from labkit.grading.report import Report


class Listener(Protocol):
    """A view that shows what a learner does."""

    def changed(self, exercise: Exercise, report: Report | None) -> None:
        """An exercise was checked (with its report), or a hint, the solution, a reset or an answer was recorded.

        Called on the thread that did it.
        """
        ...


@dataclass
class Stage:
    """What a front end adds."""

    show: Callable[[Any], None] | None = None
    """Draws an `Exercise` or a `Board`; without it they show themselves as text."""
    audience: weakref.WeakSet[Listener] = field(default_factory=weakref.WeakSet["Listener"])

    def changed(self, exercise: Exercise, report: Report | None = None) -> None:
        """Tell the audience."""
        for listener in list(self.audience):
            try:
                listener.changed(exercise, report)
            except Exception:  # a broken view must not break a check
                logging.getLogger("labkit").exception("a view of exercises failed")


STAGE = Stage()
