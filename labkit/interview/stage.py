"""Where a front end comes in: it may show sessions as live views, and hears of what changes in them.

The room knows no front end. `labkit.magics` puts one here when a kernel has somebody to look at it.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from labkit.interview.session import Session


class Listener(Protocol):
    """A view that shows a session."""

    def session_changed(self, session: Session) -> None:
        """A step was made and saved: an answer, a check, a pause, the next item. Called on the thread that did it."""
        ...


@dataclass
class Stage:
    """What a front end adds."""

    show: Callable[[Any], None] | None = None
    """Draws a `Session`; without it a session shows itself as text."""
    audience: weakref.WeakSet[Listener] = field(default_factory=weakref.WeakSet["Listener"])

    def changed(self, session: Session) -> None:
        """Tell the audience."""
        for listener in list(self.audience):
            try:
                listener.session_changed(session)
            except Exception:  # a broken view must not break a session
                logging.getLogger("labkit").exception("a view of an interview failed")


STAGE = Stage()
