"""The page that JupyterLab opens with: what was done, what comes next, and the ways in. Written anew at each start."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from labkit.catalog import LAB_ROOT
from labkit.course.find import COURSE
from labkit.files import replace_text, way
from labkit.grading.record import Board, Line, Progress, facts, work_folder
from labkit.grading.report import NOT_ATTEMPTED, PASSED
from labkit.interview.record import Record
from labkit.interview.repetition import due
from labkit.ui.board import Chapter, chapters, streak

PAGE = "welcome.md"

WAYS = """\
| you want to | go to |
|---|---|
| learn the protocol | {first}, then the numbers upwards |
| practise for an interview | {interview}, or `labkit interview` in a terminal |
| attack and defend | {attack} |
| prove a server of your own | {prove}, or `labkit certify "your command"` in a terminal |
| look something up | {glossary}; {index} |
"""


def write_welcome(progress: Progress | None = None, *, today: date | None = None) -> Path:
    """Write the page into the folder of what the learner makes, and return its path. Raises OSError."""
    progress = progress or Progress()
    folder = work_folder()
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / PAGE
    replace_text(page, welcome(progress, folder, today or date.today()))
    return page


def welcome(progress: Progress, folder: Path, today: date, course: Path = COURSE) -> str:
    """The page as Markdown; its links lead from `folder`."""
    board = Board(progress)
    book = [each for each in chapters(board.lines, course) if each.path.is_file()]
    begun = any(line.status != NOT_ATTEMPTED for line in board.lines)
    days = streak(progress.days(), today)
    summary = ""
    if begun:
        row = f", {days} days in a row" if days > 1 else ""
        done = [each for each in book if each.lines]
        summary = f"**{board.headline}**; {sum(each.done for each in done)} of {len(done)} notebooks done{row}. "
    parts = [
        f"# Welcome {'back ' if begun else ''}to MCP Lab",
        f"{summary}This page is as of this start: `lab.progress()` in a notebook shows live what is done.",
    ]
    parts += ["## What comes next", _next(book, folder) + _due(folder), "## Ways in", _ways(book, folder)]
    parts += ["## The course", *(_track(track, book, folder) for track in dict.fromkeys(each.track for each in book))]
    return "\n\n".join(parts) + "\n"


def _next(book: list[Chapter], folder: Path) -> str:
    """What was begun and is not passed, first; then the first that is not passed."""
    open_ones = [(each, line) for each in book for line in each.lines if line.status != PASSED]
    begun = [pair for pair in open_ones if pair[1].status != NOT_ATTEMPTED]
    if not open_ones:
        return (
            "Every exercise is passed. `labkit interview` asks what you remember, and `lab.drills()` is left to attack."
        )
    first = next(pair for pair in open_ones if pair not in begun[:3]) if len(begun) < len(open_ones) else None
    lines = [f"- Begun: {_exercise(each, line, folder)}" for each, line in begun[:3]]
    if first:
        lines.append(f"- Next: {_exercise(*first, folder)}")
    return "\n".join(lines)


def _due(folder: Path) -> str:
    """A line on the interview questions that should come again, if there are any."""
    waiting = len(due(Record(folder / "interview").attempts()))
    if not waiting:
        return ""
    again = "1 interview question is" if waiting == 1 else f"{waiting} interview questions are"
    return f"\n- {again} due again: `labkit interview due`, or `lab.mock_interview(...)`"


def _exercise(chapter: Chapter, line: Line, folder: Path) -> str:
    state = "" if line.status == NOT_ATTEMPTED else f" ({line.score}/{line.points} points, {facts(line)})"
    return f'{_link(chapter.path, folder)}, exercise "{line.title}" `{line.exercise}`{state}'


def _track(track: str, book: list[Chapter], folder: Path) -> str:
    mine = [each for each in book if each.track == track]
    marks = [f"{'✓ ' if each.done else ''}{_link(each.path, folder)}" for each in mine]
    return f"**{track}**: " + ", ".join(marks)


def _ways(book: list[Chapter], folder: Path) -> str:
    by_number = {each.name[:2]: each.path for each in book}
    numbers = {"first": "00", "interview": "33", "attack": "19", "prove": "17"}
    ways = {name: _link(by_number[number], folder) if number in by_number else "" for name, number in numbers.items()}
    texts = {"glossary": "glossary", "index": "where is it taught"}
    pages = {name: _link(LAB_ROOT / "notebooks" / f"{name}.md", folder, text) for name, text in texts.items()}
    return WAYS.format(**ways, **pages)


def _link(path: Path, folder: Path, text: str = "") -> str:
    return f"[{text or path.stem.replace('_', ' ')}]({way(path, folder)})"
