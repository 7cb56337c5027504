"""The view of a mock interview without a browser: what it tells at each step, and what it keeps to itself until then."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import LabError
from labkit.grading.spec import load
from labkit.grading.warm import judges
from labkit.interview.bank import Bank, Claim, InterviewError, Point, Question, Wrong
from labkit.interview.drawing import Item
from labkit.interview.scoring import Heard, Missed, Score, Seen
from labkit.interview.session import Session
from labkit.interview.stage import STAGE
from labkit.ui.interview import InterviewView, show_interview
from labkit.ui.interview_items import marked, proof

pytestmark = pytest.mark.anyio
KATA = "00_first_call"
ANSWER = "Any replica answers. <b>Sessions</b> stick."


def question(id: str, topic: str) -> Question:
    return Question(
        id=id,
        topic=topic,
        ask=f"What of {id}?",
        level="junior",
        minutes=3,
        notebook="04_stateless_era",
        spec=("basic",),
        era="Both eras.",
        answer=(Claim("Any replica can answer.", "04_stateless_era#shared-key", "x"), Claim("It depends.")),
        points=(Point("Any replica.", 3, ()), Point("Measure first.", 1, ())),
        wrong=(Wrong("Sessions stick.", "There are none.", ()),),
        follow_ups=("And with two eras?",),
        exercises=("30_how_many_replicas",),
    )


BANK = Bank([question("replicas", "scaling"), question("frames", "protocol")])


def count(asked: Question, text: str) -> Score:
    """A scorer that sees the first point in the first sentence, and the wrong claim in the second."""
    first = text.index(".") + 1
    seen = (Seen("Any replica.", 3, text[:first], 0, first),)
    wrong = (Heard("Sessions stick.", "There are none.", text[first + 1 :], first + 1, len(text)),)
    return Score(asked.id, seen, (Missed("Measure first.", 1),), wrong=wrong)


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module", autouse=True)
def no_judges_left() -> Iterator[None]:
    yield
    judges.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(tmp_path: Path, clock: Clock) -> Session:
    items = [
        Item("question", "replicas", "What of replicas?", 3, "scaling"),
        Item("kata", KATA, "First call", 10, "start"),
        Item("design", "harbour_parcels", "Parcels", 20, "design"),
        Item("question", "frames", "What of frames?", 3, "protocol"),
    ]
    folder = tmp_path / "interview"
    return Session.of(items, "architect", 45, bank=BANK, folder=folder, clock=clock, scorer=count)


@pytest.fixture
async def view(session: Session) -> Any:
    view = InterviewView(session)
    view.told = []
    view.tell = lambda what, **data: view.told.append((what, data))
    yield view
    view.close()


async def state(view: InterviewView) -> dict[str, Any]:
    return await view.respond("state", {})


async def test_before_an_answer_nothing_of_it_is_told(view: Any) -> None:
    before = await state(view)
    item = before["item"]
    assert (item["ask"], item["level"], item["topic"], item["hints"]) == ("What of replicas?", "junior", "scaling", [])
    assert before["place"] == "Item 1 of 4" and before["state"] == "running"
    assert [dot["kind"] for dot in before["dots"]] == ["question", "kata", "design", "question"]
    for secret in ("Any replica", "Measure first", "stick", "First call", "frames"):
        assert secret not in json.dumps(before) + view.still()
    await view.respond("hint", {})
    after = (await state(view))["item"]
    assert len(after["hints"]) == 1 and after["hints_left"] == item["hints_left"] - 1
    assert view.told[-1][1]["item"]["hints"] == after["hints"]


async def test_an_answer_is_marked_where_its_points_were_seen(view: Any) -> None:
    await view.respond("answer", {"text": ANSWER})
    item = (await state(view))["item"]
    score = item["score"]
    assert [(part["text"], part["seen"], part["wrong"]) for part in score["answer"]] == [
        ("Any replica answers.", [1], []),
        (" ", [], []),
        ("<b>Sessions</b> stick.", [], [1]),
    ]
    assert [each["point"] for each in score["missed"]] == ["Measure first."]
    assert score["wrong"] == [{"says": "Sessions stick.", "why": "There are none."}]
    assert "does not judge style" in item["how"] and item["era"] == "Both eras." and item["follow_ups"]
    shown = item["model"][0]
    assert (shown["shown"], shown["file"]) == (
        "shown by the cell shared-key of",
        "notebooks/protocol/04_stateless_era.ipynb",
    )
    still = view.still()
    assert "<mark>Any replica answers.<sup>1</sup></mark>" in still
    assert "&lt;b&gt;Sessions" in still and "<b>Sessions" not in still
    assert "does not judge style" in still


async def test_what_cannot_be_done_is_said_and_changes_nothing(view: Any, session: Session) -> None:
    with pytest.raises(InterviewError, match="empty"):
        await view.respond("answer", {"text": " \n"})
    with pytest.raises(InterviewError, match="no answer yet"):
        await view.respond("next", {})
    assert session.at == 0 and not (await state(view))["moved"]


async def test_a_pause_stops_the_clock_and_covers_the_item(view: Any, clock: Clock) -> None:
    clock.now = 60
    await view.respond("pause", {})
    clock.now = 600
    paused = await state(view)
    assert paused["clock"] == {"running": False, "left": 44 * 60, "spent": 60, "planned": 180}
    assert paused["item"]["covered"] and "ask" not in paused["item"]
    assert "What of replicas?" not in json.dumps(paused) + view.still()
    with pytest.raises(InterviewError, match="paused"):
        await view.respond("answer", {"text": ANSWER})
    await view.respond("resume", {})
    assert (await state(view))["item"]["ask"] == "What of replicas?"


async def test_a_beat_saves_the_time(view: Any, session: Session, clock: Clock) -> None:
    clock.now = 7
    assert (await view.respond("beat", {}))["spent"] == 7
    assert Session.load(session.id, bank=BANK, folder=session.folder).seconds == 7
    assert view.told == [], "the clock is no news"


async def test_a_whole_session(view: Any, session: Session, tmp_path: Path) -> None:
    await view.respond("answer", {"text": ANSWER})
    await view.respond("next", {})
    kata = (await state(view))["item"]
    path = tmp_path / f"{KATA}.py"
    assert path.read_text(encoding="utf-8") == load(KATA).starter, "the starter is in place when the clock begins"
    assert kata["file"] == f"{tmp_path.name}/{KATA}.py" and kata["headline"] == "Not checked yet" and kata["task"]
    shutil.copy(load(KATA).folder / "solution.py", path)
    await view.respond("check", {})
    kata = (await state(view))["item"]
    assert (kata["status"], kata["result"]) == ("done", "100%")
    assert {check["status"] for check in kata["checks"]} == {"passed"}
    await view.respond("next", {})
    brief = await view.respond("brief", {})
    assert brief["schema"]["properties"]["packaging"] and brief["facts"] and brief["asks"]
    await view.respond("decide", {"answers": brief["decision"]})
    design = (await state(view))["item"]
    assert design["status"] == "done" and design["lines"]
    await view.respond("next", {})
    await view.respond("skip", {})
    end = await state(view)
    assert end["item"] is None and end["state"] == "finished"
    rows = {row["topic"]: row for row in end["result"]["topics"]}
    assert rows["start"]["result"] == 1.0 and rows["protocol"]["skipped"] == 1
    study = end["result"]["study"]
    assert study[0]["file"] == "notebooks/protocol/04_stateless_era.ipynb" and "Any replica." in study[0]["why"]
    told = [why for each in study for why in each["why"]]
    assert len(told) == len(set(told)), "what was missed is told once"
    await view.respond("report", {})
    written = (tmp_path / "interview" / "reports" / f"{session.id}.html").read_text(encoding="utf-8")
    assert "What of replicas?" in written and (await state(view))["report"]["file"].endswith(f"{session.id}.html")
    assert "What to study next" in view.still()


async def test_the_kernel_is_free_while_a_kata_is_checked(view: Any, session: Session, monkeypatch: Any) -> None:
    import asyncio

    begun, go = threading.Event(), threading.Event()

    def check() -> None:
        begun.set()
        go.wait(20)

    monkeypatch.setattr(session, "check", check)
    checking = asyncio.ensure_future(view.respond("check", {}))
    await asyncio.to_thread(begun.wait, 20)
    assert (await state(view))["checking"]
    with pytest.raises(LabError, match="being checked already"):
        await view.respond("check", {})
    go.set()
    await checking
    assert not (await state(view))["checking"]


async def test_a_kata_resumes_with_its_best_check(view: Any, session: Session, tmp_path: Path) -> None:
    await view.respond("skip", {})
    (tmp_path / f"{KATA}.py").write_text("mine = 1\n", encoding="utf-8")
    await view.respond("check", {})
    again = InterviewView(Session.load(folder=session.folder, bank=BANK))
    try:
        assert (tmp_path / f"{KATA}.py").read_text(encoding="utf-8") == "mine = 1\n", "what was begun stays"
        await again.respond("resume", {})
        kata = (await state(again))["item"]
        assert kata["status"] == "open" and "checks passed" in kata["headline"]
        assert {check["status"] for check in kata["checks"]} != {"not attempted"}
    finally:
        again.close()


async def test_what_a_cell_does_shows_here(view: Any, session: Session) -> None:
    session.answer(ANSWER)
    assert view.told[-1][1]["item"]["status"] == "done"
    other = Session.load(session.id, bank=BANK, folder=session.folder)
    other.resume()
    other.next()
    assert (await state(view))["place"] == "Item 2 of 4", "another object of the same session"


async def test_a_session_that_went_on_elsewhere_is_loaded_when_asked(view: Any, session: Session) -> None:
    STAGE.audience.discard(view)  # elsewhere is another process, which tells nobody here
    Session.load(session.id, bank=BANK, folder=session.folder).resume()
    with pytest.raises(InterviewError, match="another window"):
        await view.respond("skip", {})
    moved = await state(view)
    assert moved["moved"] and not moved["clock"]["running"]
    await view.respond("reload", {})
    after = await state(view)
    assert not after["moved"] and after["state"] == "paused" and after["place"] == "Item 1 of 4"


async def test_a_session_has_one_view(session: Session, monkeypatch: Any) -> None:
    shown: list[InterviewView] = []
    monkeypatch.setattr(InterviewView, "_ipython_display_", lambda self: shown.append(self))
    show_interview(session)
    again = Session.load(session.id, bank=BANK, folder=session.folder)
    show_interview(again)
    first, second = shown
    assert first is second and first.session is again
    assert repr(again) == first.text() and "paused" in first.text()
    first.close()


def test_passages_may_overlap() -> None:
    seen = (Seen("a", 1, "", 0, 5), Seen("b", 1, "", 3, 8))
    parts = marked("0123456789", Score("q", seen, ()))
    assert [(part["text"], part["seen"]) for part in parts] == [("012", [1]), ("34", [1, 2]), ("567", [2]), ("89", [])]


@pytest.mark.parametrize(
    ("shown", "told", "file"),
    [
        ("tests/ui/test_card.py::test_it", "shown by the test test_it in", "tests/ui/test_card.py"),
        ("labkit doctor", "shown by the command", "labkit doctor"),
        ("", "", ""),
    ],
)
def test_a_claim_says_what_shows_it(shown: str, told: str, file: str) -> None:
    found = proof(Claim("It is so.", shown))
    assert (found["says"], found["shown"], found["file"]) == ("It is so.", told, file)
