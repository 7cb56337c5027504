"""The plan of a miniature: two processes at most, and the brief's load on each replica whatever the pace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labkit.clinic.brief import load_brief, load_briefs
from labkit.clinic.decision import Decision
from labkit.clinic.plan import MOST_CALLS, plan_of
from labkit.clinic.propose import proposal
from labkit.clinic.rules import Look

BRIEFS = load_briefs()


@pytest.mark.parametrize("brief", BRIEFS.values(), ids=lambda brief: brief.id)
@pytest.mark.parametrize("make", [proposal, Decision.of], ids=["proposal", "one server"])
def test_at_most_two_processes_and_what_has_happened_happens_again(brief: Any, make: Any) -> None:
    plan = plan_of(brief, make(brief))
    killed = [each for each in plan.parts if each.killed]
    assert len(killed) == 1 and brief.incident in killed[0].part.families
    # Of what is on users' machines, or an instance for each tenant, two run; the second is no thread over stdio.
    assert sum(each.replicas for each in plan.parts if each.killed or plan.local) <= 2
    assert sum(plan.rates.values()) <= MOST_CALLS + 2 * len(plan.rates)


@pytest.mark.parametrize("id", ["harbour_parcels", "glyph_scan", "meridian_mutual"])
@pytest.mark.parametrize("make", [proposal, Decision.of], ids=["proposal", "one server"])
def test_a_replica_is_as_busy_as_in_the_brief(id: str, make: Any, tmp_path: Path) -> None:
    brief = BRIEFS[id]
    decision = make(brief)
    plan = plan_of(brief, decision)
    for each in plan.parts:
        config = plan.config(each, tmp_path, {})
        busy = sum(plan.rates[name] * config["families"][name]["hold"] for name in each.part.families) / each.replicas
        least = Look(brief, decision).load(each.part)
        # Families with hardly any calls get some more, so that there is something to measure.
        assert least * 0.999 <= busy <= least + 0.3, each.name


def test_what_is_kept_where() -> None:
    brief = BRIEFS["harbour_parcels"]
    folder = Path("folder")
    stores = {}
    for state in ("memory", "local_file", "redis", "database"):
        plan = plan_of(brief, proposal(brief).but(brief, state=state))
        stores[state] = plan.config(plan.parts[1], folder, {})["store"]
    assert stores["memory"] == "memory" and "{replica}" in stores["local_file"]
    assert stores["redis"] == stores["database"] and "{replica}" not in stores["redis"]


def test_a_hosted_gpu_is_waited_for_and_no_gpu_is_computed_without() -> None:
    brief = load_brief("glyph_scan")
    times = {}
    for gpu in ("none", "own", "hosted"):
        plan = plan_of(brief, proposal(brief).but(brief, gpu=gpu))
        family = plan.config(plan.parts[1], Path(), {})["families"]["handwriting"]
        times[gpu] = [round(1000 * family[key] / plan.pace) for key in ("hold", "wait")]
    assert times == {"none": [2000, 0], "own": [350, 0], "hosted": [0, 350]}


def test_each_tenant_or_user_has_a_key_where_somebody_asks_for_it() -> None:
    brief = BRIEFS["cedar_practices"]
    assert sorted(plan_of(brief, proposal(brief)).keys.values()) == ["a", "b"]
    assert plan_of(brief, proposal(brief).but(brief, auth="none")).keys == {}
    assert plan_of(BRIEFS["quill_desk"], proposal(BRIEFS["quill_desk"])).keys == {}


def test_time_is_not_quickened_where_a_start_is_waited_for() -> None:
    brief = BRIEFS["clocktower_events"]
    assert plan_of(brief, proposal(brief)).pace == 1.0
    assert plan_of(brief, Decision.of(brief)).pace < 0.5
