"""A session goes step by step, is saved after each, and goes on where it was after its kernel died."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from labkit.interview.bank import Bank, InterviewError
from labkit.interview.drawing import Item
from labkit.interview.front import mock_interview
from labkit.interview.record import DamagedRecord, Record
from labkit.interview.session import Session
from labkit.interview.stage import STAGE
from labkit.interview.store import Store
from tests.interview.conftest import Clock

KATA = "p1_mcp_basics"
QUESTIONS = [
    Item("question", "any-replica", "Why can a request go to any replica today?", 3, "sample"),
    Item("question", "who-decides", "Who decides about the use of apples, pears and plums?", 4, "sample"),
    Item("question", "when-to-retry", "When may a client send a call again?", 5, "sample"),
]
WITH_KATA = [QUESTIONS[0], Item("kata", KATA, "MCP basics", 20, "start"), QUESTIONS[1]]


@pytest.fixture
def session(small: Bank, folder: Path, clock: Clock) -> Session:
    return Session.of(QUESTIONS, "architect", 15, bank=small, folder=folder, clock=clock)


def again(session: Session, small: Bank, folder: Path, clock: Clock) -> Session:
    """The session in another kernel: nothing of the first one is left but its file."""
    return Session.load(session.id, bank=small, folder=folder, clock=clock)


def test_a_session_from_its_beginning_to_its_end(session: Session, folder: Path, clock: Clock) -> None:
    assert session.question.id == "any-replica"
    clock.run(60)
    told = session.answer("Nothing is kept between two requests, so it is stateless.")
    assert told.fraction == 0.5
    session.next()
    session.skip()
    clock.run(30)
    session.answer("Only idempotent calls, within a budget.")
    session.next()
    assert (session.state, session.current) == ("finished", None)
    assert [entry.status for entry in session.entries] == ["done", "skipped", "done"]
    assert [entry.seconds for entry in session.entries] == [60, 0, 30]
    assert session.fraction == pytest.approx((3 * 0.5 + 4 * 0 + 5 * 0.7) / 12)
    attempts = Record(folder).attempts()
    assert [(a.question, a.skipped) for a in attempts] == [
        ("any-replica", False),
        ("who-decides", True),
        ("when-to-retry", False),
    ]
    assert {a.session for a in attempts} == {session.id}
    assert Record(folder).last("who-decides") is None
    with pytest.raises(InterviewError, match="is finished"):
        session.resume()


def test_the_clock_counts_only_while_it_runs(session: Session, clock: Clock) -> None:
    clock.run(10)
    session.pause()
    clock.run(1000)
    assert session.seconds == 10
    session.resume()
    clock.run(5)
    session.answer("It is stateless.")
    clock.run(1000)  # while the result is read
    assert (session.seconds, session.left) == (15, 15 * 60 - 15)
    session.next()
    clock.run(2)
    assert session.seconds == 17
    assert session.entries[1].seconds == 2


def test_nothing_can_be_done_while_it_is_paused(session: Session) -> None:
    session.pause()
    for step in (lambda: session.answer("x"), session.skip, session.next, session.hint):
        with pytest.raises(InterviewError, match="paused"):
            step()


def test_it_goes_on_where_it_was_with_the_time_that_had_run(
    session: Session, small: Bank, folder: Path, clock: Clock
) -> None:
    clock.run(20)
    session.answer("It is stateless.")
    session.next()
    clock.run(7)
    session.beat()
    clock.run(4)  # and then the kernel dies
    other = Clock()
    other.run(-500)  # the clock of another process may begin anywhere
    back = again(session, small, folder, other)
    assert (back.state, back.at, back.running) == ("paused", 1, False)
    assert [entry.seconds for entry in back.entries] == [20, 7, 0]
    assert back.entries[0].score == session.entries[0].score
    back.resume()
    other.run(3)
    back.answer("The model takes apples.")
    assert back.entries[1].seconds == 10


def test_the_latest_unfinished_session_is_gone_on_with(small: Bank, folder: Path, clock: Clock) -> None:
    first = Session.of(QUESTIONS, "architect", 15, bank=small, folder=folder, clock=clock)
    second = Session.of(QUESTIONS, "architect", 15, bank=small, folder=folder, clock=clock)
    assert first.id != second.id
    assert Session.load(bank=small, folder=folder).id == second.id
    second.finish()
    assert Session.load(bank=small, folder=folder).id == first.id
    first.finish()
    with pytest.raises(InterviewError, match="begin one"):
        Session.load(bank=small, folder=folder)
    assert Store(folder).ids() == [first.id, second.id]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"version": 1', '"version": 9'),
        lambda text: text.replace('"at": 0', '"at": 99'),
        lambda text: text.replace('"question"', '"riddle"', 1),
    ],
)
def test_a_damaged_file_is_set_aside(session: Session, small: Bank, folder: Path, clock: Clock, damage: object) -> None:
    path = Store(folder).path(session.id)
    text = path.read_text(encoding="utf-8")
    path.write_text(damage(text), encoding="utf-8")  # type: ignore[operator]
    with pytest.raises(InterviewError, match="It was kept as"):
        again(session, small, folder, clock)
    assert not path.exists()
    assert len(list(path.parent.glob("*.damaged-*.json"))) == 1
    assert Store(folder).ids() == []


def test_one_damaged_file_does_not_hide_the_others(session: Session, small: Bank, folder: Path, clock: Clock) -> None:
    other = Session.of(QUESTIONS, "architect", 15, bank=small, folder=folder, clock=clock)
    Store(folder).path(session.id).write_text("{", encoding="utf-8")
    with pytest.warns(DamagedRecord, match="kept as"):
        assert Session.load(bank=small, folder=folder).id == other.id


def test_a_session_that_went_on_elsewhere_is_not_overwritten(
    session: Session, small: Bank, folder: Path, clock: Clock
) -> None:
    back = again(session, small, folder, clock)
    back.resume()
    back.skip()
    for step in (session.beat, lambda: session.answer("It is stateless."), session.pause):
        with pytest.raises(InterviewError, match="another window"):
            step()
    assert json.loads(Store(folder).path(session.id).read_text(encoding="utf-8"))["at"] == 1
    assert Record(folder).last("any-replica") is None


def test_what_cannot_be_done_is_said(session: Session) -> None:
    for text, said in (("", "empty"), ("  \n", "empty")):
        with pytest.raises(InterviewError, match=said):
            session.answer(text)
    with pytest.raises(InterviewError, match="is a question, not a kata or a tape"):
        session.check()
    with pytest.raises(InterviewError, match="no answer yet"):
        session.next()
    session.answer("x")
    with pytest.raises(InterviewError, match="has its result already"):
        session.answer("again")


def test_hints_say_more_each_time_and_are_counted(session: Session) -> None:
    first, second, third = session.hint(), session.hint(), session.hint()
    assert "makes 3 points" in first
    assert second == third == "An interviewer would go on with: What about a call that needs two rounds?"
    assert session.entries[0].hints == 3


def test_a_kata_begins_with_its_starter_and_is_checked_by_the_grader(small: Bank, folder: Path, clock: Clock) -> None:
    work = folder.parent
    work.mkdir(parents=True)
    (work / f"{KATA}.py").write_text("answer = 'of last year'\n", encoding="utf-8")
    session = Session.of(WITH_KATA, "architect", 30, bank=small, folder=folder, clock=clock)
    session.skip()
    exercise = session.exercise()
    assert exercise.path.read_text(encoding="utf-8") == exercise.spec.starter
    assert len(list((work / "backups").glob(f"{KATA}.*.py"))) == 1
    clock.run(50)
    assert not session.check().passed
    assert session.current is not None and session.current.status == "open"
    exercise.path.write_text(exercise.spec.solution, encoding="utf-8")
    assert session.exercise().path.read_text(encoding="utf-8") == exercise.spec.solution, "only the first time"
    assert session.check().passed
    assert (session.current.status, session.current.fraction, session.current.checks) == ("done", 1.0, 2)
    assert session.current.seconds == 50
    back = again(session, small, folder, clock)
    back.resume()
    back.next()
    assert back.question.id == "who-decides"
    shutil.rmtree(work / "backups")


def test_a_design_case_is_decided_by_the_rules_of_the_clinic(small: Bank, folder: Path, clock: Clock) -> None:
    import tomllib

    from labkit.interview.design import cases, form

    case = cases()[0]
    item = Item("design", case.id, case.title, case.minutes, "design")
    session = Session.of([item], "architect", 30, bank=small, folder=folder, clock=clock)
    assert session.case().text
    with pytest.raises(Exception, match="no question"):
        session.decide({"colour": "green"})
    told = session.decide(tomllib.loads(form(case.id)))
    assert 0 <= told.fraction <= 1 and told.lines
    back = again(session, small, folder, clock)
    assert back.entries[0].said == list(told.lines)
    assert back.entries[0].decision["packaging"]


def test_a_listener_hears_of_every_step_and_a_broken_one_does_no_harm(session: Session) -> None:
    class Ear:
        def __init__(self) -> None:
            self.heard: list[tuple[str, int]] = []

        def session_changed(self, session: Session) -> None:
            self.heard.append((session.state, session.at))
            raise RuntimeError("a view that is broken")

    ear = Ear()
    STAGE.audience.add(ear)
    session.beat()
    session.pause()
    session.resume()
    session.skip()
    assert ear.heard == [("paused", 0), ("running", 0), ("running", 1)]


def test_a_beat_never_waits_for_a_step(session: Session, clock: Clock) -> None:
    import threading

    clock.run(3)
    with session.lock:
        thread = threading.Thread(target=session.beat)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()


def test_the_way_in_begins_and_goes_on(folder: Path) -> None:
    begun = mock_interview("security-engineer", 20, seed=4, folder=folder)
    assert begun.running and begun.role == "security-engineer"
    assert mock_interview(folder=folder).id == begun.id
    assert begun.entries[1].item.title not in repr(begun), "what comes is not told"
    assert begun.entries[0].item.title in repr(begun)
    assert "<li>" in begun._repr_html_()
    with pytest.raises(InterviewError, match="no role"):
        mock_interview("king", folder=folder)
