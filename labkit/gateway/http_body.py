"""What an HTTP answer consists of, as it comes: status, headers, a body, or a stream of server-sent events."""

from __future__ import annotations

from typing import Protocol

from labkit.session.http import MAX_ANSWER

DRAIN = 5.0
"""Seconds that a stream may go on after its answer before its connection is given up."""


class Closable(Protocol):
    """A connection, for the one that has had enough of it."""

    def close(self) -> None: ...


class Broken(Exception):
    """No whole answer came. `malformed` when what came is no HTTP, or has no end; else the connection ended."""

    def __init__(self, reason: str, *, malformed: bool = False, reached: bool = True) -> None:
        self.malformed, self.reached = malformed, reached
        super().__init__(reason)


class Events:
    """Server-sent events (WHATWG HTML, section 9.2) out of bytes, however they are cut."""

    __slots__ = ("_data", "_held", "_kind", "_parts", "_size", "last_id", "retry")

    def __init__(self) -> None:
        self.last_id = b""
        self.retry: float | None = None
        """Seconds that the server asks to wait before its stream is asked for again."""
        self._parts: list[bytes] = []  # of the line that is arriving
        self._data: list[bytes] = []
        self._kind = b"message"
        self._held = False
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that `chunk` completes. Raises ValueError when an event has no end."""
        if self._held:
            chunk, self._held = b"\r" + chunk, False
        if b"\r" in chunk:
            if chunk.endswith(b"\r"):  # perhaps the first half of \r\n
                chunk, self._held = chunk[:-1], True
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._size += len(chunk)
        if self._size > MAX_ANSWER:
            raise ValueError(f"an event is longer than {MAX_ANSWER:,} bytes")
        first, *rest = chunk.split(b"\n")
        self._parts.append(first)
        if not rest:
            return []
        lines = [b"".join(self._parts), *rest[:-1]]
        self._parts = [rest[-1]]
        found: list[bytes] = []
        for line in lines:
            if line:
                self._line(line)
                continue
            if self._data and self._kind == b"message":
                found.append(b"\n".join(self._data))
            self._data, self._kind = [], b"message"
            self._size = len(rest[-1])
        return found

    def _line(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            if value or self._data:  # an event with an id and no data only says where the stream is
                self._data.append(value)
        elif name == b"event":
            self._kind = value
        elif name == b"id":
            self.last_id = value
        elif name == b"retry" and value.isdigit():
            self.retry = int(value[:6]) / 1000


class Reply:
    """What comes for one request. A subclass says what to do at `ended`, `failed` and `event`."""

    __slots__ = ("_parts", "_size", "connection", "events", "headers", "once", "over", "started", "status", "streaming")

    def __init__(self, *, streaming: bool = True) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        """Names in lower case."""
        self.started = False
        """Whether a byte of the answer has come."""
        self.over = False
        self.once = False
        """Whether the request may go out only once: the server may have acted on it though it did not answer."""
        self.streaming = streaming
        """Whether an event stream is taken apart as it comes; else it is a body like any other."""
        self.events: Events | None = None
        self.connection: Closable | None = None
        self._parts: list[bytes] = []
        self._size = 0

    def leaving(self) -> None:
        """The request goes out now. Unless it is to go out `once`, it may do so twice: see RETIRED in http_wire.py."""

    def ended(self) -> None:
        """The answer is whole."""

    def failed(self, error: Broken) -> None:
        """There will be no whole answer."""

    def event(self, data: bytes) -> None:
        """The data of one server-sent event."""

    def began(self) -> None:
        """Status and headers are there."""

    @property
    def body(self) -> bytes:
        """The body, as far as it was not a stream of events."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def abort(self) -> None:
        """No more is wanted: closes the connection, which tells the server."""
        self.over = True
        if self.connection is not None:
            self.connection.close()

    def head(self, status: int) -> None:
        """Called by the connection."""
        self.status = status
        if self.streaming and self.headers.get(b"content-type", b"").lower().startswith(b"text/event-stream"):
            self.events = Events()
        self.began()

    def feed(self, data: bytes) -> None:
        """Called by the connection. Raises ValueError when the body has no end."""
        if self.events is None:
            self._size += len(data)
            if self._size > MAX_ANSWER:
                raise ValueError(f"the answer is longer than {MAX_ANSWER:,} bytes")
            self._parts.append(data)
        else:
            for each in self.events.feed(data):
                if not self.over:
                    self.event(each)

    def end(self) -> None:
        """Called by the connection."""
        if not self.over:
            self.over = True
            self.ended()

    def fail(self, error: Broken) -> None:
        """Called by the connection."""
        if not self.over:
            self.over = True
            self.failed(error)
