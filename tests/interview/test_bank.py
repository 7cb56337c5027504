"""The bank is large enough, consistent, and says what is wrong with a file that is not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from labkit.course.find import find_notebooks
from labkit.grading.spec import exercise_ids, load
from labkit.interview.bank import Bank, InterviewError, load_bank
from labkit.interview.design import cases
from labkit.interview.mistakes import known_mistakes
from labkit.interview.roles import find_role, load_roles
from tests.interview.conftest import FIXTURES

TOPICS = {"protocol", "primitives", "building", "testing", "security", "scaling", "operations", "design"}


def test_there_are_enough_questions_on_every_topic_and_level(bank: Bank) -> None:
    assert len(bank) >= 120
    assert set(bank.topics) == TOPICS
    assert min(Counter(question.topic for question in bank.values()).values()) >= 15
    assert min(Counter(question.level for question in bank.values()).values()) >= 20


def test_what_questions_name_exists(bank: Bank) -> None:
    notebooks, exercises = {path.stem for path in find_notebooks()}, set(exercise_ids())
    for question in bank.values():
        assert question.notebook in notebooks, question.id
        assert set(question.exercises) <= exercises, question.id


def test_no_question_is_asked_twice(bank: Bank) -> None:
    asked = Counter(question.ask for question in bank.values())
    assert [ask for ask, count in asked.items() if count > 1] == []


def test_the_two_questions_of_the_sources_are_there(bank: Bank) -> None:
    assert {"how-to-scale", "one-or-several"} <= set(bank)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("weight = 5", "weight = 9", "question any-replica"),
        ('level = "junior"', 'level = "wizard"', "wizard"),
        ('id = "who-decides"', 'id = "any-replica"', "Two questions have the id"),
        ("[[question]]", "[[question", "cannot be read"),
        (', shown = "tests/wire/test_frame.py::test_kind"', "", "answer.0"),
    ],
)
def test_a_faulty_file_is_told_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (FIXTURES / "sample.toml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "sample.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InterviewError, match=said):
        load_bank(tmp_path)


def test_a_file_is_read_again_only_when_its_text_has_changed(tmp_path: Path) -> None:
    path, text = tmp_path / "sample.toml", (FIXTURES / "sample.toml").read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    first = load_bank(tmp_path)["any-replica"]
    assert load_bank(tmp_path)["any-replica"] is first
    path.write_text(text.replace("weight = 5", "weight = 4", 1), encoding="utf-8")
    assert load_bank(tmp_path)["any-replica"] != first
    path.write_text(text.replace("weight = 5", "weight = 9", 1), encoding="utf-8")
    for _ in range(2):
        with pytest.raises(InterviewError, match="question any-replica"):
            load_bank(tmp_path)


def test_an_unknown_question_is_told_with_the_nearest(small: Bank) -> None:
    with pytest.raises(InterviewError, match="Did you mean 'any-replica'"):
        small.find("any-replicas")


def test_an_empty_folder_is_no_bank(tmp_path: Path) -> None:
    with pytest.raises(InterviewError, match="no questions"):
        load_bank(tmp_path)


def test_roles_weigh_what_there_is(bank: Bank) -> None:
    briefs = {case.id for case in cases()}
    for role in load_roles().values():
        assert set(role.topics) <= TOPICS
        assert set(role.briefs) <= briefs or not briefs
        assert all(load(id).kind == "tape" for id in role.tapes)
        assert all(load(id).kata for id in role.katas)


def test_an_unknown_role_and_a_faulty_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(InterviewError, match="Did you mean 'architect'"):
        find_role("architects")
    (tmp_path / "roles.toml").write_text('[x]\ntitle = "A role"\n', encoding="utf-8")
    with pytest.raises(InterviewError, match=r"roles\.toml: x"):
        load_roles(tmp_path / "roles.toml")


def test_general_mistakes_are_complete() -> None:
    known = known_mistakes()
    assert known.past and known.stale and known.others
    assert all(claim.says and claim.why and all(claim.mentions) for claim in (*known.stale, *known.others))
