"""How a person may name notebooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.course import find_notebooks
from labkit.errors import NotebookError


@pytest.fixture
def course(tmp_path: Path) -> Path:
    for name in (
        "start/00_welcome",
        "protocol/01_why_mcp",
        "protocol/02_json_rpc",
        "protocol/.ipynb_checkpoints/02_json_rpc",
    ):
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}", encoding="utf-8")
    return tmp_path / "notebooks"


@pytest.mark.parametrize(
    ("wanted", "stems"),
    [
        ([], ["00_welcome", "01_why_mcp", "02_json_rpc"]),
        (["02"], ["02_json_rpc"]),
        (["2"], ["02_json_rpc"]),
        (["protocol"], ["01_why_mcp", "02_json_rpc"]),
        (["0[01]*"], ["00_welcome", "01_why_mcp"]),
        (["protocol/*.ipynb"], ["01_why_mcp", "02_json_rpc"]),
        (["welcome"], ["00_welcome"]),
        (["02_json_rpc.ipynb"], ["02_json_rpc"]),
        (["02", "protocol"], ["02_json_rpc", "01_why_mcp"]),
    ],
)
def test_names_numbers_folders_and_patterns_find_notebooks_each_once(course, wanted, stems) -> None:
    assert [path.stem for path in find_notebooks(wanted, course=course)] == stems


def test_a_file_and_a_pattern_relative_to_the_current_folder_are_found(course, monkeypatch) -> None:
    monkeypatch.chdir(course / "protocol")
    assert [path.stem for path in find_notebooks(["02_json_rpc.ipynb"], course=course)] == ["02_json_rpc"]
    assert len(find_notebooks(["*.ipynb"], course=course)) == 2


def test_what_matches_nothing_is_an_error_that_names_the_closest(course) -> None:
    with pytest.raises(NotebookError, match=r"no notebook matches '02_json_rcp'; did you mean 02_json_rpc\?"):
        find_notebooks(["02_json_rcp"], course=course)
    with pytest.raises(NotebookError, match="the course has: 00_welcome"):
        find_notebooks(["99"], course=course)
