"""Progress survives restarts, several kernels at once, and a damaged file."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.grading.record import Board, Progress
from labkit.grading.report import FAILED, PASSED, CheckResult, Report
from labkit.grading.spec import ExerciseError


def a_report(status: str = PASSED, id: str = "toy") -> Report:
    return Report(id, "Toy", [CheckResult("double", "double", 3, status)], seed=1, seconds=0.1)


@pytest.fixture
def progress(root: Path, tmp_path: Path) -> Progress:
    return Progress(tmp_path / "work" / "progress.db", root)


def test_the_best_attempt_counts(progress: Progress) -> None:
    progress.event("toy", "opened")
    for status in (FAILED, PASSED, FAILED):
        progress.attempt(a_report(status), "x")
    (line,) = progress.lines()
    assert (line.status, line.score, line.points, line.attempts) == (PASSED, 3, 3, 3)
    assert line.minutes is not None and line.minutes >= 0


def test_it_survives_a_restart(progress: Progress, root: Path) -> None:
    progress.attempt(a_report(), "x")
    assert Progress(progress.path, root).passed("toy")


def test_two_kernels_write_at_once(progress: Progress, root: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom labkit.grading.record import Progress\n"
        "p = Progress(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "for n in range(50):\n    p.event('toy', 'hint', f'{sys.argv[3]}{n}')\n"
    )
    args = [sys.executable, "-c", code, str(progress.path), str(root)]
    writers = [subprocess.Popen([*args, name], stderr=subprocess.PIPE, text=True) for name in ("a", "b", "c")]
    errors = [writer.communicate(timeout=60)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], errors
    assert progress.lines()[0].hints == 150


@pytest.mark.parametrize("damage", [b"not a database at all, but long enough to be read as one" * 100, b"SQLite"])
def test_a_damaged_file_is_set_aside(progress: Progress, root: Path, damage: bytes) -> None:
    progress.path.parent.mkdir(parents=True)
    progress.path.write_bytes(damage)
    with pytest.warns(UserWarning, match="could not be read .* It was kept as .*damaged"):
        progress.attempt(a_report(), "x")
    (kept,) = progress.path.parent.glob("progress.damaged-*.db")
    assert kept.read_bytes() == damage
    assert Progress(progress.path, root).passed("toy")


def test_a_page_in_the_middle_is_damaged(progress: Progress, root: Path) -> None:
    for _ in range(300):
        progress.attempt(a_report(), "x" * 200)
    data = bytearray(progress.path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = b"\xff" * 4096
    progress.path.write_bytes(data)
    with pytest.warns(UserWarning, match="kept as"):
        Progress(progress.path, root).event("toy", "opened")


def test_export_to_csv_and_json(progress: Progress, tmp_path: Path) -> None:
    progress.attempt(a_report(), "x")
    table = progress.export(tmp_path / "p.csv")
    with table.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["exercise"], row["status"], row["score"]) == ("toy", PASSED, "3")
    (entry,) = json.loads(progress.export(tmp_path / "p.json").read_text(encoding="utf-8"))
    assert entry["exercise"] == "toy"
    with pytest.raises(ExerciseError, match=r"\.csv or \.json"):
        progress.export(tmp_path / "p.xlsx")
    assert progress.export(tmp_path / "new" / "folder" / "p.csv").read_bytes() == table.read_bytes()
    (tmp_path / "taken.csv").mkdir()
    with pytest.raises(ExerciseError, match="cannot be written to"):
        progress.export(tmp_path / "taken.csv")


def test_the_board_shows_table_and_bars(progress: Progress) -> None:
    progress.attempt(a_report(), "x")
    board = Board(progress)
    assert "1 of 1 exercises passed, 3 of 3 points" in str(board)
    assert "width:100%" in board._repr_html_()
    assert list(board.table()["exercise"]) == ["toy"]
    (axes,) = board.plot().axes
    assert [bar.get_width() for bar in axes.patches] == [3, 3]
