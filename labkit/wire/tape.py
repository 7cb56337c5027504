"""The tape: every frame of one connection, in a ring of bounded size."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from labkit.errors import LabError
from labkit.files import replace_text
from labkit.wire.frame import Direction, Frame

if TYPE_CHECKING:
    import pandas as pd

    from labkit.wire.compare import TapeDiff
    from labkit.wire.views import Diagram

MAX_FRAMES = 10_000
MAX_BYTES = 32 * 1024 * 1024
_FORMAT = 1


class Tape:
    """Frames in the order in which they crossed the wire.

    The tape is a ring: beyond `max_frames` frames (10,000) or `max_bytes` of text (32 MiB) the
    oldest frames go, and `dropped` counts them. One frame larger than the ring is cut, and says so.
    Recording is safe from any thread. In a notebook a tape shows itself as a timeline.
    """

    def __init__(
        self,
        title: str = "",
        *,
        transport: str = "",
        era: str = "",
        max_frames: int = MAX_FRAMES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        if max_frames < 1 or max_bytes < 1:
            raise ValueError("a tape holds at least one frame and one byte")
        self.title, self.transport, self.era = title, transport, era
        self.max_frames, self.max_bytes = max_frames, max_bytes
        self.started = datetime.now(UTC)
        self.dropped = 0
        self.listeners: list[Callable[[Frame], None]] = []
        self._t0 = time.perf_counter()
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._count = 0
        self._paired = 0
        self._open: dict[tuple[Direction, Any], Frame] = {}
        self._lock = threading.Lock()

    # recording ---------------------------------------------------------------------------------

    def record(
        self,
        direction: Direction,
        text: str,
        *,
        framed: bool = True,
        headers: dict[str, str] | None = None,
        status: int | None = None,
        note: str = "",
        transport: str = "",
    ) -> Frame:
        """Append a frame. `headers` must be masked already (`mask_headers`)."""
        at = time.perf_counter() - self._t0
        if len(text) > self.max_bytes:
            note = f"cut: {len(text):,} characters, {self.max_bytes:,} kept. {note}".strip()
            text = text[: self.max_bytes]
        with self._lock:
            self._count += 1
            frame = Frame(self._count, at, direction, text, transport or self.transport, framed, headers, status, note)
            self._frames.append(frame)
            self._bytes += len(text)
            while len(self._frames) > self.max_frames or (self._bytes > self.max_bytes and len(self._frames) > 1):
                self._bytes -= len(self._frames.popleft().text)
                self.dropped += 1
        for listener in tuple(self.listeners):
            try:
                listener(frame)
            except Exception:  # a broken view must not break the connection
                logging.getLogger("labkit").exception("a tape listener failed and was removed")
                self.listeners.remove(listener)
        return frame

    def clear(self) -> None:
        """Forget all frames; numbering goes on."""
        with self._lock:
            self._frames.clear()
            self._open.clear()
            self._bytes, self._paired = 0, self._count

    # reading -----------------------------------------------------------------------------------

    @property
    def frames(self) -> list[Frame]:
        """The frames still on the tape, answers linked to their requests."""
        with self._lock:
            frames = list(self._frames)
            for frame in frames:
                if frame.n > self._paired:
                    self._pair(frame)
            self._paired = self._count
            if len(self._open) > self.max_frames:  # requests that were never answered and are gone from the ring
                first = frames[0].n if frames else self._count
                self._open = {key: f for key, f in self._open.items() if f.n >= first}
        return frames

    def _pair(self, frame: Frame) -> None:
        kind = frame.kind
        if kind == "request":
            self._open[frame.direction, json.dumps(frame.id)] = frame
        elif kind in ("response", "error"):
            asked: Direction = "received" if frame.direction == "sent" else "sent"
            request = self._open.pop((asked, json.dumps(frame.id)), None)
            if request is not None:
                frame.request = request
                frame.latency = request.latency = frame.at - request.at

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> Tape: ...
    def __getitem__(self, index: int | slice) -> Frame | Tape:
        if isinstance(index, int):
            return self.frames[index]
        return self._with(self.frames[index])

    def filter(
        self,
        method: str = "",
        *,
        direction: Direction | None = None,
        kind: str | None = None,
        id: int | str | None = None,
    ) -> Tape:
        """The frames whose method contains `method`, of this direction, kind and id, as a tape."""
        return self._with(
            [
                f
                for f in self.frames
                if method in f.method
                and direction in (None, f.direction)
                and kind in (None, f.kind)
                and (id is None or f.id == id)
            ]
        )

    def since(self, mark: int) -> Tape:
        """The frames after the first `mark` of the connection: `mark = tape.count; ...; tape.since(mark)`."""
        return self._with([f for f in self.frames if f.n > mark])

    @property
    def count(self) -> int:
        """Frames recorded so far, those dropped included."""
        return self._count

    def _with(self, frames: list[Frame]) -> Tape:
        part = Tape(self.title, transport=self.transport, era=self.era, max_frames=max(self.max_frames, len(frames), 1))
        part.started, part._count, part._paired = self.started, self._count, self._count
        part._frames = deque(frames)
        part._bytes = sum(len(f.text) for f in frames)
        return part

    # files -------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the tape as JSON Lines: a header, then one frame a line. Replaces the file in one step."""
        path = Path(path)
        head = {
            "tape": _FORMAT,
            "title": self.title,
            "transport": self.transport,
            "era": self.era,
            "started": self.started.isoformat(),
            "dropped": self.dropped,
        }
        lines = [json.dumps(head)] + [json.dumps(f.to_json(), ensure_ascii=False) for f in self.frames]
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, "\n".join(lines) + "\n", errors="surrogatepass")
        return path

    @classmethod
    def load(cls, path: str | Path) -> Tape:
        """Read a tape written by `save`. Raises LabError naming the line that cannot be read."""
        path = Path(path)
        try:
            lines = path.read_text(encoding="utf-8", errors="surrogatepass").split("\n")
        except OSError as error:
            raise LabError(f"Cannot read the tape {path}: {error.strerror or error}. Check the path.") from error
        except UnicodeDecodeError as error:
            raise LabError(f"{path} is not a tape: it is not text in UTF-8. Save one with tape.save().") from error
        number = 1
        try:
            head: dict[str, Any] = json.loads(lines[0])
            if head.get("tape") != _FORMAT:
                raise ValueError(f"format {head.get('tape')!r}; this labkit reads format {_FORMAT}")
            started, dropped = datetime.fromisoformat(head["started"]), int(head.get("dropped", 0))
            frames: list[Frame] = []
            for line in lines[1:]:
                number += 1
                if line.strip():
                    frames.append(Frame.from_json(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LabError(
                f"{path}, line {number} is not part of a tape: {error}. Save it again with tape.save()."
            ) from error
        tape = cls(head.get("title", ""), transport=head.get("transport", ""), era=head.get("era", ""))
        tape.max_frames = max(tape.max_frames, len(frames))
        tape.started, tape.dropped = started, dropped
        tape._frames = deque(frames)
        tape._bytes = sum(len(f.text) for f in frames)
        tape._count = frames[-1].n if frames else 0
        return tape

    # views -------------------------------------------------------------------------------------

    def table(self) -> pd.DataFrame:
        """One row a frame.

        Columns: at (s), direction, kind, id, method, subject, size (bytes), latency_ms, status, transport, note.
        """
        import pandas as pd

        frames = self.frames
        latency = [None if f.latency is None else round(f.latency * 1000, 3) for f in frames]
        frame = pd.DataFrame(
            {
                "n": [f.n for f in frames],
                "at": [round(f.at, 6) for f in frames],
                "direction": [f.direction for f in frames],
                "kind": [f.kind for f in frames],
                "id": pd.Series([f.id for f in frames], dtype=object),  # integers or strings: never floats
                "method": [f.method for f in frames],
                "subject": [f.subject for f in frames],
                "size": [f.size for f in frames],
                "latency_ms": pd.Series(latency, dtype=float),
                "status": pd.Series([f.status for f in frames], dtype="Int64"),
                "transport": [f.transport for f in frames],
                "note": [f.note for f in frames],
            }
        )
        return frame.set_index("n")  # pyright: ignore[reportUnknownMemberType]

    def diagram(self, limit: int = 60) -> Diagram:
        """A Mermaid sequence diagram of the first `limit` frames."""
        from labkit.wire.views import Diagram

        return Diagram(self, limit)

    def diff(self, other: Tape) -> TapeDiff:
        """This tape and another side by side, aligned by what the frames do."""
        from labkit.wire.compare import TapeDiff

        return TapeDiff(self, other)

    def html(self, limit: int = 200) -> str:
        """The timeline as HTML that needs no script and no kernel: the last `limit` frames."""
        from labkit.wire.views import timeline

        return timeline(self, limit)

    def _repr_html_(self) -> str:
        return self.html()

    def __repr__(self) -> str:
        from labkit.wire.views import as_text

        return as_text(self)
