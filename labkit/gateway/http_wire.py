"""HTTP/1.1 over kept connections, as lean as a gateway needs it: one write a request, answers parsed by httptools.

A `Wire` is one origin with its idle connections; `Wire.send(data, reply)` returns at once, and the `Reply` hears
what comes. There is no task per request: only a new connection is opened by one.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from functools import cache
from typing import cast
from urllib.parse import urlsplit

import httptools

from labkit.errors import ConnectError
from labkit.gateway.http_body import Broken, Reply
from labkit.session.tls import Tls, explained

CONNECT_PATIENCE = 10.0
"""Seconds for a connection to be made."""
IDLE = 50.0
"""Seconds that an idle connection is used again: what lies between may forget it after a minute."""
MOST_IDLE = 256
MAX_HEAD = 256 * 1024
"""Bytes of the headers of one answer."""
FRESH = 3.0
"""The same for a request that may go out only once: servers give idle connections up after five seconds or more."""
RETIRED = 1.0
"""Seconds within which a used connection that closes without a byte counts as retired while the request was on its
way, so that a request which does no harm twice goes out again (RFC 9110, section 9.2.2)."""


class Connection(asyncio.Protocol):
    """One connection: one request at a time, answered in order."""

    __slots__ = (
        "_complete",
        "_data",
        "_head",
        "_keep",
        "_parser",
        "_reply",
        "_spoilt",
        "_transport",
        "_wire",
        "since",
        "used",
    )

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._reply: Reply | None = None
        self._data = b""
        self._head = 0
        self._complete = self._keep = False
        self._spoilt = ""
        self.used = False
        self.since = 0.0
        """When it was last given something to do, or nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock = cast("socket.socket | None", transport.get_extra_info("socket"))
        if sock is not None:
            with suppress(OSError):  # an open stream may be silent for hours: that it is dead should show
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._wire.connections.add(self)

    @property
    def usable(self) -> bool:
        """Whether a request may go out on it."""
        return self._transport is not None and not self._transport.is_closing() and self._reply is None

    def start(self, data: bytes, reply: Reply) -> None:
        """Send a request; `reply` hears of the answer."""
        assert self._transport is not None
        self._reply, self._data, self._complete, self._head = reply, data, False, 0
        self.since = self._wire.loop.time()
        reply.connection = self
        reply.leaving()
        self._transport.write(data)

    def close(self) -> None:
        """Close at once: what was not sent yet is not sent."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        reply = self._reply
        if reply is None:  # an answer that nobody asked for: whatever it answers, nothing more goes out here
            self.close()
            return
        reply.started = True
        try:
            self._parser.feed_data(data)
        except Exception as error:  # httptools has its own for callbacks and for bytes; none may reach the loop
            self._spoilt = self._spoilt or f"what it sends is not HTTP/1.1: {error}"
        if self._complete:
            self._reply, self._data = None, b""
            reply.connection = None
            if self._spoilt or not self._keep or not self._wire.take_back(self):
                self.close()
            reply.end()
        elif self._spoilt:
            self._reply = None
            self.close()
            reply.fail(Broken(self._spoilt, malformed=True))

    def on_message_begin(self) -> None:
        """Called by the parser, like all that are named on_."""
        if self._complete:
            self._spoilt = "it sends more than was asked for"

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reply is None or self._complete:
            return
        self._head += len(name) + len(value)
        if self._head > MAX_HEAD:
            self._spoilt = f"its headers are longer than {MAX_HEAD:,} bytes"
        else:
            self._reply.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        reply, status = self._reply, self._parser.get_status_code()
        if reply is None or self._complete or status < 200:
            return
        reply.head(status)
        if status == 202 and not self._delimited:  # nothing can follow, though it does not say so
            self._complete, self._keep = True, False

    def on_body(self, body: bytes) -> None:
        if self._reply is None or self._complete or self._spoilt:
            return
        try:
            self._reply.feed(body)
        except ValueError as error:
            self._spoilt = str(error)

    def on_message_complete(self) -> None:
        if self._reply is None or self._complete:
            return
        if self._reply.status == 0:  # 100 Continue, 103 Early Hints: the answer follows
            self._reply.headers.clear()
            return
        self._complete, self._keep = True, self._parser.should_keep_alive()

    @property
    def _delimited(self) -> bool:
        headers = self._reply.headers if self._reply is not None else {}
        return b"content-length" in headers or b"transfer-encoding" in headers

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.forget(self)
        reply = self._reply
        if reply is None:
            return
        if reply.status and exc is None and not self._delimited:  # a body that ends with its connection
            self._reply = None
            reply.end()
            return
        self._reply = None
        reply.connection = None
        recent = self._wire.loop.time() - self.since < RETIRED
        if self.used and recent and not (reply.started or reply.over or reply.once):
            self._wire.connect(self._data, reply)
        else:
            fresh = not (self.used or reply.started)
            if self._wire.secure and (meaning := explained(exc, shown=self._wire.certificate, fresh=fresh)):
                reply.fail(Broken(meaning, reached=False))
                return
            why = f"{type(exc).__name__}: {exc}" if exc else "it closed the connection"
            reply.fail(Broken(f"{why} {'within' if reply.started else 'before'} its answer"))


class Wire:
    """One origin, with the connections to it. Make it on the loop that uses it.

    Raises ConnectError for no URL, and for files of `tls` that cannot be used.
    """

    def __init__(self, url: str, tls: Tls | None = None) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise ConnectError(f"{url!r} is not the URL of an MCP endpoint. Write http://host:port/mcp, or https://...")
        self.secure = parts.scheme == "https"
        self.certificate = bool(tls and tls.cert)
        """Whether it has a certificate to show."""
        self._context = (tls.context() if tls else _trust()) if self.secure else None
        self.host, self.port = parts.hostname, port or (443 if self.secure else 80)
        host = f"[{self.host}]" if ":" in self.host else self.host
        self.netloc = host if port is None else f"{host}:{port}"
        self.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self._idle: list[Connection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False

    def send(self, data: bytes, reply: Reply) -> None:
        """Send a request on an idle connection, or on a new one."""
        oldest = self.loop.time() - (FRESH if reply.once else IDLE)
        while self._idle:
            connection = self._idle.pop()
            if connection.since < oldest:
                connection.close()
            elif connection.usable:
                connection.used = True
                connection.start(data, reply)
                return
        self.connect(data, reply)

    def connect(self, data: bytes, reply: Reply) -> None:
        """Send a request on a new connection."""
        if self._closed:
            reply.fail(Broken("the connection was closed here"))
            return
        # A connection outlives the request that opens it, and is none of its context's business.
        task = self.loop.create_task(self._connect(data, reply), name="labkit-gateway-connect", context=Context())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, data: bytes, reply: Reply) -> None:
        try:
            async with asyncio.timeout(CONNECT_PATIENCE):
                make: Callable[[], Connection] = lambda: Connection(self)  # noqa: E731
                _, connection = await self.loop.create_connection(make, self.host, self.port, ssl=self._context)
        except TimeoutError:
            reply.fail(Broken(f"no connection within {CONNECT_PATIENCE:g} s", reached=False))
        except OSError as error:
            meaning = explained(error, shown=self.certificate) if self.secure else ""
            reply.fail(Broken(meaning or f"{type(error).__name__}: {error}", reached=False))
        except asyncio.CancelledError:
            reply.fail(Broken("the connection was closed here", reached=False))
            raise
        else:
            if not reply.over:
                connection.start(data, reply)
            elif not self.take_back(connection):
                connection.close()

    def take_back(self, connection: Connection) -> bool:
        """Keep an idle connection for the next request, if it is worth keeping."""
        if self._closed or len(self._idle) >= MOST_IDLE or not connection.usable:
            return False
        connection.since = self.loop.time()
        self._idle.append(connection)
        return True

    def forget(self, connection: Connection) -> None:
        """It has ended."""
        self.connections.discard(connection)
        with suppress(ValueError):
            self._idle.remove(connection)

    @property
    def idle(self) -> int:
        """Connections that wait for a request."""
        return len(self._idle)

    async def close(self) -> None:
        """Close all connections; requests on their way fail."""
        self._closed = True
        opening = list(self._opening)
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        for connection in list(self.connections):
            connection.close()
        for _ in range(100):  # each tells of its end in the next turns of the loop; with TLS it takes a few
            if not self.connections:
                break
            await asyncio.sleep(0)


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()  # 20-40 ms: once a process, and only for https


def header_lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """`(name, value)` pairs of bytes as they go on the wire. Raises ValueError for what would break the framing."""
    lines = b"".join([name + b": " + value + b"\r\n" for name, value in headers])
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers) or b"\0" in lines:
        raise ValueError("a header may hold no line end")
    return lines
