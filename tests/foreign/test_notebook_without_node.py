"""Notebook 16 on a machine without Node: it runs to its end, and says in each cell what it leaves out and what brings it."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from labkit.course import find_notebooks, run_notebooks


@pytest.mark.skipif(not os.environ.get("LAB_WHOLE"), reason="a second run of a whole notebook: LAB_WHOLE=1")
@pytest.mark.timeout(300)
def test_each_cell_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_NODE", str(tmp_path / "node"))
    monkeypatch.setenv("PATH", str(tmp_path))
    report = run_notebooks(find_notebooks(["16"]), jobs=1, timeout=200)
    report.check()
    said = [line for line in nbformat.writes(report.results[0].nb).splitlines() if "python start.py setup" in line]
    named = "server in TypeScript", "comparison of the lists", "exception", "row", "client in TypeScript", "published"
    assert [name for name in named if not any(f"The {name}" in line and "left out" in line for line in said)] == []
