"""A server spoken to in bytes: what the SDK would repair, hide or refuse to send can be sent and seen here.

`RawStdio` (raw_stdio) owns a process of its own, `RawHttp` (raw_http) talks to a URL. Both keep a transcript, and
answer a request with an `Answer` whatever comes back: a result, an error, something else, or nothing.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"
CLIENT = {"name": "labkit-testbench", "version": "1"}
PREFIX = "io.modelcontextprotocol/"
PATIENCE = 10.0
"""Seconds to wait for an answer."""
MAX_LINE = 16 * 1024 * 1024
KEPT = 512 * 1024
"""Characters of a message that a transcript keeps; what is longer stays in it as its beginning."""

MOST_BEFORE = 1_000
"""Messages before an answer that are kept, at least."""

Came = Literal["result", "error", "other", "silence", "closed"]
Json = dict[str, Any]


@dataclass
class Answer:
    """What came back for one request."""

    came: Came
    sent: str
    received: str = ""
    message: Json | None = None
    seconds: float = 0.0
    status: int | None = None
    """The HTTP status."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    before: list[str] = field(default_factory=list[str])
    """Messages that came before the answer: notifications, requests of the server."""

    @property
    def result(self) -> Json:
        """The result object; {} when there is none."""
        found = (self.message or {}).get("result")
        return cast(Json, found) if isinstance(found, dict) else {}

    @property
    def error(self) -> Json:
        """The error object; {} when there is none."""
        found = (self.message or {}).get("error")
        return cast(Json, found) if isinstance(found, dict) else {}

    @property
    def code(self) -> int | None:
        """The code of the error."""
        code = self.error.get("code")
        return code if isinstance(code, int) else None

    @property
    def what(self) -> str:
        """One clause for messages."""
        if self.came == "error":
            return f"error {self.error.get('code')}: {str(self.error.get('message', ''))[:200]}"
        status = "" if self.status is None else f" (HTTP {self.status})"
        said = {"result": "a result", "silence": "no answer", "closed": "a closed connection"}.get(self.came)
        return (said or f"something that is no JSON-RPC answer: {self.received[:120]!r}") + status


class RawWire:
    """One wire to a server, in one era."""

    transport = ""

    def __init__(self, era: str) -> None:
        self.era = era
        self.transcript: deque[tuple[str, str]] = deque(maxlen=400)
        """("sent" or "received", message), in order; what is longer than `KEPT` is cut."""
        self.hello: Json = {}
        """The result of `initialize` or `server/discover`, once `greet` was called."""
        self._ids = itertools.count(1)
        self.text_ids = False
        """Whether ids are texts: for a server that does not get numbers right."""
        self.pace = 1.0
        """How much slower than usual everything is here: short waits are made longer by it."""
        self._asked = set[Any]()
        self.stubborn = False
        """Whether the server is known to go on after its stdin has closed: then closing does not wait for it."""

    def patience(self, seconds: float) -> float:
        """So many seconds on an idle machine, more on a busy one; never more than `PATIENCE` because of that."""
        return max(seconds, min(seconds * self.pace, PATIENCE))

    def _note(self, way: str, text: str) -> None:
        self.transcript.append((way, text if len(text) <= KEPT else text[:1000] + "... (cut)"))

    @property
    def modern(self) -> bool:
        """Whether this wire is stateless."""
        return self.era >= MODERN

    @property
    def trivial(self) -> str:
        """A method that every server answers at once."""
        return "server/discover" if self.modern else "ping"

    def frame(self, method: str, params: Json | None = None, *, id: Any = None, meta: bool = True) -> Json:
        """A request, with the next id unless one is given; with `_meta` in the modern era unless told not to."""
        if id is None:
            id = f"n{next(self._ids)}" if self.text_ids else next(self._ids)
        message: Json = {"jsonrpc": "2.0", "id": id, "method": method}
        given = dict(params or {})
        if self.modern and meta:
            own: Json = {
                f"{PREFIX}protocolVersion": self.era,
                f"{PREFIX}clientInfo": CLIENT,
                f"{PREFIX}clientCapabilities": {},
            }
            given["_meta"] = own | dict(given.get("_meta") or {})
        if given:
            message["params"] = given
        return message

    async def request(
        self, method: str, params: Json | None = None, *, id: Any = None, meta: bool = True, timeout: float = PATIENCE
    ) -> Answer:
        """Send a well-formed request and wait for its answer."""
        return await self.ask(self.frame(method, params, id=id, meta=meta), timeout=timeout)

    async def ask(self, message: Json, *, timeout: float = PATIENCE) -> Answer:
        """Send this very object, and wait for the answer to its id."""
        raise NotImplementedError(type(self).__name__)

    async def notify(self, method: str, params: Json | None = None) -> None:
        """Send a notification."""
        raise NotImplementedError(type(self).__name__)

    async def greet(self) -> Answer:
        """`initialize` and `notifications/initialized`, or `server/discover`."""
        answer = await self._greet()
        if answer.came == "other" and not self.text_ids:
            # It answers, but under another id. With ids it gets right, everything else can still be looked at.
            self.text_ids = True
            answer = await self._greet()
        return answer

    async def _greet(self) -> Answer:
        if self.modern:
            answer = await self.request("server/discover")
        else:
            params = {"protocolVersion": self.era, "capabilities": {}, "clientInfo": CLIENT}
            answer = await self.request("initialize", params)
            if answer.came == "result":
                await self.notify("notifications/initialized")
        self.hello = answer.result
        return answer

    async def give_up(self, answer: Answer) -> None:
        """Cancel a request that got no answer in time: a late one would be taken for noise by what comes next.

        Over HTTP there is nothing to do: the stream was closed, and that cancels.
        """

    async def call(self, tool: str, arguments: Json | None = None, *, timeout: float = PATIENCE) -> Answer:
        """`tools/call`."""
        return await self.request("tools/call", {"name": tool, "arguments": arguments or {}}, timeout=timeout)

    @property
    def alive(self) -> bool:
        """Whether the server can still be talked to, as far as is known."""
        return True

    async def close(self) -> None:
        """End it."""


def parsed(text: str) -> Json:
    """The JSON object in `text`; {} when it is none."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast(Json, found) if isinstance(found, dict) else {}


def is_message(text: str) -> bool:
    """Whether `text` is one JSON-RPC message, as far as its members go."""
    message = parsed(text)
    return message.get("jsonrpc") == "2.0" and bool({"method", "result", "error"} & set(message))


def answer_of(text: str, id: Any) -> Json | None:
    """The message in `text` if it answers the request `id` (1 and "1" are two ids)."""
    message = parsed(text)
    if "method" in message:
        return None
    same = type(message.get("id")) is type(id) and message.get("id") == id
    return message if same and ("result" in message or "error" in message) else None


def came_of(message: Json) -> Came:
    """result or error; the result when it has both and the error is null."""
    return "error" if "result" not in message or message.get("error") is not None else "result"
