"""A load client of bytes: calls a tool over HTTP, in either era, with little more work than writing and reading.

The SDK's client costs three times what a gateway does; with this one, the figures are those of what is called.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
INFO = {"name": "benchmark", "version": "1"}
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": INFO,
    "io.modelcontextprotocol/clientCapabilities": {},
}
PATIENCE = 30.0
WARM = 30


@dataclass(frozen=True)
class Load:
    """Calls a second, the latencies in milliseconds, and how many calls failed."""

    rate: float
    p50: float
    p99: float
    failed: int


class Wire:
    """One connection that is kept."""

    def __init__(self, url: SplitResult) -> None:
        self._url = url
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request: status, headers, body."""
        if self._streams is None:
            assert self._url.hostname and self._url.port
            self._streams = await asyncio.open_connection(self._url.hostname, self._url.port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int((await reader.readline()).split(b";")[0], 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split(" ", 2)[1]), headers, body

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


def request(url: SplitResult, message: dict[str, Any], headers: dict[str, str]) -> bytes:
    """A whole POST request."""
    body = json.dumps(message, separators=(",", ":")).encode()
    lines = {
        "Host": url.netloc,
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Content-Length": str(len(body)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {url.path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def ask(address: str, era: str, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """One request, on a connection of its own. Raises RuntimeError for anything but a result."""
    url = urlsplit(address)
    wire = Wire(url)
    try:
        headers, params = await _opened(url, era), dict(params or {})
        if era == MODERN:
            params["_meta"] = META
            headers["Mcp-Method"] = method
        status, _, body = await asyncio.wait_for(
            wire.post(request(url, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers)), PATIENCE
        )
    finally:
        wire.close()
    text = next((line[5:] for line in body.decode().splitlines() if line.startswith("data:")), body.decode())
    answer = json.loads(text) if text.lstrip().startswith("{") else {}
    if "result" not in answer:
        raise RuntimeError(f"{method}: HTTP {status} {text[:200]}")
    return answer["result"]


async def _opened(url: SplitResult, era: str) -> dict[str, str]:
    """The headers that every call of this client has; in the handshake era, after the handshake."""
    if era == MODERN:
        return {"MCP-Protocol-Version": MODERN}
    wire = Wire(url)
    hello = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": INFO}
    _, found, _ = await wire.post(
        request(url, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}, {})
    )
    headers = {"MCP-Protocol-Version": HANDSHAKE}
    if session := found.get("mcp-session-id"):
        headers["Mcp-Session-Id"] = session
    await wire.post(request(url, {"jsonrpc": "2.0", "method": "notifications/initialized"}, headers))
    wire.close()
    return headers


async def load(address: str, era: str, tool: str, clients: int, calls: int) -> Load:
    """So many calls of a tool `(text)`, by so many clients at the same time."""
    url = urlsplit(address)
    headers = await _opened(url, era)
    params: dict[str, Any] = {"name": tool, "arguments": {"text": "hello"}}
    if era == MODERN:
        params["_meta"] = META
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": tool}
    times: list[float] = []
    state = {"left": calls + WARM, "failed": 0, "began": 0.0}

    async def client(number: int) -> None:
        # Its own id: those of one session may not meet.
        message = {"jsonrpc": "2.0", "id": number + 1, "method": "tools/call", "params": params}
        wire, whole = Wire(url), request(url, message, headers)
        while state["left"] > 0:
            state["left"] -= 1
            warm = state["left"] >= calls
            if not warm and not state["began"]:
                state["began"] = time.perf_counter()
            began = time.perf_counter()
            try:
                status, _, body = await asyncio.wait_for(wire.post(whole), PATIENCE)
                good = status == 200 and b'"result"' in body and b'"isError":true' not in body.replace(b" ", b"")
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                wire.close()
                good = False
            state["failed"] += not good
            if good and not warm:
                times.append((time.perf_counter() - began) * 1e3)
        wire.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    took = time.perf_counter() - state["began"]
    times.sort()
    if not times:
        return Load(0.0, float("inf"), float("inf"), int(state["failed"]))
    return Load(len(times) / took, times[len(times) // 2], times[len(times) * 99 // 100], int(state["failed"]))
