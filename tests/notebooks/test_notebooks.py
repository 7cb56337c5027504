"""Every notebook of the course runs from top to bottom, leaves nothing behind, and shows what it has promised.

What model answers of interview questions link to is promised, too: the run of a notebook proves the claims of its cells.

The runner is the one behind `labkit run`. One test per notebook, so pytest-xdist spreads them, one kernel per worker.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from labkit.cli import doctor
from labkit.course import find_notebooks, run_notebooks
from labkit.course.expected import check, compare, is_marked
from labkit.course.find import COURSE
from labkit.interview.bank import Bank, load_bank
from labkit.interview.proofs import unproved

CANARY = re.compile("canary-[0-9a-f]{16,}")
NOTEBOOKS = find_notebooks()
NAMES = [path.relative_to(COURSE).with_suffix("").as_posix() for path in NOTEBOOKS]
NUMBERS = {path.stem[:2] for path in NOTEBOOKS}
MARKED = [path for path in NOTEBOOKS if is_marked(path)]
TWICE = MARKED if os.environ.get("LAB_WHOLE") else [path for path in MARKED if path.stem == "02_json_rpc"]
"""Notebooks that nbval runs, too: about 10 s of one core each. The outputs of all are compared when papermill has run them."""


@pytest.fixture(scope="module")
def bank() -> Bank:
    return load_bank()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=NAMES)
def test_papermill_runs_it_to_the_end(
    notebook: Path, bank: Bank, record_property: Callable[[str, object], None]
) -> None:
    began = time.time()
    report = run_notebooks([notebook], jobs=1, timeout=300)
    record_property("notebook", (notebook.stem, began, time.time()))
    report.check()
    assert report.results[0].left_behind == ()
    assert CANARY.findall(nbformat.writes(report.results[0].nb)) == [], "a secret of the security range was saved"
    unproved_claims = unproved(bank, notebook.stem, report.results[0].nb.cells)
    assert unproved_claims == [], "\n".join(map(str, unproved_claims))
    if notebook in MARKED:
        compare(notebook, report.results[0].nb)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("notebook", TWICE, ids=[path.stem for path in TWICE])
def test_nbval_finds_the_outputs_that_were_promised(notebook: Path) -> None:
    check(notebook)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=NAMES)
def test_it_can_be_run_fast_and_found_by_number(notebook: Path) -> None:
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", notebook.stem), "named NN_slug.ipynb: see the curriculum"
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    parameters = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    assert len(parameters) == 1, "one cell is tagged `parameters`"
    assert re.search(r"^fast\b.*=", "".join(parameters[0]["source"]), re.M), "it sets `fast`"
    assert all(cell.get("id") for cell in cells), "every cell has an id: expected outputs are kept by id"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=NAMES)
def test_what_it_names_exists(notebook: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    assert named_in(text) <= NUMBERS
    links = re.findall(r"\]\(([^)#:]+\.(?:ipynb|md|py))", text)
    assert [link for link in links if not (notebook.parent / link).is_file()] == []
    assert "**Next** " in text, "a learner wants to know how to go on"


def test_the_notebooks_that_doctor_names_exist() -> None:
    assert named_in(Path(doctor.__file__).read_text(encoding="utf-8")) <= NUMBERS


def named_in(text: str) -> set[str]:
    """The numbers of the notebooks that a text speaks of: `notebook 07`, `notebooks 07 and 08`, `notebook [07](...)`."""
    runs = re.findall(r"(?i)\bnotebooks?\s+((?:\[?\d\d\b(?:, | and |, and | or )?)+)", text)
    return {number for run in runs for number in re.findall(r"\d\d", run)}
