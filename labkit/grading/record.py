"""What a learner has done, in SQLite below work/: attempts, hints, solutions, score, time. Local, and nobody else's.

Several kernels may write at once (WAL, short transactions). A file that SQLite cannot read is set aside under a dated
name with a message, and a new one is begun: nothing is deleted.
"""

from __future__ import annotations

import csv
import html
import json
import os
import sqlite3
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from labkit.grading.report import NOT_ATTEMPTED, PASSED, Report
from labkit.grading.spec import EXERCISES, WORK, ExerciseError, Spec, exercise_ids, load
from labkit.grading.stage import STAGE

_SCHEMA = """
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY, exercise TEXT NOT NULL, at REAL NOT NULL, outcome TEXT NOT NULL,
    score INTEGER NOT NULL, points INTEGER NOT NULL, seconds REAL NOT NULL,
    seed INTEGER NOT NULL, source TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, exercise TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL);
"""
_ATTEMPTS = "SELECT exercise, at, outcome, score FROM attempts"
_EVENTS = "SELECT exercise, at, kind, detail FROM events"
_LOCK_PATIENCE = 10.0


class DamagedRecord(UserWarning):
    """A record of what was done could not be read, or not all of it; the message says what became of it."""


@contextmanager
def damage_told(say: Callable[[str], None]) -> Generator[None]:
    """For commands: meanwhile a DamagedRecord is said as a sentence, without a place in our code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", DamagedRecord)
        show = warnings.showwarning

        def shown(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, DamagedRecord):
                say(str(message))
            else:
                show(message, category, *where, **more)

        warnings.showwarning = shown
        yield


def work_folder() -> Path:
    """Where answers and progress live: work/ of the lab, or $LABKIT_WORK."""
    return Path(os.environ["LABKIT_WORK"]) if os.environ.get("LABKIT_WORK") else WORK


@dataclass(frozen=True)
class Line:
    """One exercise in the table of progress."""

    exercise: str
    title: str
    status: str
    score: int
    points: int
    attempts: int
    hints: int
    solution: str
    """`""`, `"after passing"` or `"on request"`."""
    minutes: float | None
    """From opening the exercise to the first pass."""
    track: str = ""
    notebook: str = ""
    """The name of the notebook that it belongs to, without `.ipynb`."""


class Progress:
    """The record in one SQLite file."""

    def __init__(self, path: Path | None = None, root: Path = EXERCISES) -> None:
        self.path = path or work_folder() / "progress.db"
        self._root = root
        self._specs: dict[str, tuple[list[tuple[int, int]], Spec]] = {}
        self._checked = False

    def attempt(self, report: Report, source: str) -> None:
        """Record one check. An untouched starter is not an attempt."""
        if report.outcome == NOT_ATTEMPTED:
            return
        row = (report.exercise, time.time(), report.outcome, report.score, report.points)
        with self._open() as db:
            db.execute(
                "INSERT INTO attempts (exercise, at, outcome, score, points, seconds, seed, source)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, report.seconds, report.seed, source),
            )

    def event(self, exercise: str, kind: str, detail: str = "") -> None:
        """Record that something happened: opened, hint, solution, reset, cell."""
        with self._open() as db:
            sql = "INSERT INTO events (exercise, at, kind, detail) VALUES (?, ?, ?, ?)"
            db.execute(sql, (exercise, time.time(), kind, detail))

    def last(self, exercise: str, kind: str) -> str | None:
        """The detail of the latest event of a kind."""
        sql = "SELECT detail FROM events WHERE exercise = ? AND kind = ? ORDER BY id DESC LIMIT 1"
        with self._open() as db:
            row = db.execute(sql, (exercise, kind)).fetchone()
        return row[0] if row else None

    def hints_shown(self, exercise: str) -> list[int]:
        """Numbers of the hints shown since the last reset, from 1."""
        sql = (
            "SELECT DISTINCT detail FROM events WHERE exercise = :id AND kind = 'hint' AND id >"
            " (SELECT COALESCE(MAX(id), 0) FROM events WHERE exercise = :id AND kind = 'reset')"
        )
        with self._open() as db:
            rows = db.execute(sql, {"id": exercise}).fetchall()
        return sorted(int(row[0]) for row in rows if str(row[0]).isdigit())

    def hints_used(self, exercise: str) -> int:
        """How many different hints were shown since the last reset."""
        return len(self.hints_shown(exercise))

    def days(self) -> dict[str, int]:
        """Attempts by day (local time, YYYY-MM-DD), for the days that have any."""
        sql = "SELECT date(at, 'unixepoch', 'localtime'), COUNT(*) FROM attempts GROUP BY 1 ORDER BY 1"
        with self._open() as db:
            return dict(db.execute(sql).fetchall())

    def passed(self, exercise: str) -> bool:
        """Whether it was ever passed."""
        with self._open() as db:
            sql = "SELECT 1 FROM attempts WHERE exercise = ? AND outcome = ? LIMIT 1"
            return db.execute(sql, (exercise, PASSED)).fetchone() is not None

    def lines(self) -> list[Line]:
        """One line per exercise of the lab, done or not."""
        with self._open() as db:
            attempts = db.execute(f"{_ATTEMPTS} ORDER BY id").fetchall()
            events = db.execute(f"{_EVENTS} ORDER BY id").fetchall()
        found: list[Line] = []
        for id in exercise_ids(self._root):
            try:
                spec = self._spec(id)
            except (ExerciseError, OSError):
                continue
            mine = [row for row in attempts if row[0] == id]
            found.append(_line(spec, mine, [row for row in events if row[0] == id]))
        return found

    def _spec(self, id: str) -> Spec:
        # Reading all exercises takes longer than all else that a board needs; an author's edit is seen all the same.
        files = [self._root / id / name for name in ("exercise.toml", "checks.py")]
        stamp = [(found.st_mtime_ns, found.st_size) for found in (file.stat() for file in files)]
        if id not in self._specs or self._specs[id][0] != stamp:
            self._specs[id] = (stamp, load(id, self._root))
        return self._specs[id][1]

    def line(self, spec: Spec) -> Line:
        """The line of one exercise."""
        with self._open() as db:
            attempts = db.execute(f"{_ATTEMPTS} WHERE exercise = ? ORDER BY id", (spec.id,)).fetchall()
            events = db.execute(f"{_EVENTS} WHERE exercise = ? ORDER BY id", (spec.id,)).fetchall()
        return _line(spec, attempts, events)

    def export(self, path: Path | str) -> Path:
        """Write the table to a .csv or .json file; its folder is made where it is missing.

        Raises ExerciseError when the name ends otherwise or the file cannot be written.
        """
        path = Path(path)
        if path.suffix not in (".csv", ".json"):
            raise ExerciseError(f"Progress can be exported to .csv or .json, not to {path.name!r}.")
        rows = [asdict(line) for line in self.lines()]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8", newline="") as file:
                if path.suffix == ".json":
                    file.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
                else:
                    writer = csv.DictWriter(file, [field.name for field in fields(Line)])
                    writer.writeheader()
                    writer.writerows(rows)
        except OSError as error:
            raise ExerciseError(f"Progress cannot be written to {path}: {error}.") from None
        return path

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self._checked:
            self._prepare()
            self._checked = True
        with closing(self._connect()) as db, db:
            yield db

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=_LOCK_PATIENCE)

    def _prepare(self) -> None:
        """Create the tables; set a damaged file aside."""
        end = time.monotonic() + _LOCK_PATIENCE
        while True:
            try:
                with closing(self._connect()) as db:
                    db.execute("PRAGMA journal_mode=WAL")
                    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                        raise sqlite3.DatabaseError("quick_check failed")
                    db.executescript(_SCHEMA)
                return
            except sqlite3.OperationalError as error:
                # Changing to WAL does not wait for other kernels by itself.
                if "locked" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(0.02)
            except sqlite3.DatabaseError as error:
                self._set_aside(error)

    def _set_aside(self, error: Exception) -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        aside = self.path.with_name(f"{self.path.stem}.damaged-{stamp}{self.path.suffix}")
        try:
            self.path.replace(aside)
        except FileNotFoundError:
            return  # another kernel was faster
        for suffix in ("-wal", "-shm"):
            extra = self.path.with_name(self.path.name + suffix)
            if extra.exists():
                extra.replace(aside.with_name(aside.name + suffix))
        warnings.warn(
            f"The record of your progress could not be read ({error}). It was kept as {aside} and a new one was begun.",
            DamagedRecord,
            stacklevel=6,
        )


def _line(spec: Spec, attempts: list[Any], events: list[Any]) -> Line:
    passes = [row[1] for row in attempts if row[2] == PASSED]
    opened = [row[1] for row in events if row[2] == "opened"]
    solutions = [row[3] for row in events if row[2] == "solution"]
    return Line(
        exercise=spec.id,
        title=spec.title,
        status=PASSED if passes else attempts[-1][2] if attempts else NOT_ATTEMPTED,
        score=max((row[3] for row in attempts), default=0),
        points=spec.points,
        attempts=len(attempts),
        hints=len({row[3] for row in events if row[2] == "hint"}),
        solution=solutions[0] if solutions else "",
        minutes=round((passes[0] - opened[0]) / 60, 1) if passes and opened else None,
        track=spec.track,
        notebook=spec.notebook,
    )


class Board:
    """The progress of a learner as a table with bars. `.table()` is a DataFrame, `.plot()` a bar chart."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.lines = progress.lines()

    @property
    def headline(self) -> str:
        """One line: how far."""
        done = sum(line.status == PASSED for line in self.lines)
        score, points = sum(line.score for line in self.lines), sum(line.points for line in self.lines)
        return f"{done} of {len(self.lines)} exercises passed, {score} of {points} points"

    def table(self) -> Any:
        """A pandas DataFrame, one row per exercise."""
        import pandas as pd

        return pd.DataFrame([asdict(line) for line in self.lines])

    def plot(self) -> Any:
        """A matplotlib figure: points per exercise, reached and to be had."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 0.35 * len(self.lines) + 1), layout="constrained")
        axes: Any = figure.subplots()
        names = [line.exercise for line in self.lines]
        axes.barh(names, [line.points for line in self.lines], color="#8a8f9855", label="to be had")
        axes.barh(names, [line.score for line in self.lines], color="#2e9d57", label="reached")
        axes.invert_yaxis()
        axes.set_xlabel("points")
        axes.set_title(self.headline)
        axes.legend()
        return figure

    def export(self, path: Path | str) -> Path:
        """Write the table to a .csv or .json file."""
        return self.progress.export(path)

    def _ipython_display_(self) -> None:
        if STAGE.show is None:
            raise NotImplementedError  # IPython then shows the table below
        STAGE.show(self)

    def __str__(self) -> str:
        out = [self.headline]
        for line in self.lines:
            bar = "█" * round(20 * line.score / line.points)
            out.append(f"  {line.exercise:22} {bar:20} {line.score:>3}/{line.points:<3} {facts(line)}")
        return "\n".join(out)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(line.exercise)}</td>"
            f"<td style='text-align:left'>{html.escape(line.title)}</td>"
            f"<td><div style='width:10em;height:.8em;background:#8a8f9844'><div style='height:.8em;background:#2e9d57;"
            f"width:{100 * line.score // line.points}%'></div></div></td><td>{line.score}/{line.points}</td>"
            f"<td style='text-align:left'>{html.escape(facts(line))}</td></tr>"
            for line in self.lines
        )
        return f"<div class='labkit-progress'><b>{html.escape(self.headline)}</b><table>{rows}</table></div>"


def facts(line: Line) -> str:
    """What was done, in one line."""
    parts = [line.status]
    if line.attempts:
        parts.append(f"{line.attempts} attempt{'s' if line.attempts > 1 else ''}")
    if line.hints:
        parts.append(f"{line.hints} hint{'s' if line.hints > 1 else ''}")
    if line.solution:
        parts.append(f"solution seen {line.solution}")
    if line.minutes is not None:
        parts.append(f"{line.minutes:g} min")
    return ", ".join(parts)


def progress_board(path: Path | None = None) -> Board:
    """The progress so far, as a table with bars."""
    return Board(Progress(path))
