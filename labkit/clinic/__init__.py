"""The architecture clinic: decide how to build a company's MCP servers, and see what comes of it.

    case = design_case("harbour_parcels")             # a brief, and a form for the decision
    case.decide(packaging="hybrid", parts=[["tracking"], ["rates", "claims"]], sessions="sticky")
    case.review()                                     # findings by explicit rules, and a rubric
    await case.run()                                  # the decision run in miniature: what is lost, late, forgotten

`brief` reads interview/briefs, `facts` draws from it what decisions are made by, `decision` is the form, `guidance`
the decision guide as one function, `propose` a whole decision made by it; `rules` (`rules_packaging`, `rules_running`,
`rules_trust`) and `reviewing` judge; `measuring` runs a miniature (`plan`: what is run, `part`: a server of it,
`running` and `desktop`: the packaging, `calls`: the clients, `outcome`: what was measured, `consequences`: what that
means). `desk` holds it together, `stage` is where a front end comes in.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.clinic.brief import Brief as Brief
    from labkit.clinic.brief import ClinicError as ClinicError
    from labkit.clinic.brief import load_brief as load_brief
    from labkit.clinic.brief import load_briefs as load_briefs
    from labkit.clinic.decision import Decision as Decision
    from labkit.clinic.decision import Part as Part
    from labkit.clinic.desk import Case as Case
    from labkit.clinic.desk import design_case as design_case
    from labkit.clinic.facts import Facts as Facts
    from labkit.clinic.guidance import guide as guide
    from labkit.clinic.measuring import miniature as miniature
    from labkit.clinic.propose import proposal as proposal
    from labkit.clinic.reviewing import review as review

_WHERE = {
    "Brief": "labkit.clinic.brief",
    "Case": "labkit.clinic.desk",
    "ClinicError": "labkit.clinic.brief",
    "Decision": "labkit.clinic.decision",
    "Facts": "labkit.clinic.facts",
    "Part": "labkit.clinic.decision",
    "design_case": "labkit.clinic.desk",
    "guide": "labkit.clinic.guidance",
    "load_brief": "labkit.clinic.brief",
    "load_briefs": "labkit.clinic.brief",
    "miniature": "labkit.clinic.measuring",
    "proposal": "labkit.clinic.propose",
    "review": "labkit.clinic.reviewing",
}
__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    "Brief",
    "Case",
    "ClinicError",
    "Decision",
    "Facts",
    "Part",
    "design_case",
    "guide",
    "load_brief",
    "load_briefs",
    "miniature",
    "proposal",
    "review",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"labkit.clinic has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_WHERE[name]), name)
