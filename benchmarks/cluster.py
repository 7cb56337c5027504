"""Grading on Dask workers against the threads of one process, and with one of the two workers killed half way."""

from __future__ import annotations

import json
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import psutil

from benchmarks.rows import Row, ratio_row, time_row
from labkit.cluster import JobPool, LocalPool, open_pool
from labkit.grading.cohort import grade
from labkit.grading.spec import load
from labkit.grading.warm import Judges

ID = "p1_mcp_basics"
WORKERS = 2
BAR = 1.15
"""At most 15 % more time than the local pool takes."""


def run(quick: bool = False) -> list[Row]:
    """300 answers in blocks, then the same 300 at once with a kill; quick: 8 and 8."""
    blocks, learners = (1, 8) if quick else (6, 50)
    judges = Judges()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        began = time.perf_counter()
        with open_pool(f"local:{WORKERS}") as dask:
            opened = (time.perf_counter() - began) * 1e3
            local: JobPool = LocalPool(WORKERS)
            rows = [time_row("cluster", f"start of {WORKERS} workers on this machine", [opened], None)]
            rows.append(_blocks(place, local, dask, judges, blocks, learners))
            rows.append(_with_a_kill(place, local, dask, judges, blocks * learners))
    judges.close()
    return rows


def _blocks(place: Path, local: JobPool, dask: JobPool, judges: Judges, blocks: int, learners: int) -> Row:
    """Blocks graded by both in turns, ABBA."""
    took: dict[bool, list[float]] = {True: [], False: []}
    for block in range(blocks + 1):
        handed_in = _class(place, f"block{block}", learners if block else 2 * WORKERS)
        for on_dask in (True, False) if block % 2 == 0 else (False, True):
            out = place / f"block{block}-{on_dask}.csv"
            summary = grade(handed_in, out, workers=dask if on_dask else local, pool=judges)
            if block:  # the first one waits for the imports of the judges
                took[on_dask].append(summary.seconds * 1e3)
    case = f"{blocks * learners} gradings in blocks of {learners}: {WORKERS} Dask workers against {WORKERS} threads"
    rate = 6e4 * learners / min(took[True])
    return ratio_row("cluster", case, took[True], took[False], BAR, note=f"best block {rate:.0f} a minute")


def _with_a_kill(place: Path, local: JobPool, dask: Any, judges: Judges, learners: int) -> Row:
    """A class at once; a worker is killed when half of it is graded. AssertionError unless every result came once."""
    handed_in = _class(place, "killed", learners)
    began = time.perf_counter()
    grade(handed_in, place / "local.csv", workers=local, pool=judges)
    bare = (time.perf_counter() - began) * 1e3
    said: list[str] = []
    victims: list[int] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == learners // 2:
            victims.append(next(iter(dask.pids().values())))
            psutil.Process(victims[0]).kill()

    began = time.perf_counter()
    summary = grade(handed_in, place / "killed.csv", workers=dask, say=say)
    lab = (time.perf_counter() - began) * 1e3
    assert victims and summary.graded == learners == len(said), (victims, summary.graded, len(said))
    names = {line.split("] ")[1].split(":")[0] for line in said}
    assert names == {path.name for path in handed_in.iterdir()}, "a learner is missing, or there twice"
    assert _scores(place / "killed-reports") == _scores(place / "local-reports")
    case = f"{learners} gradings at once, one of the {WORKERS} Dask workers killed half way: every result once"
    return ratio_row("cluster", case, [lab], [bare], BAR)


def _class(place: Path, name: str, learners: int) -> Path:
    spec = load(ID)
    answers = [spec.solution, *(answer.path.read_text(encoding="utf-8") for answer in spec.wrong)]
    for number, source in enumerate(islice(cycle(answers), learners)):
        path = place / name / f"learner{number:03}" / f"{ID}.py"
        path.parent.mkdir(parents=True)
        path.write_text(f"{source}\n# {number}\n", encoding="utf-8")
    return place / name


def _scores(reports: Path) -> dict[str, int]:
    """By learner; also that no answer went without being checked."""
    scores: dict[str, int] = {}
    for path in reports.glob("*.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        assert data["exercises"][ID]["version"], f"{path.stem} was not graded: {data['exercises'][ID]['note']}"
        scores[path.stem] = data["score"]
    return scores
