"""The exercise card without a browser: what it says before, while and after checking, and that the kernel stays free."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import LabError
from labkit.grading.attempt import Exercise
from labkit.grading.report import FAILED, NOT_ATTEMPTED, PASSED
from labkit.grading.scaffold import new_exercise
from labkit.grading.spec import load
from labkit.grading.stage import STAGE
from labkit.grading.warm import judges
from labkit.ui.card import Card, in_thread, show_card
from labkit.ui.prose import as_html, prose

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
def no_judges_left() -> Iterator[None]:
    yield
    judges.close()


@pytest.fixture
def toy(tmp_path: Path) -> Exercise:
    new_exercise("toy", tmp_path / "exercises")
    return Exercise(load("toy", tmp_path / "exercises"), tmp_path / "work").open()


@pytest.fixture
async def card(toy: Exercise) -> Any:
    card = Card(toy)
    card.told = []
    card.tell = lambda what, **data: card.told.append((what, data))
    yield card
    card.close()


async def state(card: Card) -> dict[str, Any]:
    return await card.respond("state", {})


async def test_before_the_first_attempt(card: Any) -> None:
    before = await state(card)
    assert (before["outcome"], before["headline"]) == (NOT_ATTEMPTED, "Not attempted yet")
    assert [check["status"] for check in before["checks"]] == [NOT_ATTEMPTED]
    assert before["cell"].startswith("%%exercise toy\n") and card.exercise.spec.starter in before["cell"]
    card.exercise.path.write_text("mine = 1\n", encoding="utf-8")
    assert (await state(card))["cell"] == "%%exercise toy\nmine = 1\n", (
        "work that was begun is not replaced by the starter"
    )
    assert before["file"] == "work/toy.py"
    assert before["record"] == "best 0 of 3 points, no attempts"
    assert before["hints"] == [] and before["hints_left"] == 2


async def test_a_wrong_answer_shows_reason_and_line_then_a_right_one_passes(card: Any) -> None:
    card.exercise.path.write_text("def double(number):\n    return 1 / 0\n", encoding="utf-8")
    await card.respond("check", {})
    after = await state(card)
    (check,) = after["checks"]
    assert after["outcome"] == "crashed" and check["status"] == "crashed"
    assert ["your line 2:", "return 1 / 0"] in check["lines"]
    assert "ZeroDivisionError" in after["note"]
    card.exercise.path.write_text(card.exercise.spec.solution, encoding="utf-8")
    await card.respond("check", {})
    after = await state(card)
    assert after["outcome"] == PASSED and after["afterword"]
    assert after["record"] == "best 3 of 3 points, 2 attempts"


async def test_checking_leaves_the_loop_free_and_a_second_check_is_refused(card: Any, monkeypatch: Any) -> None:
    go = threading.Event()
    check = card.exercise.check
    monkeypatch.setattr(card.exercise, "check", lambda: (go.wait(30), check())[1])
    running = asyncio.ensure_future(card.respond("check", {}))
    while not card.told:
        await asyncio.sleep(0)
    assert card.told[0][1]["checking"] is True
    with pytest.raises(LabError, match="being checked already"):
        await card.respond("check", {})
    go.set()
    await running
    assert (await state(card))["checking"] is False


async def test_a_check_that_raises_leaves_the_card_usable(card: Any, monkeypatch: Any) -> None:
    def broken() -> None:
        raise OSError("no disk")

    monkeypatch.setattr(card.exercise, "check", broken)
    with pytest.raises(OSError, match="no disk"):
        await card.respond("check", {})
    assert (await state(card))["checking"] is False


async def test_what_happens_in_a_cell_shows_on_the_card(card: Any, toy: Exercise) -> None:
    other = Exercise(toy.spec, toy.path.parent)  # as %%exercise makes one
    other.save("def double(number):\n    return number + 1\n")
    report = await in_thread(other.check)
    assert report.outcome == FAILED
    what, told = card.told[-1]
    assert what == "state" and told["outcome"] == FAILED and told["checks"][0]["status"] == FAILED


async def test_another_exercise_leaves_the_card_alone(card: Any, toy: Exercise, tmp_path: Path) -> None:
    Exercise(toy.spec, tmp_path / "elsewhere").open().hint()
    assert card.told == []


async def test_hints_come_one_at_a_time(card: Any) -> None:
    for shown in (1, 2):
        await card.respond("hint", {})
        now = await state(card)
        assert [number for number, _ in now["hints"]] == list(range(1, shown + 1))
        assert now["hints_left"] == 2 - shown


async def test_solution_and_reset(card: Any) -> None:
    card.exercise.path.write_text("mine = 1\n", encoding="utf-8")
    await card.respond("solution", {})
    shown = (await state(card))["solution"]
    assert shown["code"] == card.exercise.spec.solution and "on request" in shown["text"]
    await card.respond("reset", {})
    now = await state(card)
    assert now["solution"] is None and card.exercise.path.read_text(encoding="utf-8") == card.exercise.spec.starter
    assert "is kept as work" in now["said"] and str(card.exercise.path.parent) not in now["said"]


async def test_the_still_and_the_text_tell_the_same(card: Any) -> None:
    card.exercise.path.write_text("def double(number):\n    return number + 1\n", encoding="utf-8")
    await card.respond("check", {})
    for page in (card.still(), card.text()):
        assert "failed" in page and "toy.py" in page and "0 of 1 checks passed" in page
    assert "<script" not in card.still() and str(card.exercise.path.parent) not in card.still()


async def test_a_closed_card_listens_no_more(toy: Exercise) -> None:
    card = Card(toy)
    assert card in STAGE.audience
    card.close()
    assert card not in STAGE.audience


def test_prose_is_harmless() -> None:
    page = as_html(
        prose("# A\n\n<script>x()</script>\n\n[b](javascript:x()) [c](https://c.example) <img src=x onerror=x()>\n")
    )
    assert "<script" not in page and "<img" not in page and "javascript" not in page
    assert "&lt;script&gt;" in page and '<a href="https://c.example"' in page and "<h3>A</h3>" in page


def test_prose_has_tables_lists_and_code() -> None:
    page = as_html(prose("| a | b |\n|---|---|\n| `1` | **2** |\n\n- x\n- y\n\n```python\na < b\n```\n"))
    assert '<th scope="col">a</th>' in page and "<td><code>1</code></td><td><strong>2</strong></td>" in page
    assert "<ul><li>x</li><li>y</li></ul>" in page and "a &lt; b" in page


def test_without_a_front_end_an_exercise_shows_its_text(toy: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STAGE, "show", None)
    with pytest.raises(NotImplementedError):  # IPython goes on to the Markdown
        toy._ipython_display_()
    assert "%%exercise toy" in toy._repr_markdown_()
    shown: list[Any] = []
    monkeypatch.setattr(STAGE, "show", shown.append)
    toy._ipython_display_()
    assert shown == [toy]


async def test_an_answer_has_one_card_however_often_it_is_opened(
    toy: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Card] = []
    monkeypatch.setattr(Card, "_ipython_display_", lambda card: drawn.append(card))
    again = Exercise(toy.spec, toy.path.parent)
    for each in (toy, again):
        show_card(each)
    first, second = drawn
    assert first is second and first.exercise is again
    first.close()


def test_a_view_that_fails_does_not_break_a_check(toy: Exercise, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def changed(self, exercise: Exercise, report: Any) -> None:
            raise RuntimeError("torn")

    broken = Broken()
    STAGE.audience.add(broken)
    assert toy.check().outcome == NOT_ATTEMPTED
    assert "a view of exercises failed" in caplog.text
