"""The progress board without a browser: order, what is next, streaks, notebooks, and that it follows what is recorded."""

from __future__ import annotations

import sqlite3
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from labkit.grading.attempt import Exercise
from labkit.grading.record import Board, Progress
from labkit.grading.report import FAILED, PASSED, CheckResult, Report
from labkit.grading.scaffold import new_exercise
from labkit.grading.spec import load
from labkit.ui.board import ProgressBoard, streak

pytestmark = pytest.mark.anyio


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A course of three notebooks, two with exercises; a third exercise belongs to a notebook that is not there."""
    for name in ("start/00_hello", "protocol/01_wire", "protocol/02_quiet"):
        file = tmp_path / "course" / f"{name}.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}", encoding="utf-8")
    belongs = {
        "b_first": ("start", "00_hello"),
        "a_second": ("protocol", "01_wire"),
        "z_later": ("protocol", "09_later"),
    }
    for id, (track, notebook) in belongs.items():
        new_exercise(id, tmp_path / "exercises")
        file = tmp_path / "exercises" / id / "exercise.toml"
        lines = file.read_text(encoding="utf-8").splitlines()
        lines = [f'track = "{track}"' if x.startswith("track") else x for x in lines]
        lines = [f'notebook = "{notebook}"' if x.startswith("notebook") else x for x in lines]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
async def board(place: Path) -> Any:
    board = ProgressBoard(Progress(place / "work" / "progress.db", place / "exercises"), place / "course")
    board.told = []
    board.tell = lambda what, **data: board.told.append((what, data))
    yield board
    board.close()


def report(id: str, status: str) -> Report:
    return Report(id, id, [CheckResult("double", "double", 3, status)])


async def test_the_order_is_that_of_the_course(board: Any) -> None:
    state = await board.respond("state", {})
    names = {track["name"]: [book["notebook"] for book in track["notebooks"]] for track in state["tracks"]}
    assert names == {"start": ["00 hello"], "protocol": ["01 wire", "02 quiet", "09 later"]}
    later = state["tracks"][1]["notebooks"][2]
    assert later["coming"] and later["href"] == "" and later["exercises"][0]["id"] == "z_later"


async def test_what_is_next_and_which_notebooks_are_done(board: Any) -> None:
    state = await board.respond("state", {})
    assert state["next"]["id"] == "b_first" and state["next"]["notebook"] == "00 hello"
    assert state["notebooks"] == "0 of 3 notebooks done"
    board.progress.attempt(report("b_first", PASSED), "x")
    board.progress.attempt(report("a_second", FAILED), "x")
    state = await board.respond("state", {})
    assert state["next"]["id"] == "a_second" and state["next"]["status"] == FAILED
    assert state["notebooks"] == "1 of 3 notebooks done" and (state["score"], state["points"]) == (3, 9)
    assert state["tracks"][0]["notebooks"][0]["done"] is True
    for id in ("a_second", "z_later"):
        board.progress.attempt(report(id, PASSED), "x")
    assert (await board.respond("state", {}))["next"] is None


async def test_days_come_from_the_record(board: Any) -> None:
    board.progress.attempt(report("b_first", FAILED), "x")
    board.progress.attempt(report("b_first", PASSED), "x")
    with sqlite3.connect(board.progress.path) as db:
        db.execute("UPDATE attempts SET at = ? WHERE id = 1", (time.time() - 86_400,))
    db.close()
    state = await board.respond("state", {})
    assert len(state["days"]) == 28 and state["days"][-1] == [date.today().isoformat(), 1]
    assert state["days"][-2][1] == 1 and state["streak"] == 2


@pytest.mark.parametrize(("back", "expected"), [([0, 1, 2], 3), ([1, 2], 2), ([2, 3], 0), ([0, 2], 1), ([], 0)])
async def test_a_streak_ends_with_a_day_without_attempts_but_not_today(back: list[int], expected: int) -> None:
    today = date(2026, 3, 2)
    assert streak({(today - timedelta(days=each)).isoformat(): 1 for each in back}, today) == expected


async def test_it_follows_a_check(board: Any, place: Path) -> None:
    toy = Exercise(load("b_first", place / "exercises"), place / "work", board.progress).open()
    toy.hint()
    assert board.told[-1][0] == "state"
    row = board.told[-1][1]["tracks"][0]["notebooks"][0]["exercises"][0]
    assert "1 hint" in row["facts"]


async def test_still_and_text(board: Any) -> None:
    board.progress.attempt(report("b_first", PASSED), "x")
    page = board.still()
    assert "1 of 3 exercises passed, 3 of 9 points" in page and "no exercise" in page and "<script" not in page
    assert "Next:" in page and "<code>a_second</code>" in page
    assert board.text() == str(Board(board.progress))
