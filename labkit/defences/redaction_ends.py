"""Secrets that begin in one piece of text and end in another: lines, items of a list, members, blocks of a result.

Numbers may have gaps, so the pieces are looked at with an end of line between them. Keys and tokens have none: there a
few pieces are put together as they are, beginning with each in turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from labkit.defences.redaction_rules import Found
from labkit.defences.redaction_views import runs, views

UNITS = 1_000
"""Pieces that are looked at."""
WINDOW = 8
"""Pieces that a key may be spread over."""
_LONGEST = 4096

Find = Callable[[str], Iterator[Found]]


class Part(NamedTuple):
    """What is to be hidden in one piece, by which rule, and whether the secret begins there."""

    piece: int
    start: int
    end: int
    rule: str
    begins: bool


def lines(text: str) -> Iterator[tuple[int, int]]:
    """Where the lines of a text stand, without the blanks around them."""
    for found in re.finditer(r"[^\r\n]+", text):
        start, written = found.start(), found[0]
        left = len(written) - len(written.lstrip())
        yield start + left, start + max(left, len(written.rstrip()))


def over_ends(
    pieces: Sequence[str], owners: Sequence[int], crossing: Find, joining: Find, coded: Callable[[str], str]
) -> Iterator[Part]:
    """All parts of what goes over the end of a piece. `owners` says which pieces are lines of the same text.

    `crossing` finds what may have gaps, `joining` what may not; `coded` tells by which rule a decoded text is secret.
    """
    text, ends = _joined(pieces, "\n")
    for view in views(text):
        for found in crossing(view.text):
            parts = list(_parts(0, pieces, ends, 1, *view.span(found.start, found.end), found.rule))
            if len({owners[part.piece] for part in parts}) > 1:  # whoever looks at one text finds what is in its lines
                yield from parts
    for first in range(len(pieces) - 1):
        window = [piece[:_LONGEST] for piece in pieces[first : first + WINDOW]]
        text, ends = _joined(window, "")
        for view in views(text):
            found = list(joining(view.text))
            found += [Found(run.start, run.end, rule) for run in runs(view.text) if (rule := coded(run.text))]
            for each in found:
                start, end = view.span(each.start, each.end)
                if start < ends[1]:  # the others have their turn
                    yield from _parts(first, window, ends, 0, start, end, each.rule)


def _joined(pieces: Sequence[str], gap: str) -> tuple[str, list[int]]:
    """All as one, and where each begins."""
    ends = [0]
    for piece in pieces:
        ends.append(ends[-1] + len(piece) + len(gap))
    return gap.join(pieces), ends


def _parts(
    first: int, pieces: Sequence[str], ends: Sequence[int], gap: int, start: int, end: int, rule: str
) -> Iterator[Part]:
    """What a stretch of the joined text takes of each piece; nothing when it stays within one."""
    if not any(start < edge < end for edge in ends[1:-1]):
        return
    begins = True
    for number, at in enumerate(ends[:-1]):
        low, high = max(start, at), min(end, ends[number + 1] - gap)
        if low < high:
            yield Part(first + number, low - at, high - at, rule, begins)
            begins = False
