"""The views that a kernel with somebody to look at it shows in place of text. Imported when one is first shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labkit.clinic.stage import STAGE as CLINIC
from labkit.grading.stage import STAGE
from labkit.interview.stage import STAGE as INTERVIEW

if TYPE_CHECKING:
    from labkit.clinic.desk import Case
    from labkit.interview.session import Session


def _show(shown: Any) -> None:
    from labkit.grading.attempt import Exercise

    if isinstance(shown, Exercise):
        from labkit.ui.card import show_card

        show_card(shown)
    else:
        from labkit.ui.board import show_board

        show_board(shown)


def _show_case(case: Case) -> None:
    from labkit.ui.clinic import show_clinic

    show_clinic(case)


def _show_session(session: Session) -> None:
    from labkit.ui.interview import show_interview

    show_interview(session)


def offer_views() -> None:
    """Let exercises, the progress board, cases of the clinic and mock interviews show themselves as views."""
    STAGE.show, CLINIC.show, INTERVIEW.show = _show, _show_case, _show_session
