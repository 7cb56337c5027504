"""Graded exercises: open one, check an answer in a sandbox, ask for a hint, see the solution, start again.

    ex = labkit.grading.exercise("p1_mcp_basics")
    ex                # the task
    ex.check()        # run the checks on work/p1_mcp_basics.py
    ex.hint(); ex.solution(); ex.reset()

Who runs what (docs in `sandbox.py` and `judge.py`):

    kernel or terminal --job--> judge (trusted: pytest, checks.py, the marks) --frames--> subject (the learner's code)

Names are imported on first use, so that `import labkit` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.grading.attempt import Exercise as Exercise
    from labkit.grading.attempt import exercise as exercise
    from labkit.grading.attempt import exercises as exercises
    from labkit.grading.attempt import reset_all as reset_all
    from labkit.grading.record import progress_board as progress
    from labkit.grading.record import progress_board as progress_board
    from labkit.grading.report import Report as Report
    from labkit.grading.spec import ExerciseError as ExerciseError

_HOME = {
    "Exercise": "attempt.Exercise",
    "ExerciseError": "spec.ExerciseError",
    "Report": "report.Report",
    "exercise": "attempt.exercise",
    "exercises": "attempt.exercises",
    "progress": "record.progress_board",
    "progress_board": "record.progress_board",
    "reset_all": "attempt.reset_all",
}

__all__ = ["Exercise", "ExerciseError", "Report", "exercise", "exercises", "progress", "progress_board", "reset_all"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"labkit.grading has no attribute {name!r}")
    module, _, attribute = _HOME[name].partition(".")
    value = getattr(import_module(f"labkit.grading.{module}"), attribute)
    globals()[name] = value
    return value
