"""The scorer sees what is said, not what is denied, named or said of something else."""

from __future__ import annotations

import json

import pytest

from labkit.interview.bank import Bank
from labkit.interview.scoring import ACROSS, NAMED, PART, WRONG, Score, score

KEPT = "The server keeps nothing between requests."
CARRIES = "Each request carries version and capabilities."


def test_a_point_is_seen_with_its_passage(small: Bank) -> None:
    text = "I would say this. There's no session, because nothing is kept.  And so on."
    told = score(small["any-replica"], text)
    (seen,) = told.seen
    assert seen.point == KEPT
    assert seen.passage == "There's no session, because nothing is kept."
    assert text[seen.start : seen.end].strip() == seen.passage
    assert told.fraction == 0.5
    assert {each.point for each in told.missed} == {CARRIES, "A plain load balancer may choose freely."}


@pytest.mark.parametrize(
    "text",
    [
        "The server does not keep a session for anyone.",
        "Nothing has been kept by the server between requests.",
        "It can do this without any session on the replica.",
        "The servers are state-less.",
        "We have NO SESSIONS here.",
    ],
)
def test_a_point_may_be_said_in_other_forms(small: Bank, text: str) -> None:
    assert KEPT in {each.point for each in score(small["any-replica"], text).seen}


@pytest.mark.parametrize(
    "text",
    [
        "The protocol is not stateless at all.",
        "It isn't really stateless.",
        "Servers keep a session instead of being stateless.",
        "It will never be stateless.",
        "",
        "?!",
    ],
)
def test_what_is_denied_or_not_said_is_not_seen(small: Bank, text: str) -> None:
    assert score(small["any-replica"], text).seen == ()


def test_a_denial_ends_with_its_clause(small: Bank) -> None:
    told = score(small["any-replica"], "It does not matter which one answers, since the protocol is stateless.")
    assert [each.point for each in told.seen] == [KEPT]


def test_not_only_is_no_denial(small: Bank) -> None:
    assert score(small["any-replica"], "The protocol is not only stateless but simple.").seen


def test_ideas_in_one_sentence_count_in_full_and_over_two_a_little_less(small: Bank) -> None:
    one = score(small["any-replica"], "Each request carries the version with it.")
    two = score(small["any-replica"], "That is in every request. I mean the version.")
    far = score(small["any-replica"], "That is in every request. It is so. I mean the version.")
    assert (one.seen[0].worth, two.seen[0].worth) == (1.0, ACROSS)
    assert not far.seen
    assert far.partly[0].worth == PART / 2


def test_lines_of_a_list_are_statements_of_their_own(small: Bank) -> None:
    swapped = score(
        small["who-decides"], "- the apple is for the user to choose\n- the pear is for the model to choose"
    )
    assert swapped.seen == ()
    right = score(small["who-decides"], "- the apple is for the model to choose\n- the pear is for the application")
    assert len(right.seen) == 2


def test_what_stands_between_belongs_to_its_neighbour(small: Bank) -> None:
    told = score(small["who-decides"], "I take the apple to be for the user and the pear to be for the model.")
    assert told.seen == ()


def test_what_the_question_asks_is_no_part_of_an_answer(small: Bank) -> None:
    told = score(small["who-decides"], "There are apples, and pears, and plums, and that is what I can say of them.")
    assert (told.seen, told.partly, told.fraction) == ((), (), 0.0)


def test_keywords_count_half(small: Bank) -> None:
    told = score(small["when-to-retry"], "idempotent, jitter, exponential, budget")
    assert all(each.named and each.worth == NAMED for each in told.seen)
    assert told.fraction == 0.5
    assert "counts half" in told.notes[0]


def test_reciting_the_points_counts_half(small: Bank) -> None:
    question = small["when-to-retry"]
    told = score(question, " And ".join(point.point for point in question.points))
    assert told.fraction <= 0.5


def test_a_wrong_claim_is_heard_and_takes_something_off(small: Bank) -> None:
    right = "Only idempotent calls may be repeated, within a budget."
    told = score(small["when-to-retry"], f"{right} The client sends all calls again three times.")
    (heard,) = told.wrong
    assert heard.why.startswith("A call that was carried out")
    assert told.fraction == pytest.approx(score(small["when-to-retry"], right).fraction - WRONG)


@pytest.mark.parametrize(
    "text",
    [
        "You must not send all calls again three times.",
        "That all calls are sent again three times is a myth.",
        "You would never do all calls three times again.",
    ],
)
def test_a_wrong_claim_that_is_denied_is_not_heard(small: Bank, text: str) -> None:
    assert score(small["when-to-retry"], text).wrong == ()


def test_a_wrong_claim_is_heard_in_other_words_than_its_phrases(small: Bank) -> None:
    told = score(small["any-replica"], "It is a cookie by which a balancer keeps its clients on that one replica.")
    assert told.wrong


def test_the_past_as_the_present_is_heard_in_every_answer(small: Bank) -> None:
    today = score(small["when-to-retry"], "The client first sends initialize and then it may repeat a call.")
    past = score(small["when-to-retry"], "In the handshake era the client first sent initialize.")
    assert "no handshake" in today.wrong[0].why
    assert past.wrong == ()


def test_two_wrong_claims_in_one_passage_take_off_once(small: Bank) -> None:
    told = score(small["when-to-retry"], "Idempotent or not, I send all calls again at once three times.")
    assert len(told.wrong) >= 2
    assert told.fraction == pytest.approx(0.5 - WRONG)


def test_a_score_is_the_same_again_and_can_be_kept(small: Bank) -> None:
    text = "Nothing is kept. Cookie. Each request has a version, and a balancer takes any replica."
    told = score(small["any-replica"], text)
    assert told == score(small["any-replica"], text)
    assert Score.from_dict(json.loads(json.dumps(told.as_dict()))) == told
    assert str(told).startswith(told.headline)


def test_markup_and_other_scripts_do_no_harm(small: Bank) -> None:
    text = "<b>нет</b> \U0001f600 it’s **stateless** — isn’t it? " + "x" * 30_000
    told = score(small["any-replica"], text)
    assert [each.point for each in told.seen] == [KEPT]
    assert any("first 20000 characters" in note for note in told.notes)


def test_every_model_answer_makes_all_its_points_and_nothing_wrong(bank: Bank) -> None:
    short = {}
    for question in bank.values():
        told = score(question, question.model_answer)
        if told.missed or told.partly or told.wrong or told.fraction < 0.8:
            short[question.id] = str(told)
    assert short == {}


def test_no_question_gives_its_points_away(bank: Bank) -> None:
    given = {question.id: str(told) for question in bank.values() if (told := score(question, question.ask)).seen}
    assert given == {}
