"""Grade a class: a folder per learner, in parallel, resumable, and no answer can stop the others.

    SUBMISSIONS/ada/p1_mcp_basics.py        grades.csv                   one row per learner
    SUBMISSIONS/ada/p2_mcp_server.py   ->   grades-reports/ada.json      every check with its feedback
    SUBMISSIONS/bob/p1_mcp_basics.py        grades-summary.json, .svg    which checks fail most

A learner's report is written in one step when it is complete. A second run does what is missing or has changed.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.cluster import JobPool, LocalPool, Stop
from labkit.cluster.jobs import at_end
from labkit.files import replace_text
from labkit.grading import warm
from labkit.grading.report import CRASHED, NOT_ATTEMPTED, CheckResult, Report
from labkit.grading.spec import EXERCISES, ExerciseError, Spec, exercise_ids, load
from labkit.grading.tables import Summary, summarise, write_csv, write_summary
from labkit.grading.warm import UNCOUNTED, Judges, check_source


def grade(
    submissions: Path,
    out: Path,
    *,
    only: list[str] | None = None,
    jobs: int | None = None,
    root: Path = EXERCISES,
    pool: Judges | None = None,
    workers: JobPool | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> Summary:
    """Grade every learner's folder below `submissions`; write `out` (.csv) and the files beside it.

    `workers` do the checking: by default `jobs` threads of this process, one for each core. `pool` are judges for
    them to use and to leave running; by default they are started here and ended at the end.

    Raises ExerciseError when there is nothing to grade, an exercise does not exist or `out` cannot be written, and
    ClusterError when a cluster is lost; the learners whose reports are written by then are not graded again.
    """
    started = time.perf_counter()
    if not submissions.is_dir():
        raise ExerciseError(f"{submissions} is not a folder; it should hold one folder per learner.")
    if out.is_dir():
        raise ExerciseError(f"{out} is a folder; name the table to write, such as {out / 'grades.csv'}.")
    specs = [load(id, root) for id in (only or exercise_ids(root))]
    learners = sorted(path for path in submissions.iterdir() if path.is_dir() and not path.name.startswith("."))
    specs = [spec for spec in specs if only or any((path / f"{spec.id}.py").exists() for path in learners)]
    if not learners or not specs:
        known = ", ".join(exercise_ids(root))
        raise ExerciseError(f"Nothing to grade in {submissions}: expected LEARNER/ID.py, where ID is one of {known}.")
    reports = out.with_name(f"{out.stem}-reports")
    try:
        reports.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExerciseError(f"The reports cannot be written to {reports}: {error}.") from None
    run = _Run(specs, reports, submissions.resolve(), root)
    judges = pool or Judges()

    def here(answer: Answer, stop: Stop) -> dict[str, Any]:
        return check_answer(answer, stop, judges)

    workers = workers or LocalPool(jobs)
    told = 0
    try:
        with closing(run.graded_learners(learners, workers, check_answer if workers.elsewhere else here)) as all_done:
            for name, score in all_done:
                told += 1
                say(f"[{told}/{len(learners)}] {name}: {score}")
    finally:
        if pool is None:
            judges.close()
    results = [_read(reports / f"{_file_name(path.name)}.json") for path in learners]
    summary = summarise(specs, results, run.graded, time.perf_counter() - started)
    summary.files = [str(write_csv(out, specs, results)), str(reports)]
    summary.files += [str(path) for path in write_summary(out, summary)]
    return summary


@dataclass(frozen=True)
class Answer:
    """One answer to check. Names are texts: a path of one system cannot be unpickled on another."""

    exercise: str
    source: str
    forbidden: tuple[str, ...]
    root: str = ""
    """The folder of the exercises; the lab's own, wherever that lies, when empty."""


def check_answer(answer: Answer, stop: Stop, judges: Judges | None = None) -> dict[str, Any]:
    """Check one answer, here or in a worker: its entry in the learner's report. Safe to call twice."""
    if judges is None:
        judges = warm.judges
        at_end(judges.close)
    spec = load(answer.exercise, Path(answer.root) if answer.root else EXERCISES)
    report = check_source(spec, answer.source, forbidden=answer.forbidden, pool=judges)
    return report.as_dict() | {"feedback": str(report)}


@dataclass
class _Learner:
    """A learner whose report is being put together."""

    name: str
    path: Path
    before: dict[str, Any]
    entries: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    missing: set[str] = field(default_factory=set[str])


class _Run:
    """What to check, and the reports that come of it; only this process writes them."""

    def __init__(self, specs: list[Spec], reports: Path, submissions: Path, root: Path) -> None:
        self.graded = 0
        self._specs = {spec.id: spec for spec in specs}
        self._reports, self._forbidden = reports, (str(submissions),)
        self._root = "" if root == EXERCISES else str(root)
        self._versions = {spec.id: _digest(spec.checks_file.read_bytes()) for spec in specs}

    def graded_learners(
        self, folders: list[Path], workers: JobPool, check: Callable[[Answer, Stop], dict[str, Any]]
    ) -> Generator[tuple[str, str]]:
        """Check what is missing or has changed; each learner's name and score, when the report is written."""
        answers: dict[str, Answer] = {}
        whose: dict[str, tuple[_Learner, str, str]] = {}
        learners = [self._learner(folder) for folder in folders]
        for folder, learner in zip(folders, learners, strict=True):
            for id in self._specs:
                found = self._look(learner, id, folder / f"{id}.py")
                if found is not None:
                    source, version = found
                    key = f"{folder.name}/{id}@{version}"
                    answers[key] = Answer(id, source, self._forbidden, self._root)
                    whose[key] = learner, id, version
                    learner.missing.add(id)
        yield from (self._written(learner) for learner in learners if not learner.missing)
        with closing(workers.map(check, answers)) as all_done:
            for done in all_done:
                learner, id, version = whose[done.key]
                if done.value is None:
                    learner.entries[id] = self._failed(id, f"Could not be graded: {done.error}.")
                else:
                    # What was not counted is not kept: the next run checks it again.
                    counted = UNCOUNTED not in done.value["note"]
                    learner.entries[id] = done.value | {"version": version if counted else ""}
                    self.graded += 1
                learner.missing.discard(id)
                if not learner.missing:
                    yield self._written(learner)

    def _learner(self, folder: Path) -> _Learner:
        path = self._reports / f"{_file_name(folder.name)}.json"
        return _Learner(folder.name, path, _read(path).get("exercises", {}))

    def _look(self, learner: _Learner, id: str, path: Path) -> tuple[str, str] | None:
        """Source and version of an answer that has to be checked; otherwise its entry is made here."""
        spec = self._specs[id]
        try:
            if not path.exists():
                learner.entries[id] = _unread(spec, NOT_ATTEMPTED, "not handed in").as_dict() | {"version": ""}
                return None
            data = path.read_bytes()
        except OSError as error:
            learner.entries[id] = self._failed(id, f"Could not be graded: {type(error).__name__}: {error}")
            return None
        version = f"{_digest(data)}-{self._versions[id]}"
        before = learner.before.get(id, {})
        if before.get("version") == version:
            learner.entries[id] = before
            return None
        try:
            return data.decode("utf-8-sig"), version  # editors on Windows begin a file with a mark
        except UnicodeDecodeError:
            report = _unread(spec, CRASHED, "The file is not UTF-8 text.")
            learner.entries[id] = report.as_dict() | {"version": version, "feedback": str(report)}
            self.graded += 1
            return None

    def _failed(self, id: str, note: str) -> dict[str, Any]:
        """An entry without a version: whatever one answer does to us, the others get graded, and it the next time."""
        return _unread(self._specs[id], CRASHED, note).as_dict() | {"version": ""}

    def _written(self, learner: _Learner) -> tuple[str, str]:
        """Write the report of a learner with all entries; name and score."""
        entries = {id: learner.entries[id] for id in self._specs}
        kept = {id: entry for id, entry in learner.before.items() if id not in entries}
        score = sum(entry["score"] for entry in entries.values())
        points = sum(spec.points for spec in self._specs.values())
        data = {"learner": learner.name, "score": score, "points": points, "exercises": kept | entries}
        replace_text(learner.path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return learner.name, f"{score}/{points}"


def _unread(spec: Spec, status: str, note: str) -> Report:
    checks = [CheckResult(c.name, c.title, c.points, status, message=note) for c in spec.checks]
    return Report(spec.id, spec.title, checks, note=note)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def _file_name(name: str) -> str:
    """A file name that every system takes, and that stays different for different names."""
    plain = re.sub(r"[^\w.-]", "_", name)
    return plain if plain == name else f"{plain}-{_digest(name.encode())[:6]}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
