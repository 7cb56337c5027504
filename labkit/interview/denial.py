"""Whether what an answer names is denied there: before it, behind it, over a list; or twice, which says it.

Denied: `no budget`, `rather than a budget`, `no need for jitter or a budget`, `a budget is not needed`, `whether it is
idempotent does not matter`. Said, by two negations: `never repeat what is not idempotent`, `calls without a key must
not be repeated`.

It is a matter of a few words and their order: irony, and what a sentence takes back that an earlier one said, are not
seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise

from labkit.interview.words import NEGATION, Sentence, Word, language

REACH = {"not": 6, "never": 6}
"""How many words ahead a negation reaches within its clause: one of a verb further than ..."""
NEAR = 3
"""... one of a noun (`no session`, `without a session`) ..."""
COORDINATED = 2
"""... and so many more for each `or` that adds another thing."""
AFTER = 6
"""Words behind a wrong claim that may declare it gone."""
SUBJECT = 4
"""Words between what is spoken of and the verb by which it is dismissed (`a budget for all of them is useless`)."""
APART = 8
"""Words between two negations that are one statement."""
ITEM = 4
"""Words of an item of a list."""

GONE = {"gone", "removed", "dropped", "obsolete", "deprecated", "wrong", "myth", "mistake", "misconception", "false"}
"""Words by which what a sentence says is declared to be no longer so, or never to have been."""

_NOT_A_DENIAL = (["only"], ["just"], ["merely"], ["simply"])
_FINITE = frozenset(("is", "are", "was", "were", "has", "does", "can", "will", "must", "may", "should", "becomes")) | {
    *("stands", "goes", "gets", "comes", "means", "gives", "makes", "takes", "brings", "leads", "remains", "stays")
}
"""Verbs that can only begin a statement of their own behind a denied one."""
_DENIALS = (("instead", "of"), ("rather", "than"))
_EXCEPT = frozenset(("except", "besides", "unless"))
"""`Nothing except ...` says it of what follows."""

_BEING = frozenset(("is", "are", "was", "were", "be", "being", "seems", "seem", "remains", "stays"))
_VERBS = _FINITE | _BEING | {"do", "did", "would", "could", "shall", "need", "have", "make", "plays", "play", "am"}
_NEEDLESS = frozenset(
    ("useless", "unnecessary", "irrelevant", "superfluous", "pointless", "needless", "unneeded", "overrated")
) | {*("overkill", "unimportant", "immaterial", "worthless", "nonsense", "myth", "misconception", "waste")}
"""`A budget is ...`."""
_NEEDED = frozenset(("needed", "need", "necessary", "required", "matter", "matters", "important", "relevant", "useful"))
"""`A budget is not ...`, `does not ...`."""
_NO = frozenset(("need", "use", "point", "value", "sense", "importance", "relevance", "role", "benefit", "reason"))
"""`There is no ... for a budget`, `a budget has no ...`."""
_ADVERBS = frozenset(("really", "at", "all", "even", "be", "absolutely", "strictly", "very", "that", "so", "of", "any"))
_LEADS_AWAY = frozenset(("with", "for", "of", "by", "in", "on", "at", "from", "to", "as", "which", "what", "how")) | {
    *("exact", "exactly", "particular", "specific", "precise", "actual", "other", "many", "long", "large", "after")
}
"""Behind these, what is spoken of is not what is dismissed: `with jitter the order does not matter`."""
_LIGHT = frozenset(("have", "having", "use", "using", "set", "setting", "add", "adding", "define", "introduce", "keep"))
"""Verbs that add nothing to what they take: who needs no `setting a deadline` needs no deadline."""
_ASSERTS = _BEING | _LIGHT | {"has", "uses", "adds", "sets", "keeps"}

_LINKS = frozenset(("that", "which", "who", "whose", "if", "when", "where", "what", "whatever"))
"""Words that tie a denied thing to the statement that is denied of it."""
_CONDITIONS = frozenset(("if", "when", "where", "without", "what", "whatever"))
_COORDINATORS = frozenset(("and", "or", "but", "nor"))
_SHRUGS = frozenset(("matter", "problem", "care", "difference", "issue", "harm", "mind", "bad", "trouble")) | {
    *("need", "needed", "necessary", "required", "have", "mean", "relevant", "important", "happens", "changes")
}
"""`Does not ... that there is no budget`: the two negations are no prohibition."""

SIGNS = frozenset(first for first, _ in _DENIALS) | _NEEDLESS | {"forget", "ignored", "omitted", "neglected"}
"""Words without a negation that may deny: where a sentence has neither, nothing is denied."""

Spoken = Callable[[int], bool]
"""Whether a word, by its place, belongs to another way of saying the point: then it denies nothing of it."""


def denied(sentence: Sentence, first: int, last: int, negated: Spoken, covered: Spoken, *, claim: bool) -> bool:
    """Whether the words from `first` to before `last` are denied. `negated` tells the negations that are themselves
    among the ways of a point, `covered` the words of its other ways. With `claim`, as wrong claims are read: one
    negation is enough, and what is declared gone is not claimed.
    """
    said, words = sentence.said, sentence.words
    declared = claim and not GONE.isdisjoint(said)
    if not (NEGATION in sentence.places or declared or not SIGNS.isdisjoint(said)):
        return False
    place = _negation_before(words, first, negated)
    if place is not None:
        return claim or not (_below_another(words, place) or _above_another(words, place, last))
    # "It has no session" is not "it has a session", though one may think of a gap.
    if any(words[place].form == NEGATION for place in range(first, last)):
        return True
    clause = words[first].clause
    before = [word for word in words[max(0, first - max(REACH.values())) : first] if word.clause == clause]
    if any((one.raw, two.raw) in _DENIALS for one, two in pairwise(before)):
        return True
    if claim:
        if any(one.raw in GONE and two.raw in ("that", "to") for one, two in pairwise(before)):
            return True  # "it is a myth that ..."
        return any(
            words[place].raw in GONE or (words[place].form == NEGATION and not negated(place))
            for place in range(last, min(len(words), last + AFTER))
            if words[place].clause == words[last - 1].clause
        )
    return (
        _dismissed_before(words, first)
        or _dismissed_behind(words, first, last, covered)
        or _listed(words, first, negated)
    )


def _negation_before(words: Sequence[Word], first: int, negated: Spoken) -> int | None:
    """The place of the nearest negation that reaches to a word."""
    clause = words[first].clause
    for place in range(first - 1, max(-1, first - max(REACH.values()) - COORDINATED - 1), -1):
        word = words[place]
        if word.clause != clause or word.form != NEGATION or negated(place):
            continue
        between = [each.raw for each in words[place + 1 : first]]
        # "What does not fit becomes an error": the verb after the denied one begins something else.
        ended = any(raw in _FINITE for raw in between[1:])
        excepted = not (_EXCEPT | _NEEDLESS).isdisjoint(between) or ("other", "than") in pairwise(between)
        reach = REACH.get(word.raw, NEAR) + COORDINATED * between.count("or")
        if not (ended or excepted) and first - place <= reach and between[:1] not in _NOT_A_DENIAL:
            return place
    return None


def _below_another(words: Sequence[Word], inner: int) -> bool:
    """`never repeat a call that is not idempotent`, `not without a key`: whether another negation governs this one."""
    if words[inner].raw == "nor":
        return False
    linked, stretch = words[inner].raw == "without", words[inner].stretch
    opening = next(word for word in words if word.stretch == stretch)
    for place in range(inner - 1, max(-1, inner - APART), -1):
        raw = words[place].raw
        if raw in _COORDINATORS or (words[place].stretch != stretch and opening.raw not in _LINKS):
            return False
        if words[place].form == NEGATION and raw != "neither":
            between = {each.raw for each in words[place + 1 : inner]}
            return linked and between.isdisjoint(_SHRUGS)
        linked = linked or raw in _LINKS
    return False


def _above_another(words: Sequence[Word], inner: int, last: int) -> bool:
    """`calls that are not idempotent must not be repeated`, `if it is not idempotent, never`: whether one follows."""
    clause = words[last - 1].clause
    opening = next(word for word in words if word.clause == words[inner].clause)
    conditional = opening.raw in _CONDITIONS
    for place in range(last, min(len(words), last + APART)):
        word = words[place]
        if word.clause > clause + conditional or word.raw in ("and", "but"):
            return False
        if word.form != NEGATION or word.raw in ("nor", "neither"):
            continue
        follows = {each.raw for each in words[place + 1 : place + 3]}
        verb = word.raw == "never" or (word.raw == "not" and words[place - 1].raw in _VERBS)
        return verb and follows.isdisjoint(_SHRUGS)
    return False


def _dismissed_before(words: Sequence[Word], first: int) -> bool:
    """`forget jitter`, `it is useless to have jitter`, `it does not matter whether there is jitter`."""
    clause = words[first].clause
    begin = next(place for place, word in enumerate(words) if word.clause == clause)
    raws = [word.raw for word in words[begin:first]]
    if raws in (["forget"], ["forget", "about"]):
        return True
    if raws[-2:-1] == ["to"] and raws[-1] in _LIGHT and _shrugs(words, first - 2):
        return True
    for place in range(first - 1, max(0, first - APART), -1):
        if words[place].raw in ("whether", "if", "that"):
            asserted = not _ASSERTS.isdisjoint(word.raw for word in words[max(place, first - 2) : first])
            return asserted and words[place].clause == clause and _shrugs(words, place)
    return False


def _shrugs(words: Sequence[Word], end: int) -> bool:
    """Whether the words before `end` say that something does not matter."""
    before = words[max(0, end - 4) : end]
    negated = any(word.form == NEGATION for word in before)
    if not before or before[-1].raw in _NEEDLESS:
        return bool(before) and not negated
    return negated and (before[-1].raw in _NEEDED | _NO or before[-1].raw in ("difference", "care", "cares"))


def _dismissed_behind(words: Sequence[Word], first: int, last: int, covered: Spoken) -> bool:
    """`jitter is not needed`, `jitter and a budget are useless`, `whether it has jitter or not does not matter`."""
    before = words[first - 1].raw if first else ""
    if before in _LEADS_AWAY or (before.endswith("ing") and before not in _LIGHT):
        return False
    whether = any(word.raw == "whether" for word in words[max(0, first - APART) : first])
    clause, place = words[last - 1].clause, last
    between: list[str] = []
    while place < len(words) and words[place].clause == clause and words[place].raw not in _VERBS:
        between.append(words[place].raw)
        place += 1
    alternatives = "or" in between and between[-2:] != ["or", "not"]
    if len(between) > SUBJECT or place == len(words) or (whether and alternatives):
        return False
    predicate = [word for word in words[place : place + AFTER] if word.clause == clause]
    if any(covered(each) for each in range(place, place + len(predicate))):
        return False
    return _dismisses(predicate, whether=whether)


def _dismisses(predicate: Sequence[Word], *, whether: bool) -> bool:
    """Whether what is said of something is that it is not needed."""
    raws = [word.raw for word in predicate]
    denying = False
    for number, word in enumerate(predicate):
        follows = raws[number + 1 : number + 2]
        if word.form == NEGATION:
            denying = True
            if follows and (follows[0] in _NO or (whether and follows[0] == "difference")):
                return True
        elif word.raw in _NEEDLESS:
            return not denying and raws[0] in _BEING | {"has", "may", "can", "would", "will"}
        elif denying and word.raw in _NEEDED:
            return True
        elif word.raw in ("ignored", "omitted", "neglected"):
            return not denying and raws[:2] in (["can", "be"], ["may", "be"], ["could", "be"])
        elif word.raw not in _VERBS and word.raw not in _ADVERBS:
            return False
    return False


def _listed(words: Sequence[Word], first: int, negated: Spoken) -> bool:
    """`we need no jitter, backoff, or deadline`: whether it stands in a list with `or` whose beginning is denied."""
    clauses = [list(group) for _, group in groupby(words, key=lambda word: word.clause)]
    own = next(number for number, clause in enumerate(clauses) if clause[0].clause == words[first].clause)
    begin, end = own, own
    while begin > 0 and _is_item(clauses[begin]):
        begin -= 1
    while end + 1 < len(clauses) and _is_item(clauses[end + 1]):
        end += 1
    if begin == own or not any(word.raw in ("or", "nor") for word in clauses[end]):
        return False
    if end - begin < 2 and _is_item(clauses[begin]):
        return False  # "Not now, or a crash" are two statements
    last = sum(len(clause) for clause in clauses[: begin + 1]) - 1
    return _negation_before(words, last, negated) is not None


def _is_item(clause: Sequence[Word]) -> bool:
    """Whether a clause is only a thing, without a verb."""
    words = [word for word in clause if word.raw not in ("or", "nor")]
    if len(words) > 1 and words[0].form in language().verbs:
        return False  # "refuse the calls" is a statement of its own
    return len(words) < ITEM and _VERBS.union(("only", "just", "but", "instead")).isdisjoint(word.raw for word in words)
