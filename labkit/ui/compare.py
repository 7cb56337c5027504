"""Two tapes side by side, aligned by what their frames do; and the same errand run in two eras."""

from __future__ import annotations

import html
from typing import Any, ClassVar

import traitlets

from labkit.errors import EraError, LabError
from labkit.session.connection import connect
from labkit.ui.compare_members import Difference, differences
from labkit.ui.compare_steps import Steps, first_steps
from labkit.ui.panel import Panel, said
from labkit.ui.timeline import details_of, row_of
from labkit.wire import Frame, Tape, TapeDiff
from labkit.wire.views import MONO, RULE, caption, pretty, showable, size_text

ERAS = ("2025-11-25", "2026-07-28")
SIGNS = {"same": "=", "envelope": "≈", "changed": "≠", "left": "−", "right": "+"}
"""The sign before each word. "envelope" differs in how it travels: `_meta`, `resultType` and the like, MCP headers."""
_ALONE = "background:rgba(230,150,40,.16)"
TINTS = {"changed": "background:rgba(66,133,244,.10)", "left": _ALONE, "right": _ALONE}
SHOWN = 10_000
"""Pairs that the browser gets."""
STILL_PAIRS, STILL_CHARS = 100, 150_000


class Comparison(Panel):
    """Two tapes in two columns. `left`, `right` are the tapes, `diff` the pairs, `results` what the steps returned."""

    parts: ClassVar[tuple[str, ...]] = ("timeline", "compare")
    sheets: ClassVar[tuple[str, ...]] = ("timeline", "compare")
    height = traitlets.Int(300).tag(sync=True)
    """Of the list of pairs, in pixels."""

    def __init__(self, left: Tape, right: Tape, *, notes: tuple[str, ...] = (), height: int = 300) -> None:
        self.left, self.right, self.notes = left, right, notes
        self.results: dict[str, Any] = {}
        self._compared: tuple[object, TapeDiff, list[str]] | None = None
        self.names = _names(left, right)
        super().__init__(f"Comparison of {self.names[0]} and {self.names[1]}")
        self.height = height

    @property
    def diff(self) -> TapeDiff:
        """The pairs as they are now."""
        return self._aligned()[0]

    def _aligned(self) -> tuple[TapeDiff, list[str]]:
        stamp = tuple((tape.count, tape.dropped, len(tape)) for tape in (self.left, self.right))
        if self._compared is None or self._compared[0] != stamp:
            diff = TapeDiff(self.left, self.right)
            self._compared = (stamp, diff, [_mark(a, b) for a, b in diff.pairs])
        return self._compared[1:]

    def word(self, mark: str) -> str:
        """A mark as people read it: same, same but envelope, changed, only in 2026-07-28."""
        if mark == "envelope":
            return "same but envelope"
        return f"only in {self.names[mark == 'right']}" if mark in ("left", "right") else mark

    @property
    def summary(self) -> str:
        """One line: how many pairs of which kind, and how much each side sent."""
        diff, marks = self._aligned()
        parts = [f"{marks.count(mark)} {self.word(mark)}" for mark in SIGNS]
        sizes = [size_text(sum(f.size for f in tape.frames)) for tape in (diff.left, diff.right)]
        return f"{', '.join(parts)}; {sizes[0]} in {self.names[0]}, {sizes[1]} in {self.names[1]}"

    async def answer_pairs(self) -> dict[str, Any]:
        """All pairs, as a mark and two rows each."""
        diff, marks = self._aligned()
        return {
            "names": [*self.names],
            "captions": [showable(caption(tape)) for tape in (self.left, self.right)],
            "words": {mark: f"{sign} {self.word(mark)}" for mark, sign in SIGNS.items()},
            "summary": showable(self.summary),
            "notes": [showable(note) for note in self.notes],
            "pairs": [
                [mark, row_of(a) if a else None, row_of(b) if b else None]
                for mark, (a, b) in zip(marks[:SHOWN], diff.pairs, strict=False)
            ],
            "more": max(0, len(diff.pairs) - SHOWN),
        }

    async def answer_pair(self, at: int) -> dict[str, Any]:
        """Pair number `at`, from 0: both frames, and what differs."""
        pairs = self.diff.pairs
        if not 0 <= at < len(pairs):
            raise LabError(f"There is no pair {at}: there are {len(pairs)}.")
        a, b = pairs[at]
        found = differences(a, b) if a and b else []
        return {
            "left": details_of(a) if a else None,
            "right": details_of(b) if b else None,
            "differences": [[each.path, each.left, each.right] for each in found],
        }

    def still(self) -> str:
        """Two columns of frames; a changed pair opens to what differs, another to the frame."""
        diff, marks = self._aligned()
        names = "".join(
            f"<th scope='col' style='text-align:left;border-bottom:{RULE}'>{html.escape(head)}</th>"
            for head in ("compared", caption(self.left), caption(self.right))
        )
        rows: list[str] = []
        room = STILL_CHARS
        for mark, (a, b) in zip(marks[:STILL_PAIRS], diff.pairs, strict=False):
            row = self._still_row(mark, a, b)
            room -= len(row)
            if room < 0:
                break
            rows.append(row)
        left_out = len(diff.pairs) - len(rows)
        notes = "".join(f"<div>{html.escape(note)}</div>" for note in self.notes)
        rest = f"<div style='opacity:.75'>{left_out} more pairs: .diff.table()</div>" if left_out else ""
        return showable(
            f"<div class='labkit-compare' style='{MONO};text-align:left'><div>{html.escape(self.summary)}</div>{notes}"
            f"<table style='border-collapse:collapse;width:100%;{MONO}'><thead><tr>{names}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>{rest}</div>"
        )

    def _still_row(self, mark: str, a: Frame | None, b: Frame | None) -> str:
        style = "text-align:left;vertical-align:top;padding:1px 6px;overflow-wrap:anywhere;white-space:normal"
        inside = (
            _pre("\n".join(_lines(differences(a, b), self.names)))
            if mark in ("changed", "envelope") and a and b
            else ""
        )
        cells = "".join(
            f"<td style='{style};opacity:.6'>&mdash;</td>"
            if frame is None
            else f"<td style='{style}'><details><summary style='cursor:pointer'>{html.escape(_line(frame))}</summary>"
            f"{inside or _pre(pretty(frame)[:4000])}</details></td>"
            for frame in (a, b)
        )
        tint = TINTS.get(mark, "")
        word = f"{SIGNS[mark]} {self.word(mark)}"
        return f"<tr style='{tint}'><td style='{style}'>{html.escape(word)}</td>{cells}</tr>"

    def text(self) -> str:
        """One line a pair."""
        diff, marks = self._aligned()
        lines = [f"{caption(self.left)}   |   {caption(self.right)}", self.summary, *self.notes]
        pairs = list(zip(marks, diff.pairs, strict=True))[:STILL_PAIRS]
        width = max([len(_line(a)) for _, (a, _) in pairs] + [10])
        lines += [f"{SIGNS[mark]} {_line(a):<{width}} | {_line(b)}".rstrip() for mark, (a, b) in pairs]
        if len(marks) > STILL_PAIRS:
            lines.append(f"... {len(marks) - STILL_PAIRS} more pairs: .diff.table()")
        return showable("\n".join(lines))


async def compare_eras(
    target: Any,
    steps: Steps | None = None,
    *,
    eras: tuple[str, str] = ERAS,
    height: int = 300,
    **options: Any,
) -> Comparison:
    """Do the same in two eras, each on a connection of its own, and show the frames side by side.

    `target` and `options` are those of `lab.connect`. `steps` is `async def steps(conn)`; what it returns is in
    `.results`, by era. It runs once in each era: give steps that may be done twice. By default the first tool that says
    it only reads is called with example values, and the first resource and prompt are fetched. A step that the lab or
    the server refuses ends the steps of that era and is noted in `.notes`; so is an era that the server does not speak.
    Raises ConnectError when it speaks neither, or cannot be reached.
    """
    tapes: list[Tape] = []
    notes: list[str] = []
    results: dict[str, Any] = {}
    refused: list[EraError] = []
    for era in eras:
        try:
            conn = await connect(target, era=era, **options)
        except EraError as error:
            refused.append(error)
            notes.append(f"{era}: {said(error)}")
            tapes.append(Tape(str(target), era=era))
            continue
        try:
            results[era] = await (steps or first_steps)(conn)
        except LabError as error:
            notes.append(f"{era}: {said(error)}")
        finally:
            await conn.close()
        tapes.append(conn.tape)
    if len(refused) == len(eras):
        raise refused[-1]
    comparison = Comparison(tapes[0], tapes[1], notes=tuple(notes), height=height)
    comparison.results = results
    return comparison


def _mark(a: Frame | None, b: Frame | None) -> str:
    if a is None or b is None:
        return "right" if a is None else "left"
    found = differences(a, b)
    if found and all(each.in_envelope for each in found):
        return "envelope"
    return "changed" if found else "same"


def _names(left: Tape, right: Tape) -> tuple[str, str]:
    """What tells the two apart: era, else title, else their place."""
    for name in ("era", "transport", "title"):
        a, b = str(getattr(left, name)), str(getattr(right, name))
        if a and b and a != b:
            return a, b
    return "the left", "the right"


def _lines(found: list[Difference], names: tuple[str, str]) -> list[str]:
    lines: list[str] = []
    for each in found[:40]:
        word = each.word.replace("left", f"in {names[0]}").replace("right", f"in {names[1]}")
        values = " | ".join(value[:200] for value in (each.left, each.right) if value)
        lines.append(f"{each.path} ({word}): {values}")
    return lines


def _line(frame: Frame | None) -> str:
    return f"{'→' if frame.direction == 'sent' else '←'} {frame.label} [{size_text(frame.size)}]" if frame else ""


def _pre(text: str) -> str:
    return f"<pre style='white-space:pre-wrap;overflow-wrap:anywhere;margin:2px 0'>{html.escape(text)}</pre>"
