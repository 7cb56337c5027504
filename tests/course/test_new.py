"""A new notebook is one of the course from its first minute: it runs, and has the cells that every notebook has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from labkit.course import run_notebooks
from labkit.course.new import main, new_notebook
from labkit.errors import NotebookError


@pytest.fixture
def course(tmp_path: Path) -> Path:
    for name, title in (("start/00_welcome", "00 · Welcome"), ("protocol/02_json_rpc", "02 · JSON-RPC")):
        path = tmp_path / f"{name}.ipynb"
        path.parent.mkdir()
        cell = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": [f"# {title}\n"]}
        path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), "utf-8")
    return tmp_path


def test_it_runs_as_it_is_and_links_to_its_neighbours(course: Path, tmp_path: Path) -> None:
    made = new_notebook("protocol", "01_why", "Why?", course)
    cells = json.loads(made.read_text(encoding="utf-8"))["cells"]
    head = "".join(cells[0]["source"])
    assert head.startswith("# 01 · Why?\n")
    assert "**Before** [00 · Welcome](../start/00_welcome.ipynb). **Next** [02 · JSON-RPC](02_json_rpc.ipynb)." in head
    (parameters,) = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert re.match(r"fast = False", "".join(parameters["source"]))
    assert all(cell["id"] for cell in cells) and not any(cell.get("outputs") for cell in cells)
    report = run_notebooks([made], jobs=1, html=False, out=tmp_path / "out", timeout=100)
    report.check()
    assert report.results[0].left_behind == ()


def test_the_last_one_leads_back_to_the_first(course: Path) -> None:
    head = new_notebook("start", "07_end", "End", course).read_text(encoding="utf-8")
    assert "**Next** [00 · Welcome](00_welcome.ipynb)." in head


@pytest.mark.parametrize(
    ("track", "name", "title", "told"),
    [
        ("protocl", "03_x", "X", "no track 'protocl'. Did you mean 'protocol'"),
        ("protocol", "3_x", "X", "'3_x' cannot be a name"),
        ("protocol", "03_Big", "X", "'03_Big' cannot be a name"),
        ("start", "02_other", "X", "02 is taken by 02_json_rpc.ipynb: the last one is 02"),
        ("start", "03_x", " ", "needs a title"),
    ],
)
def test_what_cannot_be_made_is_said(course: Path, track: str, name: str, title: str, told: str) -> None:
    with pytest.raises(NotebookError, match=re.escape(told)):
        new_notebook(track, name, title, course)


def test_the_command_says_a_mistake_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere", "99_x", "X"]) == 2
    assert capsys.readouterr().err.startswith("error: There is no track 'nowhere'.")
