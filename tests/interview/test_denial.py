"""What an answer denies is not credited, wherever the denial stands; what it denies twice is said; wrong claims of the
bank are recognised word for word, those that are denials themselves, too."""

from __future__ import annotations

import pytest

from labkit.interview.bank import Bank
from labkit.interview.scoring import score

SAFE = "Only idempotent calls are sent again."
BUDGET = "A budget bounds all retries."


def seen(small: Bank, text: str) -> set[str]:
    told = score(small["when-to-retry"], text)
    return {each.point for each in (*told.seen, *told.partly)}


@pytest.mark.parametrize(
    "text",
    [
        "Idempotent does not matter.",
        "Whether the call is idempotent is irrelevant.",
        "It makes no difference whether a call is idempotent.",
        "A budget is not needed.",
        "A budget is useless.",
        "Budget and jitter are a waste of time.",
        "Jitter and a budget of retries are not really necessary.",
        "A budget can be omitted.",
        "There's no need for a deadline or a budget.",
        "You do not need jitter, a budget, or a deadline.",
        "It is pointless to have a budget.",
        "There is no reason to have a budget.",
        "It is not necessary that the call is idempotent.",
        "Forget about a budget.",
    ],
)
def test_what_is_dismissed_is_not_seen(small: Bank, text: str) -> None:
    assert seen(small, text) == set()


def test_an_answer_of_denials_is_worth_nothing(bank: Bank) -> None:
    text = (
        "Idempotent does not matter. A budget is not needed. A deadline is useless. Jitter is unnecessary. "
        "It makes no difference whether an error is transient."
    )
    assert score(bank["retry-what"], text).fraction == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "I would never retry a call that is not idempotent.",
        "A call which is neither read-only nor idempotent must not be repeated.",
        "Calls that are not idempotent are never sent again.",
        "If it is not idempotent, do not retry.",
        "Do not repeat a call without an idempotent tool.",
        "Nothing except idempotent calls is sent again.",
    ],
)
def test_what_is_denied_twice_is_said(small: Bank, text: str) -> None:
    assert seen(small, text) == {SAFE}


@pytest.mark.parametrize(
    "text",
    [
        "A tool that is not idempotent can be repeated.",
        "It is not idempotent and it does not matter.",
        "It does not matter that it is not idempotent.",
        "It is not fast, nor idempotent.",
    ],
)
def test_two_negations_that_are_no_prohibition_affirm_nothing(small: Bank, text: str) -> None:
    assert seen(small, text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "A budget is not useless.",
        "A budget is not optional.",
        "It is not useless to have a budget.",
        "With a budget the number of attempts is not important.",
        "A budget must not be exceeded.",
        "Keep a budget: how large it is does not matter.",
    ],
)
def test_what_is_dismissed_beside_a_point_does_not_undo_it(small: Bank, text: str) -> None:
    assert seen(small, text) == {BUDGET}


def test_every_wrong_sentence_of_the_bank_is_recognised_as_it_stands(bank: Bank) -> None:
    missed = [
        (question.id, wrong.says)
        for question in bank.values()
        for wrong in question.wrong
        if wrong.says not in [heard.says for heard in score(question, wrong.says).wrong]
    ]
    assert missed == []


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("three-primitives", "Tools act, and resources do not."),
        ("two-kinds-of-error", "isError is not for an invalid request, it is for a tool that failed."),
        ("two-kinds-of-error", "The model reads isError, and never sees the JSON-RPC error."),
        ("crash-or-hang", "If it does not answer within the timeout, it hangs."),
        ("transport-choice", "It is a myth that stdio cannot do several calls at once."),
        ("million-rows", "Not all of them in resources/list, with pages."),
    ],
)
def test_its_opposite_is_not(bank: Bank, question: str, text: str) -> None:
    assert score(bank[question], text).wrong == ()
