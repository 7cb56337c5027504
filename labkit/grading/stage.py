"""Where a front end comes in: it may show an `Exercise` or a `Board` as a live view, and hears of what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from labkit.stage import Stage

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


def _tell(listener: Listener, exercise: Exercise, report: Report | None = None) -> None:
    listener.changed(exercise, report)


STAGE = Stage("exercises", _tell)
