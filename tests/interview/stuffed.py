"""Answers made of a question's own keywords, mechanically: what nobody should pass an interview with."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from random import Random

from labkit.interview.bank import Question

CHEAP = {"commas", "spaces", "mixed words", "one sentence", "question first", "points by spaces", "points by commas"}
"""The ways of stuffing that every question is tried with; the others are variations."""


def ways(question: Question) -> list[str]:
    """All ways of saying all ideas of all points, each once."""
    return list(dict.fromkeys(way for point in question.points for idea in point.mentions for way in idea))


def stuffed(question: Question) -> Iterator[tuple[str, str]]:
    """Stuffed answers to a question, each with the name of how it was made."""
    random = Random(question.id)
    every = ways(question)
    mixed = random.sample(every, len(every))
    words = " ".join(every).split()
    firsts = [[idea[0] for idea in point.mentions] for point in question.points]
    points = [point.point.rstrip(".") for point in question.points]
    threes = [every[at : at + 3] for at in range(0, len(every), 3)]
    yield "commas", ", ".join(every)
    yield "spaces", " ".join(every)
    yield "mixed commas", ", ".join(mixed)
    yield "mixed words", " ".join(random.sample(words, len(words)))
    yield "one sentence", f"It is about {' and '.join(every)}."
    yield "short sentences", " ".join(f"It is about {' and '.join(three)}." for three in threes)
    yield "frames", " ".join(f"We need {one} because of {two}." for one, two in zip(every, mixed, strict=True))
    yield "question first", f"{question.ask} {', '.join(every)}"
    yield "points by spaces", " ".join(points)
    yield "points by commas", ", ".join(points)
    yield "fragments", " ".join(f"{way.capitalize()}." for way in chain.from_iterable(firsts))
    yield "short lists", " ".join(f"{', '.join(each).capitalize()}." for each in firsts)
    yield "colons", " ".join(f"{each[0].capitalize()}: {', '.join(each[1:] or each)}." for each in firsts)
    yield "one way each", ", ".join(chain.from_iterable(firsts))
    yield "one way each, in lines", "\n".join(f"- {' '.join(each)}" for each in firsts)
