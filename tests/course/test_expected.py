"""Promised outputs: written once, compared by nbval at every run."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from labkit.course.expected import TAG, check, compare, expected_file, is_marked, record
from labkit.course.run import run_notebooks
from labkit.errors import NotebookError


@pytest.fixture
def promised(notebook) -> Path:
    """A marked notebook with one cell that is compared and one that never prints the same twice."""
    path = notebook(
        "promised",
        ("fast = False", ["parameters"]),
        ("print('fast' if fast else 'slow', 'took 12 ms'); 6 * 7", [TAG]),
        "import time; print(time.perf_counter_ns())",
        "from pathlib import Path; assert Path('promised.ipynb').exists()",
    )
    edit(path, lambda nb: nb.metadata.update(labkit={"nbval": True}))
    return path


def edit(path: Path, change) -> None:
    nb = nbformat.read(path, as_version=4)
    change(nb)
    nbformat.write(nb, path)


def set_source(path: Path, index: int, source: str) -> None:
    edit(path, lambda nb: nb.cells[index].update(source=source))


def test_a_mark_in_the_metadata_is_what_counts(promised, notebook) -> None:
    assert is_marked(promised)
    assert not is_marked(notebook("plain", "1"))


def test_outputs_are_written_once_and_found_again_whatever_the_timings(promised, tmp_path) -> None:
    assert record([promised]) == [expected_file(promised)]
    set_source(promised, 1, "print('fast' if fast else 'slow', 'took 99.5 ms'); 6 * 7")
    check(promised, build=tmp_path / "build")


def test_another_output_is_an_error_that_shows_both_and_tells_how_to_accept_it(promised, tmp_path) -> None:
    record([promised])
    set_source(promised, 1, "print('fast' if fast else 'slow', 'took 12 ms'); 6 * 9")
    with pytest.raises(NotebookError) as error:
        check(promised, build=tmp_path / "build")
    for part in ("42", "54", "python -m labkit.course.expected promised"):
        assert part in str(error.value)


def test_an_error_in_a_cell_that_is_not_compared_fails_too(promised, tmp_path) -> None:
    record([promised])
    set_source(promised, 2, "1 / 0")
    with pytest.raises(NotebookError, match="ZeroDivisionError"):
        check(promised, build=tmp_path / "build")


def test_missing_and_outgrown_files_say_how_to_write_them(promised, tmp_path) -> None:
    with pytest.raises(NotebookError, match=r"not there; write them with: python -m labkit\.course\.expected promised"):
        check(promised, build=tmp_path / "build")
    record([promised])
    edit(promised, lambda nb: nb.cells[1].metadata.update(tags=[]))
    with pytest.raises(NotebookError, match=f"cells tagged {TAG} are"):
        check(promised, build=tmp_path / "build")


def test_a_marked_notebook_without_tagged_cells_is_an_error(promised) -> None:
    edit(promised, lambda nb: nb.cells[1].metadata.update(tags=[]))
    with pytest.raises(NotebookError, match="none of its cells is tagged"):
        record([promised])


def executed(path: Path):
    report = run_notebooks([path], html=False)
    report.check()
    return report.results[0].nb


def test_a_run_of_papermill_is_compared_without_a_second_one(promised) -> None:
    with pytest.raises(NotebookError, match="not there"):
        compare(promised, executed(promised))
    record([promised])
    set_source(promised, 1, "print('fast' if fast else 'slow', 'took 99.5 ms'); 6 * 7")
    compare(promised, executed(promised))
    set_source(promised, 1, "print('fast' if fast else 'slow', 'took 12 ms'); 6 * 9")
    with pytest.raises(NotebookError) as error:
        compare(promised, executed(promised))
    for part in ("-42", "+54", "python -m labkit.course.expected promised"):
        assert part in str(error.value)
    edit(promised, lambda nb: nb.cells[1].metadata.update(tags=[]))
    with pytest.raises(NotebookError, match=f"cells tagged {TAG} are"):
        compare(promised, executed(promised))
