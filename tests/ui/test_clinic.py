"""The form of the clinic without a browser: what it shows, takes, refuses, and follows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from labkit.clinic.brief import ClinicError, load_brief
from labkit.clinic.calls import Call, Stream
from labkit.clinic.desk import Case
from labkit.clinic.outcome import Outcome
from labkit.clinic.plan import plan_of
from labkit.clinic.stage import STAGE
from labkit.errors import LabError
from labkit.ui.clinic import ClinicView, show_clinic

pytestmark = pytest.mark.anyio


@pytest.fixture
async def view() -> Any:
    view: Any = ClinicView(Case(load_brief("harbour_parcels")))
    view.told = []
    view.tell = lambda what, **data: view.told.append((what, data))
    yield view
    view.close()


def outcome(case: Case) -> Outcome:
    stream = Stream("tracking", "a", "2026-07-28", 1.0)
    calls = [Call(stream, 0.1, 0.2, ""), Call(stream, 2.1, 2.2, "gone")]
    return Outcome(plan_of(case.brief, case.decision), memory=2.0**26, killed_at=2.0, back_at=3.0, calls=calls)


async def test_the_brief_and_its_form_without_the_answer(view: Any) -> None:
    brief = await view.respond("brief", {})
    assert brief["title"] == view.case.brief.title and len(brief["families"]) == 3
    assert set(brief["schema"]["required"]) == {"packaging", "parts"}
    assert view.case.brief.trap not in str(brief)
    assert (await view.respond("state", {}))["headline"] == "Not checked yet"


async def test_check_takes_the_answers_over_and_shows_findings_and_rubric(view: Any) -> None:
    answers = view.case.decision.as_json() | {"state": "redis"}
    await view.respond("check", {"answers": answers})
    state = await view.respond("state", {})
    assert state["decision"]["state"] == "redis" and view.case.decision.state == "redis"
    assert state["total"] < state["most"] == 100 and len(state["rubric"]) == 5
    assert "open-door" in [finding["rule"] for finding in state["findings"]]
    assert view.told[-1][0] == "state"


async def test_answers_that_cannot_be_used_are_refused_in_a_sentence_and_change_nothing(view: Any) -> None:
    before = view.case.decision
    with pytest.raises(ClinicError, match="No part has the tools rates, claims"):
        await view.respond("check", {"answers": before.as_json() | {"parts": [{"families": ["tracking"]}]}})
    assert view.case.decision is before


async def test_run_shows_the_outcome_and_runs_once_at_a_time(view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    go = asyncio.Event()

    async def run(*, fast: bool = False) -> Outcome:
        await go.wait()
        view.case.outcome = outcome(view.case)
        return view.case.outcome

    monkeypatch.setattr(view.case, "run", run)
    answers = {"answers": view.case.decision.as_json()}
    running = asyncio.ensure_future(view.respond("run", answers))
    while not view.running:
        await asyncio.sleep(0)
    with pytest.raises(LabError, match="running already"):
        await view.respond("run", answers)
    go.set()
    await running
    state = await view.respond("state", {})
    assert not state["running"] and state["summary"].startswith("2 calls, 1 lost")
    assert sorted({good for good, _ in state["consequences"]}) == [False, True]
    assert state["picture"].startswith("data:image/png;base64,")
    assert (await view.respond("state", {}))["picture"] is state["picture"], "drawn once"
    assert state["picture"] in view.still()


async def test_a_run_that_fails_leaves_the_form_usable(view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> None:
        raise OSError("no process")

    monkeypatch.setattr(view.case, "run", broken)
    with pytest.raises(OSError, match="no process"):
        await view.respond("run", {"answers": view.case.decision.as_json()})
    assert view.running is False


async def test_what_a_cell_does_shows_in_the_form(view: Any) -> None:
    view.case.decide(gateway="yes", sessions="gateway")
    assert view.told[-1][1]["decision"]["gateway"] == "yes"
    view.case.review()
    assert "points" in view.told[-1][1]["headline"]
    other = Case(load_brief("harbour_parcels"))
    told = len(view.told)
    other.review()
    assert len(view.told) == told, "another case is another's"


async def test_the_guide_speaks_when_asked(view: Any) -> None:
    assert (await view.respond("state", {}))["said"] == ""
    await view.respond("guide", {})
    said = (await view.respond("state", {}))["said"]
    assert said.startswith("hybrid behind a gateway") and "The trap" in said
    await view.respond("check", {"answers": view.case.decision.as_json() | {"auth": "oauth"}})
    assert (await view.respond("state", {}))["said"] == "", "it was said of another decision"


async def test_the_still_and_the_text_tell_the_same(view: Any) -> None:
    view.case.review()
    for page in (view.still(), view.text()):
        assert view.case.brief.title in page and view.case.reviewed.headline in page
    assert "<script" not in view.still()


async def test_a_brief_has_one_view_and_a_closed_one_listens_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[ClinicView] = []
    monkeypatch.setattr(ClinicView, "_ipython_display_", lambda view: drawn.append(view))
    monkeypatch.setattr(STAGE, "show", show_clinic)
    case = Case(load_brief("lantern_press"))
    case._ipython_display_()
    case._ipython_display_()
    first, second = drawn
    assert first is second
    first.close()
    assert first not in STAGE.audience
