"""The embedded load balancer: a reverse proxy for HTTP/1.1 on loopback, in a thread of this process.

An answer is passed on as it comes, byte by byte: event streams too. A client that goes away takes its request along.

Like nginx it goes on to the next replica only with a request that no replica can have acted on: one that could not be
delivered. `resend=True` (nginx: non_idempotent) does so with any that got no answer; a tool may then run twice. Limits:
no TLS, no time limit of its own, bodies of requests up to 8 MiB, of headers that an answer repeats the last one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

import httptools

from labkit.gateway.http_body import Broken, Reply
from labkit.gateway.http_wire import Wire
from labkit.scaling.choosing import SESSION, Choice, Upstream

MAX_BODY = 8 * 1024 * 1024
MAX_HEAD = 64 * 1024
MAX_WAITING = 32
"""Requests that a client may send before the first is answered."""
MAX_UNREAD = 16 * 1024 * 1024
"""Bytes of answers that a client may leave unread before it is hung up on."""
HOP_BY_HOP = frozenset(
    [b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"]
)
"""Headers that are between two neighbours (RFC 9110, section 7.6.1), and `expect`, which is met here."""
REPLICA = "X-Replica"
"""The header of an answer that names the replica: its number."""


class Request:
    """One request of a client, whole."""

    __slots__ = ("body", "headers", "keep", "method", "pairs", "target", "tried")

    def __init__(self) -> None:
        self.target, self.method, self.body = b"", b"", b""
        self.pairs: list[tuple[bytes, bytes]] = []
        self.headers: dict[bytes, bytes] = {}
        self.keep = True
        self.tried: list[Upstream] = []

    def data(self, client: str) -> bytes:
        """As it goes on the wire to a replica. The Host stays: the replica checks that it is of this machine."""
        lines = [b"%s %s HTTP/1.1" % (self.method, self.target)]
        lines += [b"%s: %s" % (n, v) for n, v in self.pairs if n not in HOP_BY_HOP and n != b"content-length"]
        lines.append(b"x-forwarded-for: %s" % client.encode())
        if self.body or self.method == b"POST":
            lines.append(b"content-length: %d" % len(self.body))
        return b"\r\n".join([*lines, b"", self.body])


class Passing(Reply):
    """The answer of a replica on its way to the client."""

    __slots__ = ("_chunked", "_door", "_request", "_upstream")

    def __init__(self, door: Door, request: Request, upstream: Upstream) -> None:
        super().__init__(streaming=False)
        self._door, self._request, self._upstream = door, request, upstream
        self._chunked = False
        self.once = request.method == b"POST" and not door.proxy.resend

    def began(self) -> None:
        proxy, upstream = self._door.proxy, self._upstream
        proxy.choice.answered(upstream)
        if session := self.headers.get(SESSION):
            proxy.choice.learn(session, upstream)
        if self._request.method == b"DELETE" and self.status < 300 and SESSION in self._request.headers:
            proxy.choice.forget(self._request.headers[SESSION])
        empty = self.status in (202, 204, 304) and b"content-length" not in self.headers
        self._chunked = not empty and b"content-length" not in self.headers and self._request.method != b"HEAD"
        lines = [b"HTTP/1.1 %d %s" % (self.status, _reason(self.status))]
        lines += [b"%s: %s" % pair for pair in self.headers.items() if pair[0] not in HOP_BY_HOP]
        lines.append(b"%s: %d" % (REPLICA.lower().encode(), upstream.number))
        lines += [b"transfer-encoding: chunked"] if self._chunked else []
        lines += [b"content-length: 0"] if empty and self.status == 202 else []
        lines += [] if self._request.keep else [b"connection: close"]
        self._door.write(b"\r\n".join([*lines, b"", b""]))

    def feed(self, data: bytes) -> None:
        if not self.over:
            self._door.write(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)

    def ended(self) -> None:
        if self._chunked:
            self._door.write(b"0\r\n\r\n")
        self._over()
        self._door.done(self._request)

    def failed(self, error: Broken) -> None:
        proxy = self._door.proxy
        proxy.choice.failed(self._upstream)
        self._over()
        if self.status:  # it had begun: the client can only be told by an answer that breaks off
            self._door.hang_up()
        elif error.reached and self.once:
            self._door.refuse(self._request, 502, f"replica {self._upstream.number} did not answer: {error}")
        else:
            self._door.forward(self._request)

    def abort(self) -> None:
        if not self.over:
            self._over()
        super().abort()

    def _over(self) -> None:
        self._door.proxy.over(self._upstream)


class Door(asyncio.Protocol):
    """One connection of a client: its requests are answered in their order, one at a time."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._client = ""
        self._arriving = Request()
        self._parts: list[bytes] = []
        self._size = self._head = 0
        self._waiting: deque[Request] = deque()
        self._passing: Passing | None = None
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._client = str((transport.get_extra_info("peername") or ("",))[0])
        self.proxy.doors.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.proxy.doors.discard(self)
        if self._passing is not None:
            self._passing.abort()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except Exception as error:  # of httptools or of our callbacks; none may reach the loop
            if self._transport is not None and not self._transport.is_closing():
                self.refuse(Request(), 400, f"this is no request: {error.__context__ or error}", close=True)

    def on_message_begin(self) -> None:
        """Called by the parser, like all that are named on_."""
        self._arriving, self._parts, self._size, self._head = Request(), [], 0, 0

    def on_url(self, url: bytes) -> None:
        self._arriving.target += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._arriving.pairs.append((name, value))
        self._arriving.headers[name] = value
        self._count(len(name) + len(value))

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEAD:
            raise ValueError(f"its headers are longer than {MAX_HEAD:,} bytes")

    def on_headers_complete(self) -> None:
        if self._arriving.headers.get(b"expect", b"").lower() == b"100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > MAX_BODY:
            raise ValueError(f"its body is longer than {MAX_BODY:,} bytes")
        self._parts.append(body)

    def on_message_complete(self) -> None:
        request = self._arriving
        request.method = self._parser.get_method()
        request.body = b"".join(self._parts)
        request.keep = self._parser.should_keep_alive()
        self._waiting.append(request)
        if len(self._waiting) > MAX_WAITING:
            raise ValueError("too many requests wait for their answers")
        if not self._busy:
            self._next()

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if self._waiting:
            self.forward(self._waiting.popleft())

    def forward(self, request: Request) -> None:
        """Send it to the replica whose turn it is; refuse it when all have been tried."""
        if self._transport is None:
            return
        upstream = self.proxy.choice.choose(request.headers, request.tried)
        if upstream is None:
            self.refuse(request, 502, f"none of {len(request.tried)} replicas can be reached")
            return
        request.tried.append(upstream)
        self.proxy.choice.began(upstream)
        self._passing = Passing(self, request, upstream)
        self.proxy.wire(upstream).send(request.data(self._client), self._passing)

    def write(self, data: bytes) -> None:
        """Send to the client."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > MAX_UNREAD:
                self.hang_up()

    def done(self, request: Request) -> None:
        """The request is answered."""
        self._passing = None
        if not request.keep and self._transport is not None:
            self._transport.close()
        elif self._transport is not None:
            self._next()

    def refuse(self, request: Request, status: int, reason: str, *, close: bool = False) -> None:
        """Answer in place of a replica."""
        request.keep = request.keep and not close
        body = f"{status} {HTTPStatus(status).phrase}: {reason}\n".encode()
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        head += f"Content-Length: {len(body)}\r\n" + ("" if request.keep else "Connection: close\r\n")
        self.write(head.encode() + b"\r\n" + body)
        self.done(request)

    def hang_up(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


class Proxy:
    """Doors to the clients, wires to the replicas, and a choice between them. Lives on one event loop."""

    def __init__(self, choice: Choice, *, resend: bool = False) -> None:
        self.choice, self.resend = choice, resend
        self.doors: set[Door] = set()
        self._wires: dict[Upstream, Wire] = {}
        self._quiet: list[tuple[Upstream, Callable[[], None]]] = []

    def wire(self, upstream: Upstream) -> Wire:
        """The connections to a replica."""
        if upstream not in self._wires:
            self._wires[upstream] = Wire(upstream.url)
        return self._wires[upstream]

    def over(self, upstream: Upstream) -> None:
        """A request to it has ended."""
        self.choice.ended(upstream)
        if upstream.in_flight == 0:
            for waiting, tell in [each for each in self._quiet if each[0] is upstream]:
                self._quiet.remove((waiting, tell))
                tell()

    async def drained(self, upstream: Upstream, seconds: float) -> int:
        """Wait until it has nothing to do, at most `seconds`. Returns how many requests it still has."""
        if upstream.in_flight:
            quiet = asyncio.Event()
            entry = (upstream, quiet.set)
            self._quiet.append(entry)
            try:
                async with asyncio.timeout(seconds):
                    await quiet.wait()
            except TimeoutError:
                self._quiet.remove(entry)
        return upstream.in_flight

    async def remove(self, upstream: Upstream) -> int:
        """Forget a replica that is gone, or about to go. Returns how many sessions went with it."""
        lost = self.choice.remove(upstream)
        if (wire := self._wires.pop(upstream, None)) is not None:
            await wire.close()
        return lost

    async def close(self) -> None:
        """Hang up on everybody."""
        for door in list(self.doors):
            door.hang_up()
        for wire in self._wires.values():
            await wire.close()


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
