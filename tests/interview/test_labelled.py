"""The scorer agrees with labels that were given before it was written: rank correlation over answers of 30 questions.

Half of the questions were held out: nobody who wrote or tuned the scorer has read their answers.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pandas as pd
import pytest

from labkit.interview.bank import Bank
from labkit.interview.scoring import score

LABELLED = Path(__file__).parent / "labelled"


@pytest.fixture(scope="module")
def answers(bank: Bank) -> pd.DataFrame:
    rows = [
        (
            each["question"],
            each["label"],
            bool(each.get("held_out")),
            score(bank[each["question"]], each["text"]).fraction,
        )
        for path in sorted(LABELLED.glob("*.toml"))
        if path.stem != "stuffing"
        for each in tomllib.loads(path.read_text(encoding="utf-8"))["answer"]
    ]
    return pd.DataFrame(rows, columns=["question", "label", "held_out", "fraction"])


def spearman(answers: pd.DataFrame) -> float:
    """Pearson's coefficient of the ranks, ties sharing theirs."""
    return answers["label"].rank().corr(answers["fraction"].rank())


def test_the_set_is_as_large_as_promised(answers: pd.DataFrame) -> None:
    by_question = answers.groupby("question")
    assert by_question.ngroups >= 30
    assert by_question.size().min() >= 5
    assert answers.groupby("held_out")["question"].nunique().to_dict() == {False: 15, True: 15}
    assert set(answers["label"]) == {0, 1, 2, 3, 4}


def test_the_score_ranks_answers_as_the_labels_do(answers: pd.DataFrame) -> None:
    assert spearman(answers) >= 0.8


def test_it_does_so_for_answers_that_nobody_has_tuned_it_to(answers: pd.DataFrame) -> None:
    assert spearman(answers[answers["held_out"]]) >= 0.8


def test_it_does_so_within_the_answers_to_one_question(answers: pd.DataFrame) -> None:
    each = pd.Series({name: spearman(group) for name, group in answers.groupby("question")})
    assert each.median() >= 0.8
