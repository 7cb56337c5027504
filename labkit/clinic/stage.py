"""Where a front end comes in: it may show a case as a live form, and hears of what changes.

The clinic knows no front end. One sets `STAGE.show` when a kernel has somebody to look at it.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from labkit.clinic.desk import Case


class Listener(Protocol):
    """A view that shows a case."""

    def changed(self, case: Case) -> None:
        """The case was decided, reviewed or run. Called on the thread that did it."""
        ...


@dataclass
class Stage:
    """What a front end adds."""

    show: Callable[[Case], None] | None = None
    """Draws a case; without it a case shows itself as text."""
    audience: weakref.WeakSet[Listener] = field(default_factory=weakref.WeakSet["Listener"])

    def changed(self, case: Case) -> None:
        """Tell the audience."""
        for listener in list(self.audience):
            try:
                listener.changed(case)
            except Exception:  # a broken view must not break a review
                logging.getLogger("labkit").exception("a view of the clinic failed")


STAGE = Stage()
