"""Where files are for the one who looks: in the file browser of the server that started this kernel, and in links."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.ui import place


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Jupyter server, process 4711, shows this folder."""
    (tmp_path / "root" / "work").mkdir(parents=True)
    (tmp_path / "runtime").mkdir()
    record = {"root_dir": str(tmp_path / "root")}
    (tmp_path / "runtime" / "jpserver-4711.json").write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("JPY_PARENT_PID", "4711")
    place._root.cache_clear()
    yield tmp_path / "root"
    place._root.cache_clear()


def test_a_file_that_the_browser_shows(root: Path) -> None:
    assert place.in_browser(root / "work" / "x.py") == "work/x.py"
    assert place.in_browser(root / "work" / ".." / "x.py") == "x.py"


def test_a_file_elsewhere_or_no_server(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.in_browser(root.parent / "x.py") == ""
    monkeypatch.setenv("JPY_PARENT_PID", "4712")
    place._root.cache_clear()
    assert place.in_browser(root / "x.py") == ""


def test_links_are_relative_to_the_notebook(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "work")
    assert place.beside(root / "notebooks" / "a.ipynb") == "../notebooks/a.ipynb"
