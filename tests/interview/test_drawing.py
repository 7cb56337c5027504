"""A session is mixed for its role and length, the same for the same seed, with what was missed coming first."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from labkit.interview.bank import Bank, InterviewError
from labkit.interview.design import Case
from labkit.interview.drawing import Item, all_exercises, draw
from labkit.interview.record import Attempt
from labkit.interview.roles import load_roles

DAY = 24 * 3600.0
ROLES = load_roles()
CASES = [Case("one", "First brief"), Case("two", "Second brief")]


EXERCISES = all_exercises()


def drawn(bank: Bank, role: str, minutes: int, seed: int = 1, **more: object) -> list[Item]:
    return draw(ROLES[role], minutes, seed, bank=bank, exercises=EXERCISES, briefs=CASES, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("minutes", [10, 45, 120])
def test_items_fit_the_time_and_nearly_fill_it(bank: Bank, role: str, minutes: int) -> None:
    for seed in range(3):
        items = drawn(bank, role, minutes, seed)
        total = sum(item.minutes for item in items)
        assert minutes - 3 <= total <= minutes
        assert max(Counter((item.kind, item.id) for item in items).values()) == 1
        topics = {item.topic for item in items if item.kind == "question"}
        assert topics <= {topic for topic, weight in ROLES[role].topics.items() if weight}


def test_the_same_seed_draws_the_same_and_another_one_another(bank: Bank) -> None:
    assert drawn(bank, "architect", 60, 1) == drawn(bank, "architect", 60, 1)
    assert drawn(bank, "architect", 60, 1) != drawn(bank, "architect", 60, 2)


def test_a_long_session_has_every_part(bank: Bank) -> None:
    kinds = Counter(item.kind for item in drawn(bank, "server-developer", 180))
    assert kinds["kata"] >= 2
    assert (kinds["tape"], kinds["design"]) == (1, 1)
    assert kinds["question"] > 5
    assert drawn(bank, "server-developer", 180)[-1].kind == "design"


def test_a_short_session_has_questions_only(bank: Bank) -> None:
    assert {item.kind for item in drawn(bank, "server-developer", 15)} == {"question"}


def test_an_architect_is_asked_about_design_most(bank: Bank) -> None:
    topics = Counter(item.topic for seed in range(20) for item in drawn(bank, "architect", 60, seed))
    assert topics["design"] > topics["testing"] and topics["scaling"] > topics["primitives"]


def test_without_briefs_or_katas_there_are_more_questions(bank: Bank) -> None:
    items = draw(ROLES["architect"], 90, 1, bank=bank, exercises={}, briefs=[])
    assert {item.kind for item in items} == {"question"}
    assert sum(item.minutes for item in items) >= 87


def test_what_was_missed_comes_again_when_it_is_due(bank: Bank) -> None:
    long_ago = time.time() - 30 * DAY
    missed = Attempt(long_ago, "how-to-scale", "scaling", 0.1)
    known = Attempt(long_ago, "gateway-why", "scaling", 1.0)
    for seed in range(5):
        ids = [item.id for item in drawn(bank, "platform-engineer", 30, seed, attempts=[missed, known])]
        assert "how-to-scale" in ids
    yesterday = Attempt(time.time(), "how-to-scale", "scaling", 0.1)
    often = sum(
        "how-to-scale" in [i.id for i in drawn(bank, "platform-engineer", 30, s, attempts=[yesterday])]
        for s in range(8)
    )
    assert often < 5


def test_not_everything_is_what_was_missed(bank: Bank) -> None:
    long_ago = time.time() - 30 * DAY
    attempts = [
        Attempt(long_ago, id, question.topic, 0.0) for id, question in bank.items() if question.topic == "scaling"
    ]
    items = drawn(bank, "platform-engineer", 36, 1, attempts=attempts)
    again = sum(item.minutes for item in items if item.topic == "scaling")
    assert 12 <= again <= 28


@pytest.mark.parametrize("minutes", [0, 9, 241])
def test_a_length_out_of_range_is_refused(bank: Bank, minutes: int) -> None:
    with pytest.raises(InterviewError, match="10 to 240 minutes"):
        drawn(bank, "architect", minutes)
