"""The exercises in a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import typer
from typer.testing import CliRunner

from labkit.grading.cli import register
from labkit.grading.spec import load

ID = "03_negotiate"


@pytest.fixture
def labkit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path / "work"))
    app = typer.Typer()
    register(app)
    runner = CliRunner()
    return lambda *args: runner.invoke(app, args)


def answer(tmp_path: Path, source: str) -> None:
    (tmp_path / "work" / f"{ID}.py").write_text(source, encoding="utf-8")


def test_check_tells_by_text_and_exit_code(labkit, tmp_path: Path) -> None:
    first = labkit("check", ID)
    assert first.exit_code == 1 and "not attempted yet" in first.output
    assert f"{ID}.py" in first.output and "task.md" in first.output
    answer(tmp_path, load(ID).solution)
    good = labkit("check", ID)
    assert good.exit_code == 0 and "all 4 checks passed" in good.output
    data = json.loads(labkit("check", ID, "--json").output)
    assert data["outcome"] == "passed"


def test_exercises_lists_them_all(labkit) -> None:
    listed = labkit("exercises").output
    assert load(ID).title in listed and "p1_mcp_basics" in listed


def test_exercises_lists_katas_alone(labkit) -> None:
    listed = [line.split()[0] for line in labkit("exercises", "--katas").output.splitlines()[:-1]]
    assert ID in listed and "p1_mcp_basics" not in listed
    assert all(load(id).kata for id in listed)


def test_an_unknown_exercise_is_wrong_usage(labkit) -> None:
    result = labkit("check", "03_negotiat")
    assert result.exit_code == 2
    assert "Did you mean '03_negotiate'" in result.output


def test_a_hint_that_there_is_not_is_wrong_usage(labkit) -> None:
    done = labkit("hint", ID, "99")
    assert done.exit_code == 2 and "hints go from 1 to 5" in done.output


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that stands for Ctrl-C in one process alone")
@pytest.mark.parametrize("command", ["check", "watch"])
def test_ctrl_c_ends_it_with_130_and_all_that_it_started(tmp_path: Path, command: str) -> None:
    (tmp_path / f"{ID}.py").write_text("while True:\n    pass\n", encoding="utf-8")
    started = subprocess.Popen(
        [sys.executable, "-m", "labkit", command, ID],
        env={**os.environ, "LABKIT_WORK": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,  # Ctrl-C reaches a whole process group
    )
    try:
        until = time.monotonic() + 60
        while not (judging := psutil.Process(started.pid).children(recursive=True)) and time.monotonic() < until:
            time.sleep(0.02)
        assert judging
        os.killpg(started.pid, signal.SIGINT)
        _, told = started.communicate(timeout=60)
    finally:
        started.kill()
    assert (started.returncode, "Traceback" in told) == (130, False)
    assert psutil.wait_procs(judging, timeout=30)[1] == []


def test_hint_solution_reset_progress(labkit, tmp_path: Path) -> None:
    assert "Hint 1 of 5" in labkit("hint", ID).output
    assert "Hint 2 of 5" in labkit("hint", ID).output
    assert "def choose" in labkit("solution", ID).output
    answer(tmp_path, "mine = 1\n")
    assert "is kept as" in labkit("reset", ID).output.replace("\n", " ")
    assert labkit("reset").exit_code == 2
    assert "nothing to reset" in labkit("reset", "--all").output or "starter again" in labkit("reset", "--all").output
    shown = labkit("progress", "--export", str(tmp_path / "p.json"))
    assert "2 hints" in shown.output and "on request" in shown.output
    assert json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))


def test_watch_checks_again_after_a_save(labkit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The learner saves while `watch` waits after its first check.
    monkeypatch.setattr("labkit.grading.cli.time.sleep", lambda _: answer(tmp_path, load(ID).solution))
    result = labkit("watch", ID, "--until-passed")
    assert "not attempted yet" in result.output and "all 4 checks passed" in result.output


def test_watch_without_a_name_checks_what_is_saved(labkit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.setattr("labkit.grading.cli.time.sleep", lambda _: answer(tmp_path, load(ID).solution))
    result = labkit("watch", "--until-passed")
    assert result.output.count("checks passed") == 1 and load(ID).title in result.output


def test_grade_prints_a_summary(labkit, tmp_path: Path) -> None:
    (tmp_path / "in" / "ada").mkdir(parents=True)
    (tmp_path / "in" / "ada" / f"{ID}.py").write_text(load(ID).solution, encoding="utf-8")
    result = labkit("grade", str(tmp_path / "in"), "--out", str(tmp_path / "g.csv"), "--jobs", "1")
    assert result.exit_code == 0, result.output
    assert "ada: 10/10" in result.output and (tmp_path / "g.csv").exists()
    assert labkit("grade", str(tmp_path / "none")).exit_code == 2
    few = labkit("grade", str(tmp_path / "in"), "--jobs", "-1")
    assert few.exit_code == 2 and not isinstance(few.exception, ValueError)


def test_a_damaged_record_is_told_in_a_sentence(labkit, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "progress.db").write_bytes(b"no database" * 1000)
    result = labkit("progress")
    assert result.exit_code == 0
    assert result.stderr.startswith("The record of your progress could not be read")
    assert result.stderr.count("\n") == 1 and "record.py" not in result.stderr
