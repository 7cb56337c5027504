"""Grade a class: a folder per learner, in parallel, resumable, and no answer can stop the others.

    SUBMISSIONS/ada/p1_mcp_basics.py        grades.csv                   one row per learner
    SUBMISSIONS/ada/p2_mcp_server.py   ->   grades-reports/ada.json      every check with its feedback
    SUBMISSIONS/bob/p1_mcp_basics.py        grades-summary.json, .svg    which checks fail most

A learner's report is written in one step when it is complete. A second run does what is missing or has changed.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.grading.report import CRASHED, NOT_ATTEMPTED, PASSED, CheckResult, Report
from labkit.grading.spec import EXERCISES, ExerciseError, Spec, exercise_ids, load
from labkit.grading.warm import Judges, check_source


@dataclass
class Summary:
    """What came out for a class."""

    learners: int
    graded: int
    """Answers checked in this run; the others were kept from an earlier one."""
    seconds: float
    averages: dict[str, float]
    """Mean share of the points per exercise, 0 to 1."""
    checks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Per check: exercise, name, title and how often it ended in which way; the most failed ones first."""
    files: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        rate = f" ({60 * self.graded / self.seconds:.0f} a minute)" if self.graded and self.seconds else ""
        out = [f"{self.learners} learners, {self.graded} answers checked in {self.seconds:.1f} s{rate}"]
        out += [f"  {id:22} {100 * share:5.1f} % of the points on average" for id, share in self.averages.items()]
        worst = [check for check in self.checks if check["not_passed"]][:5]
        if worst:
            out.append("  Checks that fail most:")
            out += [f"    {c['not_passed']:>4} x {c['exercise']}: {c['title']}" for c in worst]
        return "\n".join([*out, *(f"  written: {file}" for file in self.files)])


def grade(
    submissions: Path,
    out: Path,
    *,
    only: list[str] | None = None,
    jobs: int | None = None,
    root: Path = EXERCISES,
    pool: Judges | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> Summary:
    """Grade every learner's folder below `submissions`; write `out` (.csv) and the files beside it.

    `pool` are judges to use and to leave running; by default they are started here and ended at the end.

    Raises ExerciseError when there is nothing to grade, an exercise does not exist or `out` cannot be written.
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
    judges = pool or Judges()
    run = _Run(specs, reports, submissions.resolve(), judges)
    try:
        with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as threads:
            waiting = {threads.submit(run.learner, path): path.name for path in learners}
            try:
                for number, done in enumerate(as_completed(waiting), 1):
                    say(f"[{number}/{len(learners)}] {waiting[done]}: {done.result()}")
            except BaseException:
                # Ctrl-C: finish the answers that are being checked, not the whole class.
                threads.shutdown(wait=True, cancel_futures=True)
                raise
    finally:
        if pool is None:
            judges.close()
    results = [_read(reports / f"{_file_name(path.name)}.json") for path in learners]
    summary = _summary(specs, results, run.graded, time.perf_counter() - started)
    summary.files = [str(_write_csv(out, specs, results)), str(reports)]
    summary.files += [str(path) for path in _write_summary(out, summary)]
    return summary


class _Run:
    """Shared by the threads, each of which drives one judge process at a time."""

    def __init__(self, specs: list[Spec], reports: Path, submissions: Path, judges: Judges) -> None:
        self._judges, self.graded = judges, 0
        self._specs, self._reports, self._submissions = specs, reports, submissions
        self._lock = threading.Lock()
        self._versions = {spec.id: _digest(spec.checks_file.read_bytes()) for spec in specs}

    def learner(self, folder: Path) -> str:
        """Grade one learner and write the report; the score as a sentence."""
        path = self._reports / f"{_file_name(folder.name)}.json"
        before = _read(path).get("exercises", {})
        entries: dict[str, Any] = {}
        for spec in self._specs:
            try:
                entries[spec.id] = self._entry(spec, folder / f"{spec.id}.py", before.get(spec.id, {}))
            except Exception as error:
                # Whatever one answer does to us, the next learner gets graded.
                report = _unread(spec, CRASHED, f"Could not be graded: {type(error).__name__}: {error}")
                entries[spec.id] = report.as_dict() | {"version": ""}
        kept = {id: entry for id, entry in before.items() if id not in entries}
        score = sum(entry["score"] for entry in entries.values())
        points = sum(spec.points for spec in self._specs)
        data = {"learner": folder.name, "score": score, "points": points, "exercises": kept | entries}
        _replace(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return f"{score}/{points}"

    def _entry(self, spec: Spec, path: Path, before: dict[str, Any]) -> dict[str, Any]:
        if not path.exists():
            return _unread(spec, NOT_ATTEMPTED, "not handed in").as_dict() | {"version": ""}
        data = path.read_bytes()
        version = f"{_digest(data)}-{self._versions[spec.id]}"
        if before.get("version") == version:
            return before
        try:
            source = data.decode("utf-8-sig")  # editors on Windows begin a file with a mark
        except UnicodeDecodeError:
            report = _unread(spec, CRASHED, "The file is not UTF-8 text.")
        else:
            report = check_source(spec, source, forbidden=(str(self._submissions),), pool=self._judges)
        with self._lock:
            self.graded += 1
        return report.as_dict() | {"version": version, "feedback": str(report)}


def _unread(spec: Spec, status: str, note: str) -> Report:
    checks = [CheckResult(c.name, c.title, c.points, status, message=note) for c in spec.checks]
    return Report(spec.id, spec.title, checks, note=note)


def _summary(specs: list[Spec], results: list[dict[str, Any]], graded: int, seconds: float) -> Summary:
    counts: dict[tuple[str, str], Counter[str]] = {}
    shares: dict[str, list[float]] = {spec.id: [] for spec in specs}
    for result in results:
        for spec in specs:
            entry = result.get("exercises", {}).get(spec.id, {"checks": [], "score": 0})
            shares[spec.id].append(entry["score"] / spec.points)
            for check in entry["checks"]:
                counts.setdefault((spec.id, check["name"]), Counter())[check["status"]] += 1
    rows: list[dict[str, Any]] = []
    for spec in specs:
        for check in spec.checks:
            count = counts.get((spec.id, check.name), Counter[str]())
            missed = sum(number for status, number in count.items() if status not in (PASSED, NOT_ATTEMPTED))
            row = {"exercise": spec.id, "check": check.name, "title": check.title, "not_passed": missed}
            rows.append(row | {status.replace(" ", "_"): number for status, number in sorted(count.items())})
    rows.sort(key=lambda row: -row["not_passed"])
    averages = {id: round(sum(values) / len(values), 3) for id, values in shares.items() if values}
    return Summary(len(results), graded, round(seconds, 2), averages, rows)


def _write_csv(out: Path, specs: list[Spec], results: list[dict[str, Any]]) -> Path:
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["learner", "score", "points", *(spec.id for spec in specs)])
        for result in results:
            scores = [result.get("exercises", {}).get(spec.id, {}).get("score", 0) for spec in specs]
            name = str(result.get("learner", ""))
            # A spreadsheet would run a name such as =HYPERLINK(...) as a formula.
            safe = f"'{name}" if name[:1] in "=+-@" else name
            writer.writerow([safe, sum(scores), sum(spec.points for spec in specs), *scores])
    return out


def _write_summary(out: Path, summary: Summary) -> list[Path]:
    from matplotlib.figure import Figure

    data = {"learners": summary.learners, "averages": summary.averages, "checks": summary.checks}
    table, plot = out.with_name(f"{out.stem}-summary.json"), out.with_name(f"{out.stem}-summary.svg")
    _replace(table, json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    worst = summary.checks[:15]
    figure: Any = Figure(figsize=(9, 0.35 * len(worst) + 1.2), layout="constrained")
    axes = figure.subplots()
    axes.barh([f"{row['exercise']}: {row['check']}" for row in worst], [row["not_passed"] for row in worst])
    axes.invert_yaxis()
    axes.set_xlabel(f"answers that fail it, of {summary.learners} learners")
    axes.set_title("Checks that fail most")
    figure.savefig(plot)
    return [table, plot]


def _replace(path: Path, text: str) -> None:
    """Write a file in one step, so that a kill leaves the old one or the new one."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


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
