"""What is wrong whatever the question: interview/mistakes.toml, held against every answer.

Facts of the handshake era given as today's (`stale`) are heard in a sentence that neither denies them nor speaks of the
past; other mistakes, in one that does not deny them. Neither is heard in answers to a question whose own text or model
answer says the like.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from labkit.interview.bank import INTERVIEW, Question, Wrong
from labkit.interview.matching import find, hits, ideas
from labkit.interview.words import Text, sentences

MISTAKES = INTERVIEW / "mistakes.toml"


@dataclass(frozen=True)
class Mistakes:
    """What interview/mistakes.toml says."""

    past: tuple[str, ...]
    """Phrases by which a sentence speaks of the past."""
    stale: tuple[Wrong, ...]
    others: tuple[Wrong, ...]


@cache
def known_mistakes() -> Mistakes:
    """Read the file."""
    data = tomllib.loads(MISTAKES.read_text(encoding="utf-8"))
    return Mistakes(tuple(data["past"]), _claims(data["stale"]), _claims(data["mistake"]))


def mistakes(question: Question, answer: Text) -> Iterator[tuple[Wrong, int, int]]:
    """The mistakes of an answer, each with the numbers of the first and the last sentence of its passage."""
    known = known_mistakes()
    past = {hit.sentence for phrase in known.past for hit in hits(phrase, answer)}
    for claim in (*known.stale, *known.others):
        places = [
            (found.first, found.last)
            for found in find(ideas(claim.mentions, answer, claim=True), answer)
            # These are not written for the question at hand: only a single sentence says them for certain.
            if found.first == found.last and (claim not in known.stale or found.first not in past)
        ]
        if places and not _says_so_itself(question, claim):
            yield claim, *places[0]


@cache
def _says_so_itself(question: Question, claim: Wrong) -> bool:
    texts = [question.ask, question.model_answer, *(point.point for point in question.points)]
    text = sentences("\n".join(texts))
    return bool(find(ideas(claim.mentions, text, claim=True), text))


def _claims(entries: Sequence[Mapping[str, Any]]) -> tuple[Wrong, ...]:
    return tuple(Wrong(each["says"], each["why"], tuple(tuple(ways) for ways in each["mentions"])) for each in entries)
