"""Where an answer says what a question listens for: ways of saying it, ideas, and all ideas in one passage.

A way matches when its words come in order, with at most two others between neighbours. A negation before it in the same
clause turns it off, unless the way is itself a negated one.

Ideas come together in a sentence, or in two neighbours; not across lines of a list, which are statements of their own.
What stands between belongs to what it stands next to: in "tools: the user, resources: the model" the model is not said
to have anything to do with tools, where another point listens for resources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from labkit.interview.bank import Mentions
from labkit.interview.denial import denied
from labkit.interview.words import NEGATION, Sentence, Spelling, Text, spellings

GAP = 2
"""Words that may stand between two neighbours of a phrase."""
TRIES = 400
"""Combinations of ways that are looked at in one passage."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A way that was found: in which sentence, over which of its words, from `first` to before `last`."""

    way: str
    sentence: int
    first: int
    last: int

    def overlaps(self, other: Hit) -> bool:
        """Whether they share a word."""
        return self.sentence == other.sentence and self.first < other.last and other.first < self.last


Ideas = Sequence[Sequence[Hit]]
"""For each idea of a point, every way that says it."""


@dataclass(frozen=True)
class Found:
    """All ideas in one passage: the sentences `first` to `last`, and a way for each idea."""

    first: int
    last: int
    hits: tuple[Hit, ...]


def ideas(mentions: Mentions, text: Text, *, claim: bool = False) -> Ideas:
    """The hits of each idea. With `claim`, what a sentence declares gone or false is none: for wrong claims."""
    everything = [[hit for way in ways for hit in hits(way, text)] for ways in mentions]
    # Where one idea is a negated one ("not for"), its negation does not turn off the others ("tools").
    spoken = {
        (hit.sentence, place)
        for idea in everything
        for hit in idea
        if _is_negated(hit.way)
        for place in range(hit.first, hit.last)
        if text[hit.sentence].words[place].form == NEGATION
    }
    return [
        [hit for hit in idea if _is_negated(hit.way) or not _denied(text[hit.sentence], hit, spoken, everything, claim)]
        for idea in everything
    ]


def _denied(sentence: Sentence, hit: Hit, spoken: set[tuple[int, int]], everything: Ideas, claim: bool) -> bool:
    def negated(place: int) -> bool:
        return (hit.sentence, place) in spoken

    def covered(place: int) -> bool:
        there = Hit("", hit.sentence, place, place + 1)
        return any(other is not hit and other.overlaps(there) for idea in everything for other in idea)

    return denied(sentence, hit.first, hit.last, negated, covered, claim=claim)


@cache
def _is_negated(way: str) -> bool:
    """Whether a way of saying something is itself a negated one."""
    return any(form == NEGATION for words in spellings(way) for form, _ in words)


def find(own: Ideas, text: Text, rivals: Sequence[Ideas] = ()) -> list[Found]:
    """The passages in which all ideas come together, with the ways that stand closest. `rivals` are other points."""
    passages: list[Found] = []
    if not all(own):
        return passages
    rivals = [rival for rival in rivals if len(rival) > 1 and rival[0]]
    met = [{hit.sentence for hit in idea} for idea in own]
    for width in (1, 2):
        for first in range(len(text) - width + 1):
            last = first + width - 1
            if width == 2 and (text[last].begins_line or len(own) == 1):
                continue
            if not all(first in places or last in places for places in met):
                continue
            inside = [[hit for hit in idea if first <= hit.sentence <= last] for idea in own]
            if found := _closest(inside, text, first, last, rivals):
                passages.append(found)
    return passages


def partial(own: Ideas, text: Text, asked: frozenset[str]) -> Found | None:
    """The sentence in which most ideas of a point are met, when it has several and not all are met anywhere.

    What says no more than the question asks (its forms are `asked`) is no part of an answer.
    """
    best: Found | None = None
    if len(own) > 1:
        for place, sentence in enumerate(text):
            here = [
                [
                    hit
                    for hit in idea
                    if hit.sentence == place
                    and any(word.form not in asked for word in sentence.words[hit.first : hit.last])
                ]
                for idea in own
            ]
            chosen = tuple(hits[0] for hits in here if hits)
            if chosen and (best is None or len(chosen) > len(best.hits)):
                best = Found(place, place, chosen)
    return best


def _closest(
    inside: Sequence[Sequence[Hit]], text: Text, first: int, last: int, rivals: Sequence[Ideas]
) -> Found | None:
    best: tuple[int, Found] | None = None
    for tried, chosen in enumerate(product(*inside)):
        if tried == TRIES:
            break
        if last > first and len({hit.sentence for hit in chosen}) == 1:
            continue  # that passage is a single sentence
        begin = min(_at(text, hit.sentence, hit.first) for hit in chosen)
        end = max(_at(text, hit.sentence, hit.last) for hit in chosen)
        if best is None or end - begin < best[0]:
            if len(chosen) > 1 and any(_taken(chosen, begin, end, rival, text) for rival in rivals):
                continue
            best = (end - begin, Found(first, last, chosen))
    return best[1] if best else None


def _taken(chosen: tuple[Hit, ...], begin: int, end: int, rival: Ideas, text: Text) -> bool:
    """Whether what another point speaks of stands between, while the rest of what was found does not fit that point.

    The rival has two ideas or more, and the first of them is met.
    """
    rest = [hit for idea in rival[1:] for hit in idea]
    if any(hit.overlaps(other) for hit in chosen[1:] for other in rest):
        return False
    return any(
        begin < _at(text, hit.sentence, hit.first) < end
        and _begins(text[hit.sentence], hit.first)
        and not any(hit.overlaps(own) for own in chosen)
        for hit in rival[0]
    )


def _begins(sentence: Sentence, word: int) -> bool:
    """Whether a word begins a clause, or comes after `and` or `or`: what is spoken of next stands there."""
    before = sentence.words[word - 1] if word else None
    return before is None or before.clause != sentence.words[word].clause or before.raw in ("and", "or", "but", "while")


def _at(text: Text, sentence: int, word: int) -> int:
    """The place of a word in the whole answer."""
    return text[sentence].offset + word


def hits(way: str, text: Text) -> list[Hit]:
    """Where a way of saying something is met, denied or not."""
    having, found = text.having, list[Hit]()
    for words in spellings(way):
        form, joined = words[0]
        # Most ways of saying something are not met, and end here.
        if form in having or joined in having:
            for number in _having_all(words, text):
                found += [Hit(way, number, first, last) for first, last in _spans(words, text[number])]
    return found


def _having_all(words: Spelling, text: Text) -> list[int]:
    """The sentences that have all words of a phrase, in any order."""
    having, common = text.having, None
    for form, joined in words:
        one, two = having.get(form), having.get(joined)
        has = one | two if one and two else one or two
        if not has or not (common := has if common is None else common & has):
            return []
    return sorted(common or ())


def _spans(words: Spelling, sentence: Sentence) -> list[tuple[int, int]]:
    places = [[*sentence.places.get(form, []), *sentence.places.get(joined, [])] for form, joined in words]
    ends = places[0]
    for following in places[1:]:
        ends = [
            (first, min(nexts))
            for first, last in ends
            if (
                nexts := [
                    end for begin, end in following if 0 <= begin - last <= GAP and _unbroken(sentence, first, end)
                ]
            )
        ]
    return ends


def _unbroken(sentence: Sentence, first: int, last: int) -> bool:
    """Whether no comma or the like stands between: "model-controlled, resources ..." says nothing of resources."""
    return sentence.words[first].stretch == sentence.words[last - 1].stretch
