"""The mock interview: a clock, the item it is at, and what came of the answer.

    lab.mock_interview("server-developer", 45)             # begin
    lab.mock_interview()                                   # in a fresh kernel: go on where it was

A session is kept by `labkit.interview`; what is done to it in cells (`session.answer(...)`) shows here, too. The
browser counts the seconds down between two states, and beats every few seconds so that the time is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from labkit.errors import LabError
from labkit.grading.attempt import Exercise
from labkit.grading.report import Report
from labkit.grading.stage import STAGE as GRADING
from labkit.interview.bank import InterviewError
from labkit.interview.entries import Entry
from labkit.interview.front import headline
from labkit.interview.record import place
from labkit.interview.report import write_report
from labkit.interview.roles import load_roles
from labkit.interview.session import Session
from labkit.interview.stage import STAGE
from labkit.interview.store import Store
from labkit.ui.card import Card, in_thread
from labkit.ui.interview_items import best_report, dots, exercise_state, question_state, result_state
from labkit.ui.interview_still import as_page
from labkit.ui.panel import StatePanel
from labkit.ui.place import beside, in_browser

T = TypeVar("T")
BEAT = 5.0
"""Seconds between two times that the running time is saved."""
_VIEWS: dict[str, InterviewView] = {}
"""One view of each session, however often it is shown."""


class InterviewView(StatePanel):
    """One session. The browser is told the whole state at each step; between steps it asks for the clock."""

    parts = ("form", "prose", "card_parts", "brief", "interview_items", "interview")
    sheets = ("form", "card", "brief", "interview")

    def __init__(self, session: Session) -> None:
        roles = load_roles()
        title = roles[session.role].title if session.role in roles else session.role
        super().__init__(f"Mock interview: {title}")
        self.session = session
        self.checking = False
        self.moved = False
        """Whether the session went on elsewhere, so that what is here is old."""
        self.report: dict[str, str] = {}
        """Where the report was written."""
        self.card: Card | None = None
        """Of the current kata or tape. It is never displayed: its state is shown as a part of this one."""
        self._opened = ""
        self.said = ""
        STAGE.audience.add(self)
        GRADING.audience.add(self)
        self._open_exercise()

    # what the browser asks ---------------------------------------------------------------------

    async def answer_answer(self, text: str) -> None:
        """Answer the question; its score comes with the next state."""
        self._step(lambda: self.session.answer(text))

    async def answer_check(self) -> None:
        """Check the kata or tape in a thread. Raises LabError while a check runs."""
        if self.checking:
            raise LabError("This answer is being checked already. Wait for the report.")
        self.checking = True
        self.tell_state()
        try:
            await in_thread(lambda: self._step(self.session.check))
        finally:
            self.checking = False
            self.tell_state()

    async def answer_brief(self) -> dict[str, Any]:
        """The brief of the design case and the form for its decision, as the clinic has them."""
        from labkit.clinic.brief import load_brief
        from labkit.clinic.decision import Decision
        from labkit.ui.clinic import brief_state

        brief = load_brief(self.session.case().id)
        return {**brief_state(brief), "decision": Decision.of(brief).as_json()}

    async def answer_decide(self, answers: Mapping[str, Any]) -> None:
        """Decide the design case; what the rules say comes with the next state."""
        self._step(lambda: self.session.decide(answers))

    async def answer_hint(self) -> None:
        """The next hint to the current item."""
        told = self._step(self.session.hint)
        entry = self.session.current
        if entry is not None and entry.item.kind == "design":
            self.said = told
            self.tell_state()

    async def answer_skip(self) -> None:
        """Leave the current item without a result."""
        self._step(self.session.skip)

    async def answer_next(self) -> None:
        """Go on to the next item."""
        self._step(self.session.next)

    async def answer_pause(self) -> None:
        """Stop the clock."""
        self._step(self.session.pause)

    async def answer_resume(self) -> None:
        """Go on after a pause or a restart."""
        self._step(self.session.resume)

    async def answer_finish(self) -> None:
        """End the session here."""
        self._step(self.session.finish)

    async def answer_beat(self) -> dict[str, Any]:
        """Save the time that has run, and say what it is."""
        self._step(self.session.beat)
        return self._clock()

    async def answer_reload(self) -> None:
        """Take the session over as it was saved elsewhere."""
        self.adopt(Session.load(self.session.id, bank=self.session.bank, folder=self.session.folder))

    async def answer_report(self) -> None:
        """Write the report, as `labkit interview report` does."""
        path = write_report(self.session, place(self.session.folder) / "reports" / f"{self.session.id}.html")
        self.report = {"file": beside(path) or path.name, "open": in_browser(path)}
        self.tell_state()

    def _step(self, step: Callable[[], T]) -> T:
        self.said = ""
        try:
            return step()
        except InterviewError:
            # A session says that it went on elsewhere only when it is to be saved.
            self.moved = self.session.moved
            if self.moved:
                self.tell_state()
            raise

    # what others do ----------------------------------------------------------------------------

    def session_changed(self, session: Session) -> None:
        """Follow what is done with the same session, in this view or in a cell."""
        if session.id == self.session.id and session.folder == self.session.folder:
            if session is not self.session:
                self.session, self.moved = session, False
            self._open_exercise()
            self.tell_state()

    def changed(self, exercise: Exercise, report: Report | None) -> None:
        """Follow what is done with the exercise of the current item."""
        if self.card is not None and exercise.path == self.card.exercise.path:
            # Nobody says whether the card heard of it before.
            self.card.report = report or self.card.report
            self.tell_state()

    def adopt(self, session: Session) -> None:
        """Show another object of the same session."""
        self.session, self.moved, self.said = session, False, ""
        self._open_exercise()
        self.tell_state()

    def _open_exercise(self) -> None:
        """Put the starter of a kata or tape in place as soon as it is the current item."""
        entry = self.session.current
        wanted = entry.item.id if entry is not None and entry.item.kind in ("kata", "tape") else ""
        if wanted == self._opened:
            return
        self._opened = wanted  # first: opening tells, and so comes back here
        if self.card is not None:
            self.card.close()
            self.card = None
        if wanted:
            try:
                self.card = Card(self.session.exercise())
                self.card.report = best_report(entry) if entry is not None else None
            except LabError as error:
                self.said = str(error)

    # what there is to see ----------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that the view shows, as JSON-ready data."""
        session, entry = self.session, self.session.current
        number = min(session.at + 1, len(session.entries))
        return {
            "id": session.id,
            "state": session.state,
            "moved": self.moved,
            "beat": BEAT,
            "checking": self.checking,
            "said": self.said,
            "place": f"Item {number} of {len(session.entries)}" if entry else f"{len(session.entries)} items",
            "dots": dots(session),
            "clock": self._clock(),
            "item": self._item(entry) if entry is not None else None,
            "last": entry is not None and number == len(session.entries),
            "result": result_state(session) if session.state == "finished" else None,
            "report": self.report,
        }

    def _clock(self) -> dict[str, Any]:
        session, entry = self.session, self.session.current
        return {
            "running": session.running and not self.moved,
            "left": session.left,
            "spent": entry.seconds if entry is not None else 0.0,
            "planned": entry.item.minutes * 60 if entry is not None else 0,
        }

    def _item(self, entry: Entry) -> dict[str, Any]:
        session, item = self.session, entry.item
        # What is asked is covered during a pause: the clock stands.
        covered = session.state == "paused" and entry.status == "open"
        told: dict[str, Any] = {
            "key": f"{session.id}-{session.at}",
            "kind": item.kind,
            "topic": item.topic,
            "minutes": item.minutes,
            "status": entry.status,
            "covered": covered,
            "title": "" if covered else item.title,
            "result": "" if entry.fraction is None else f"{entry.fraction:.0%}",
            "lines": list(entry.said),
        }
        if covered:
            return told
        if item.kind == "question" and (question := session.bank.get(item.id)) is not None:
            return told | question_state(question, entry)
        if self.card is None:
            return told
        headline = {} if self.card.report else {"headline": "Not checked yet"}  # whatever was done with it before
        return told | exercise_state(self.card.state()) | headline

    def close(self) -> None:
        """Let go of the browser's half, and listen no more."""
        STAGE.audience.discard(self)
        GRADING.audience.discard(self)
        if self.card is not None:
            self.card.close()
        super().close()

    def still(self) -> str:
        return as_page(headline(self.session), self.state())

    def text(self) -> str:
        return repr(self.session)


def show_interview(session: Session) -> None:
    """Show the view of a session; a session has one view, however many cells show it."""
    key = str(Store(session.folder).path(session.id))
    view = _VIEWS.get(key)
    if view is None or view.stranded:
        view = _VIEWS[key] = InterviewView(session)
    elif view.session is not session:
        view.adopt(session)
    view._ipython_display_()  # pyright: ignore[reportPrivateUsage]
