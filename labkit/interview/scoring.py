"""How much of what a good answer says an answer says: counted, with the passages, and no judgement of style.

    told = score(question, "Any replica can take any request, because nothing is kept between two of them.")
    told.fraction, told.seen, told.partly, told.missed, told.wrong

A point is seen when all its ideas come together in one sentence or bullet line; in two neighbours it counts a little
less, because they may belong to different things. Where only some of its ideas are met it is seen in part. What is only
named, in a list of keywords, counts half of that. A passage with a recognised wrong claim takes something off. The same
text has always the same score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from labkit.interview.bank import Question
from labkit.interview.claims import heard
from labkit.interview.matching import Found, Ideas, find, ideas, partial
from labkit.interview.prose import crowded, prose, recited
from labkit.interview.words import Text, sentences

ACROSS = 0.7
"""What a point is worth whose ideas are spread over two neighbouring sentences."""
PART = 0.6
"""What a point is worth, times the share of its ideas, of which only some are met."""
NAMED = 0.5
"""What is left of it in a list of keywords."""
WRONG = 0.3
"""Of the whole, what a passage with a recognised wrong claim takes off."""
PROSE = 0.5
"""From here on a passage is taken for prose, and what it says as said."""
MOSTLY = 0.35
"""Share of an answer's words in lists of keywords, from which on the one sentence beside them counts as one, too."""
LIMIT = 20_000
"""Characters of an answer that are read."""


@dataclass(frozen=True)
class Seen:
    """A point and the passage that makes it, in full or in part. `worth` is above 0 and at most 1."""

    point: str
    weight: int
    passage: str
    start: int
    end: int
    worth: float = 1.0
    named: bool = False
    """Whether it is only named, in a list of keywords."""


@dataclass(frozen=True)
class Missed:
    """A point that was not seen."""

    point: str
    weight: int


@dataclass(frozen=True)
class Heard:
    """A common wrong answer that a passage sounds like, and why it is wrong."""

    says: str
    why: str
    passage: str
    start: int
    end: int


@dataclass(frozen=True)
class Score:
    """What was counted in one answer. `fraction` is from 0 to 1."""

    question: str
    seen: tuple[Seen, ...]
    missed: tuple[Missed, ...]
    partly: tuple[Seen, ...] = ()
    """Points of which a part was seen; they are in neither of the others."""
    wrong: tuple[Heard, ...] = ()
    notes: tuple[str, ...] = ()
    judged_by: str = ""
    """The model that was asked beside the count; empty for a count alone."""
    judged: tuple[str, ...] = ()
    """The points that this model saw."""
    judged_fraction: float | None = None

    @property
    def possible(self) -> int:
        """The weight of all points."""
        return sum(each.weight for each in (*self.seen, *self.partly, *self.missed))

    @property
    def reached(self) -> float:
        """The weight that was reached, before what wrong claims take off."""
        return sum(each.weight * each.worth for each in (*self.seen, *self.partly))

    @property
    def fraction(self) -> float:
        """The share of the weight that was reached, less what each passage with wrong claims takes off; 0 to 1."""
        passages = len({each.start for each in self.wrong})
        return round(max(0.0, self.reached / self.possible - WRONG * passages), 4)

    def as_dict(self) -> dict[str, Any]:
        """The score as JSON-ready data; `from_dict` reads it back."""
        return asdict(self) | {"fraction": self.fraction, "reached": self.reached, "possible": self.possible}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Score:
        """The score that `as_dict` wrote. Raises KeyError or TypeError for anything else."""
        return cls(
            question=data["question"],
            seen=tuple(Seen(**each) for each in data["seen"]),
            partly=tuple(Seen(**each) for each in data["partly"]),
            missed=tuple(Missed(**each) for each in data["missed"]),
            wrong=tuple(Heard(**each) for each in data["wrong"]),
            notes=tuple(data["notes"]),
            judged_by=data["judged_by"],
            judged=tuple(data["judged"]),
            judged_fraction=data["judged_fraction"],
        )

    @property
    def headline(self) -> str:
        """One line: what was counted."""
        total = len(self.seen) + len(self.partly) + len(self.missed)
        partly = f", {len(self.partly)} in part" if self.partly else ""
        wrong = f", {len(self.wrong)} wrong" if self.wrong else ""
        return f"{len(self.seen)} of {total} points seen{partly}{wrong}: {self.fraction:.0%}"

    def __str__(self) -> str:
        out = [self.headline]
        for sign, found in (("✓", self.seen), ("½", self.partly)):
            for each in found:
                out += [f"  {sign} {each.point}{' (only named)' if each.named else ''}", f"      in: {each.passage}"]
        out += [f"  ✗ {each.point}" for each in self.missed]
        for wrong in self.wrong:
            out += [f"  ! sounds like: {wrong.says}", f"      in: {wrong.passage}", f"      but: {wrong.why}"]
        out += [f"  {note}" for note in self.notes]
        return "\n".join(out)


@dataclass(frozen=True)
class _Best:
    """The passage that makes a point best: how much of the point, and what that is worth."""

    found: Found
    whole: bool
    worth: float


def score(question: Question, text: str) -> Score:
    """Count what an answer says of a question's points."""
    asks = _asks(question.ask)
    answer = Text(each for each in sentences(text[:LIMIT]) if tuple(word.form for word in each.words) not in asks)
    met = [ideas(point.mentions, answer) for point in question.points]
    asked = frozenset(form for sentence in asks for form in sentence)
    best = [_best(own, met, answer, asked) for own in met]
    made = Counter(each.found.hits[0].sentence for each in best if each and each.whole)
    lists = crowded(met, answer, made) | {place for place, how in enumerate(prose(answer)) if how < PROSE}
    listed = sum(len(answer[place].raw) for place in lists)
    if len(answer) - len(lists) == 1 and listed > MOSTLY * sum(len(each.raw) for each in answer):
        lists = set(range(len(answer)))
    quoted = recited(question, answer)
    seen: list[Seen] = []
    partly: list[Seen] = []
    missed: list[Missed] = []
    for point, each, quote in zip(question.points, best, quoted, strict=True):
        if each is None:
            missed.append(Missed(point.point, point.weight))
            continue
        start, end = answer[each.found.first].start, answer[each.found.last].end
        named = quote or any(hit.sentence in lists for hit in each.found.hits)
        worth = each.worth * (NAMED if named else 1.0)
        (seen if each.whole else partly).append(
            Seen(point.point, point.weight, text[start:end].strip(), start, end, round(worth, 4), named)
        )
    wrong = tuple(
        Heard(claim.says, claim.why, text[start:end].strip(), start, end)
        for claim, start, end in heard(question, answer)
    )
    notes = _notes([*seen, *partly], text)
    return Score(question.id, tuple(seen), tuple(missed), tuple(partly), wrong, notes)


@cache
def _asks(question: str) -> frozenset[tuple[str, ...]]:
    """The forms of the words of each sentence of a question."""
    return frozenset(tuple(word.form for word in sentence.words) for sentence in sentences(question))


def _best(own: Ideas, met: Sequence[Ideas], answer: Text, asked: frozenset[str]) -> _Best | None:
    rivals = [each for each in met if each is not own]
    whole = min(find(own, answer, rivals), key=lambda found: found.last - found.first, default=None)
    if whole:
        return _Best(whole, True, 1.0 if whole.first == whole.last else ACROSS)
    found = partial(own, answer, asked)
    return _Best(found, False, PART * len(found.hits) / len(own)) if found else None


def _notes(found: Sequence[Seen], text: str) -> tuple[str, ...]:
    notes: list[str] = []
    if any(each.named for each in found):
        notes.append("What a list of keywords names, or the words of the points repeat, counts half: say it yourself.")
    if len(text) > LIMIT:
        notes.append(f"Only the first {LIMIT} characters were read.")
    return tuple(notes)
