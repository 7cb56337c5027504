"""Whether a sentence states something or lists keywords: by its make-up, not by its style.

Written and spoken English, notes included, tie content words together by small words (of, it, when, can), by verbs, and
by signs (`→`, `=`). A list of keywords has few of them, or many keywords for one thing, or the same frame again and
again around them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

from labkit.interview.bank import Question
from labkit.interview.matching import Ideas
from labkit.interview.words import Sentence, Text, language, sentences, stem

SHORT = 9
"""Words; a shorter sentence is looked at together with those beside it in its line."""
BARE = 5
"""Words; among others of its kind, a sentence of fewer states nothing, whatever its words."""
LOOSE, TIED = 0.05, 0.2
"""Share of what ties, verbs counting half: up to the first nothing is stated, from the second on it is a sentence."""
LONG, CLAUSE = 60, 25
"""Words of a sentence, and words for each of its clauses, beyond both of which it is an endless row of words."""
RUN = 10
"""Content words in a row that no sentence has."""
FRAMES = 4
"""Sentences that begin alike, from which on their beginning is a frame for keywords."""
WAYS = 10
"""Ways of saying one idea, from which on one sentence is a list of them."""
POINTS, WORDS = 4, 8
"""Points, from which on one sentence is a list of them unless it has so many words for each."""
COVERED = 0.9
"""Share of a sentence's words that are keywords, from which on it is nothing else."""
KEYWORDS, LEAST = 0.9, 3
"""Share of the content words of a whole answer, if it has more than so few, from which on it is nothing else."""
_JOINERS = frozenset(("and", "or"))


def _is_fragment(sentence: Sentence) -> bool:
    """Whether it is short and says of nothing that it is or does something."""
    words = sentence.raw
    return len(words) < SHORT and (len(words) < BARE or not any(stem(word) in language().verbs for word in words))


def _among_fragments(text: Text, place: int) -> bool:
    """Whether a sentence and those around it are fragments: one of them alone is how people talk."""
    around = [each for each in range(place - 2, place + 3) if 0 <= each < len(text)]
    return len(around) > 2 and all(_is_fragment(text[each]) for each in around)


def prose(text: Text) -> list[float]:
    """For each sentence of an answer, from 0 (a list of keywords) to 1 (prose)."""
    openings = Counter(sentence.raw[:2] for sentence in text)
    framed = {opening for opening, count in openings.items() if count >= FRAMES and len(opening) > 1}
    return [
        0.0
        if sentence.raw[:2] in framed or _among_fragments(text, place) or _is_endless(sentence)
        else _prose(_with_neighbours(text, place))
        for place, sentence in enumerate(text)
    ]


def _is_endless(sentence: Sentence) -> bool:
    """Whether it is longer than any that is spoken, and hardly has a comma, a `because` or a `which`."""
    clauses = sentence.words[-1].clause + 1 if sentence.words else 1
    return len(sentence.raw) > LONG and len(sentence.raw) > CLAUSE * clauses


def _with_neighbours(text: Text, place: int) -> tuple[str, ...]:
    words = text[place].raw
    if len(words) < SHORT and place and not text[place].begins_line:
        words = text[place - 1].raw + words
    if len(words) < SHORT and place + 1 < len(text) and not text[place + 1].begins_line:
        words += text[place + 1].raw
    return words


def _prose(words: Sequence[str]) -> float:
    known = language()
    count = len(words)
    ties = sum(1.0 if word in known.small else 0.5 if stem(word) in known.verbs else 0.0 for word in words)
    joined = sum(word in _JOINERS for word in words) / count
    longest = run = 0
    for word in words:
        run = 0 if word in known.small else run + (word not in _JOINERS)
        longest = max(longest, run)
    acts = len(words) < SHORT or any(stem(word) in known.verbs for word in words)
    listed = not acts or joined > 0.2 or longest >= RUN or len(set(words)) < 0.4 * count
    return 0.0 if listed else min(1.0, max(0.0, (ties / count - LOOSE) / (TIED - LOOSE)))


def crowded(met: Sequence[Ideas], text: Text, made: Mapping[int, int]) -> set[int]:
    """The sentences that are lists of what a question listens for. `made` is how many points each of them makes."""
    found = {
        sentence for sentence, count in made.items() if count >= POINTS and len(text[sentence].raw) < WORDS * count
    }
    covered: dict[int, set[int]] = {}
    for idea in (idea for own in met for idea in own):
        spans: dict[int, set[tuple[int, int]]] = {}
        for hit in idea:
            spans.setdefault(hit.sentence, set()).add((hit.first, hit.last))
            covered.setdefault(hit.sentence, set()).update(range(hit.first, hit.last))
        found |= {sentence for sentence, each in spans.items() if len(each) >= WAYS}
    for sentence, words in covered.items():
        # Notes are short and may be half keywords; lines that are nothing else are a list all the same.
        most = COVERED if len(text[sentence].raw) > SHORT else 0.95
        if len(words) >= most * len(text[sentence].raw) and (len(text[sentence].raw) > SHORT or _alone(text, sentence)):
            found.add(sentence)
    small = language().small
    content = {(n, at) for n, each in enumerate(text) for at, w in enumerate(each.words) if w.raw not in small}
    keywords = sum(at in covered.get(number, ()) for number, at in content)
    if len(content) > LEAST and keywords >= KEYWORDS * len(content):
        found |= covered.keys()
    return found


def _alone(text: Text, place: int) -> bool:
    """Whether a sentence has a line to itself."""
    return text[place].begins_line and (place + 1 == len(text) or text[place + 1].begins_line)


def recited(question: Question, text: Text) -> list[bool]:
    """For each point of a question, whether the answer repeats its text word for word, as it does with half of them."""
    said = " ".join(word.form for sentence in text for word in sentence.words)
    points = [_forms(point.point) for point in question.points]
    found = [f" {point} " in f" {said} " for point in points]
    # One or two may be said so by chance: they are short.
    return found if sum(found) * 2 >= len(found) else [False] * len(found)


@cache
def _forms(point: str) -> str:
    """The words of the text of a point, each in its one form."""
    return " ".join(word.form for sentence in sentences(point) for word in sentence.words)
