"""The copies, the index and the JUnit file that a run leaves."""

from __future__ import annotations

import sysconfig
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from labkit.catalog import LAB_ROOT
from labkit.course import Failure, Report, Result, run_notebooks
from labkit.course.pages import without_paths, write_index, write_junit


@pytest.fixture
def report(tmp_path: Path) -> Report:
    failure = Failure(3, "1 < 0", "ValueError: \x1b<bad>", f"{LAB_ROOT}/labkit/x.py", "so far")
    page = tmp_path / "start" / "00_welcome.html"
    return Report(
        [Result(tmp_path / "a.ipynb", 1.5, 4, html=page), Result(tmp_path / "b.ipynb", 2, 3, failure)], 2.5, tmp_path
    )


def test_the_index_leads_to_every_copy_and_shows_failures_escaped(report: Report) -> None:
    text = write_index(report).read_text(encoding="utf-8")
    assert "1 of 2 notebooks passed" in text
    assert "start/00_welcome.html" in text
    assert "1 &lt; 0" in text
    assert str(LAB_ROOT) not in text


def test_the_junit_file_has_a_case_per_notebook_and_parses(report: Report, tmp_path: Path) -> None:
    root = ET.parse(write_junit(report, tmp_path / "deep" / "junit.xml")).getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    failures = [case.find("failure") for case in root.iter("testcase")]
    assert failures[0] is None
    assert failures[1] is not None and failures[1].get("message") == "ValueError: ?<bad>"
    assert "labkit/x.py" in (failures[1].text or "")


def test_the_executed_copies_name_no_folder_of_this_machine_and_load_nothing(notebook, tmp_path: Path) -> None:
    path = notebook(
        "pages", f"import jinja2\nprint({str(LAB_ROOT / 'labkit')!r}, jinja2.__file__)\njinja2.Template(None)"
    )
    page = run_notebooks([path], out=tmp_path / "out").results[0].html
    assert page is not None
    for text in (page.read_text(encoding="utf-8"), page.with_suffix(".ipynb").read_text(encoding="utf-8")):
        assert "labkit" in text
        assert str(LAB_ROOT) not in text
        assert sysconfig.get_path("purelib") not in text
    assert '<script src="http' not in page.read_text(encoding="utf-8")


def test_only_whole_folder_names_are_taken_out() -> None:
    assert without_paths(f"{LAB_ROOT}/labkit") == "labkit"
    assert without_paths(f"{LAB_ROOT}-other/labkit") == f"{LAB_ROOT}-other/labkit"
