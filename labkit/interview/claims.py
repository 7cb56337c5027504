"""Which common wrong answers an answer sounds like.

A wrong claim of the question is heard where the phrases that recognise it are met, or where a passage has most of its
words and, among them, those that a right answer would not have; never in a sentence that denies it. A claim that is a
denial itself, or a short one, is heard where its words come in its order with as many negations. Mistakes that are none
of one question are heard in every answer (`mistakes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from labkit.interview.bank import Question, Wrong
from labkit.interview.denial import GONE
from labkit.interview.matching import find, ideas
from labkit.interview.mistakes import mistakes
from labkit.interview.words import NEGATION, Text, Word, language, sentences

ALIKE = 0.6
"""Share of the content words of a wrong claim that a passage has which sounds like it."""
TELLING = 0.5
"""The same, of those that neither the question nor its model answer nor its points have."""
LEAST = 4
"""Content words of a claim below which only its phrases count, or all its words in their order."""
MORE = 3
"""For so many words of such a claim, a passage may have one more."""


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
        return _repeated(claim, answer)
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


def _repeated(claim: str, answer: Text) -> tuple[int, int] | None:
    """Where the words of a claim come in their order, with as many negations and hardly another word.

    For what a bag of words cannot tell from its opposite: "resources act, and tools do not".
    """
    said, count = _telling(claim), len(sentences(claim))
    declared = {word.raw for sentence in sentences(claim) for word in sentence.words} & GONE
    most = len(said) + len(said) // MORE
    for first in range(len(answer) - count + 1):
        words = [word for sentence in answer[first : first + count] for word in sentence.words]
        if len(words) < len(said) or GONE.intersection(word.raw for word in words) != declared:
            continue
        forms = [word.form for word in words if _tells(word)]
        if len(said) <= len(forms) <= most and forms.count(NEGATION) == said.count(NEGATION):
            rest = iter(forms)
            if all(each in rest for each in said):
                return first, first + count - 1
    return None


def _tells(word: Word) -> bool:
    return word.form == NEGATION or word.raw not in language().small


@cache
def _telling(text: str) -> tuple[str, ...]:
    """The content words and the negations of a text, in order."""
    return tuple(word.form for sentence in sentences(text) for word in sentence.words if _tells(word))


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
