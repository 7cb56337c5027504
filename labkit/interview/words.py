"""An answer as the scorer reads it: sentences, clauses and words, each word brought to one form.

One form for what means the same here: stems (`retries`, `retrying`), irregular verbs (`kept`), British and American
spelling, the words of negation, and the synonyms of interview/words.toml. Offsets into the text are kept, so that
the scorer can show where it saw a thing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise
from typing import Any, cast

from labkit.catalog import LAB_ROOT

LANGUAGE = LAB_ROOT / "interview" / "words.toml"
NEGATION = "not"
"""The one form of `no`, `never`, `without`, `n't` and the like."""

_NEGATIONS = {"not", "no", "never", "without", "none", "neither", "nor", "nothing", "nobody", "nowhere"}
_ARTICLES = {"a", "an", "the"}
_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?|\d+|→|=>|->|=")
_SIGNS = {"→": "gives", "=>": "gives", "->": "gives", "=": "is"}
"""Signs that say what a word would."""
_SHORT = {"cannot": "can not", "can't": "can not", "cant": "can not", "won't": "will not", "wont": "will not"}
_BARE_SHORT = {"dont", "doesnt", "isnt", "arent", "wasnt", "shouldnt", "couldnt", "didnt", "hasnt", "havent"}
_ENDINGS = {"d": "would", "ll": "will", "ve": "have", "re": "are", "m": "am"}
_SUBJECTS = {"it", "that", "this", "there", "here", "he", "she", "what", "who", "where", "how", "everything", "one"}
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|approx)\.$")
_END = re.compile(r"[.!?]+(?=[\s)\"']|$)|\n")
_GOES_ON = 60
"""Characters from which on a line that is followed by one in lower case was broken by an editor, and goes on there."""
_CLAUSE = re.compile(r"[,;:()\[\]]|\s[-–—]\s|—")
_CLAUSE_WORDS = {
    "but", "because", "so", "since", "while", "whereas", "although", "though", "which", "where", "when", "if",
    "unless", "until", "therefore", "hence", "however", "instead", "then", "otherwise",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text, from `start` to `end`. `form` is what is compared; `raw` is as written, in lower case."""

    raw: str
    form: str
    start: int
    end: int
    clause: int
    """Which clause of its sentence it is in: they begin at commas and the like, and at words such as `because`."""
    stretch: int
    """The same, by commas and the like alone."""

    @property
    def is_article(self) -> bool:
        """Whether it says nothing by itself and does not count between the words of a phrase."""
        return self.raw in _ARTICLES


@dataclass(frozen=True)
class Sentence:
    """A sentence, or a bullet line, and where it is in the text."""

    start: int
    end: int
    words: tuple[Word, ...]
    """Without articles."""
    raw: tuple[str, ...] = field(repr=False)
    """All words as written, in lower case."""
    offset: int = 0
    """How many words, without articles, stand before it in the text."""
    begins_line: bool = True
    """Whether it is the first of its line, as the lines of a list are."""

    @cached_property
    def places(self) -> dict[str, list[tuple[int, int]]]:
        """From each form to the spans of words that have it: first word, word after the last.

        Two neighbours are there as one word, too, with a mark before it: `time out` as `+timeout`.
        """
        found: dict[str, list[tuple[int, int]]] = {}
        for place, word in enumerate(self.words):
            found.setdefault(word.form, []).append((place, place + 1))
        for place, (one, two) in enumerate(pairwise(self.words)):
            found.setdefault(_joined(one.raw + two.raw), []).append((place, place + 2))
        return found

    @cached_property
    def said(self) -> frozenset[str]:
        """The words as written, in lower case and without articles."""
        return frozenset(word.raw for word in self.words)


class Text(tuple[Sentence, ...]):
    """The sentences of a text that have a word, in order."""

    @cached_property
    def having(self) -> dict[str, set[int]]:
        """From each form to the numbers of the sentences that have it."""
        found: dict[str, set[int]] = {}
        for number, sentence in enumerate(self):
            for each in sentence.places:
                found.setdefault(each, set()).add(number)
        return found


def sentences(text: str) -> Text:
    """The sentences of a text."""
    text = text.replace("’", "'").replace("`", " ")
    found: list[Sentence] = []
    begin, line, breaks = 0, 0, True
    for match in [*_END.finditer(text), None]:
        end = match.end() if match else len(text)
        if match and match.group() == "\n":
            goes_on = end - line >= _GOES_ON and text[end : end + 1].islower()
            line = end
            if goes_on:
                continue
        elif match and (_ABBREVIATION.search(text[begin:end]) or text[begin : match.start()].strip().isdigit()):
            continue  # the number of a line of a list
        if sentence := _sentence(text, begin, end, sum(len(each.words) for each in found), breaks):
            found.append(sentence)
            breaks = False
        breaks = breaks or bool(match and match.group() == "\n")
        begin = end
    return Text(found)


def _sentence(text: str, begin: int, end: int, offset: int, breaks: bool) -> Sentence | None:
    words: list[Word] = []
    raws: list[str] = []
    clause, stretch, last = 0, 0, begin
    for match in _WORD.finditer(text, begin, end):
        if _CLAUSE.search(text, last, match.start()):
            clause, stretch = clause + 1, stretch + 1
        last = match.end()
        for raw in _apart(_SIGNS.get(match.group(), match.group().lower())):
            if raw in _CLAUSE_WORDS:
                clause += 1
            raws.append(raw)
            if raw not in _ARTICLES:
                words.append(Word(raw, form(raw), match.start(), match.end(), clause, stretch))
    if not raws:
        return None
    lead = re.match(r"\s*(?:[-*•+]|\d+[.)])?\s*", text[begin:end])
    start = begin + (lead.end() if lead else 0)
    return Sentence(start, end, tuple(_without_fillers(words)), tuple(raws), offset, breaks)


def _apart(raw: str) -> list[str]:
    """`doesn't` as `does` and `not`; a possessive without its ending."""
    if raw in _SHORT:
        return _SHORT[raw].split()
    if raw.endswith("n't") or raw in _BARE_SHORT:
        return [raw.removesuffix("n't").removesuffix("nt"), "not"]
    word, _, ending = raw.partition("'")
    if ending == "s":
        return [word, "is"] if word in _SUBJECTS else [word]
    return [word, _ENDINGS[ending]] if ending in _ENDINGS else [raw.replace("'", "")]


def _without_fillers(words: list[Word]) -> list[Word]:
    """`no longer` and `not any more` say what `no` and `not` say."""
    kept: list[Word] = []
    for word in words:
        if word.raw == "longer" and kept and kept[-1].form == NEGATION:
            continue
        kept.append(word)
    return kept


Spelling = tuple[tuple[str, str], ...]
"""The words of a phrase: the form of each, and how it stands in `places` where it is written as two."""


@cache
def spellings(way: str) -> tuple[Spelling, ...]:
    """The words of a phrase, in order, without articles; and again with two of them written as one."""
    raws = [word.raw for sentence in sentences(way.replace(".", " ")) for word in sentence.words]
    joined = [[*raws[:at], raws[at] + raws[at + 1], *raws[at + 2 :]] for at in range(len(raws) - 1)]
    return tuple(tuple((form(raw), _joined(raw)) for raw in each) for each in [raws, *joined] if each)


def _joined(raw: str) -> str:
    return f"+{raw.removesuffix('s')}"


@cache
def form(raw: str) -> str:
    """The one form of a word in lower case."""
    if raw in _NEGATIONS:
        return NEGATION
    stemmed = stem(language().irregular.get(raw, raw))
    return language().same.get(stemmed, stemmed)


@cache
def stem(raw: str) -> str:
    """The stem of a word in lower case, British or American."""
    raw = re.sub(r"is(e[sdr]?|ing|ation|ations)$", r"iz\1", raw) if len(raw) > 6 else raw
    raw = re.sub(r"(?<=[a-z]{3})our(s|ed|ing)?$", r"or\1", raw) if raw not in ("four", "hour", "hours") else raw
    return _stemmer().stemWord(raw)


@cache
def _stemmer() -> Any:  # it carries no types
    import snowballstemmer

    return cast("Any", snowballstemmer).stemmer("english")


@dataclass(frozen=True)
class Language:
    """What is known of English: interview/words.toml."""

    small: frozenset[str]
    verbs: frozenset[str]
    """Stems."""
    irregular: Mapping[str, str]
    """Irregular forms to what they are forms of."""
    same: Mapping[str, str]
    """Stems to the stem of the first of their synonyms."""


@cache
def language() -> Language:
    """What interview/words.toml says."""
    data = tomllib.loads(LANGUAGE.read_text(encoding="utf-8"))
    irregular = {raw: base for base, raws in data["irregular"].items() for raw in raws}
    same = {stem(irregular.get(word, word)): stem(group[0]) for group in data["same"] for word in group}
    verbs = frozenset(stem(verb) for verb in data["verbs"].split())
    return Language(frozenset(data["small"].split()), verbs, irregular, same)
