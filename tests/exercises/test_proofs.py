"""Every exercise is proven: the starter does not pass, the solution does, a wrong answer fails what it names.

Values vary with a seed. Here it is always the same, so that a proof that held yesterday holds today; LAB_SEED=N proves
with other values, as `python -m tests.exercises.seeds` does for many. Of the wrong answers enough are tried to see each
check fail that any of them names, and two of each exercise; LAB_WHOLE=1 tries all.
"""

from __future__ import annotations

import functools
import os
import re

import pytest

from labkit.grading.report import NOT_ATTEMPTED, PASSED
from labkit.grading.spec import EXERCISES, KINDS, WrongAnswer, exercise_ids
from labkit.grading.spec import load as read
from labkit.grading.warm import check_source

SEED = int(os.environ.get("LAB_SEED", "2017"))
IDS = exercise_ids()
load = functools.cache(read)
"""An exercise, read once in this process."""
FEWEST = 2
"""Wrong answers of an exercise that are tried in every run; of a class of the range, three."""


def promised(id: str) -> dict[str, frozenset[str]]:
    """The wrong answers of an exercise, and the checks that each of them fails.

    Found in the text: every process that collects tests does it, and to parse eight hundred files takes a second.
    """
    found: dict[str, frozenset[str]] = {}
    for path in sorted((EXERCISES / id / "wrong").glob("*.py")):
        line = re.search(r'^(?:""")?fails:\s*(.+)$', path.read_text(encoding="utf-8"), re.MULTILINE)
        found[path.stem] = frozenset(name.strip() for name in line[1].split(",")) if line else frozenset()
    return found


def tried(id: str) -> list[str]:
    """Wrong answers that fail, together, all the checks that any of them fails."""
    answers = promised(id)
    if os.environ.get("LAB_WHOLE"):
        return list(answers)
    ranged = "\nrange = " in (EXERCISES / id / "exercise.toml").read_text(encoding="utf-8")
    left, chosen = list(answers), list[str]()
    unseen = {name for fails in answers.values() for name in fails}
    while left and (unseen or len(chosen) < FEWEST + ranged):
        best = max(left, key=lambda answer: len(answers[answer] & unseen))
        left.remove(best)
        chosen.append(best)
        unseen -= answers[best]
    return chosen


WRONG = [(id, answer) for id in IDS for answer in tried(id)]


@functools.cache
def wrong(id: str) -> dict[str, WrongAnswer]:
    """The wrong answers of an exercise, by name."""
    return {answer.name: answer for answer in load(id).wrong}


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


@pytest.mark.parametrize(("id", "name"), WRONG, ids=[f"{id}-{name}" for id, name in WRONG])
def test_a_wrong_answer_fails_exactly_what_it_names(id: str, name: str) -> None:
    answer = wrong(id)[name]
    report = check_source(load(id), answer.path.read_text(encoding="utf-8"), seed=SEED)
    assert {check.name for check in report.checks if check.status != PASSED} == answer.fails, str(report)
    for check in report.checks:
        if check.status not in (PASSED, NOT_ATTEMPTED):
            assert check.reason and check.message, f"{check.name} fails without saying why"


@pytest.mark.parametrize("id", IDS)
def test_an_exercise_is_complete(id: str) -> None:
    spec, answers = load(id), wrong(id).values()
    assert len(answers) >= 3, "three wrong answers at least"
    assert all(answer.fails and len(answer.why) > 20 for answer in answers)
    assert {answer.name: answer.fails for answer in answers} == promised(id)
    assert len(spec.hints) >= 2, "hints come in steps"
    caught = {name for answer in answers for name in answer.fails}
    assert len(caught) >= 2, "the wrong answers should try more than one check"


def test_there_are_ten_and_one_for_each_notebook() -> None:
    specs = [load(id) for id in IDS]
    assert len(specs) >= 10
    assert {"p1_mcp_basics", "p2_mcp_server"} <= set(IDS)
    assert {spec.notebook[:2] for spec in specs} >= {"00", "01", "02", "03", "04", "05"}
    assert {spec.kind for spec in specs} == set(KINDS)
