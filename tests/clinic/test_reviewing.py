"""The rules: each finds its mistake and nothing in a good decision, and says where it is taught."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labkit.catalog import LAB_ROOT
from labkit.clinic.brief import load_brief, load_briefs
from labkit.clinic.decision import Decision
from labkit.clinic.propose import proposal
from labkit.clinic.reviewing import review
from labkit.clinic.rules import CRITERIA, RULES

HARBOUR = {"families": ["tracking", "rates", "claims"]}
MERIDIAN = [["policies", "claims"], ["health", "payments"], ["documents"], ["reports"]]
TWO = {"least": 2, "most": 2}

BREAKS: dict[str, tuple[str, dict[str, Any]]] = {
    "not-what-it-says": ("lantern_press", {"packaging": "hybrid"}),
    "more-servers-than-people": ("tidewater_grid", {"packaging": "microservices", "parts": [["measurements"], ["planning"], ["control"], ["service"]]}),
    "teams-share-a-server": ("harbour_parcels", {"packaging": "monolith", "parts": [HARBOUR | TWO]}),
    "busy-neighbour": ("meridian_mutual", {"parts": [["policies", "documents"], ["claims"], ["health"], ["payments"], ["reports"]]}),
    "gpu-with-the-rest": ("glyph_scan", {"gpu": "same", "parts": [["registers", "handwriting"]]}),
    "gpu-missing": ("glyph_scan", {"gpu": "none"}),
    "gpu-for-nothing": ("lantern_press", {"gpu": "own"}),
    "zones-meet": ("meridian_mutual", {"packaging": "hybrid", "parts": MERIDIAN}),
    "layer-cut-wrongly": ("tidewater_grid", {"parts": [["measurements", "planning"], ["control", "service"]]}),
    "gateway-missing": ("meridian_mutual", {"gateway": "no"}),
    "gateway-for-one": ("lantern_press", {"gateway": "yes"}),
    "network-for-one-machine": ("quill_desk", {"transport": "http"}),
    "stdio-for-many": ("lantern_press", {"transport": "stdio"}),
    "another-than-the-guide": ("harbour_parcels", {"packaging": "monolith", "parts": [HARBOUR]}),
    "cannot-keep-up": ("glyph_scan", {"parts": [["registers"], {"families": ["handwriting"]}], "gpu": "none"}),
    "no-room": ("meridian_mutual", {"parts": [[*load_brief("meridian_mutual").families]]}),
    "one-is-none": ("harbour_parcels", {"parts": [["tracking"], ["rates", "claims"]]}),
    "wrong-signal": ("harbour_parcels", {"scaling": "cpu", "parts": [["tracking"], {"families": ["rates", "claims"], "least": 2, "most": 4}]}),
    "waits-for-a-start": ("lantern_press", {"parts": [{"families": ["books"], "least": 0, "most": 2}]}),
    "idle-and-paid": ("clocktower_events", {"parts": [["feedback", "certificates"]]}),
    "session-not-found": ("harbour_parcels", {"gateway": "no", "sessions": "memory"}),
    "sticky-and-gone": ("harbour_parcels", {"gateway": "no", "sessions": "sticky"}),
    "clients-shut-out": ("harbour_parcels", {"eras": "modern"}),
    "state-in-one-replica": ("harbour_parcels", {"state": "memory"}),
    "state-does-not-survive": ("lantern_press", {"state": "memory"}),
    "old-transport": ("lantern_press", {"transport": "sse"}),
    "over-budget": ("lantern_press", {"parts": [{"families": ["books"], "least": 9, "most": 9}]}),
    "platform-too-large": ("lantern_press", {"target": "kubernetes"}),
    "platform-does-not-fit": ("clocktower_events", {"target": "compose"}),
    "open-door": ("lantern_press", {"auth": "none"}),
    "token-passed-on": ("harbour_parcels", {"auth": "passthrough"}),
    "tenants-mixed": ("harbour_parcels", {"tenants": "together"}),
    "identity-without-proof": ("harbour_parcels", {"auth": "none"}),
    "not-what-the-contract-says": ("cedar_practices", {"tenants": "identity"}),
    "instance-for-nothing": ("harbour_parcels", {"tenants": "instance"}),
    "audit-missing": ("cedar_practices", {"audit": "calls"}),
    "data-leaves": ("glyph_scan", {"gpu": "hosted"}),
    "no-limits": ("harbour_parcels", {"limits": "none"}),
    "one-limit-for-all": ("harbour_parcels", {"limits": "total"}),
}  # fmt: skip


@pytest.mark.parametrize("brief", load_briefs().values(), ids=lambda brief: brief.id)
def test_what_the_clinic_proposes_breaks_no_rule(brief: Any) -> None:
    found = review(brief, proposal(brief))
    assert found.findings == () and found.total == 100
    assert found.month <= brief.money


def test_each_rule_has_a_mistake_that_it_is_tried_with() -> None:
    assert set(BREAKS) == set(RULES)


@pytest.mark.parametrize("rule", BREAKS)
def test_a_rule_finds_its_mistake(rule: str) -> None:
    id, changes = BREAKS[rule]
    brief = load_brief(id)
    found = review(brief, proposal(brief).but(brief, **changes))
    mine = [finding for finding in found.findings if finding.rule.id == rule]
    assert len(mine) == 1, [finding.rule.id for finding in found.findings]
    assert mine[0].what.endswith(".") and rule in str(mine[0])
    points = CRITERIA[mine[0].rule.criterion][0]
    assert found.points[mine[0].rule.criterion] < points


def test_the_rubric_is_a_hundred_points_and_never_negative() -> None:
    assert sum(points for points, _ in CRITERIA.values()) == 100
    brief = load_brief("meridian_mutual")
    worst = Decision.of(brief, packaging="local", transport="sse", eras="modern", auth="passthrough", gpu="own")
    found = review(brief, worst)
    assert all(points >= 0 for points in found.points.values()) and found.total < 40
    severities = [finding.rule.severity for finding in found.findings]
    assert severities == sorted(severities), "errors come first"


@pytest.mark.parametrize("id", [brief.id for brief in load_briefs().values()])
def test_everything_in_one_process_is_never_right_as_it_stands(id: str) -> None:
    brief = load_brief(id)
    found = review(brief, Decision.of(brief))
    assert found.errors and found.total < 75
    assert "open-door" in [finding.rule.id for finding in found.findings]


def test_a_hosted_gpu_keeps_nobody_waiting_here() -> None:
    brief = load_brief("glyph_scan")
    decision = proposal(brief).but(brief, gpu="hosted", packaging="monolith", parts=[["registers", "handwriting"]])
    rules = [finding.rule.id for finding in review(brief, decision).findings]
    assert "busy-neighbour" not in rules and "cannot-keep-up" not in rules and "data-leaves" in rules


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_points_to_a_cell_and_an_exercise_that_exist(rule: Any) -> None:
    (book,) = (LAB_ROOT / "notebooks").rglob(f"{rule.notebook}.ipynb")
    assert rule.cell in [cell["id"] for cell in json.loads(book.read_text(encoding="utf-8"))["cells"]]
    assert not rule.exercise or (LAB_ROOT / "exercises" / rule.exercise / "exercise.toml").is_file()
