"""Which common wrong answers an answer sounds like.

A wrong claim of the question is heard where the phrases that recognise it are met, or where a passage has most of its
words and, among them, those that a right answer would not have; never in a sentence that denies it. Mistakes that are
none of one question are heard in every answer (`mistakes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from labkit.interview.bank import Question, Wrong
from labkit.interview.matching import GONE, find, ideas
from labkit.interview.mistakes import mistakes
from labkit.interview.words import NEGATION, Text, language, sentences

ALIKE = 0.6
"""Share of the content words of a wrong claim that a passage has which sounds like it."""
TELLING = 0.5
"""The same, of those that neither the question nor its model answer nor its points have."""
LEAST = 4
"""Content words of a claim below which only its phrases count."""


def heard(question: Question, answer: Text) -> Iterator[tuple[Wrong, int, int]]:
    """The wrong claims that an answer makes, each with the place of the passage in the text."""
    for wrong, first, last in mistakes(question, answer):
        yield wrong, answer[first].start, answer[last].end
    for wrong in question.wrong:
        found = find(ideas(wrong.mentions, answer, claim=True), answer)
        span = (found[0].first, found[0].last) if found else _alike(wrong.says, _right(question), answer)
        if span:
            yield wrong, answer[span[0]].start, answer[span[1]].end


def _alike(claim: str, right: frozenset[str], answer: Text) -> tuple[int, int] | None:
    wanted = _content(claim)
    telling = wanted - right
    if len(wanted) < LEAST or not telling or _denies(claim):
        return None
    for width in (1, 2):
        for first in range(len(answer) - width + 1):
            passage = answer[first : first + width]
            if width == 2 and passage[1].begins_line:
                continue
            forms = {word.form for sentence in passage for word in sentence.words}
            denied = NEGATION in forms or any(word.raw in GONE for sentence in passage for word in sentence.words)
            if not denied and _share(wanted, forms) >= ALIKE and _share(telling, forms) >= TELLING:
                return first, first + width - 1
    return None


def _share(wanted: frozenset[str], forms: set[str]) -> float:
    return len(wanted & forms) / len(wanted)


def _right(question: Question) -> frozenset[str]:
    """The content words of the question and of all that is right about it."""
    return _content(" ".join([question.ask, question.model_answer, *(point.point for point in question.points)]))


@cache
def _denies(claim: str) -> bool:
    return any(word.form == NEGATION for sentence in sentences(claim) for word in sentence.words)


@cache
def _content(text: str) -> frozenset[str]:
    small = language().small
    return frozenset(word.form for sentence in sentences(text) for word in sentence.words if word.raw not in small)
