"""One request on its way, and the JSON that goes and comes: what all peers share, and nothing of any wire."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, cast

from labkit.errors import RpcError

Json = dict[str, Any]

PREFIX = "io.modelcontextprotocol/"
VERSION = PREFIX + "protocolVersion"
CLIENT_INFO = PREFIX + "clientInfo"
CAPABILITIES = PREFIX + "clientCapabilities"
SERVER_INFO = PREFIX + "serverInfo"
SUBSCRIPTION = PREFIX + "subscriptionId"
LOG_LEVEL = PREFIX + "logLevel"
HEADERS_META = "labkit/headers"


MOST_WAITING = 1_000
"""Notifications that wait for one slow listener; what comes beyond is dropped."""

_dumps = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(slots=True)
class Caller:
    """On whose behalf a request goes out."""

    capabilities: Json = field(default_factory=dict[str, Any])
    """The front client's."""
    client_info: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further HTTP headers; over stdio and in memory they travel in `_meta["labkit/headers"]`."""
    meta: Json = field(default_factory=dict[str, Any])
    """Further members of `_meta`."""
    progress_token: str | int | None = None
    """The front client's own; None when it wants no progress."""
    on_notify: Callable[[str, Json], Awaitable[None]] | None = None
    """Hears progress and log messages of this request."""
    on_ask: Callable[[str, Json], Awaitable[Json]] | None = None
    """Answers what a handshake-era server asks during this request; RpcError is an error answer."""
    owner: Any = None
    """Whose request it is, when that is known. Where nothing tells which of many calls a server asks for, it may be
    answered as long as all of them are of one owner."""
    repeatable: bool = False
    """Whether a tool call does no harm when the server gets it twice. All other requests ask, and change nothing."""
    sent: bool = False
    """Whether a byte of the request may have left, so that the server may have acted on it."""


class Exchange:
    """One request on its way, and what has come for it."""

    __slots__ = (
        "_items",
        "_waiter",
        "answered",
        "asks",
        "caller",
        "context",
        "dropped",
        "failure",
        "id",
        "method",
        "wire",
    )

    def __init__(self, id: int, method: str, caller: Caller | None) -> None:
        self.id, self.method, self.caller = id, method, caller
        self.context: Context | None = None
        """In which the caller is asked; set when it can be."""
        self.failure: Exception | None = None
        self.answered = False
        self.wire: Any = None
        """What the transport keeps with it."""
        self.asks: list[asyncio.Task[None]] = []
        self.dropped = 0
        self._items: deque[Json] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, message: Json) -> None:
        """An answer, or a notification."""
        if "method" not in message:
            self.answered = True
        elif len(self._items) >= MOST_WAITING:
            self.dropped += 1
            return
        self._items.append(message)
        self._wake()

    def fail(self, error: Exception, *, at_once: bool = False) -> None:
        """There will be no more; what has come is still handed on, or only an answer when it is to end at once."""
        if self.failure is None:
            self.failure = error
            if at_once:
                self._items = deque([each for each in self._items if "method" not in each])
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next(self) -> Json:
        """The next message. Raises what `fail` was told."""
        while not self._items:
            if self.failure is not None:
                raise self.failure
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._items.popleft()


def encode(message: Json) -> bytes:
    """One message as JSON. Raises RpcError when it cannot be written."""
    try:
        return _dumps(message).encode("ascii")
    except (ValueError, TypeError, RecursionError) as error:
        method = str(message.get("method", ""))
        raise RpcError(-32602, f"the params are no JSON: {error}", method=method) from None


def decode(text: bytes) -> Any:
    """JSON, or None when it is none."""
    try:
        return json.loads(str(text, "utf-8"))
    except (ValueError, RecursionError):
        return None


def answers(message: Json, id: int) -> bool:
    """Whether it is the answer to the request `id`."""
    return id_of(message.get("id")) == id


def params_of(message: Json) -> Json:
    """The params of a message; none when they are no object."""
    params = message.get("params")
    return cast(Json, params) if isinstance(params, dict) else {}


def id_of(value: Any) -> int | None:
    """One of our ids; a server that makes texts of numbers is understood."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
