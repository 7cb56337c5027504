"""What every notebook of the course has: a goal, its time, the way in and on, its exercises, its interview questions."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from labkit.course.find import COURSE, find_notebooks
from labkit.grading.spec import exercise_ids, load
from labkit.interview.bank import Bank, load_bank

NOTEBOOKS = find_notebooks()
NAMES = [path.relative_to(COURSE).with_suffix("").as_posix() for path in NOTEBOOKS]
LONGEST = 75
"""Lines of a code cell: a server that is given as one text may be that long, a thought is not."""


@cache
def belonging() -> dict[str, str]:
    """The notebook of each exercise."""
    return {id: load(id).notebook for id in exercise_ids()}


@cache
def bank() -> Bank:
    return load_bank()


def cells(notebook: Path, kind: str) -> list[str]:
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


def section(notebook: Path, heading: str) -> str:
    """The text below a heading, up to the next one of its level."""
    text = "\n".join(cells(notebook, "markdown"))
    found = re.search(rf"(?ms)^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text)
    return found[1] if found else ""


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=NAMES)
def test_it_says_at_once_what_it_is_for_and_how_long_it_takes(notebook: Path) -> None:
    first = cells(notebook, "markdown")[0]
    assert re.match(rf"# {notebook.stem[:2]} · \S", first)
    assert "**After this notebook you can**\n- " in first
    assert re.search(r"\*\*Time\*\* \d+ minutes", first)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=NAMES)
def test_one_can_go_back_and_on(notebook: Path) -> None:
    first, last = cells(notebook, "markdown")[0], cells(notebook, "markdown")[-1]
    assert notebook == NOTEBOOKS[0] or re.search(r"\*\*Before\*\* \[", first)
    assert re.search(r"\*\*Next\*\* \[", first) and re.search(r"\*\*Next\*\* \[", last)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=NAMES)
def test_it_ends_with_all_its_exercises_and_no_others(notebook: Path) -> None:
    own = {id for id, name in belonging().items() if name == notebook.stem}
    named = set(re.findall(r'lab\.exercise\("(\w+)"\)', section(notebook, "Exercises")))
    assert own <= named and named <= set(belonging())


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=NAMES)
def test_it_ends_with_interview_questions_and_the_way_to_more(notebook: Path) -> None:
    text = section(notebook, "Interview questions this answers")
    assert text.count("?") >= 3
    asked = {question.notebook for question in bank().values()}
    narrow = f" --notebook {notebook.stem[:2]}" if notebook.stem in asked else ""
    assert f"`labkit interview questions{narrow}`" in text


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=NAMES)
def test_a_cell_is_short_enough_to_be_read(notebook: Path) -> None:
    assert [text[:60] for text in cells(notebook, "code") if len(text.splitlines()) > LONGEST] == []
