"""The timeline: the frames of a connection as they come, to zoom, filter and open.

`WireAnswers` is the Python half of the view `timelineView(panel)` in `static/timeline.js`; any panel may have both.
The browser holds a short row for each frame and asks for the text of the frame that is opened. While a connection
works, the tape only raises a flag: the browser is told once that there is news, and no more is done until it asks.
"""

from __future__ import annotations

import bisect
import json
import weakref
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, ClassVar

import traitlets

from labkit.errors import LabError
from labkit.ui.panel import Panel
from labkit.ui.timeline_news import News
from labkit.wire import Frame, Tape
from labkit.wire.views import as_text, showable

NEWEST = 1_000
"""Rows in the first answer, to have something to see at once; the browser then asks for the older ones."""
LONGEST = 200_000
"""Characters of one frame that the browser gets; `frame.text` has all."""
STILL_FRAMES = 100
STILL_CHARS = 150_000
"""What the still shows at most: frames, and characters of their text."""

_tapes = count(1)


def tape_of(source: Any) -> Tape:
    """The tape of a connection, or the tape itself. LabError when `source` is neither."""
    tape = source if isinstance(source, Tape) else getattr(source, "tape", None)
    if not isinstance(tape, Tape):
        raise LabError(
            f"A timeline shows a connection or a tape, not {type(source).__name__!r}."
            " Give what lab.connect() returned, or lab.Tape.load(path)."
        )
    return tape


def row_of(frame: Frame) -> list[Any]:
    """What the browser keeps of a frame: n, at, sent, kind, id, method, label, bytes, latency, request's n, status."""
    return [
        frame.n,
        round(frame.at, 6),
        frame.direction == "sent",
        frame.kind,
        _id_text(frame.id),
        _short(frame.method),
        _short(frame.label),
        frame.size,
        frame.latency,
        frame.request.n if frame.request else None,
        frame.status,
    ]


def _id_text(value: Any) -> str | None:
    if type(value) is int:  # the usual case, without the work of the others: there are 10,000 rows
        return str(value)
    return None if value is None else _short(json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    text = text[:200]
    return text if text.isascii() else showable(text)


def frame_of(tape: Tape, n: int) -> tuple[Frame, Frame | None]:
    """Frame `n` and the other half of its pair: a request's answer, an answer's request. LabError when it is gone."""
    frames = tape.frames
    at = bisect.bisect_left(frames, n, key=lambda f: f.n)
    if at == len(frames) or frames[at].n != n:
        raise LabError(
            f"Frame {n} is no longer on the tape: it holds the last {tape.max_frames:,} frames"
            f" and {tape.max_bytes // 1024**2} MiB. Save a tape in time with tape.save(path)."
        )
    frame = frames[at]
    answer = (later for later in frames[at + 1 :] if later.request is frame)
    return frame, frame.request or (next(answer, None) if frame.latency is not None else None)


def details_of(frame: Frame) -> dict[str, Any]:
    """A frame with headers and text, as the browser shows it when it is opened."""
    text = pretty = showable(frame.text[:LONGEST])
    if frame.message is not None and len(frame.text) <= LONGEST:
        with suppress(RecursionError):  # nested deeper than can be indented
            pretty = showable(json.dumps(frame.message, indent=2, ensure_ascii=False))[: 2 * LONGEST]
    return {
        "row": row_of(frame),
        "transport": frame.transport,
        "framed": frame.framed,
        "headers": {showable(name): showable(value) for name, value in (frame.headers or {}).items()},
        "note": showable(frame.note),
        "text": text,
        "pretty": pretty,
        "cut": max(0, len(frame.text) - LONGEST),
    }


def tape_still(tape: Tape) -> str:
    """The last frames of a tape as HTML without script, bounded in size."""
    room, limit = STILL_CHARS, 0
    for frame in reversed(tape.frames[-STILL_FRAMES:]):
        room -= min(len(frame.text), 20_000)
        if room < 0 and limit:
            break
        limit += 1
    return tape.html(limit=max(limit, 1))


class WireAnswers(Panel):
    """A panel with a `timelineView` in it. `watch()` names the tape; the view asks for the rest by itself."""

    _tape: Tape | None = None
    _tape_id = 0
    _news: News | None = None
    _source: Callable[[], Any] = staticmethod(lambda: None)

    def watch(self, source: Any) -> None:
        """Show this connection or tape from now on; None for none."""
        self._unwatch()
        self._tape = None if source is None else tape_of(source)
        self._tape_id = next(_tapes)
        # Of a connection only a weak reference: a view keeps none open.
        self._source: Callable[[], Any] = (lambda: source) if isinstance(source, Tape | None) else weakref.ref(source)
        if self._tape is not None and self._home is not None:
            panel = weakref.ref(self)
            self._news = News(self._tape, self._home, lambda: (here := panel()) and here.tell("wire"))
        self.tell("wire")

    def _unwatch(self) -> None:
        if self._news is not None:
            self._news.stop()
        self._news = None

    @property
    def _closed(self) -> bool:
        source = self._source()
        return source is None or bool(getattr(source, "closed", False))

    def close(self) -> None:
        """Let go of the tape's listener and of the browser's half."""
        self._unwatch()
        super().close()

    def redraw(self) -> None:
        """Bring the still up to date, and tell the view when the connection has been closed."""
        if self._news is not None and self._closed:
            self._unwatch()
            self.tell("wire")
        super().redraw()

    async def answer_wire(self, tape: int = 0, after: int = 0, text: str = "") -> dict[str, Any]:
        """The frames after number `after`, as rows, and what the tape is.

        `tape` is the tape that `after` counts on, from the last answer. With `text`, `found` are the new frames that
        hold it. From here on, the next frame is told as news, once.
        """
        shown = self._tape
        if shown is None:
            return {"tape": self._tape_id, "rows": [], "first": 1, "title": "", "closed": False}
        if self._news is not None:
            self._news.listen()  # before looking: a frame in between is told, and not missed
        frames = shown.frames
        known = tape == self._tape_id
        new = frames[bisect.bisect_right(frames, after, key=lambda f: f.n) :] if known else frames[-NEWEST:]
        return {
            "tape": self._tape_id,
            "rows": [row_of(frame) for frame in new],
            "first": frames[0].n if frames else shown.count + 1,
            "older": 0 if known else len(frames) - len(new),
            "dropped": shown.dropped,
            "title": showable(shown.title),
            "transport": shown.transport,
            "era": shown.era,
            "unframed": any(not frame.framed for frame in new),
            "closed": self._closed,
            "found": holding(new, text) if text else [],
        }

    async def answer_wire_older(self, tape: int, before: int) -> dict[str, Any]:
        """The frames before number `before`, as rows."""
        if self._tape is None or tape != self._tape_id:
            return {"rows": [], "unframed": False}
        frames = self._tape.frames
        older = frames[: bisect.bisect_left(frames, before, key=lambda f: f.n)]
        return {"rows": [row_of(frame) for frame in older], "unframed": any(not frame.framed for frame in older)}

    async def answer_wire_frame(self, n: int) -> dict[str, Any]:
        """Frame `n` with its text, and the other half of its pair."""
        if self._tape is None:
            raise LabError("There is no connection to show frames of.")
        frame, other = frame_of(self._tape, n)
        return {"frame": details_of(frame), "other": details_of(other) if other else None}

    async def answer_wire_search(self, text: str) -> dict[str, Any]:
        """The numbers of all frames that hold `text`, in any case."""
        return {"tape": self._tape_id, "found": holding(self._tape.frames, text) if self._tape is not None else []}


def holding(frames: list[Frame], text: str) -> list[int]:
    """The numbers of the frames whose text, label or note holds `text`, upper and lower case alike."""
    wanted = text.casefold()
    return [f.n for f in frames if any(wanted in part.casefold() for part in (f.text, f.label, f.note))]


class Timeline(WireAnswers):
    """The live timeline of one connection or tape."""

    parts: ClassVar[tuple[str, ...]] = ("timeline", "timeline_panel")
    sheets: ClassVar[tuple[str, ...]] = ("timeline",)
    height = traitlets.Int(300).tag(sync=True)
    """Of the list of frames, in pixels."""

    def __init__(self, source: Any, *, height: int = 300) -> None:
        self.shown = tape_of(source)
        super().__init__(f"Wire timeline of {self.shown.title or 'a tape'}")
        self.height = height
        self._seen: tuple[object, ...] = ()
        self.watch(source)

    def redraw(self) -> None:
        """Bring the still up to date, if the tape has moved on."""
        tape = self.shown
        seen = (tape.count, tape.dropped, len(tape), tape.era, self._closed)
        if seen != self._seen:
            self._seen = seen
            super().redraw()

    def still(self) -> str:
        """The last frames, each to be opened."""
        return tape_still(self.shown)

    def text(self) -> str:
        """The last frames, one a line."""
        return as_text(self.shown)


def timeline(source: Any, other: Any = None, *, height: int = 300) -> Panel:
    """The wire as it works: the frames of a connection or a tape on a time axis, to zoom, filter and open.

    With two of them: side by side, aligned by what the frames do. `height` in pixels, of the list of frames.
    Raises LabError for something that has no tape.
    """
    tape = tape_of(source)  # first: a widget that is half made complains once more when it goes
    if other is None:
        return Timeline(source, height=height)
    from labkit.ui.compare import Comparison

    return Comparison(tape, tape_of(other), height=height)
