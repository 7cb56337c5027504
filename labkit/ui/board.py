"""The progress board: tracks, notebooks and exercises in the order of the course, points, days, and what comes next.

A notebook counts as done when all its exercises are passed: what is recorded is what was answered, not what was read.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from labkit.course.find import COURSE, find_notebooks
from labkit.grading.attempt import Exercise
from labkit.grading.record import Board, Line, Progress, facts
from labkit.grading.report import PASSED, Report
from labkit.grading.stage import STAGE
from labkit.ui.panel import StatePanel
from labkit.ui.place import beside, in_browser

DAYS = 28
"""Days of the strip."""
_VIEWS: dict[Path, ProgressBoard] = {}


@dataclass(frozen=True)
class Chapter:
    """One notebook of the course with its exercises."""

    path: Path
    lines: list[Line] = field(default_factory=list[Line])

    @property
    def name(self) -> str:
        """The file name without `.ipynb`."""
        return self.path.stem

    @property
    def track(self) -> str:
        """The folder it lies in."""
        return self.path.parent.name

    @property
    def done(self) -> bool:
        """Whether it has exercises and all are passed."""
        return bool(self.lines) and all(line.status == PASSED for line in self.lines)


def chapters(lines: list[Line], course: Path = COURSE) -> list[Chapter]:
    """The notebooks in course order, each with its exercises; those that exercises name and are still to come, too."""
    found = {path.stem: Chapter(path) for path in find_notebooks(course=course)}
    for line in lines:
        missing = Chapter(course / line.track / f"{line.notebook}.ipynb")
        found.setdefault(line.notebook, missing).lines.append(line)
    return sorted(found.values(), key=lambda chapter: chapter.name)


def streak(days: dict[str, int], today: date) -> int:
    """Days in a row with an attempt, up to today or yesterday: today is not over yet."""
    day = today if today.isoformat() in days else today - timedelta(days=1)
    count = 0
    while (day - timedelta(days=count)).isoformat() in days:
        count += 1
    return count


class ProgressBoard(StatePanel):
    """The board. The browser is told the whole state when something changes, and filters by itself."""

    parts = ("prose", "board")
    sheets = ("card", "board")

    def __init__(self, progress: Progress, course: Path = COURSE) -> None:
        super().__init__("Progress")
        self.progress, self._course = progress, course
        STAGE.audience.add(self)

    def changed(self, exercise: Exercise, report: Report | None) -> None:
        """Follow what is recorded here."""
        self.tell_state()

    def state(self) -> dict[str, Any]:
        """All that the board shows, as JSON-ready data."""
        board = Board(self.progress)
        course, days, today = chapters(board.lines, self._course), self.progress.days(), date.today()
        strip = [(today - timedelta(days=back)).isoformat() for back in reversed(range(DAYS))]
        following = next(((each, line) for each in course for line in each.lines if line.status != PASSED), None)
        exercised = [each for each in course if each.lines]
        return {
            "headline": board.headline,
            "score": sum(line.score for line in board.lines),
            "points": sum(line.points for line in board.lines),
            "notebooks": f"{sum(each.done for each in exercised)} of {len(exercised)} notebooks done",
            "streak": streak(days, today),
            "days": [[day, days.get(day, 0)] for day in strip],
            "next": following and {**_row(following[1]), **_place(following[0])},
            "tracks": [
                {"name": track, "notebooks": [_notebook(each) for each in course if each.track == track]}
                for track in dict.fromkeys(each.track for each in course)
            ],
        }

    def close(self) -> None:
        """Let go of the browser's half, and listen no more."""
        STAGE.audience.discard(self)
        super().close()

    def still(self) -> str:
        state = self.state()
        active = sum(1 for _, count in state["days"] if count)
        parts = [
            f"<h3>{html.escape(state['headline'])}</h3><p>{html.escape(state['notebooks'])}; attempts on {active} of"
            f" the last {DAYS} days, {state['streak']} in a row.</p>"
        ]
        if following := state["next"]:
            title, id = html.escape(following["title"]), html.escape(following["id"])
            parts.append(f"<p>Next: {title} (<code>{id}</code>)</p>")
        for track in state["tracks"]:
            rows = "".join(_still_row(book, row) for book in track["notebooks"] for row in book["exercises"] or [None])
            parts.append(f"<h4>{html.escape(track['name'])}</h4><table>{rows}</table>")
        return "".join(parts)

    def text(self) -> str:
        return str(Board(self.progress))


def show_board(board: Board) -> None:
    """Show the view of a board; a record has one view, however many places show it."""
    view = _VIEWS.get(board.progress.path)
    if view is None or view.stranded:
        view = _VIEWS[board.progress.path] = ProgressBoard(board.progress)
    view._ipython_display_()  # pyright: ignore[reportPrivateUsage]


def _notebook(chapter: Chapter) -> dict[str, Any]:
    return {**_place(chapter), "done": chapter.done, "exercises": [_row(line) for line in chapter.lines]}


def _place(chapter: Chapter) -> dict[str, Any]:
    there = chapter.path.is_file()
    return {
        "notebook": chapter.name.replace("_", " "),
        "open": in_browser(chapter.path) if there else "",
        "href": beside(chapter.path) if there else "",
        "coming": not there,
    }


def _row(line: Line) -> dict[str, Any]:
    return {
        "id": line.exercise,
        "title": line.title,
        "status": line.status,
        "score": line.score,
        "points": line.points,
        "facts": facts(line),
    }


def _still_row(book: dict[str, Any], row: dict[str, Any] | None) -> str:
    name = html.escape(book["notebook"])
    if book["href"]:
        name = f"<a href='{html.escape(book['href'], quote=True)}'>{name}</a>"
    cells = ["no exercise", "", ""]
    if row:
        cells = [html.escape(row["title"]), f"{row['score']}/{row['points']}", html.escape(row["facts"])]
    return "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in (name, *cells)) + "</tr>"
