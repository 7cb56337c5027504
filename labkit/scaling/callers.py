"""How the load generator calls a tool: bytes over HTTP in either era, or a process over stdio."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Protocol, cast

from mcp.shared.inbound import encode_header_value

from labkit.errors import CallTimeoutError, ConnectError, LabError, RpcError
from labkit.gateway.http_body import Broken, Reply
from labkit.gateway.http_wire import Wire, header_lines
from labkit.gateway.peer import HANDSHAKE, MODERN
from labkit.gateway.peer_stdio import StdioPeer

INFO = {"name": "labkit load", "version": "1"}
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": INFO,
    "io.modelcontextprotocol/clientCapabilities": {},
}
FRAMING = frozenset(["host", "content-length", "transfer-encoding", "connection", "content-type", "accept"])
NO_SESSION = 404
CLIPPED = 120
"""Characters of an error's text that tell one kind from another."""


class Caller(Protocol):
    """One client, with one call at a time."""

    resent: int
    """Requests that went out twice, since a kept connection closed without an answer."""

    async def open(self) -> None:
        """Begin. Raises LabError."""
        ...

    async def call(self, timeout: float) -> str:
        """Call the tool: '' for a good answer, else the kind of error."""
        ...


class _Answer(Reply):
    __slots__ = ("data", "done", "sent")

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.data = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def leaving(self) -> None:
        self.sent += 1

    def event(self, data: bytes) -> None:
        self.data = data  # of a stream the answer is the last: progress and log messages come before it

    def ended(self) -> None:
        self.data = self.data or self.body
        if not self.done.done():
            self.done.set_result(None)

    def failed(self, error: Broken) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Target:
    """A tool behind a URL: what all clients share. Make it on the loop that uses it."""

    def __init__(self, url: str, tool: str, arguments: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self.wire = Wire(url)
        self.tool, self.arguments = tool, dict(arguments)
        self.era = ""
        if wrong := [name for name in headers if name.lower() in FRAMING]:
            raise ConnectError(f"The header {wrong[0]} says how a request is framed: leave it out.")
        try:
            self._own = header_lines([(n.encode("latin-1"), v.encode("latin-1")) for n, v in headers.items()])
        except ValueError as error:
            raise ConnectError(f"The headers cannot be sent: {error}.") from None

    def request(self, message: bytes, lines: bytes, verb: str = "POST") -> bytes:
        """A whole HTTP request; `lines` are headers of the era."""
        head = (
            f"{verb} {self.wire.path} HTTP/1.1\r\nHost: {self.wire.netloc}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\nContent-Length: {len(message)}\r\n"
        )
        return head.encode() + self._own + lines + b"\r\n" + message

    async def post(self, message: bytes, lines: bytes, timeout: float) -> _Answer:
        """Ask. Raises Broken, TimeoutError."""
        answer = _Answer()
        self.wire.send(self.request(message, lines), answer)
        try:
            async with asyncio.timeout(timeout):
                await answer.done
        except BaseException:
            answer.abort()
            raise
        return answer

    async def find_era(self, wanted: str, timeout: float) -> None:
        """Which era is spoken. Raises ConnectError when the server cannot be reached."""
        self.era = HANDSHAKE if wanted == "auto" else wanted
        if wanted != "auto":
            return
        params = {"_meta": META}
        message = _frame(0, "server/discover", params)
        lines = header_lines([(b"MCP-Protocol-Version", MODERN.encode()), (b"Mcp-Method", b"server/discover")])
        try:
            answer = await self.post(message, lines, timeout)
        except (Broken, TimeoutError) as error:
            raise ConnectError(f"There is no answer from {self.wire.netloc}: {error or 'timed out'}.") from None
        if "result" in _parsed(answer.data):
            self.era = MODERN


class HttpCaller:
    """A client of a `Target`; in the handshake era with a session of its own."""

    def __init__(self, target: Target, timeout: float) -> None:
        self.resent = 0
        self.renewed = 0
        """How often the session was gone and a new one was begun."""
        self._target, self._timeout = target, timeout
        self._lines = b""
        self._session = b""
        self._number = 0
        params: dict[str, Any] = {"name": target.tool, "arguments": target.arguments}
        self._params = json.dumps(params | ({"_meta": META} if target.era == MODERN else {})).encode()

    async def open(self) -> None:
        target = self._target
        version = (b"MCP-Protocol-Version", target.era.encode())
        if target.era == MODERN:
            name = encode_header_value(target.tool).encode()
            self._lines = header_lines([version, (b"Mcp-Method", b"tools/call"), (b"Mcp-Name", name)])
            return
        hello = {"protocolVersion": target.era, "capabilities": {}, "clientInfo": INFO}
        try:
            answer = await target.post(_frame(0, "initialize", hello), b"", self._timeout)
            if said := _wrong(answer):
                raise ConnectError(f"{target.wire.netloc} refuses initialize: {said}.")
            self._session = answer.headers.get(b"mcp-session-id", b"")
            self._lines = header_lines([version, *([(b"Mcp-Session-Id", self._session)] if self._session else [])])
            # A balancer may lead it astray; the call after it will tell.
            await target.post(_frame(None, "notifications/initialized", None), self._lines, self._timeout)
        except (Broken, TimeoutError) as error:
            raise ConnectError(f"There is no answer from {target.wire.netloc}: {error or 'timed out'}.") from None

    async def call(self, timeout: float) -> str:
        if not self._lines:
            try:
                await self.open()
            except ConnectError as error:
                return f"no session: {error}"[:CLIPPED]
            self.renewed += 1
        self._number += 1
        message = b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":%s}' % (self._number, self._params)
        try:
            answer = await self._target.post(message, self._lines, timeout)
        except TimeoutError:
            return f"no answer within {timeout:g} s"
        except Broken as error:
            return "not reached" if not error.reached else f"broken off: {error}"[:CLIPPED]
        self.resent += max(0, answer.sent - 1)
        if answer.status == NO_SESSION and self._session:
            self._lines = b""  # "the client MUST start a new session" (2025-11-25, transports)
        return _wrong(answer)

    async def close(self) -> None:
        """End the session, if there is one."""
        if self._session and self._lines:
            with suppress(Broken, TimeoutError):
                answer = _Answer()
                self._target.wire.send(self._target.request(b"", self._lines, "DELETE"), answer)
                await asyncio.wait_for(answer.done, 2.0)


class StdioCaller:
    """One of several clients of a process: each has one call at a time, all share the pipe."""

    def __init__(self, peer: StdioPeer, tool: str, arguments: Mapping[str, Any]) -> None:
        self.resent = 0
        self._peer, self._params = peer, {"name": tool, "arguments": dict(arguments)}

    async def open(self) -> None:
        """The peer is open."""

    async def call(self, timeout: float) -> str:
        try:
            result = await self._peer.request("tools/call", self._params, timeout=timeout)
        except RpcError as error:
            return f"{error.code} {error.message}"[:CLIPPED]
        except CallTimeoutError:
            return f"no answer within {timeout:g} s"
        except LabError as error:
            return f"{type(error).__name__}: {error}"[:CLIPPED]
        return _tool_error(result)


def _frame(number: int | None, method: str, params: Mapping[str, Any] | None) -> bytes:
    frame = {"jsonrpc": "2.0", "method": method} | ({} if number is None else {"id": number})
    return json.dumps(frame if params is None else {**frame, "params": params}).encode()


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(data)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _wrong(answer: _Answer) -> str:
    """'' for a good answer, else what is wrong with it: the body tells, for a tool error comes with HTTP 200."""
    found = _parsed(answer.data)
    status = "" if answer.status == 200 else f"HTTP {answer.status} "
    error: Any = found.get("error")
    if isinstance(error, dict):
        error = cast("dict[str, Any]", error)
        return f"{status}{error.get('code')} {error.get('message')}"[:CLIPPED]
    result: Any = found.get("result")
    if not isinstance(result, dict):
        what = f"HTTP {answer.status} {_phrase(answer.status)}".strip()
        return what + (", no result" if answer.status == 200 else "")
    return _tool_error(cast("dict[str, Any]", result))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _tool_error(result: dict[str, Any]) -> str:
    if not result.get("isError"):
        return ""
    content: Any = result.get("content")
    first: Any = content[0] if content else {}
    text = cast("dict[str, Any]", first).get("text", "") if isinstance(first, dict) else ""
    return f"tool error: {' '.join(str(text).split())}"[:CLIPPED]
