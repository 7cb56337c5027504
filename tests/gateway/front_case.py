"""What the tests of the gateway's front share: servers to put behind it, raw HTTP to talk to it, and ways to wait."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from labkit.gateway import Gateway
from labkit.session.targets import make_plan

from .conftest import HERE, LONG, MODERN, made

Json = dict[str, Any]
META = "io.modelcontextprotocol/"
SECRET = "a secret of at least thirty-two characters"


def everything() -> Any:
    """A fresh `everything`."""
    return make_plan("everything", via="memory").server


def small() -> Any:
    return made(HERE / "small_server.py")


def behind(server: Any, era: str = "auto", **options: Any) -> Json:
    """A server object as one backend, spoken to in one era."""
    return {"server": server, "gateway": {"era": era, **options}}


@asynccontextmanager
async def opened_gateway(servers: Mapping[str, Any], policy: Json | None = None) -> AsyncIterator[Gateway]:
    """A gateway, open, with all that its backends list."""
    async with Gateway.of(servers, policy) as gateway:
        await gateway.awake()
        yield gateway


async def comes(condition: Callable[[], Awaitable[Any]], what: str = "") -> Any:
    """Wait until an async condition holds, and return what it said."""
    async with asyncio.timeout(LONG):
        while not (found := await condition()):
            await asyncio.sleep(0.01)
    return found


def envelope(params: Json | None = None, **meta: Any) -> Json:
    """Parameters with what the stateless era wants in every request."""
    given = {META + "protocolVersion": MODERN, META + "clientCapabilities": {}, **meta}
    return {**(params or {}), "_meta": given}


def message(method: str, params: Json | None = None, *, id: Any = 1, **meta: Any) -> Json:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": envelope(params, **meta)}


def call(tool: str, arguments: Json | None = None, *, id: Any = 1, **meta: Any) -> Json:
    """A `tools/call` of the stateless era."""
    return message("tools/call", {"name": tool, "arguments": arguments or {}}, id=id, **meta)


def headers_of(body: Json) -> list[tuple[str, str]]:
    """The headers that a stateless request needs beside its body."""
    found = [
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
        ("mcp-protocol-version", MODERN),
        ("mcp-method", str(body["method"])),
    ]
    params = body.get("params") or {}
    named = params.get("name") if body["method"] in ("tools/call", "prompts/get") else params.get("uri")
    if isinstance(named, str):
        found.append(("mcp-name", named))
    return found


@dataclass
class Answer:
    """One HTTP response, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def messages(self) -> list[Json]:
        """The JSON-RPC messages in it, whichever way they came."""
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            lines = self.body.replace(b"\r\n", b"\n").split(b"\n")  # a text may hold other ends of lines
            return [json.loads(line[5:]) for line in lines if line.startswith(b"data:")]
        return [json.loads(self.body.decode())] if self.body else []

    @property
    def result(self) -> Json:
        said = self.messages[-1]
        assert "result" in said, said
        return said["result"]

    @property
    def error(self) -> Json:
        said = self.messages[-1]
        assert "error" in said, said
        return said["error"]

    @property
    def text(self) -> str:
        return self.result["content"][0]["text"]


class Http:
    """One connection that sends exactly what it is told to. Not for two requests at once."""

    def __init__(self, url: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        parts = urlsplit(url)
        self.host, self.port = str(parts.hostname), int(parts.port or 80)
        self.own = list(headers)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, body: Json, *more: tuple[str, str], path: str = "/mcp") -> Answer:
        """A request of the stateless era with the headers that belong to it."""
        return await self.send("POST", path, [*headers_of(body), *more], json.dumps(body).encode())

    async def get(self, path: str, *more: tuple[str, str]) -> Answer:
        return await self.send("GET", path, list(more), b"")

    async def send(
        self, verb: str, path: str, headers: Sequence[tuple[str, str]], body: bytes, *, length: bool = True
    ) -> Answer:
        async with asyncio.timeout(LONG):
            await self.begin(verb, path, headers, body, length=length)
            return await self.answer()

    async def begin(
        self, verb: str, path: str, headers: Sequence[tuple[str, str]], body: bytes, *, length: bool = True
    ) -> None:
        if self._streams is None or self._streams[0].at_eof():  # the server may have had enough of waiting
            await self.close()
            self._streams = await asyncio.open_connection(self.host, self.port)
        given = [*self.own, *headers]
        if not any(name.lower() == "host" for name, _ in given):
            given.insert(0, ("host", f"{self.host}:{self.port}"))
        if length:
            given.append(("content-length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in given)
        _, writer = self._streams
        writer.write(f"{verb} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
        await writer.drain()

    async def answer(self) -> Answer:
        assert self._streams is not None
        reader, _ = self._streams
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:] if line)}
        if headers.get("transfer-encoding") == "chunked":
            parts: list[bytes] = []
            while size := int(await reader.readline(), 16):
                parts.append(await reader.readexactly(size))
                await reader.readexactly(2)
            await reader.readexactly(2)
            body = b"".join(parts)
        else:
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            await self.close()
        return Answer(status, headers, body)

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@dataclass
class Session:
    """A session of the handshake era over HTTP, by hand."""

    http: Http
    id: str = ""
    version: str = "2025-11-25"
    number: int = 0
    answers: list[Answer] = field(default_factory=list[Answer])

    async def open(self) -> Session:
        info = {"name": "by hand", "version": "1"}
        params = {"protocolVersion": self.version, "capabilities": {}, "clientInfo": info}
        said = await self.ask("initialize", params)
        assert said.status == 200, said
        self.id = said.headers["mcp-session-id"]
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    async def ask(self, method: str, params: Json | None = None, *more: tuple[str, str]) -> Answer:
        self.number += 1
        body: Json = {"jsonrpc": "2.0", "id": self.number, "method": method}
        return await self.post(body if params is None else {**body, "params": params}, *more)

    async def post(self, body: Json, *more: tuple[str, str]) -> Answer:
        headers = [("accept", "application/json, text/event-stream"), ("content-type", "application/json"), *more]
        if self.id:
            headers += [("mcp-session-id", self.id), ("mcp-protocol-version", self.version)]
        return await self.http.send("POST", "/mcp", headers, json.dumps(body).encode())


def process(script: str = "") -> Json:
    """A backend that is a process, and starts in 20 ms: a script that reads and writes lines."""
    return {"command": sys.executable, "args": ["-I", "-S", "-c", script or GIVING]}


GIVING = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    id, method, params = asked.get("id"), asked.get("method"), asked.get("params") or {}
    if id is None:
        continue
    if method == "server/discover":
        result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
    elif method == "tools/list":
        result = {"tools": [{"name": "give", "inputSchema": {"type": "object"}}]}
    else:
        result = {"content": [{"type": "text", "text": str(params["arguments"]["n"])}]}
    print(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}), flush=True)
"""
ASKING = """
import json, sys
def say(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
labels = {}
for line in sys.stdin:
    asked = json.loads(line)
    id, method, params = asked.get("id"), asked.get("method"), asked.get("params") or {}
    if method == "initialize":
        server = {"name": "asking", "version": "1"}
        say({"id": id, "result": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": server}})
    elif method == "tools/list":
        say({"id": id, "result": {"tools": [{"name": "ask", "inputSchema": {"type": "object"}}]}})
    elif method == "tools/call":
        labels[f"q-{id}"] = id, params["arguments"]["label"]
        schema = {"type": "object", "properties": {"word": {"type": "string"}}}
        asking = {"message": params["arguments"]["label"], "requestedSchema": schema}
        say({"id": f"q-{id}", "method": "elicitation/create", "params": asking})
    elif method is None:
        call, label = labels.pop(id)
        word = (asked.get("result") or {}).get("content", {}).get("word", "refused")
        say({"id": call, "result": {"content": [{"type": "text", "text": f"{label}: {word}"}]}})
    elif id is not None:
        say({"id": id, "error": {"code": -32601, "message": "Method not found"}})
"""
