"""Hints to an item of a session, one after the other: the next says more than the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.interview.bank import Question
    from labkit.interview.entries import Entry
    from labkit.interview.session import Session


def hint(session: Session, entry: Entry) -> str:
    """The next hint to an item; `entry.hints` is how many there were."""
    if entry.item.kind == "question":
        texts = question_hints(session.bank.find(entry.item.id))
        return texts[min(entry.hints, len(texts) - 1)]
    if entry.item.kind == "design":
        return "Begin with what the constraints of the brief rule out; then decide what is left by what it costs."
    return str(session.exercise().hint())


def question_hints(question: Question) -> list[str]:
    """The hints to a question: how many points an answer has, then what an interviewer would ask next."""
    heavy = max(point.weight for point in question.points)
    count = sum(point.weight == heavy for point in question.points)
    total = len(question.points)
    first = f"A good answer makes {total} points; {count} of them {'weighs' if count == 1 else 'weigh'} most."
    return [first, *(f"An interviewer would go on with: {each}" for each in question.follow_ups)]
