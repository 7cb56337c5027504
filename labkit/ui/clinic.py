"""The architecture clinic as a form: the brief, beside it the decision, below what the rules and the miniature say.

    lab.design_case("harbour_parcels")

Check holds the decision against the rules; Run runs it for some seconds, with a process killed half way. What is done
to the same case in cells (`case.decide`, `case.review`, `case.run`) shows here, too.
"""

from __future__ import annotations

import base64
import html
import io
from typing import Any

from labkit.clinic.brief import Brief
from labkit.clinic.decision import form_schema
from labkit.clinic.desk import Case
from labkit.clinic.outcome import Outcome
from labkit.clinic.rules import CRITERIA
from labkit.clinic.stage import STAGE
from labkit.errors import LabError
from labkit.ui.panel import StatePanel

_VIEWS: dict[str, ClinicView] = {}
"""One view of each brief, however often it is shown."""


def brief_state(brief: Brief) -> dict[str, Any]:
    """A brief and the form for its decision, as JSON-ready data; neither changes."""
    return {
        "title": brief.title,
        "company": brief.company,
        "asks": brief.asks,
        "facts": [list(each) for each in brief.facts().items()],
        "families": brief.rows(),
        "schema": form_schema(brief),
    }


class ClinicView(StatePanel):
    """One case. The browser is told the whole state whenever it changes."""

    parts = ("form", "brief", "clinic")
    sheets = ("form", "brief", "clinic")

    def __init__(self, case: Case) -> None:
        super().__init__(f"Architecture clinic: {case.brief.title}")
        self.case = case
        self.running = False
        self.said = ""
        self._pictured: Outcome | None = None
        self._png = ""
        STAGE.audience.add(self)

    # what the browser asks ---------------------------------------------------------------------

    async def answer_brief(self) -> dict[str, Any]:
        """The brief, and the form for its decision; neither changes."""
        return brief_state(self.case.brief)

    async def answer_check(self, answers: dict[str, Any]) -> None:
        """Take the answers over and review them. Raises ClinicError with all that is wrong with them."""
        self._take(answers)
        self.case.review()

    async def answer_run(self, answers: dict[str, Any]) -> None:
        """Take the answers over, review them and run them in miniature. Raises LabError while one runs."""
        if self.running:
            raise LabError("A miniature is running already. Wait for its outcome.")
        self._take(answers)
        self.running, self.said = True, ""
        self.case.review()
        try:
            await self.case.run()
        finally:
            self.running = False
            self.tell_state()

    async def answer_guide(self) -> None:
        """Say what the guide says, and which trap the brief has."""
        self.said = f"{self.case.guide()!r}\n\nThe trap: {self.case.trap()}"
        self.tell_state()

    def _take(self, answers: dict[str, Any]) -> None:
        decided = self.case.decision
        self.case.decide(answers)
        if self.case.decision != decided:
            self.said = ""

    # what others do ----------------------------------------------------------------------------

    def changed(self, case: Case) -> None:
        """Follow what is done with the same case."""
        if case is self.case:
            self.tell_state()

    # what there is to see ----------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that changes, as JSON-ready data."""
        reviewed, outcome = self.case.reviewed, self.case.outcome
        return {
            "decision": self.case.decision.as_json(),
            "running": self.running,
            "said": self.said,
            "headline": reviewed.headline if reviewed else "Not checked yet",
            "rubric": reviewed.rubric() if reviewed else [],
            "findings": reviewed.rows() if reviewed else [],
            "most": sum(points for points, _ in CRITERIA.values()),
            "total": reviewed.total if reviewed else None,
            "summary": outcome.summary if outcome else "",
            "measured": outcome.rows() if outcome else [],
            "consequences": [[each.good, each.text] for each in outcome.consequences] if outcome else [],
            "picture": self._picture(),
        }

    def _picture(self) -> str:
        """The plot of the outcome as a data URL; drawn once for each outcome."""
        outcome = self.case.outcome
        if outcome is None:
            return ""
        if self._pictured is not outcome:
            buffer = io.BytesIO()
            figure: Any = outcome.plot()  # its stubs are not complete
            figure.savefig(buffer, format="png", dpi=110)
            self._png = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
            self._pictured = outcome
        return self._png

    def close(self) -> None:
        """Let go of the browser's half, and listen no more."""
        STAGE.audience.discard(self)
        super().close()

    def still(self) -> str:
        picture = self._picture()
        shown = f"<img alt='lost calls over time, and p95 against promises' src='{picture}'>" if picture else ""
        said = f"<pre>{html.escape(self.said)}</pre>" if self.said else ""
        return self.case.as_html() + shown + said

    def text(self) -> str:
        return repr(self.case)


def show_clinic(case: Case) -> None:
    """Show the view of a case; a brief has one view, however many cells show it."""
    view = _VIEWS.get(case.brief.id)
    if view is None or view.stranded or view.case is not case:
        view = _VIEWS[case.brief.id] = ClinicView(case)
    view._ipython_display_()  # pyright: ignore[reportPrivateUsage]
