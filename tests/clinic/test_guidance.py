"""The decision guide: a table of cases, the eight briefs, and what must hold for all facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.clinic.brief import load_briefs
from labkit.clinic.facts import Facts
from labkit.clinic.guidance import COMPARISON, LADDER, LIKE, guide

TABLE: list[tuple[Facts, str, bool]] = [
    # what the rules of thumb of the sources say, at their borders
    (Facts(tools=4, domains=1, people=2), "monolith", False),
    (Facts(tools=4, domains=3, people=20, teams=1), "monolith", False),
    (Facts(tools=5, domains=2, people=6), "hybrid", False),
    (Facts(tools=15, domains=3, people=6), "hybrid", False),
    (Facts(tools=16, domains=3, people=30, teams=1), "hybrid", False),
    (Facts(tools=16, domains=4, people=30, teams=2), "microservices", True),
    (Facts(tools=40, domains=9, people=60, teams=9), "microservices", True),
    # few people
    (Facts(tools=40, domains=9, people=3), "monolith", False),
    (Facts(tools=40, domains=9, people=4), "hybrid", True),
    # what only a process boundary separates
    (Facts(tools=3, domains=2, people=3, computing=True), "hybrid", False),
    (Facts(tools=3, domains=2, people=3, skew=10), "hybrid", False),
    (Facts(tools=3, domains=2, people=3, skew=9), "monolith", False),
    (Facts(tools=3, domains=2, people=3, zones=1), "hybrid", False),
    (Facts(tools=3, domains=2, people=8, teams=2), "hybrid", False),
    (Facts(tools=4, domains=4, people=30, teams=4), "microservices", True),
    (Facts(tools=4, domains=4, people=30, teams=3), "hybrid", False),
    # one domain cannot be cut
    (Facts(tools=30, domains=1, people=30, teams=5, computing=True, skew=50, zones=1), "monolith", False),
    # shapes that one fact asks for
    (Facts(tools=30, domains=6, people=30, teams=5, local=True), "local", False),
    (Facts(tools=8, domains=2, people=8, separate_tenants=True), "per_tenant", True),
    (Facts(tools=8, domains=2, people=8, separate_tenants=True, local=True), "local", False),
    (Facts(tools=4, domains=2, people=2, idle_hours=16, patient=True), "serverless", False),
    (Facts(tools=4, domains=2, people=2, idle_hours=15, patient=True), "monolith", False),
    (Facts(tools=4, domains=2, people=2, idle_hours=20, patient=False), "monolith", False),
    (Facts(tools=4, domains=2, people=2, idle_hours=20, patient=True, sessions=True), "monolith", False),
    (Facts(tools=4, domains=2, people=2, idle_hours=20, patient=True, gpu=True), "specialised", False),
    (Facts(tools=8, domains=2, people=8, gpu=True), "specialised", False),
    (Facts(tools=8, domains=1, people=8, gpu=True), "monolith", False),
    (Facts(tools=12, domains=4, people=6, layered=True), "layered", False),
    (Facts(tools=12, domains=4, people=6, layered=True, gpu=True), "layered", False),
    (Facts(tools=30, domains=6, people=40, teams=5, layered=True, gpu=True), "microservices", True),
    # a gateway for old clients, where there is something to put it before
    (Facts(tools=8, domains=2, people=8, handshake=True), "hybrid", True),
    (Facts(tools=4, domains=1, people=3, handshake=True), "monolith", False),
]


@pytest.mark.parametrize(("facts", "packaging", "gateway"), TABLE)
def test_a_case_of_the_table(facts: Facts, packaging: str, gateway: bool) -> None:
    advice = guide(facts)
    assert (advice.packaging, advice.gateway) == (packaging, gateway)
    assert advice.reasons and advice.otherwise and advice.scale


@pytest.mark.parametrize("brief", load_briefs().values(), ids=lambda brief: brief.id)
def test_the_guide_decides_each_brief_as_the_lab_does(brief: Any) -> None:
    advice = guide(Facts.of(brief))
    assert advice.packaging == brief.packaging
    assert repr(advice).count("because") == len(advice.reasons)


@pytest.mark.parametrize(
    ("facts", "decided"),
    [
        (Facts(tools=12, domains=3, people=9), "12 tools in 3 domains are two or three servers"),
        (Facts(tools=12, domains=3, people=3), "3 people who do everything"),
        (Facts(tools=30, domains=6, people=9), "one team releases everything together"),
        (Facts(tools=12, domains=3, people=3, zones=1), "some data may not be within reach"),
        (Facts(tools=4, domains=4, people=30, teams=4, zones=1), "4 teams want to release"),
        (Facts(tools=12, domains=3, people=9, separate_tenants=True), "the contract asks"),
    ],
)
def test_the_reason_that_decided_comes_first(facts: Facts, decided: str) -> None:
    advice = guide(facts)
    assert advice.reasons[0].startswith(decided)
    if advice.packaging == "hybrid" and facts.people == 3:
        assert not any("are one server" in reason for reason in advice.reasons), "nothing that speaks against it"


def test_the_comparison_has_every_packaging_in_a_column() -> None:
    assert set(LIKE) == {"local", "monolith", "hybrid", "microservices", "specialised", "layered"} | {
        "serverless",
        "per_tenant",
    }
    assert all(set(row) == set(LADDER) for row in COMPARISON.values())
    lost = [guide(facts).comparison["lost with one process"] for facts, *_ in TABLE[:1] + TABLE[2:3] + TABLE[5:6]]
    assert lost == ["everything", "one group", "one domain"]


FACTS = st.builds(
    Facts,
    tools=st.integers(1, 40),
    domains=st.integers(1, 9),
    people=st.integers(1, 60),
    teams=st.integers(1, 9),
    local=st.booleans(),
    skew=st.floats(1, 100),
    computing=st.booleans(),
    gpu=st.booleans(),
    zones=st.integers(0, 3),
    separate_tenants=st.booleans(),
    idle_hours=st.floats(0, 24),
    patient=st.booleans(),
    sessions=st.booleans(),
    layered=st.booleans(),
    handshake=st.booleans(),
)


def cut(facts: Facts) -> int:
    """How far the guide cuts: 0 one server, 1 some, 2 one for each domain."""
    return LADDER.index(LIKE[guide(facts).packaging])


@settings(max_examples=60, derandomize=True, deadline=None)
@given(FACTS, st.sampled_from(["teams", "people", "domains", "tools", "skew"]), st.integers(1, 20))
def test_more_of_it_never_leads_back_to_fewer_servers(facts: Facts, what: str, more: int) -> None:
    assert cut(replace(facts, **{what: getattr(facts, what) + more})) >= cut(facts)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(FACTS)
def test_what_holds_for_all_facts(facts: Facts) -> None:
    advice = guide(facts)
    if facts.domains == 1:
        assert cut(facts) == 0, "one domain is one server"
    if facts.local:
        assert advice.packaging == "local" and not advice.gateway
    elif facts.separate_tenants:
        assert advice.packaging == "per_tenant" and advice.gateway
    elif facts.people <= 3 and facts.teams < 4:
        assert cut(facts) < 2, "few people do not watch many servers"
    if advice.packaging == "microservices":
        assert advice.gateway
    assert len(set(advice.reasons)) == len(advice.reasons)
