"""An exercise in a learner's hands: read the task, check, hint, solution, reset."""

from __future__ import annotations

import hashlib
import html
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from labkit.grading.report import CRASHED, NOT_ATTEMPTED, CheckResult, Report
from labkit.grading.spec import EXERCISES, KINDS, Spec, exercise_ids, load
from labkit.grading.stage import STAGE

if TYPE_CHECKING:
    from labkit.grading.record import Line, Progress


class Exercise:
    """One exercise. Its text is in `.spec`, the learner's answer in the file `.path`."""

    def __init__(self, spec: Spec, work: Path, progress: Progress | None = None) -> None:
        from labkit.grading.record import Progress

        self.spec, self.id = spec, spec.id
        self.path = work / f"{spec.id}.py"
        self._shown = -1
        self._progress = progress or Progress(work / "progress.db", spec.folder.parent)

    def check(self, *, seed: int | None = None) -> Report:
        """Check the answer in `.path` and record the attempt.

        `seed` repeats the values of an earlier report (its `.seed`).
        """
        report = self._check(seed)
        STAGE.changed(self, report)
        return report

    def _check(self, seed: int | None) -> Report:
        from labkit.grading.warm import check_source

        try:
            # Editors on Windows begin a file with a mark, which is no part of the answer.
            source = self.path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return self._unread(
                NOT_ATTEMPTED,
                f"There is no {self.path}. labkit reset {self.id}, or .reset() in a notebook, puts the starter there.",
            )
        except (OSError, UnicodeDecodeError) as error:
            return self._unread(CRASHED, f"{self.path} cannot be read as UTF-8 text: {error}.")
        report = check_source(self.spec, source, seed=seed, forbidden=(str(self.path.parent),))
        try:
            self._progress.attempt(report, _fingerprint(source))
        except (OSError, sqlite3.Error) as error:
            report.note = f"{report.note} (This attempt could not be recorded: {error}.)".strip()
        return report

    def hint(self, number: int | None = None) -> Note:
        """The next hint, or hint `number` (from 1)."""
        hints = self.spec.hints
        used = self._progress.hints_used(self.id)
        if number is None and used >= len(hints):
            number, tail = len(hints), " That was the last; .solution() shows one way to do it."
        else:
            number, tail = number or used + 1, ""
        if not 1 <= number <= len(hints):
            return Note(f"{self.spec.title}: hints go from 1 to {len(hints)}.")
        self._note("hint", str(number))
        return Note(f"Hint {number} of {len(hints)}. {hints[number - 1]}{tail}")

    def solution(self) -> Note:
        """One good answer, with the after-word. The record says whether it was passed before."""
        when = "after passing" if self._progress.passed(self.id) else "on request"
        self._note("solution", when)
        wrong = "".join(f"\n- {answer.name.replace('_', ' ')}: {answer.why}" for answer in self.spec.wrong)
        text = f"One way to do it (seen {when}):"
        after = f"{self.spec.afterword.strip()}\n\nAnswers that look right and are not:{wrong}"
        return Note(text, code=self.spec.solution, after=after)

    def reset(self) -> Note:
        """Put the starter back. What was there is kept under a dated name."""
        kept = self._back_up()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(self.spec.starter, encoding="utf-8", newline="\n")
        self._note("reset")
        was = f" What was there is kept as {kept}." if kept else ""
        return Note(f"{self.path.name} is the starter again.{was}")

    def open(self) -> Exercise:
        """Put the starter in place if there is no answer yet, and note the time."""
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(self.spec.starter, encoding="utf-8", newline="\n")
        self._progress.event(self.id, "opened")
        return self

    def save(self, source: str) -> None:
        """Take an answer from a cell. An answer that was edited in the file meanwhile is backed up first."""
        if self.path.exists():
            there = _fingerprint(self.path.read_text(encoding="utf-8", errors="replace"))
            if there not in (self._progress.last(self.id, "cell"), _fingerprint(source)):
                self._back_up()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(source, encoding="utf-8", newline="\n")
        self._note("cell", _fingerprint(source))

    def _note(self, kind: str, detail: str = "") -> None:
        self._progress.event(self.id, kind, detail)
        STAGE.changed(self)

    @property
    def record(self) -> Line:
        """What was done so far."""
        return self._progress.line(self.spec)

    @property
    def hints_shown(self) -> list[int]:
        """Numbers of the hints shown since the last reset, from 1."""
        return self._progress.hints_shown(self.id)

    def _back_up(self) -> Path | None:
        """Copy the answer to work/backups/ unless it is the starter."""
        if not self.path.exists():
            return None
        data = self.path.read_bytes()
        if data.decode("utf-8-sig", "replace").strip() == self.spec.starter.strip():
            return None
        folder = self.path.parent / "backups"
        folder.mkdir(parents=True, exist_ok=True)
        stamp, number = time.strftime("%Y%m%d-%H%M%S"), 1
        while (kept := folder / f"{self.id}.{stamp}{f'-{number}' if number > 1 else ''}.py").exists():
            number += 1
        kept.write_bytes(data)
        return kept

    def _unread(self, status: str, note: str) -> Report:
        checks = [CheckResult(c.name, c.title, c.points, status, message=note) for c in self.spec.checks]
        return Report(self.id, self.spec.title, checks, note=note)

    @property
    def facts(self) -> str:
        """Kind, size and worth in one line."""
        spec = self.spec
        stars = "●" * spec.difficulty + "○" * (5 - spec.difficulty)
        return f"{KINDS[spec.kind]} · difficulty {stars} · about {spec.minutes} min · {spec.points} points"

    def __repr__(self) -> str:
        return f"{self.id}: {self.spec.title}\n{self.facts}\n\n{self.spec.task}\nYour answer: {self.path}"

    def show(self) -> None:
        """Show the task, in a notebook."""
        shell = _kernel_shell()
        if shell is not None:
            from IPython import display

            cast(Any, display).display(self)
            self._shown = shell.execution_count

    def _ipython_display_(self) -> None:
        shell = _kernel_shell()
        if STAGE.show is None or (shell is not None and self._shown == shell.execution_count):
            raise NotImplementedError  # IPython then shows the text below
        STAGE.show(self)

    def _repr_markdown_(self) -> str:
        shell = _kernel_shell()
        if shell is not None and self._shown == shell.execution_count:
            return f"`{self.id}` is open."  # the same cell shows the task already
        goals = "\n".join(f"- {goal}" for goal in self.spec.objectives)
        return (
            f"{self.spec.task}\n*{self.facts}*\n\nAfter it you can:\n\n{goals}\n\n"
            f"Write the answer in `{self.path.name}` below `work/`, or in a cell that begins with "
            f"`%%exercise {self.id}`:\n\n```python\n%%exercise {self.id}\n{self.spec.starter}```\n\n"
            "Then `ex.check()`; if stuck, `ex.hint()`."
        )


class Note:
    """A message to the learner, possibly with code."""

    def __init__(self, text: str, *, code: str = "", after: str = "") -> None:
        self.text, self.code, self.after = text, code, after

    def __str__(self) -> str:
        return "\n\n".join(part.strip() for part in (self.text, self.code, self.after) if part)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        code = f"<pre>{html.escape(self.code)}</pre>" if self.code else ""
        after = "".join(f"<p>{html.escape(part)}</p>" for part in self.after.split("\n") if part)
        return f"<div class='labkit-note'><p>{html.escape(self.text)}</p>{code}{after}</div>"


def exercise(id: str, *, root: Path = EXERCISES, work: Path | None = None, warm: bool = True) -> Exercise:
    """Open an exercise: its starter is put below work/ if there is no answer yet, and a notebook shows the task.

    `warm` starts the checking process now, so that the first check need not wait for it; without it nothing is shown.

    Raises ExerciseError, with the closest name, when there is no such exercise.
    """
    from labkit.grading.record import work_folder
    from labkit.grading.warm import judges

    opened = Exercise(load(id, root), work or work_folder()).open()
    if warm:
        judges.warm()
        opened.show()
    return opened


def exercises(root: Path = EXERCISES) -> list[str]:
    """Ids of all exercises."""
    return exercise_ids(root)


def reset_all(*, root: Path = EXERCISES, work: Path | None = None) -> Note:
    """Put back the starters of all exercises that have an answer; each answer is kept under a dated name."""
    from labkit.grading.record import work_folder

    folder = work or work_folder()
    opened = [Exercise(load(id, root), folder) for id in exercise_ids(root)]
    notes = [each.reset().text for each in opened if each.path.exists()]
    return Note("\n".join(notes) or "There is nothing to reset.")


def _kernel_shell() -> Any:
    """The IPython shell of a kernel; None in a terminal and in scripts."""
    import sys

    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell if getattr(shell, "kernel", None) is not None else None


def _fingerprint(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()[:16]
