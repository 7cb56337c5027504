"""Where a front end comes in: it may show things as live views, and hears of what changes in them.

The rooms that have one (grading, clinic, interview) know no front end. `labkit.magics` puts one there when a kernel has
somebody to look at it.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

Listener = TypeVar("Listener")
News = ParamSpec("News")


class Stage(Generic[Listener, News]):
    """What a front end adds to a room. `what` is what its views show; `tell` gives one listener the news."""

    def __init__(self, what: str, tell: Callable[Concatenate[Listener, News], None]) -> None:
        self.show: Callable[[Any], None] | None = None
        """Draws a thing of the room; without it things show themselves as text."""
        self.audience: weakref.WeakSet[Listener] = weakref.WeakSet()
        self._what, self._tell = what, tell

    def changed(self, *news: News.args, **more: News.kwargs) -> None:
        """Tell the audience, on this thread."""
        for listener in list(self.audience):
            try:
                self._tell(listener, *news, **more)
            except Exception:  # a broken view must not break what it shows
                logging.getLogger("labkit").exception("a view of %s failed", self._what)
