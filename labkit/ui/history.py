"""The history of calls: what was asked, what was answered, and each call as a Python cell."""

from __future__ import annotations

import json
import keyword
import re
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from labkit.wire.views import showable, size_text

Kind = Literal["tool", "resource", "template", "prompt"]
State = Literal["running", "ok", "tool error", "error", "cancelled"]

ENTRIES = 100
"""Calls that a history keeps."""
BYTES = 16_000_000
"""Characters of answers that it keeps; older calls stay, without their answers."""
_OPTIONS = frozenset({"timeout", "progress", "check"})


@dataclass
class Entry:
    """One call. `name` is the tool, prompt, URI or URI template; `seconds` how long it took.

    `answer` is what a page shows (`inspector_content.shown`), `error` the lab's sentence when there was none, with its
    JSON-RPC `code`. `raw` is the answer as JSON, `data` a tool's structured data. `replies` are what was answered to
    the server's questions meanwhile: ("elicit" or "sample", value).
    """

    id: int
    kind: Kind
    name: str
    arguments: dict[str, Any]
    anyway: bool = False
    state: State = "running"
    seconds: float | None = None
    answer: dict[str, Any] | None = None
    error: str = ""
    code: int | None = None
    raw: dict[str, Any] | None = None
    data: Any = None
    structured: bool = False
    uri: str = ""
    replies: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    progress: dict[str, Any] | None = None
    at: datetime = field(default_factory=datetime.now)
    began: float = field(default_factory=time.perf_counter)
    size: int = 0

    def line(self) -> dict[str, Any]:
        """The entry for a list: without its answer."""
        return {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "arguments": self.arguments,
            "anyway": self.anyway,
            "state": self.state,
            "at": self.at.strftime("%H:%M:%S"),
            "seconds": self.seconds,
            "elapsed": time.perf_counter() - self.began if self.state == "running" else self.seconds,
            "progress": self.progress,
            "said": self.said(),
            "kept": self.answer is not None or bool(self.error),
        }

    def whole(self) -> dict[str, Any]:
        """The entry with its answer."""
        return {**self.line(), "answer": self.answer, "error": self.error}

    def said(self, limit: int = 160) -> str:
        """The answer in one line."""
        if self.error:
            text = self.error
        elif self.structured:
            text = json.dumps(self.data, ensure_ascii=False, default=str)
        else:
            parts = [_brief(block) for block in (self.answer or {}).get("blocks", ())]
            text = " ".join(part for part in parts if part)
        text = showable(" ".join(text[: 4 * limit].split()))
        return text if len(text) <= limit else text[: limit - 1] + "…"


def _brief(block: dict[str, Any]) -> str:
    if block["type"] == "text":
        return str(block["text"])
    return f"<{block['type']} {block.get('mime') or block.get('uri') or ''} {size_text(block.get('size', 0))}>"


class History:
    """The last calls, newest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=ENTRIES)
        self._count = 0

    def add(self, kind: Kind, name: str, arguments: dict[str, Any], *, anyway: bool = False) -> Entry:
        """A call that begins now."""
        self._count += 1
        entry = Entry(self._count, kind, name, arguments, anyway)
        self._entries.appendleft(entry)
        return entry

    def finished(self, entry: Entry, answer: dict[str, Any], raw: dict[str, Any]) -> None:
        """Keep an answer, and let go of the oldest where there are too many characters of them."""
        entry.answer, entry.raw = answer, raw
        entry.size = len(json.dumps(raw, default=str)) + len(json.dumps(answer, default=str))
        room = BYTES
        for each in self._entries:
            room -= each.size
            if room < 0 and each is not entry:
                each.answer = each.raw = each.data = None
                each.structured, each.size = False, 0

    def clear(self) -> None:
        """Forget all calls; numbering goes on."""
        self._entries.clear()

    def find(self, id: int) -> Entry | None:
        """The entry of that number, if it is still kept."""
        return next((entry for entry in self._entries if entry.id == id), None)

    def __iter__(self) -> Any:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)


# as code ---------------------------------------------------------------------------------------


def as_call(entry: Entry, conn: str = "conn") -> str:
    """The call as a Python expression, without `await`."""
    if entry.kind in ("resource", "template"):
        return f"{conn}.read({(entry.uri or entry.name)!r})"
    method = "call" if entry.kind == "tool" else "prompt"
    plain = all(re.fullmatch(r"[A-Za-z_]\w*", k) and not keyword.iskeyword(k) for k in entry.arguments)
    if plain and not _OPTIONS & set(entry.arguments) and not entry.anyway:
        given = [f"{name}={value!r}" for name, value in entry.arguments.items()]
    else:
        given = [repr(entry.arguments)] if entry.arguments else []
    if entry.anyway and entry.kind == "tool":
        given.append("check=False")
    return f"{conn}.{method}({', '.join([repr(entry.name), *given])})"


def as_cell(entry: Entry, conn: str = "conn", *, waits: bool = False, connecting: str = "") -> str:
    """The call as a notebook cell; `waits` for a `lab.sync` connection, `connecting` the line that makes `conn`."""
    call = as_call(entry, conn)
    lines = [connecting, f"result = {call if waits else f'await {call}'}", "result"]
    return "\n".join(line for line in lines if line)
