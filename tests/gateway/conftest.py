"""Peers over every transport in both eras, and servers that misbehave."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters

from labkit.gateway.peer import Caller, Json, Peer
from labkit.gateway.peer_http import HttpPeer
from labkit.gateway.peer_memory import MemoryPeer
from labkit.gateway.peer_stdio import StdioPeer
from labkit.session.serving import ThreadServer
from labkit.session.targets import make_plan

HERE = Path(__file__).parent
MODERN, HANDSHAKE = ERAS = ("2026-07-28", "2025-11-25")
ALL = [f"{via} {era}" for via in ("memory", "http", "stdio") for era in ERAS]
LONG = 30.0
"""Seconds that a test waits for what has to happen."""


class Heard:
    """What a peer says unasked; `await heard.wait(lambda: ...)` for a condition on it."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Json]] = []
        self.lost: list[Exception] = []

    def options(self, **more: Any) -> dict[str, Any]:
        return {
            "on_event": lambda method, params: self.events.append((method, params)),
            "on_lost": self.lost.append,
        } | more

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.events]


async def until(condition: Callable[[], Any], what: str = "") -> None:
    """Wait until `condition` holds; fails after a while."""
    async with asyncio.timeout(LONG):
        while not condition():
            await asyncio.sleep(0.005)


@dataclass
class Opened:
    """One open peer, and what it needs to end with it."""

    peer: Any
    heard: Heard
    via: str
    server: ThreadServer | None = None
    forget: Callable[[], None] = field(default=lambda: None)

    @property
    def modern(self) -> bool:
        return self.peer.era == MODERN

    async def call(
        self, tool: str, caller: Caller | None = None, timeout: float | None = LONG, **arguments: Any
    ) -> Json:
        return await self.peer.request("tools/call", {"name": tool, "arguments": arguments}, caller, timeout=timeout)

    async def close(self) -> None:
        await self.peer.close()
        if self.server is not None:
            await self.server.stop()
        self.forget()


async def opened(via: str, era: str, target: Any) -> Opened:
    """A peer to a catalog server, or to a file with `make_server`."""
    heard = Heard()
    options = heard.options(era=era)
    name = target.stem if isinstance(target, Path) else target
    if isinstance(target, Path):
        plan = make_plan(target, via="stdio") if via == "stdio" else None
        server: Any = None if plan else made(target)
        forget: Callable[[], None] = lambda: None  # noqa: E731
    else:
        plan = make_plan(target, via="stdio" if via == "stdio" else "memory")
        server, forget = plan.server, plan.forget
    if via == "stdio":
        assert plan is not None and plan.params is not None
        found = Opened(StdioPeer(name, plan.params, **options), heard, via)
    elif via == "memory":
        found = Opened(MemoryPeer(name, server, **options), heard, via, forget=forget)
    else:
        running = ThreadServer(name, server, via="http", port=0)
        await running.start()
        found = Opened(HttpPeer(name, running.url, **options), heard, via, running, forget)
    await found.peer.open()
    return found


def made(path: Path) -> Any:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(f"gateway_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_server()


def text_of(result: Json) -> str:
    return result["content"][0]["text"]


def odd_params(era: str) -> StdioServerParameters:
    return StdioServerParameters(command=sys.executable, args=["-I", "-S", "-E", str(HERE / "odd_stdio.py"), era])


@pytest.fixture
async def closing() -> AsyncIterator[list[Peer]]:
    """Peers put in here are closed, and leave no task behind."""
    before = asyncio.all_tasks()
    peers: list[Peer] = []
    yield peers
    for peer in peers:
        await peer.close()
    left = [task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()]
    assert [task.get_name() for task in left if task.get_name().startswith("labkit-gateway")] == []


@pytest.fixture(params=ERAS)
async def odd(request: pytest.FixtureRequest, closing: list[Peer]) -> Opened:
    """The odd stdio server, in each era."""
    return await open_odd(request.param, closing)


async def open_odd(era: str, closing: list[Peer]) -> Opened:
    heard = Heard()
    peer = StdioPeer("odd", odd_params(era), **heard.options(era=era))
    closing.append(peer)
    await peer.open()
    return Opened(peer, heard, "stdio")


@dataclass
class Asked:
    """One HTTP request that a scripted server got."""

    verb: str
    path: str
    headers: dict[str, str]
    body: bytes
    number: int
    """Of the connection, from 1."""
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def gone(self) -> None:
        """Wait until the client has closed the connection."""
        await self.reader.read()

    @property
    def message(self) -> Json:
        return json.loads(self.body)

    async def json(self, message: Any, status: str = "200 OK", *headers: str) -> None:
        await self.send(json.dumps(message).encode(), status, "Content-Type: application/json", *headers)

    async def result(self, result: Json, *headers: str) -> None:
        await self.json({"jsonrpc": "2.0", "id": self.message["id"], "result": result}, "200 OK", *headers)

    async def send(self, body: bytes, status: str, *headers: str) -> None:
        head = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
        await self.raw("\r\n".join(head).encode() + body)

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def events(self, *messages: Any, ids: bool = False, end: bool = True) -> None:
        """An event stream, in chunks; without its end when `end` is false."""
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        await self.raw(head.encode())
        for number, message in enumerate(messages, 1):
            await self.event(message, f"e{number}" if ids else "")
        if end:
            await self.raw(b"0\r\n\r\n")

    async def event(self, message: Any, id: str = "") -> None:
        data = message if isinstance(message, str) else json.dumps(message)
        text = (f"id: {id}\r\n" if id else "") + f"event: message\r\ndata: {data}\r\n\r\n"
        await self.raw(f"{len(text.encode()):x}\r\n{text}\r\n".encode())

    def close(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Asked], Awaitable[None]]


class ScriptedHttp:
    """An HTTP server that answers as `script` says; `modern` and `handshake` answer the greeting."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.open = 0
        self.script: Script | None = None
        self.era = MODERN
        self.session = ""
        self.capabilities: Json = {"tools": {}}
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, port: int = 0, tls: Any = None) -> None:
        self._scheme = "https" if tls else "http"
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=tls)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"{self._scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/mcp"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await until(lambda: not self._writers)
            self._server = None

    def drop_idle(self) -> None:
        """Close all connections, as a server does that has waited long enough."""
        for writer in list(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        number = self.connections
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                verb, path, _ = head[0].split(" ")
                headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                asked = Asked(verb, path, headers, body, number, reader, writer)
                self.asked.append(asked)
                await self._answer(asked)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, asked: Asked) -> None:
        if asked.verb == "GET":
            if self.script is None or self.era == MODERN or not getattr(self, "streams", False):
                await asked.send(b"", "405 Method Not Allowed")
            else:
                await self.script(asked)
            return
        if asked.verb == "DELETE":
            await asked.send(b"", "200 OK")
            return
        method = asked.message.get("method")
        session = [f"Mcp-Session-Id: {self.session}"] if self.session else []
        if method == "server/discover" and self.era == MODERN:
            await asked.result({"supportedVersions": [MODERN], "capabilities": self.capabilities})
        elif method == "server/discover":
            await asked.json(
                {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no"}}, "400 Bad Request"
            )
        elif method == "initialize":
            result = {
                "protocolVersion": self.era,
                "capabilities": self.capabilities,
                "serverInfo": {"name": "scripted"},
            }
            await asked.result(result, *session)
        elif method in ("notifications/initialized", "notifications/cancelled") or method is None:
            await asked.send(b"", "202 Accepted")
        else:
            assert self.script is not None
            await self.script(asked)


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedHttp]:
    server = ScriptedHttp()
    await server.start()
    yield server
    await server.stop()


async def http_peer(server: ScriptedHttp, closing: list[Peer], **options: Any) -> Opened:
    heard = Heard()
    peer = HttpPeer("scripted", server.url, **heard.options(**options))
    closing.append(peer)
    await peer.open()
    return Opened(peer, heard, "http")
