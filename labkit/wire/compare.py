"""Two tapes side by side: what both did, what only one of them did."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from labkit.wire.frame import ARROWS, Frame
from labkit.wire.views import MONO, RULE, TINTS, caption, pretty, showable, size_text

if TYPE_CHECKING:
    import pandas as pd

    from labkit.wire.tape import Tape

Pair = tuple[Frame | None, Frame | None]
Key = tuple[str, str, str, str]
SHOWN = 500
"""Pairs that a view shows; `pairs` and `table()` have them all."""


class TapeDiff:
    """`left` and `right` aligned by direction, kind, method and subject of their frames."""

    def __init__(self, left: Tape, right: Tape) -> None:
        self.left, self.right = left, right
        self.pairs: list[Pair] = _align(left.frames, right.frames)

    @property
    def only_left(self) -> list[Frame]:
        """Frames without a counterpart on the right."""
        return [a for a, b in self.pairs if a and not b]

    @property
    def only_right(self) -> list[Frame]:
        """Frames without a counterpart on the left."""
        return [b for a, b in self.pairs if b and not a]

    def table(self) -> pd.DataFrame:
        """A DataFrame: left and right label and size (bytes), one row a pair."""
        import pandas as pd

        rows = [
            {
                "left": _line(a),
                "left_size": a.size if a else 0,
                "right": _line(b),
                "right_size": b.size if b else 0,
                "both": bool(a and b),
            }
            for a, b in self.pairs
        ]
        return pd.DataFrame(rows, columns=["left", "left_size", "right", "right_size", "both"])

    @property
    def summary(self) -> str:
        """One line of totals."""
        both = sum(1 for a, b in self.pairs if a and b)
        size_left, size_right = (sum(f.size for f in t.frames) for t in (self.left, self.right))
        return (
            f"{both} frames in both, {len(self.only_left)} only left, {len(self.only_right)} only right; "
            f"{size_text(size_left)} against {size_text(size_right)}"
        )

    def __repr__(self) -> str:
        shown = self.pairs[:SHOWN]
        width = max([len(_line(a)) for a, _ in shown] + [10])
        lines = [f"{caption(self.left)}   |   {caption(self.right)}", self.summary]
        for a, b in shown:
            mark = " " if a and b else ("<" if a else ">")
            lines.append(f"{_line(a):<{width}} {mark} {_line(b)}".rstrip())
        return showable("\n".join([*lines, *self._rest()]))

    def _rest(self) -> list[str]:
        left_out = len(self.pairs) - SHOWN
        return (
            [f"... {left_out} more pairs: .table(), or the diff of a part, such as tape[:100]"] if left_out > 0 else []
        )

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th style='text-align:left;border-bottom:{RULE};width:50%'>{html.escape(caption(t))}</th>"
            for t in (self.left, self.right)
        )
        rows = "".join(f"<tr>{_cell(a, b)}{_cell(b, a)}</tr>" for a, b in self.pairs[:SHOWN])
        rest = "".join(f"<div style='opacity:.7'>{html.escape(text)}</div>" for text in self._rest())
        return showable(
            f"<div class='labkit-diff' style='{MONO};text-align:left'><div>{html.escape(self.summary)}</div>"
            f"<table style='border-collapse:collapse;width:100%;table-layout:fixed;{MONO}'><tr>{head}</tr>{rows}</table>{rest}</div>"
        )


def _key(frame: Frame) -> Key:
    kind = "answer" if frame.kind in ("response", "error") else frame.kind
    return frame.direction, kind, frame.method or frame.label, frame.subject


def _align(left: list[Frame], right: list[Frame]) -> list[Pair]:
    pairs: list[Pair] = []
    a = b = 0
    for i, j in [*_common([_key(f) for f in left], [_key(f) for f in right]), (len(left), len(right))]:
        pairs += [(f, None) for f in left[a:i]]
        pairs += [(None, f) for f in right[b:j]]
        if i < len(left):
            pairs.append((left[i], right[j]))
        a, b = i + 1, j + 1
    return pairs


def _common(left: list[Key], right: list[Key]) -> list[tuple[int, int]]:
    """The places of a longest common subsequence.

    Tapes repeat few different frames many times, where difflib takes cubic time: minutes for a full ring.
    Here a row of the usual table is one integer, a bit for each frame of `left` (Hyyrö 2004): 10,000 against
    10,000 frames take a fraction of a second. A bit that is 0 marks where the common part grows by one.
    """
    places: dict[Key, int] = {}
    for bit, key in enumerate(reversed(left)):  # from the end: the walk back then begins at the start
        places[key] = places.get(key, 0) | 1 << bit
    full = (1 << len(left)) - 1
    rows = [full]
    for key in reversed(right):
        row, met = rows[-1], rows[-1] & places.get(key, 0)
        rows.append((row + met | row - met) & full)
    found: list[tuple[int, int]] = []
    i, j = 0, 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:  # equal heads: pairing them loses nothing, and the earliest places read best
            found.append((i, j))
            i, j = i + 1, j + 1
        elif rows[len(right) - j] >> (len(left) - 1 - i) & 1:
            i += 1
        else:
            j += 1
    return found


def _line(frame: Frame | None) -> str:
    return f"{ARROWS[frame.direction]} {frame.label} [{size_text(frame.size)}]" if frame else ""


def _cell(frame: Frame | None, other: Frame | None) -> str:
    style = "text-align:left;vertical-align:top;padding:1px 6px;overflow-wrap:anywhere"
    if frame is None:
        return f"<td style='{style};opacity:.4'>&mdash;</td>"
    mark = "" if other else "background:rgba(230,150,40,.18);"
    only = "" if other else " <i>only here</i>"
    return (
        f"<td style='{style};{mark}border-left:3px solid {TINTS[frame.kind]}'><details><summary style='cursor:pointer'>"
        f"{html.escape(_line(frame))}{only}</summary><pre style='white-space:pre-wrap;overflow-wrap:anywhere'>{html.escape(pretty(frame))}</pre></details></td>"
    )
