"""One frame: a JSON-RPC message, or what stood in its place, as it crossed a transport."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

Direction = Literal["sent", "received"]
Kind = Literal["request", "notification", "response", "error", "http", "noise"]

ARROWS: dict[str, str] = {"sent": "→", "received": "←"}

_UNPARSED: Any = object()


@dataclass(slots=True)
class Frame:
    """What crossed the wire once, in one direction.

    `at` is in seconds since the tape began. `text` is the JSON exactly as sent or received; when
    `framed` is false the transport carries no JSON and `text` is the equivalent frame. `headers`
    (secrets masked) and `status` are there for HTTP. `request` and `latency` (seconds) are filled in
    by the tape for answers; a request's own `latency` is that of its answer.
    """

    n: int
    at: float
    direction: Direction
    text: str
    transport: str = ""
    framed: bool = True
    headers: dict[str, str] | None = None
    status: int | None = None
    note: str = ""
    request: Frame | None = field(default=None, repr=False, compare=False)
    latency: float | None = field(default=None, compare=False)
    _message: Any = field(default=_UNPARSED, repr=False, compare=False)

    @property
    def raw(self) -> str:
        """The text on the wire."""
        return self.text

    @property
    def message(self) -> dict[str, Any] | None:
        """The parsed JSON object, or None when the text is not one."""
        if self._message is _UNPARSED:
            try:
                parsed = json.loads(self.text) if self.text else None
            except (ValueError, RecursionError):  # a hostile server nests deeper than Python's parser goes
                parsed = None
            self._message = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else None
        return self._message

    @property
    def kind(self) -> Kind:
        """request, notification, response, error; http (no JSON-RPC body) or noise (not JSON-RPC)."""
        message = self.message
        if message is None:
            return "noise" if self.text and self.status is None else "http"
        if "method" in message:
            return "request" if "id" in message else "notification"
        if "error" in message:
            return "error"
        return "response" if "result" in message else "noise"

    @property
    def id(self) -> int | str | None:
        """The JSON-RPC id, or None."""
        return self.message.get("id") if self.message else None

    @property
    def method(self) -> str:
        """The method; for an answer the method of its request; '' when unknown."""
        if self.message and "method" in self.message:
            return str(self.message["method"])
        return self.request.method if self.request else ""

    @property
    def size(self) -> int:
        """Bytes of the text in UTF-8."""
        return len(self.text.encode("utf-8", "surrogatepass"))

    @property
    def subject(self) -> str:
        """What the message is about: the tool, prompt or URI that its request names."""
        source = self.request.message if self.request else self.message
        params: Any = (source or {}).get("params")
        if not isinstance(params, dict):
            return ""
        named = cast("dict[str, Any]", params)
        return str(named.get("name") or named.get("uri") or "")

    @property
    def label(self) -> str:
        """One line for timelines: method and subject, or what happened instead."""
        kind = self.kind
        if kind == "http":
            return self.note or (f"HTTP {self.status}" if self.status else "HTTP")
        if kind == "noise":
            return self.note or "not a JSON-RPC message"
        name = f"{self.method} {self.subject}".strip()
        if kind == "error":
            error: Any = (self.message or {}).get("error")
            members = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
            return f"error {members.get('code', '?')} {name}".strip()
        if kind == "response":
            result: Any = (self.message or {}).get("result") or {}
            members = cast("dict[str, Any]", result) if isinstance(result, dict) else {}
            kind_of_result = members.get("resultType", "complete")
            if kind_of_result != "complete":
                return f"{kind_of_result} {name}".strip()
            return f"{'tool error' if members.get('isError') else 'result'} {name}".strip()
        return name

    def to_json(self) -> dict[str, Any]:
        """The frame as saved in a tape file."""
        record: dict[str, Any] = {"n": self.n, "at": round(self.at, 6), "direction": self.direction, "text": self.text}
        if self.transport:
            record["transport"] = self.transport
        if not self.framed:
            record["framed"] = False
        for name in ("headers", "status", "note"):
            if value := getattr(self, name):
                record[name] = value
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Frame:
        """The inverse of `to_json`. Raises KeyError or ValueError for a record that is not a frame."""
        if record["direction"] not in ARROWS:
            raise ValueError(f"direction is {record['direction']!r}; it must be 'sent' or 'received'")
        return cls(
            n=int(record["n"]),
            at=float(record["at"]),
            direction=record["direction"],
            text=str(record["text"]),
            transport=str(record.get("transport", "")),
            framed=bool(record.get("framed", True)),
            headers=dict(record["headers"]) if record.get("headers") else None,
            status=record.get("status"),
            note=str(record.get("note", "")),
        )
