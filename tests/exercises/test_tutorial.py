"""exercises/tutorial.ipynb runs from top to bottom and shows what it promises."""

from __future__ import annotations

from pathlib import Path

import nbformat
import papermill

from labkit.catalog import LAB_ROOT

TUTORIAL = LAB_ROOT / "exercises" / "tutorial.ipynb"


def test_the_tutorial_shows_check_hint_reset_and_progress(tmp_path: Path) -> None:
    done = tmp_path / "tutorial.ipynb"
    papermill.execute_notebook(
        TUTORIAL, done, {"fast": True}, cwd=TUTORIAL.parent, kernel_name="python3", progress_bar=False
    )
    shown = {
        cell.id: "".join(str(out.get("data", {}).get("text/plain", out.get("text", ""))) for out in cell.outputs)
        for cell in nbformat.read(done, as_version=4).cells
        if cell.cell_type == "code"
    }
    assert "not attempted yet" in shown["check"]
    first = shown["first-try"]
    assert all(status in first for status in ("passed", "failed", "crashed", "not attempted")), first
    assert shown["hint-1"].startswith("Hint 1 of") and shown["hint-2"].startswith("Hint 2 of")
    assert "all 4 checks passed, 10/10 points" in shown["pass"]
    assert "seen after passing" in shown["solution"]
    assert "is kept as" in shown["reset"]
    assert "1 of" in shown["progress"] and "2 hints" in shown["progress"]
    assert "ended by itself with exit code 0" in shown["hostile"]


def test_the_tutorial_is_committed_without_outputs() -> None:
    for cell in nbformat.read(TUTORIAL, as_version=4).cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
