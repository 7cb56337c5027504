"""Where a front end comes in: it may show a `Case` as a live form, and hears of what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from labkit.stage import Stage

if TYPE_CHECKING:
    from labkit.clinic.desk import Case


class Listener(Protocol):
    """A view that shows a case."""

    def changed(self, case: Case) -> None:
        """The case was decided, reviewed or run. Called on the thread that did it."""
        ...


def _tell(listener: Listener, case: Case) -> None:
    listener.changed(case)


STAGE = Stage("the clinic", _tell)
