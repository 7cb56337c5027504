"""Where a front end comes in: it may show a `Session` as a live view, and hears of what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from labkit.stage import Stage

if TYPE_CHECKING:
    from labkit.interview.session import Session


class Listener(Protocol):
    """A view that shows a session."""

    def session_changed(self, session: Session) -> None:
        """A step was made and saved: an answer, a check, a pause, the next item. Called on the thread that did it."""
        ...


def _tell(listener: Listener, session: Session) -> None:
    listener.session_changed(session)


STAGE = Stage("an interview", _tell)
