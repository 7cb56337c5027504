"""No answer made of keywords scores above half: those of the labelled set, and what a machine makes of every question."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from labkit.interview.bank import Bank
from labkit.interview.scoring import score
from tests.interview.stuffed import CHEAP, stuffed

LABELLED = Path(__file__).parent / "labelled"


@pytest.mark.parametrize("part", range(4))
def test_keywords_of_every_question_score_at_most_half(bank: Bank, part: int) -> None:
    over: list[str] = []
    for number, question in enumerate(bank.values()):
        if number % 4 != part:
            continue
        for how, text in stuffed(question):
            # Every way of stuffing on a quarter of the questions, those that are asked for on all of them.
            if (how in CHEAP or number % 8 == part) and (found := score(question, text).fraction) > 0.5:
                over.append(f"{question.id}, {how}: {found}")
    assert over == []


def test_stuffed_answers_of_the_labelled_set_score_at_most_half(bank: Bank) -> None:
    answers = tomllib.loads((LABELLED / "stuffing.toml").read_text(encoding="utf-8"))["answer"]
    assert len(answers) >= 20
    over = [
        (each["question"], found)
        for each in answers
        if (found := score(bank[each["question"]], each["text"]).fraction) > 0.5
    ]
    assert over == []
