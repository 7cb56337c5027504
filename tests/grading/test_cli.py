"""The exercises in a terminal."""

from __future__ import annotations

import json
from pathlib import Path

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


def test_an_unknown_exercise_is_wrong_usage(labkit) -> None:
    result = labkit("check", "03_negotiat")
    assert result.exit_code == 2
    assert "Did you mean '03_negotiate'" in result.output


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
