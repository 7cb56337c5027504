"""Run notebooks as tests: papermill, a fresh kernel each, side by side, with failures that a person can read.

from labkit.course import find_notebooks, run_notebooks
report = run_notebooks(find_notebooks(["02", "notebooks/start"]))
report.ok, report.results[0].failure
report.check()                      # raises NotebookError, which tells notebook, cell, error and last output
"""

from labkit.course.find import find_notebooks
from labkit.course.run import Failure, Report, Result, run_notebooks

__all__ = ["Failure", "Report", "Result", "find_notebooks", "run_notebooks"]
