"""What was answered, skipped and scored, one line of JSON per attempt: work/interview/attempts.jsonl.

Lines are only ever added, each in one write, so that a terminal, a notebook and a server may write at once. A line that
cannot be read is left out with a warning, and stays in the file.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labkit.grading.record import DamagedRecord as DamagedRecord
from labkit.grading.record import work_folder
from labkit.interview.bank import InterviewError, Question
from labkit.interview.scoring import Score


@dataclass(frozen=True)
class Attempt:
    """One answer to one question, or that it was skipped. `at` is in seconds since 1970 (UTC)."""

    at: float
    question: str
    topic: str
    fraction: float
    wrong: int = 0
    """How many wrong claims were heard."""
    skipped: bool = False
    session: str = ""
    answer: str = ""
    score: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """`Score.as_dict()`; empty when it was skipped."""


def place(folder: Path | None = None) -> Path:
    """The folder of everything that interviews leave: `folder`, or interview/ in the folder of the learner's work."""
    return folder or work_folder() / "interview"


class Record:
    """The attempts of one learner, in order of time."""

    def __init__(self, folder: Path | None = None) -> None:
        self.path = place(folder) / "attempts.jsonl"

    def add(self, attempt: Attempt) -> None:
        """Write one attempt. Raises InterviewError when that cannot be done."""
        line = json.dumps(asdict(attempt), ensure_ascii=False) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                # A line that a kill has cut off must not take this one with it.
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    line = line if file.read(1) == b"\n" else f"\n{line}"
                file.write(line.encode())
        except OSError as error:
            raise InterviewError(f"The attempt cannot be recorded in {self.path}: {error}.") from None

    def answered(self, question: Question, answer: str, score: Score, *, session: str = "", at: float = 0.0) -> Attempt:
        """Record an answer with its score; `at` is now by default."""
        attempt = Attempt(
            at or time.time(),
            question.id,
            question.topic,
            score.fraction,
            len(score.wrong),
            session=session,
            answer=answer,
            score=score.as_dict(),
        )
        self.add(attempt)
        return attempt

    def skipped(self, question: Question, *, session: str = "", at: float = 0.0) -> Attempt:
        """Record that a question was skipped; it counts as missed."""
        attempt = Attempt(at or time.time(), question.id, question.topic, 0.0, skipped=True, session=session)
        self.add(attempt)
        return attempt

    def attempts(self) -> list[Attempt]:
        """All attempts, the oldest first. Lines that cannot be read are left out with a DamagedRecord warning."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InterviewError(f"The record of your answers cannot be read: {error}.") from None
        found: list[Attempt] = []
        bad: list[int] = []
        for number, line in enumerate(lines, 1):
            try:
                found.append(Attempt(**json.loads(line)))
            except (ValueError, TypeError):
                bad += [number] if line.strip() else []
        if bad:
            warnings.warn(
                f"{self.path}: line {', '.join(map(str, bad))} cannot be read and is left out.",
                DamagedRecord,
                stacklevel=2,
            )
        return sorted(found, key=lambda attempt: attempt.at)

    def last(self, question: str) -> Attempt | None:
        """The latest answer to a question that was not skipped; None when there is none."""
        mine = [each for each in self.attempts() if each.question == question and not each.skipped]
        return mine[-1] if mine else None
