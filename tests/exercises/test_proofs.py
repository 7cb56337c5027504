"""Every exercise is proven: the starter does not pass, the solution does, a wrong answer fails what it names.

Values vary with a seed. Here it is always the same, so that a proof that held yesterday holds today; LAB_SEED=N proves
with other values, as `python -m tests.exercises.seeds` does for many. Of the wrong answers enough are tried to see each
check fail that any of them names, and two of each exercise; LAB_WHOLE=1 tries all.
"""

from __future__ import annotations

import os

import pytest

from labkit.grading.report import NOT_ATTEMPTED, PASSED
from labkit.grading.spec import KINDS, Spec, WrongAnswer, exercise_ids, load
from labkit.grading.warm import check_source

SEED = int(os.environ.get("LAB_SEED", "2017"))
IDS = exercise_ids()
FEWEST = 2
"""Wrong answers of an exercise that are tried in every run; of a class of the range, three."""


def tried(spec: Spec) -> list[WrongAnswer]:
    """Wrong answers that fail, together, all the checks that any of them fails."""
    if os.environ.get("LAB_WHOLE"):
        return list(spec.wrong)
    left, chosen = list(spec.wrong), list[WrongAnswer]()
    unseen = {name for answer in left for name in answer.fails}
    while left and (unseen or len(chosen) < FEWEST + bool(spec.range)):
        best = max(left, key=lambda answer: len(answer.fails & unseen))
        left.remove(best)
        chosen.append(best)
        unseen -= best.fails
    return chosen


WRONG = [(id, answer) for id in IDS for answer in tried(load(id))]


@pytest.mark.parametrize("id", IDS)
def test_an_untouched_starter_is_not_attempted(id: str) -> None:
    spec = load(id)
    report = check_source(spec, f"# a remark changes nothing\n{spec.starter}", seed=SEED)
    assert report.outcome == NOT_ATTEMPTED, str(report)
    assert report.score == 0


@pytest.mark.parametrize("id", IDS)
def test_a_starter_that_is_really_checked_does_not_pass(id: str) -> None:
    spec = load(id)
    report = check_source(spec, f"{spec.starter}\nTOUCHED = True\n", seed=SEED)
    assert not report.passed, str(report)
    assert report.score < spec.points


@pytest.mark.parametrize("id", IDS)
def test_the_solution_passes_everything(id: str) -> None:
    spec = load(id)
    report = check_source(spec, spec.solution, seed=SEED)
    assert report.passed, str(report)
    assert report.score == spec.points
    assert {check.name for check in report.checks} == {check.name for check in spec.checks}


@pytest.mark.parametrize(("id", "answer"), WRONG, ids=[f"{id}-{answer.name}" for id, answer in WRONG])
def test_a_wrong_answer_fails_exactly_what_it_names(id: str, answer: WrongAnswer) -> None:
    report = check_source(load(id), answer.path.read_text(encoding="utf-8"), seed=SEED)
    assert {check.name for check in report.checks if check.status != PASSED} == answer.fails, str(report)
    for check in report.checks:
        if check.status not in (PASSED, NOT_ATTEMPTED):
            assert check.reason and check.message, f"{check.name} fails without saying why"


@pytest.mark.parametrize("id", IDS)
def test_an_exercise_is_complete(id: str) -> None:
    spec = load(id)
    assert len(spec.wrong) >= 3, "three wrong answers at least"
    assert all(answer.fails and len(answer.why) > 20 for answer in spec.wrong)
    assert len(spec.hints) >= 2, "hints come in steps"
    caught = {name for answer in spec.wrong for name in answer.fails}
    assert len(caught) >= 2, "the wrong answers should try more than one check"


def test_there_are_ten_and_one_for_each_notebook() -> None:
    specs = [load(id) for id in IDS]
    assert len(specs) >= 10
    assert {"p1_mcp_basics", "p2_mcp_server"} <= set(IDS)
    assert {spec.notebook[:2] for spec in specs} >= {"00", "01", "02", "03", "04", "05"}
    assert {spec.kind for spec in specs} == set(KINDS)
