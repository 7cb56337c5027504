"""A case: one brief, the decision as it stands, and what was found about it.

case = design_case("harbour_parcels")
case.decide(packaging="hybrid", parts=[["tracking"], ["rates", "claims"]])
case.review(); await case.run()
"""

from __future__ import annotations

import html
import sys
from collections.abc import Mapping
from typing import Any, overload

from labkit.clinic.brief import Brief, html_table, load_brief, load_briefs
from labkit.clinic.decision import Decision
from labkit.clinic.facts import Facts
from labkit.clinic.guidance import Recommendation, guide
from labkit.clinic.measuring import miniature
from labkit.clinic.outcome import Outcome
from labkit.clinic.propose import proposal
from labkit.clinic.reviewing import Review, review
from labkit.clinic.stage import STAGE


class Case:
    """See the module. `reviewed` and `outcome` are those of the decision as it stands, None before."""

    def __init__(self, brief: Brief, decision: Decision | None = None) -> None:
        self.brief = brief
        self.decision = decision or Decision.of(brief)
        """What was decided; at first everything in one process, and nothing thought of."""
        self.reviewed: Review | None = None
        self.outcome: Outcome | None = None

    def decide(self, answers: Mapping[str, Any] | None = None, /, **more: Any) -> Decision:
        """Change answers of the form; the others stay. Raises ClinicError with all that is wrong with them."""
        decision = self.decision.but(self.brief, **{**(answers or {}), **more})
        if decision != self.decision:
            self.decision, self.reviewed, self.outcome = decision, None, None
            STAGE.changed(self)
        return decision

    def review(self) -> Review:
        """Hold the decision against the brief by all rules."""
        self.reviewed = review(self.brief, self.decision)
        STAGE.changed(self)
        return self.reviewed

    async def run(self, *, fast: bool = False) -> Outcome:
        """Run the decision in miniature: about ten seconds, four when `fast`. Raises LabError."""
        decision = self.decision
        outcome = await miniature(self.brief, decision, fast=fast)
        if decision == self.decision:  # it may have been changed meanwhile
            self.outcome = outcome
            STAGE.changed(self)
        return outcome

    def guide(self) -> Recommendation:
        """What the decision guide says of the facts of the brief."""
        return guide(Facts.of(self.brief))

    def proposal(self) -> Decision:
        """What the clinic would decide. Try yourself first."""
        return proposal(self.brief)

    def trap(self) -> str:
        """What the brief tempts to, and why that is wrong. Try yourself first."""
        return f"{self.brief.tempts} {self.brief.trap}"

    def __repr__(self) -> str:
        return f"{self.brief!r}\n\n{self.decision!r}" + (f"\n\n{self.reviewed!r}" if self.reviewed else "")

    def _ipython_display_(self) -> None:
        if STAGE.show is None:
            raise NotImplementedError  # IPython then shows the page below
        STAGE.show(self)

    def _repr_html_(self) -> str:
        return self.as_html()

    def as_html(self) -> str:
        """Brief, decision, and what was found."""
        found = "".join(each.as_html() for each in (self.reviewed, self.outcome) if each is not None)
        how = html.escape('case.decide(packaging="...", parts=[[...], [...]], ...); case.review(); await case.run()')
        decided = f"<h4>The decision as it stands</h4>{html_table(self.decision.rows())}<p><code>{how}</code></p>"
        return f"{self.brief.as_html()}{decided}{found}"


_CASES: dict[str, Case] = {}


class Cases(dict[str, Brief]):
    """The briefs by id; a table."""

    def rows(self) -> list[dict[str, Any]]:
        """The briefs as rows."""
        return [
            {
                "brief": id,
                "title": brief.title,
                "tools": brief.tools,
                "domains": len(brief.families),
                "people": brief.people,
                "teams": brief.teams,
                "calls/s": sum(family.peak for family in brief.families.values()),
                "asks": brief.asks,
            }
            for id, brief in self.items()
        ]

    def __repr__(self) -> str:
        return "\n".join(f"{id:<20} {brief.title}" for id, brief in self.items())

    def _repr_html_(self) -> str:
        return html_table(self.rows())


@overload
def design_case() -> Cases: ...
@overload
def design_case(id: str) -> Case: ...
def design_case(id: str | None = None) -> Case | Cases:
    """The case of a brief, with the decision as it was left; without an id a table of the briefs.

    Raises ClinicError for a brief that does not exist.
    """
    if "IPython" in sys.modules:  # as whoever takes a name from the face gets: without it a case shows no form
        from labkit.magics import prepare

        prepare()
    if id is None:
        return Cases(load_briefs())
    if id not in _CASES:
        _CASES[id] = Case(load_brief(id))
    return _CASES[id]
