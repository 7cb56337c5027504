"""What comes back over HTTP, and what is made of it: one class for each reason to ask."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from labkit.errors import ConnectionClosedError, ResultError
from labkit.gateway.exchange import Exchange, Json, answers, decode
from labkit.gateway.http_body import DRAIN, Broken, Reply

if TYPE_CHECKING:
    from labkit.gateway.peer_http import HttpPeer

MOST_RESUMED = 5
"""Times in a row that a stream is resumed without anything new on it."""
FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0
"""Seconds before the server's own stream is asked for again."""

_LOG = logging.getLogger(__name__)


class Moved(Exception):
    """The endpoint is elsewhere, at `location`."""

    def __init__(self, location: str) -> None:
        self.location = location
        super().__init__(location)


class Post(Reply):
    """The answer to one request: JSON, or a stream that ends with the answer."""

    __slots__ = ("_exchange", "_last_id", "_peer", "_resumed", "_timer")

    def __init__(self, peer: HttpPeer, exchange: Exchange) -> None:
        super().__init__()
        self._peer, self._exchange = peer, exchange
        self._timer: asyncio.TimerHandle | None = None
        self._last_id = b""
        self._resumed = 0

    def leaving(self) -> None:
        if self._exchange.caller is not None:
            self._exchange.caller.sent = True

    def began(self) -> None:
        if self._exchange.method == "initialize":
            self._peer.session_given(self.headers.get(b"mcp-session-id", b""))

    def event(self, data: bytes) -> None:
        self._resumed = 0
        for message in _messages(decode(data)):
            self._message(message)

    def _message(self, message: Json) -> None:
        peer, exchange = self._peer, self._exchange
        if "method" in message:
            if not exchange.answered:
                peer.heard(exchange, message)
        elif exchange.answered or not answers(message, exchange.id):
            peer.strays += 1
        else:
            exchange.put(message)
            self._timer = asyncio.get_running_loop().call_later(DRAIN, self.abort)

    def ended(self) -> None:
        exchange = self._exchange
        if self._timer is not None:
            self._timer.cancel()
        if exchange.answered:
            return
        if self.events is not None and self.status < 300:
            self._cut_short(Broken("it ended the stream before the answer"))
            return
        message = decode(self.body)
        answer = self._find(message)
        if lost := self._peer.session_lost(self.status, message):
            exchange.fail(lost)
        elif answer is not None:
            exchange.put(answer)
        else:
            exchange.fail(self._no_answer())

    def failed(self, error: Broken) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._exchange.answered:
            self._cut_short(error)

    def _find(self, message: Any) -> Json | None:
        found: Json | None = None
        for each in _messages(message):
            # A server that could not read the id answers with none, and with an HTTP error.
            unread = each.get("id") is None and self.status >= 400 and "error" in each
            if "method" in each or found is not None or not (unread or answers(each, self._exchange.id)):
                self._peer.strays += 1
            else:
                found = each
        return found

    def _no_answer(self) -> Exception:
        who, method, status = self._peer.who, self._exchange.method, self.status
        location = self.headers.get(b"location")
        if status in (307, 308) and location and method in ("server/discover", "initialize"):
            return Moved(location.decode("latin-1"))
        challenge = self.headers.get(b"www-authenticate", b"").decode("latin-1")
        said = self.body[:200].decode("utf-8", "replace").strip()
        text = f"{who} answers {method} with HTTP {status}"
        text += (f" ({challenge})" if challenge else "") + (f": {said!r}" if said else "")
        if status >= 500 or status == 429:
            return ConnectionClosedError(f"{text}. It is down behind a proxy, or has too much to do.")
        return ResultError(f"{text}, which is no answer.")

    def _cut_short(self, error: Broken) -> None:
        """No answer yet: go on where the stream stopped, if its server numbers its events (handshake era)."""
        peer, exchange = self._peer, self._exchange
        last_id = (self.events.last_id if self.events is not None else b"") or self._last_id
        listening = exchange.method == "subscriptions/listen"
        if not last_id or listening or error.malformed or self._resumed >= MOST_RESUMED:
            exchange.fail(peer.broken(error, exchange.method))
            return
        follow = Resuming(peer, exchange)
        follow.resume(last_id, self.events.retry if self.events is not None else None, self._resumed + 1)


class Resuming(Post):
    """The rest of a stream that ended before its answer."""

    __slots__ = ()

    def resume(self, last_id: bytes, pause: float | None, times: int) -> None:
        """Ask for the rest, after `pause` seconds."""
        self._last_id, self._resumed = last_id, times
        self._exchange.wire = self
        asyncio.get_running_loop().call_later(FIRST_PAUSE if pause is None else pause, self._ask)

    def _ask(self) -> None:
        if not self.over and not self._exchange.answered and self._peer.wanted:
            self._peer.get(self, self._last_id)


class Told(Reply):
    """The answer to what wants none: a notification, or our answer to the server."""

    __slots__ = ("_peer", "settled")

    def __init__(self, peer: HttpPeer) -> None:
        super().__init__(streaming=False)
        self._peer = peer
        self.settled = asyncio.Event()

    def ended(self) -> None:
        self.settled.set()
        if self.status >= 400 and self._peer.session_lost(self.status, decode(self.body)) is None:
            _LOG.debug("%s answers a notification with HTTP %d", self._peer.name, self.status)

    def failed(self, error: Broken) -> None:
        self.settled.set()
        _LOG.debug("%s could not be told: %s", self._peer.name, error)


class Farewell(Reply):
    """The answer to the end of a session: `answer` is done once it is there."""

    __slots__ = ("_peer", "answer")

    def __init__(self, peer: HttpPeer) -> None:
        super().__init__(streaming=False)
        self._peer = peer
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ended(self) -> None:
        if not self.answer.done():
            self.answer.set_result(None)

    def failed(self, error: Broken) -> None:
        if not self.answer.done():
            self.answer.set_exception(self._peer.broken(error, "the end of its session"))


class ServerStream:
    """The server's own stream in the handshake era, asked for again whenever it ends."""

    def __init__(self, peer: HttpPeer) -> None:
        self.peer = peer
        self.settled = asyncio.Event()
        """Set once it is open, or once the server has said that it has none."""
        self.last_id = b""
        self._pause = FIRST_PAUSE
        self._opened = False
        self._reply: _StreamReply | None = None
        self._timer: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        """Ask for it."""
        if self.peer.wanted:
            self._reply = _StreamReply(self)
            self.peer.get(self._reply, self.last_id)

    def opened(self) -> None:
        """It is open."""
        self._pause = FIRST_PAUSE
        self.settled.set()
        if self._opened and not self.last_id:  # what came meanwhile is not told again
            self.peer.missed()
        self._opened = True

    def ended(self, status: int, retry: float | None) -> None:
        """It has ended, or could not be had."""
        self.settled.set()
        if 400 <= status < 500 and status != 409:  # 409: the server has not noticed yet that the last one ended
            return
        pause, self._pause = self._pause, min(2 * self._pause, LAST_PAUSE)
        self._timer = asyncio.get_running_loop().call_later(pause if retry is None else retry, self.ask)

    def close(self) -> None:
        """No more of it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._reply is not None:
            self._reply.abort()


class _StreamReply(Reply):
    __slots__ = ("_stream",)

    def __init__(self, stream: ServerStream) -> None:
        super().__init__()
        self._stream = stream

    def began(self) -> None:
        if self.events is not None and self.status < 300:
            self._stream.opened()

    def event(self, data: bytes) -> None:
        stream = self._stream
        if self.events is not None:
            stream.last_id = self.events.last_id or stream.last_id
        for message in _messages(decode(data)):
            if "method" in message:
                stream.peer.heard(None, message)
            else:
                stream.peer.strays += 1

    def ended(self) -> None:
        stream = self._stream
        if self.status == 404 and stream.peer.session_lost(self.status, decode(self.body)):
            return
        stream.ended(self.status if self.events is None else 200, self.events.retry if self.events else None)

    def failed(self, error: Broken) -> None:
        self._stream.ended(0, None)


def _messages(found: Any) -> Iterator[Json]:
    """The objects of a message, or of a batch."""
    for each in cast("list[Any]", found) if isinstance(found, list) else [found]:
        if isinstance(each, dict) and isinstance(cast(Json, each).get("method", ""), str):
            yield cast(Json, each)
