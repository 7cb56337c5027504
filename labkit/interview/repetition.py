"""When a question should come again: spaced repetition by FSRS, over what was answered and skipped.

Nothing is stored besides the attempts: the state of each question is what FSRS makes of its attempts, one after the
other. Steps within a day are off, because nobody sits an interview twice an hour: what was missed is due the next day.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from labkit.interview.record import Attempt

if TYPE_CHECKING:
    from fsrs import Rating

MISSED = 0.65
"""Below this fraction a question counts as missed."""
AGAIN, GOOD, EASY = 0.4, MISSED, 0.9
"""From which fraction on an answer is rated hard, good, easy; below the first it is forgotten."""


@dataclass(frozen=True)
class Due:
    """When a question should come again."""

    question: str
    topic: str
    due: datetime
    """In UTC."""
    last: float
    """The fraction of the latest attempt."""
    attempts: int
    stability: float
    """Days after which FSRS expects nine of ten to remember."""

    @property
    def missed(self) -> bool:
        """Whether the latest attempt was."""
        return self.last < MISSED


def schedule(attempts: Iterable[Attempt]) -> list[Due]:
    """When each question that was attempted should come again: what was missed first, then by date."""
    from fsrs import Card, Scheduler

    scheduler = Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    cards: dict[str, Card] = {}
    mine: dict[str, list[Attempt]] = {}
    for attempt in sorted(attempts, key=lambda attempt: attempt.at):
        at = datetime.fromtimestamp(attempt.at, UTC)
        card = cards.get(attempt.question) or Card(card_id=len(cards) + 1, due=at)
        cards[attempt.question], _ = scheduler.review_card(card, rating(attempt), review_datetime=at)
        mine.setdefault(attempt.question, []).append(attempt)
    found = [
        Due(id, tries[-1].topic, cards[id].due, tries[-1].fraction, len(tries), cards[id].stability or 0.0)
        for id, tries in mine.items()
    ]
    return sorted(found, key=lambda due: (not due.missed, due.due, due.last, due.question))


def due(attempts: Iterable[Attempt], now: float | None = None) -> list[Due]:
    """The questions that should come again by now (seconds since 1970)."""
    moment = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    return [each for each in schedule(attempts) if each.due <= moment]


def rating(attempt: Attempt) -> Rating:
    """How FSRS takes an attempt. A wrong claim makes it hard at best."""
    from fsrs import Rating

    if attempt.skipped or attempt.fraction < AGAIN:
        return Rating.Again
    if attempt.fraction < GOOD or attempt.wrong:
        return Rating.Hard
    return Rating.Easy if attempt.fraction >= EASY else Rating.Good
