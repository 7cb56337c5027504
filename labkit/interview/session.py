"""A mock interview as a state machine that is saved after every step.

    session = Session.begin("server-developer", 45)
    session.current.item                  # a question, a kata, a tape or a design case
    session.answer("...")                 # -> Score; session.check() for katas and tapes, session.decide({...})
    session.next(); session.skip(); session.pause(); session.resume(); session.finish()
    Session.load(id)                      # after a restart of the kernel: paused, where it was

Its clock counts only while the session runs and its current item is open: not while it is paused, nor while a result is
read. `beat()`, every few seconds, saves the time that has run, so that a kernel that dies takes seconds with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Self

from labkit.interview.bank import Bank, InterviewError, load_bank
from labkit.interview.drawing import draw
from labkit.interview.kept import Kept, Scorer, step
from labkit.interview.record import Record
from labkit.interview.roles import find_role
from labkit.interview.scoring import Score
from labkit.interview.stage import STAGE

if TYPE_CHECKING:
    from labkit.agents.model import Model
    from labkit.grading.attempt import Exercise
    from labkit.grading.report import Report
    from labkit.interview.design import Case, Considered


class Session(Kept):
    """One mock interview. Every method that changes it saves it, and raises InterviewError when that cannot be."""

    put_back = ""
    """Where the learner's earlier answer to the exercise just opened is kept; "" when there was none."""

    @classmethod
    def begin(
        cls,
        role: str,
        minutes: int,
        seed: int | None = None,
        *,
        bank: Bank | None = None,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        scorer: Scorer | None = None,
    ) -> Self:
        """Draw a session and start its clock. The same seed and history give the same items; without one it is random.

        Raises InterviewError for a role or a length that there is not.
        """
        seed = SystemRandom().randrange(1_000_000) if seed is None else seed
        bank, now = bank or load_bank(), time.time()
        items = draw(find_role(role), minutes, seed, bank=bank, attempts=Record(folder).attempts(), now=now)
        return cls.of(items, role, minutes, seed, bank=bank, folder=folder, clock=clock, scorer=scorer)

    @step
    def pause(self) -> None:
        """Stop the clock."""
        self._unfinished()
        self._halt()
        self.state = "paused"
        self._save()

    @step
    def resume(self) -> None:
        """Go on after a pause or a restart."""
        self._unfinished()
        self.state = "running"
        self._start()
        self._save()

    def beat(self) -> None:
        """Save the time that has run: for a timer of the front end, every few seconds. It never waits for a step."""
        if self.running and self.lock.acquire(blocking=False):
            try:
                self._save(told=False)
            finally:
                self.lock.release()

    @step
    def answer(self, text: str) -> Score:
        """Answer the current question; its score is recorded. Raises InterviewError for an empty answer."""
        self._going()
        entry = self._open("question")
        if not text.strip():
            raise InterviewError("The answer is empty. Write one, or skip the question.")
        question = self.bank.find(entry.item.id)
        entry.score = self.scorer(question, text)
        entry.answer, entry.fraction = text, entry.score.fraction
        self._done(entry)
        self._save()
        Record(self.folder).answered(question, text, entry.score, session=self.id)
        return entry.score

    async def judge(self, model: Model) -> Score:
        """Let a model judge the answer that was just given, beside the count; the result of the item stays the count.

        Raises InterviewError before there is an answer.
        """
        from labkit.interview.judge import judge

        entry = self._open("question", done=True)
        if entry.score is None:
            raise InterviewError("There is no answer yet that could be judged.")
        entry.score = await judge(self.question, entry.answer, entry.score, model)
        self._save()
        return entry.score

    @step
    def exercise(self) -> Exercise:
        """The exercise of the current kata or tape. The first time, the starter is put back: an earlier answer is kept
        under a dated name in work/backups/."""
        from labkit.grading.attempt import exercise

        entry = self._open("kata", "tape", done=True)
        opened = exercise(entry.item.id, work=self._work(), warm=False)
        self.put_back = ""
        if not entry.opened:
            there = opened.path.exists()
            told = opened.reset().text
            self.put_back = told if there else ""
            entry.opened = True
            self._save()
        return opened

    def check(self, *, seed: int | None = None) -> Report:
        """Check the current kata or tape. It is done when all checks pass; until then it may be checked again."""
        self._going()
        entry = self._open("kata", "tape")
        opened = self.exercise()
        report = opened.check(seed=seed)
        with self.lock:
            # It may have been left while the grader ran.
            if entry.status == "open" and entry is self.current:
                entry.checks += 1
                fraction = report.score / report.points if report.points else 0.0
                if entry.fraction is None or fraction >= entry.fraction:
                    entry.fraction, entry.report = fraction, report.as_dict()
                if report.passed:
                    self._done(entry)
                self._save()
        return report

    def case(self) -> Case:
        """The design brief of the current item."""
        from labkit.interview.design import case

        return case(self._open("design", done=True).item.id)

    @step
    def decide(self, decision: Mapping[str, Any]) -> Considered:
        """Decide the current design case; the rules of the clinic say what follows from it."""
        from labkit.interview.design import consider

        self._going()
        entry = self._open("design")
        considered = consider(entry.item.id, decision)
        entry.decision, entry.fraction = dict(considered.decision), considered.fraction
        entry.said = list(considered.lines)
        self._done(entry)
        self._save()
        return considered

    @step
    def hint(self) -> str:
        """The next hint to the current item: for a question how many points it has, then its follow-ups."""
        from labkit.interview.hints import hint

        self._going()
        entry = self._open("question", "kata", "tape", "design")
        text = hint(self, entry)
        entry.hints += 1
        self._save()
        return text

    @step
    def skip(self) -> None:
        """Leave the current item without a result, and go on to the next."""
        self._going()
        entry = self._open("question", "kata", "tape", "design")
        self._halt()
        entry.status = "skipped"
        self._forward()
        if entry.item.kind == "question" and (question := self.bank.get(entry.item.id)):
            Record(self.folder).skipped(question, session=self.id)

    @step
    def next(self) -> None:
        """Go on to the next item. Raises InterviewError while the current one has no result: answer or skip it."""
        self._going()
        entry = self.entries[self.at]
        if entry.status == "open":
            if entry.fraction is None:
                raise InterviewError(f"{entry.item.title!r} has no answer yet. Answer it, or skip it.")
            self._done(entry)  # a kata that is left as it is
        self._forward()

    @step
    def finish(self) -> None:
        """End the session here; what is open stays without a result."""
        self._unfinished()
        self._halt()
        entry = self.entries[self.at]
        if entry.fraction is not None:
            entry.status = "done"
        self.state = "finished"
        self._save()

    def _tell(self) -> None:
        STAGE.changed(self)

    def __repr__(self) -> str:
        from labkit.interview.front import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from labkit.interview.front import as_html

        return as_html(self)

    def _ipython_display_(self) -> None:
        if STAGE.show is None:
            raise NotImplementedError  # IPython then shows the text
        STAGE.show(self)
