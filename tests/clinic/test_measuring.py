"""One miniature for real: what the brief complains of happens, in two processes, and nothing is left."""

from __future__ import annotations

import psutil
import pytest

from labkit.clinic.brief import load_brief, load_briefs
from labkit.clinic.decision import Decision
from labkit.clinic.desk import Cases, design_case
from labkit.clinic.measuring import miniature
from labkit.clinic.stage import STAGE

pytestmark = pytest.mark.anyio


async def test_replicas_that_know_their_own_sessions_only_lose_calls_and_claims() -> None:
    """The brief's own story: four replicas behind round robin, all in the memory of each."""
    brief = load_brief("harbour_parcels")
    part = {"families": [*brief.families], "least": 4, "most": 4}
    decision = Decision.of(brief, parts=[part], tenants="identity", auth="api_key")
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    outcome = await miniature(brief, decision, fast=True)
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before, "nothing is left running"

    assert {call.stream.era for call in outcome.calls} == {"2025-11-25", "2026-07-28"}
    failed = [call for call in outcome.calls if "Session not found" in call.error]
    assert failed and {call.stream.era for call in failed} == {"2025-11-25"}, "the stateless era needs no session"
    found, asked = sum(each.found for each in outcome.kept), sum(each.asked for each in outcome.kept)
    assert found < asked == 24, "a claim is in the memory of one replica, and another is asked"
    assert sum(each.foreign for each in outcome.kept) == 0, "keys tell tenants apart"
    assert 0 < outcome.killed_at < outcome.back_at and outcome.memory > 2**20
    assert any("claims" in each.text for each in outcome.consequences if not each.good)


class Watching:
    """A view that counts."""

    def __init__(self) -> None:
        self.seen = 0

    def changed(self, case: object) -> None:
        self.seen += 1


async def test_a_case_keeps_its_decision_and_tells_who_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    case = design_case("glyph_scan")
    assert design_case("glyph_scan") is case
    monkeypatch.setattr(case, "decision", Decision.of(case.brief))
    watching = Watching()
    STAGE.audience.add(watching)
    case.decide(gpu="same")
    case.decide(gpu="same")
    assert watching.seen == 1 and case.decision.gpu == "same"
    assert case.review() is case.reviewed and watching.seen == 2
    case.decide(case.proposal().as_json())
    assert case.reviewed is None, "it was about another decision"
    assert case.guide().packaging == case.decision.packaging and "GPU" in case.trap()
    assert "The decision as it stands" in case.as_html() and case.brief.title in repr(case)


def test_without_an_id_there_is_a_table_and_without_a_front_end_a_page() -> None:
    cases = design_case()
    assert isinstance(cases, Cases) and set(cases) == set(load_briefs())
    assert all(id in repr(cases) and id in cases._repr_html_() for id in cases)
    with pytest.raises(NotImplementedError):
        design_case("lantern_press")._ipython_display_()


def test_no_module_hides_a_name_of_the_package() -> None:
    import labkit.clinic as package

    assert all(callable(getattr(package, name)) for name in package.__all__)
