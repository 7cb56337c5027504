"""The page that JupyterLab opens with: it knows what was done and what comes next, and its links lead somewhere."""

from __future__ import annotations

import re
import time
from datetime import date
from pathlib import Path

import pytest

from labkit.catalog import LAB_ROOT
from labkit.cli.lab import jupyter_arguments, welcome_page
from labkit.course.find import find_notebooks
from labkit.grading.record import Progress
from labkit.grading.report import CheckResult, Report
from labkit.grading.spec import load
from labkit.interview.bank import InterviewError
from labkit.interview.record import Attempt, Record
from labkit.ui.welcome import welcome, write_welcome

TODAY = date.today()


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(tmp_path / "progress.db")


def attempt(progress: Progress, id: str, status: str) -> None:
    checks = [CheckResult(check.name, check.title, check.points, status) for check in load(id).checks]
    progress.attempt(Report(id, load(id).title, checks), "source")


def test_a_newcomer_is_sent_to_the_first_notebook(progress: Progress) -> None:
    page = welcome(progress, LAB_ROOT / "work", TODAY)
    assert page.startswith("# Welcome to MCP Lab\n\nThis page is as of this start: `lab.progress()`")
    assert '- Next: [00 welcome](../notebooks/start/00_welcome.ipynb), exercise "First calls' in page
    assert "Begun" not in page and "✓" not in page


def test_it_says_what_was_done_what_was_begun_and_what_is_next(progress: Progress) -> None:
    attempt(progress, "00_first_call", "passed")
    attempt(progress, "02_frames_by_hand", "failed")
    page = welcome(progress, LAB_ROOT / "work", TODAY)
    assert page.startswith("# Welcome back to MCP Lab\n") and re.search(r"\*\*1 of \d+ exercises passed, 8 of", page)
    assert "notebooks done. This page is as of this start: `lab.progress()`" in page
    assert re.search(r"- Begun: \[02 json rpc\].*`02_frames_by_hand` \(0/12 points, failed, 1 attempt\)", page)
    assert re.search(r"- Next: \[00 welcome\]\(../notebooks/start/00_welcome.ipynb\), .*`p1_mcp_basics`", page)


def test_it_says_how_many_interview_questions_are_due(progress: Progress, tmp_path: Path) -> None:
    assert "due again" not in welcome(progress, tmp_path, TODAY)
    long_ago = time.time() - 5 * 86_400
    Record(tmp_path / "interview").add(Attempt(long_ago, "how-to-scale", "scaling", 0.1))
    assert "- 1 interview question is due again: `labkit interview due`" in welcome(progress, tmp_path, TODAY)


def test_its_links_lead_somewhere_and_name_the_whole_course(progress: Progress) -> None:
    page = welcome(progress, LAB_ROOT / "work", TODAY)
    links = [LAB_ROOT / "work" / link for link in re.findall(r"\]\(([^)]+)\)", page)]
    assert [link for link in links if not link.is_file()] == []
    assert {link.resolve() for link in links} >= {path.resolve() for path in find_notebooks()}


def test_jupyterlab_starts_with_the_page_and_without_it_with_the_first_notebook(monkeypatch, tmp_path: Path) -> None:
    inside = LAB_ROOT / "work" / "welcome.md"
    assert "--LabApp.default_url=/lab/tree/work/welcome.md" in jupyter_arguments(None, browser=True, page=inside)
    first = "--LabApp.default_url=/lab/tree/notebooks/start/00_welcome.ipynb"
    assert first in jupyter_arguments(None, browser=True, page=tmp_path / "welcome.md")  # out of JupyterLab's sight
    assert first in jupyter_arguments(None, browser=True)


def test_it_is_written_where_the_learner_works(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path / "mine"))
    page = write_welcome()
    assert page == tmp_path / "mine" / "welcome.md" and page.read_text(encoding="utf-8").startswith("# Welcome")


@pytest.mark.parametrize("error", [OSError("no space left"), InterviewError("the record is damaged")])
def test_a_page_that_cannot_be_written_keeps_no_lab_closed(monkeypatch, capsys, error: Exception) -> None:
    def fail() -> Path:
        raise error

    monkeypatch.setattr("labkit.ui.welcome.write_welcome", fail)
    assert welcome_page() is None
    assert str(error) in capsys.readouterr().err
