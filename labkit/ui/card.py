"""The exercise card: task, where to write, checks with their outcome, hints, solution, reset, score.

Checking runs in a thread, on the grader's own processes, so that the kernel stays free. What happens elsewhere to the
same answer (`ex.check()`, `%%exercise`, a second card) shows here, too.
"""

from __future__ import annotations

import asyncio
import html
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from labkit.errors import LabError
from labkit.grading.attempt import Exercise
from labkit.grading.report import NOT_ATTEMPTED, PASSED, SIGNS, Report
from labkit.grading.spec import SOURCE_LIMIT
from labkit.grading.stage import STAGE
from labkit.ui.panel import StatePanel
from labkit.ui.place import in_browser
from labkit.ui.prose import as_html, prose

T = TypeVar("T")
_CARDS: dict[Path, Card] = {}
"""One card for each answer, however often it is shown."""


class Card(StatePanel):
    """One exercise. The browser is told the whole state whenever it changes; it is small."""

    parts = ("prose", "card_parts", "card")
    sheets = ("card",)

    def __init__(self, exercise: Exercise) -> None:
        super().__init__(f"Exercise {exercise.id}")
        self.exercise = exercise
        self.report: Report | None = None
        self.checking = False
        self.solution: dict[str, Any] | None = None
        self.said = ""
        STAGE.audience.add(self)

    # what the browser asks ---------------------------------------------------------------------

    async def answer_check(self) -> None:
        """Check the answer; the report comes with the next state. Raises LabError while a check runs."""
        if self.checking:
            raise LabError("This answer is being checked already. Wait for the report.")
        self.checking, self.said = True, ""
        self.tell_state()
        try:
            await in_thread(self.exercise.check)
        finally:
            self.checking = False
            self.tell_state()

    async def answer_hint(self) -> None:
        """Show the next hint."""
        self.exercise.hint()

    async def answer_solution(self) -> None:
        """Show one good answer; the record says when it was seen."""
        note = self.exercise.solution()
        self.solution = {"text": note.text, "code": note.code, "after": prose(note.after)}
        self.tell_state()

    async def answer_reset(self) -> None:
        """Put the starter back; what was there is kept."""
        note = self.exercise.reset()
        self.said = _short(note.text, self.exercise.path.parent)
        self.report = self.solution = None
        self.tell_state()

    # what others do ----------------------------------------------------------------------------

    def changed(self, exercise: Exercise, report: Report | None) -> None:
        """Follow what is done with the same answer."""
        if exercise.path == self.exercise.path:
            if report is not None:
                self.report = report
            self.tell_state()

    # what there is to see ----------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that the card shows, as JSON-ready data."""
        exercise, spec, line = self.exercise, self.exercise.spec, self.exercise.record
        shown = [number for number in exercise.hints_shown if number <= len(spec.hints)]
        return {
            "id": exercise.id,
            "title": spec.title,
            "task": prose(_untitled(spec.task)),
            "facts": exercise.facts,
            "objectives": list(spec.objectives),
            "file": f"{exercise.path.parent.name}/{exercise.path.name}",
            "open": in_browser(exercise.path),
            "cell": f"%%exercise {exercise.id}\n{self._source()}",
            "checking": self.checking,
            "outcome": self.report.outcome if self.report else line.status,
            "headline": self._headline(),
            "note": self.report.note if self.report else "",
            "said": self.said,
            "checks": self._checks(),
            "afterword": prose(spec.afterword) if self.report and self.report.passed else [],
            "hints": [[number, prose(spec.hints[number - 1])] for number in shown],
            "hints_left": len(spec.hints) - len(shown),
            "solution": self.solution,
            "record": f"best {line.score} of {line.points} points, {line.attempts or 'no'} attempt"
            + ("" if line.attempts == 1 else "s"),
        }

    def _source(self) -> str:
        try:
            text = self.exercise.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            text = ""
        return text if 0 < len(text) <= SOURCE_LIMIT else self.exercise.spec.starter

    def _headline(self) -> str:
        if self.report is not None:
            return self.report.headline.removeprefix(f"{self.exercise.spec.title}: ").capitalize()
        line = self.exercise.record
        if line.status == PASSED:
            return "Passed before"
        return "Not attempted yet" if line.status == NOT_ATTEMPTED else f"Last attempt: {line.status}"

    def _checks(self) -> list[dict[str, Any]]:
        if self.report is None:
            return [
                {"title": check.title, "points": check.points, "status": NOT_ATTEMPTED, "lines": []}
                for check in self.exercise.spec.checks
            ]
        return [
            {
                "title": check.title,
                "points": check.points,
                "status": check.status,
                "lines": [_parted(text) for text in lines],
            }
            for check, lines in self.report.blocks()
        ]

    def close(self) -> None:
        """Let go of the browser's half, and listen no more."""
        STAGE.audience.discard(self)
        super().close()

    def still(self) -> str:
        state = self.state()
        checks = "".join(
            f"<li>{SIGNS[check['status']]} {html.escape(check['status'])}, {check['points']} p: "
            f"{html.escape(check['title'])}{''.join(_below(*part) for part in check['lines'])}</li>"
            for check in state["checks"]
        )
        hints = "".join(f"<p>Hint {number}. {as_html(nodes)}</p>" for number, nodes in state["hints"])
        return (
            f"<h3>{html.escape(state['title'])}</h3><p>{html.escape(state['facts'])}</p>{as_html(state['task'])}"
            f"<p>Write the answer in <code>{html.escape(state['file'])}</code>, or in a cell that begins with"
            f" <code>%%exercise {html.escape(state['id'])}</code>.</p>"
            f"<p><b>{html.escape(state['headline'])}</b> ({html.escape(state['record'])})</p>"
            f"<ul style='list-style:none;padding-left:0'>{checks}</ul>{hints}{as_html(state['afterword'])}"
        )

    def text(self) -> str:
        return "\n".join([repr(self.exercise), "", str(self.report or self._headline())])


def show_card(exercise: Exercise) -> None:
    """Show the card of an exercise; an answer has one card, however many places show it."""
    card = _CARDS.get(exercise.path)
    if card is None or card.stranded:
        card = _CARDS[exercise.path] = Card(exercise)
    card.exercise = exercise
    card._ipython_display_()  # pyright: ignore[reportPrivateUsage]


async def in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread that does not keep a kernel from ending, unlike those of asyncio's pool."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if not done.done():
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # pyright: ignore[reportArgumentType]

    def run() -> None:
        result = error = None
        try:
            result = work()
        except BaseException as failure:
            error = failure
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="labkit-check", daemon=True).start()
    return await done


def _untitled(task: str) -> str:
    """The task without its heading, which the card has above."""
    first, _, rest = task.lstrip().partition("\n")
    return rest if first.startswith("# ") else task


def _parted(line: str) -> list[str]:
    """A line of a report, and the learner's code at its end, if any."""
    where, found, code = line.partition(": ")
    return [where + ":", code] if found and where.startswith("your line ") else [line, ""]


def _below(text: str, code: str) -> str:
    shown = f" <code>{html.escape(code)}</code>" if code else ""
    return f"<div style='margin-left:1.6em;white-space:pre-wrap'>{html.escape(text)}{shown}</div>"


def _short(text: str, work: Path) -> str:
    return text.replace(str(work), work.name)
