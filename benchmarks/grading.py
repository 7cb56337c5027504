"""The grader: a warm check against a bare pytest process, and a class of 200 on one and on two processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

from benchmarks.rows import Row, ratio_row
from labkit.catalog import LAB_ROOT
from labkit.grading import exercise
from labkit.grading.cohort import grade
from labkit.grading.spec import load
from labkit.grading.warm import Judges

ID = "p1_mcp_basics"


def run(quick: bool = False) -> list[Row]:
    """One check, and a cohort."""
    return [_check(2 if quick else 15), _cohort(1, 6) if quick else _cohort(10, 20)]


def _check(rounds: int) -> Row:
    """From `ex.check()` to the report, against `python -m pytest` on the same checks and the same answer."""
    spec = load(ID)
    with tempfile.TemporaryDirectory() as folder:
        opened = exercise(ID, work=Path(folder))
        opened.save(spec.solution)
        # The plugin starts the learner's processes in the bare run, too; other plugins stay out of both.
        options = ["-q", "-c", os.devnull, "--import-mode=importlib", "-p", "no:cacheprovider", "--assert=plain"]
        command = [
            sys.executable,
            "-m",
            "pytest",
            *options,
            "-p",
            "labkit.grading.plugin",
            "--answer",
            str(opened.path),
        ]
        environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        ours: list[float] = []
        theirs: list[float] = []
        assert opened.check().passed  # the first one waits for the imports of its judge
        for _ in range(rounds):
            began = time.perf_counter()
            assert opened.check().passed
            ours.append((time.perf_counter() - began) * 1e3)
            began = time.perf_counter()
            subprocess.run(
                [*command, str(spec.checks_file)], cwd=LAB_ROOT, env=environment, check=True, stdout=subprocess.DEVNULL
            )
            theirs.append((time.perf_counter() - began) * 1e3)
    return ratio_row("grading", f"{ID}: ex.check() to the report, against a pytest process", ours, theirs, 0.6)


def _cohort(blocks: int, learners: int) -> Row:
    """A class in blocks, each graded by one process and by two in turns."""
    spec = load(ID)
    answers = [spec.solution, *(answer.path.read_text(encoding="utf-8") for answer in spec.wrong)]
    took: dict[int, list[float]] = {1: [], 2: []}
    pools = {1: Judges(), 2: Judges()}
    with tempfile.TemporaryDirectory() as folder:
        for block in range(blocks + 1):
            handed_in = Path(folder, f"class{block}")
            for number, source in enumerate(islice(cycle(answers), learners if block else 2)):
                path = handed_in / f"learner{number:03}" / f"{ID}.py"
                path.parent.mkdir(parents=True)
                path.write_text(f"{source}\n# {number}\n", encoding="utf-8")
            for jobs in (1, 2) if block % 2 == 0 else (2, 1):
                out = Path(folder, f"block{block}-{jobs}.csv")
                summary = grade(handed_in, out, jobs=jobs, pool=pools[jobs])
                if block:  # the first one waits for the imports of the judges
                    took[jobs].append(summary.seconds * 1e3)
    for pool in pools.values():
        pool.close()
    return cohort_row(took[1], took[2], learners)


def cohort_row(one: list[float], two: list[float], learners: int) -> Row:
    """The row for blocks of `learners` answers: milliseconds of one process and of two, block by block.

    Judged is the median of the pairs. The best block of each is told beside it: grading keeps its cores busy, so that
    anything else that runs takes from it, and more from two processes than from one.
    """
    case = f"{len(one) * learners} answers to {ID} in blocks of {learners}: two processes against one"
    row = ratio_row("grading", case, two, one, 1 / 1.8)
    note = (
        f"{6e4 * learners / row.lab:.0f} a minute; {1 / row.figure:.2f} times the rate of one, wanted 1.8; "
        f"best block against best block: {min(one) / min(two):.2f}"
    )
    return replace(row, note=note)
