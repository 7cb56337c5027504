"""What is kept of practice: attempts, when a question should come again, the trend, the report with its plan."""

from __future__ import annotations

import os
import re
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest

from labkit.interview.bank import Bank
from labkit.interview.drawing import Item
from labkit.interview.history import History
from labkit.interview.plan import study_plan
from labkit.interview.record import Attempt, DamagedRecord, Record
from labkit.interview.repetition import due, schedule
from labkit.interview.report import HOW, report_html, write_report
from labkit.interview.scoring import score
from labkit.interview.session import Session
from tests.interview.conftest import Clock

DAY = 24 * 3600.0
NOW = 1_790_000_000.0


def attempt(question: str, fraction: float, days_ago: float, *, wrong: int = 0, skipped: bool = False) -> Attempt:
    return Attempt(NOW - days_ago * DAY, question, "sample", fraction, wrong, skipped)


# repetition ------------------------------------------------------------------------------------


def test_what_was_missed_is_due_the_next_day_and_what_was_known_later() -> None:
    attempts = [attempt("missed", 0.2, 1), attempt("half", 0.5, 1), attempt("good", 0.7, 1), attempt("all", 1.0, 1)]
    days = {each.question: (each.due - schedule(attempts)[0].due) / timedelta(days=1) for each in schedule(attempts)}
    assert days["missed"] == 0 and days["half"] < days["good"] < days["all"]
    assert [each.question for each in due(attempts, NOW + 60)] == ["missed", "half"]


def test_a_question_that_is_known_again_and_again_comes_ever_more_rarely() -> None:
    gaps = []
    attempts = []
    for days_ago in (60, 50, 30):
        attempts.append(attempt("known", 0.95, days_ago))
        last = schedule(attempts)[0]
        gaps.append((last.due.timestamp() - attempts[-1].at) / DAY)
    assert gaps == sorted(gaps) and gaps[0] < gaps[-1]
    forgotten = schedule([*attempts, attempt("known", 0.1, 1)])[0]
    assert (forgotten.due.timestamp() - NOW) / DAY < gaps[0]


def test_a_skipped_question_counts_as_missed_and_a_wrong_claim_makes_it_harder() -> None:
    plain, wrong, skipped = (
        schedule([attempt("q", 0.95, 1, wrong=wrong, skipped=skipped)])[0]
        for wrong, skipped in ((0, False), (1, False), (0, True))
    )
    assert skipped.stability < wrong.stability < plain.stability
    assert skipped.due <= wrong.due < plain.due


# record ----------------------------------------------------------------------------------------


def test_attempts_are_kept_in_order_and_a_torn_line_is_left_out(small: Bank, folder: Path) -> None:
    record = Record(folder)
    question = small["any-replica"]
    assert record.attempts() == [] and record.last(question.id) is None
    text = "It is stateless.\nAnd »more«."
    record.answered(question, text, score(question, text))
    with record.path.open("ab") as file:
        file.write(b'{"at": 1, "question": "cut o')
    record.skipped(question)
    with pytest.warns(DamagedRecord, match="line 2"):
        found = record.attempts()
    assert [each.skipped for each in found] == [False, True]
    with pytest.warns(DamagedRecord):
        last = record.last(question.id)
    assert last is not None and last.answer == text


# history and report ----------------------------------------------------------------------------


@pytest.fixture
def session(small: Bank, folder: Path, clock: Clock) -> Session:
    items = [
        Item("question", id, small[id].ask, small[id].minutes, "sample")
        for id in ("any-replica", "when-to-retry", "who-decides")
    ]
    session = Session.of(items, "architect", 15, 7, bank=small, folder=folder, clock=clock)
    clock.run(200)
    session.hint()
    session.answer("<script>alert(1)</script> It is stateless & good. A cookie binds it.")
    session.next()
    session.skip()
    return session


def test_history_tells_sessions_and_topics(session: Session, folder: Path) -> None:
    record = Record(folder)
    record.add(Attempt(time.time() + 5 * DAY, "any-replica", "sample", 0.9))
    past = History(folder)
    assert past.table()["question"].tolist() == ["any-replica", "when-to-retry", "any-replica"]
    row = past.topics().iloc[0]
    assert (row["topic"], row["questions"], row["attempts"]) == ("sample", 2, 3)
    assert row["gain"] == pytest.approx((0.9 - past.attempts[0].fraction) / 2)
    (kept,) = past.sessions().to_dict("records")
    assert (kept["session"], kept["role"], kept["done"], kept["items"]) == (session.id, "architect", 1, 3)
    assert kept["used"] == pytest.approx(200 / 60)
    assert "1 sessions, 0 finished" in str(past)
    assert "<table" in past._repr_html_()


def test_the_trend_has_a_line_for_each_topic(folder: Path, tmp_path: Path) -> None:
    record = Record(folder)
    for days_ago, topic, fraction in ((9, "security", 0.2), (5, "security", 0.6), (5, "scaling", 0.5)):
        record.add(Attempt(NOW - days_ago * DAY, f"q-{topic}", topic, fraction))
    figure = History(folder).plot()
    (axes,) = figure.axes
    assert {line.get_label(): len(line.get_xdata()) for line in axes.lines} == {"security": 2, "scaling": 1}
    History(tmp_path / "nothing").save_plot(tmp_path / "out" / "trend.png")
    assert (tmp_path / "out" / "trend.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_tells_all_and_needs_nothing_else(session: Session, tmp_path: Path) -> None:
    page = write_report(session, tmp_path / "reports" / "it.html")
    text = page.read_text(encoding="utf-8")
    for wanted in (HOW, "✓ seen", "The server keeps nothing between requests.", "✗ missed", "sounds like",
                   "Nothing binds a client to a replica any more.", "A model answer", "skipped", "3:20 of 3:00", "(over)", "1 hint taken"):  # fmt: skip
        assert wanted in text, wanted
    assert "<script" not in text and "&lt;script&gt;" in text
    assert "Who decides" in text and small_answer_is_hidden(text)
    assert re.findall(r"(?:src|href)='(?:https?:)?//", text) == []
    links = re.findall(r"href='([^']+)'", text)
    assert links and all((page.parent / unquote(link)).is_file() for link in links)
    assert any(link.endswith("04_stateless_era.ipynb") for link in links)


def small_answer_is_hidden(text: str) -> bool:
    """What is still open may yet be answered: its model answer is not told."""
    return "The application decides about pears." not in text


def test_the_plan_begins_with_what_was_missed_most(session: Session, small: Bank) -> None:
    studies = study_plan(session.entries, small)
    assert [study.weight for study in studies] == sorted((study.weight for study in studies), reverse=True)
    assert (studies[0].kind, studies[0].id) == ("notebook", "28_resilience"), "all of it was skipped"
    assert {"04_stateless_era", "04_migrate_a_frame", "28_retry_what_may_be"} <= {study.id for study in studies}
    assert all(study.path.is_file() and study.title for study in studies)
    assert "06_tools" not in {study.id for study in studies}, "that question has no result yet"


def test_a_report_of_nothing_missed_says_so(small: Bank, folder: Path) -> None:
    item = Item("question", "any-replica", small["any-replica"].ask, 3, "sample")
    session = Session.of([item], "architect", 15, bank=small, folder=folder)
    session.answer(small["any-replica"].model_answer)
    session.finish()
    assert "Nothing was missed." in report_html(session, Path(os.curdir))
