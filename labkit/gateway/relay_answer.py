"""How the short ways answer over HTTP: JSON, or a stream of events as soon as something has to be said before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence

from starlette.types import Receive, Send

from labkit.gateway.peer import Json

WATCH_AFTER = 0.1
"""Seconds after which a client that hangs up is noticed."""
PING_AFTER = 15.0
"""Seconds without an answer after which the response becomes a stream that is kept alive."""

_JSON_HEADERS = (b"content-type", b"application/json")
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

Outcome = tuple[int, bytes] | None
"""The HTTP status and the body; None when there is nothing to be said any more."""


def encoded(message: Json) -> bytes:
    """A message as JSON."""
    try:
        return _dumps(message).encode()
    except UnicodeEncodeError:  # half a pair of surrogates: JSON can carry it, UTF-8 cannot
        return json.dumps(message, separators=(",", ":")).encode()


class Answer:
    """The answer to one request. `headers` go out with it; with `binding`, a client that hangs up ends the call."""

    def __init__(
        self, receive: Receive, send: Send, headers: Sequence[tuple[bytes, bytes]] = (), *, binding: bool
    ) -> None:
        self._receive, self._send, self._headers, self._binding = receive, send, headers, binding
        self._streaming = self._gone = False
        self._turn: asyncio.Lock | None = None
        self._watch: asyncio.Task[None] | None = None

    async def give(self, work: Awaitable[Outcome]) -> None:
        """Do the work and say what came of it, unless the client hangs up before."""
        self._task = asyncio.current_task()
        timer = asyncio.get_running_loop().call_later(WATCH_AFTER, self._begin_watch)
        try:
            try:
                outcome = await work
            finally:
                timer.cancel()
                if self._watch is not None:
                    self._watch.cancel()
                    await asyncio.wait((self._watch,))
        except asyncio.CancelledError:
            if self._gone:
                return  # the client has hung up: there is nobody to answer
            raise
        if self._streaming or outcome is None:
            await self._stream(b"" if outcome is None else _event(outcome[1]), more=False)
            return
        status, body = outcome
        headers = [_JSON_HEADERS, (b"content-length", b"%d" % len(body)), *self._headers]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def tell(self, message: bytes) -> None:
        """Send a message that comes before the answer."""
        await self._stream(_event(message))

    async def _stream(self, data: bytes, *, more: bool = True) -> None:
        # Messages, signs of life and the answer come from tasks of their own.
        self._turn = self._turn or asyncio.Lock()
        async with self._turn:
            if not self._streaming:
                self._streaming = True
                headers = [*_STREAM_HEADERS, *self._headers]
                await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def _begin_watch(self) -> None:
        self._watch = asyncio.get_running_loop().create_task(self._watching())

    async def _watching(self) -> None:
        """Notice that the client hangs up; keep the connection alive while it takes long."""
        hung_up = asyncio.ensure_future(self._hung_up())
        try:
            while True:
                done, _ = await asyncio.wait((hung_up,), timeout=PING_AFTER)
                if done:
                    if self._binding:
                        self._gone = True
                        assert self._task is not None
                        self._task.cancel()
                    return
                await self._stream(b": ping\r\n\r\n")
        finally:
            hung_up.cancel()

    async def _hung_up(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _event(message: bytes) -> bytes:
    return b"event: message\r\ndata: " + message + b"\r\n\r\n"
