"""The cell magic `%%exercise ID`: save the cell as the answer, check it, show the report."""

from __future__ import annotations

from typing import Any


def exercise_cell(line: str, cell: str) -> Any:
    """`%%exercise ID`: the cell is the answer. It is not run in this kernel; the checks run it elsewhere."""
    from labkit.grading.attempt import Note, exercise
    from labkit.grading.spec import exercise_ids

    id = line.strip()
    if not id:
        return Note(f"Which exercise? Write %%exercise ID; there are: {', '.join(exercise_ids())}.")
    opened = exercise(id, warm=False)
    opened.save(cell)
    return opened.check()


def register(ip: Any) -> None:
    """Make the magic known to an IPython shell."""
    ip.register_magic_function(exercise_cell, magic_kind="cell", magic_name="exercise")
