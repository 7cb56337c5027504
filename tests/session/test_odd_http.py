"""HTTP servers and proxies on the way that do what HTTP allows, or what it does not: redirect, compress, cut, flood."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable

import pytest

import labkit as lab
from labkit.session import http

pytestmark = pytest.mark.anyio

FOUND = {
    "resultType": "complete",
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "odd", "version": "1"},
    "ttlMs": 0,
    "cacheScope": "private",
}
TOOLS = {
    "resultType": "complete",
    "tools": [{"name": "t", "inputSchema": {"type": "object"}}],
    "ttlMs": 0,
    "cacheScope": "private",
}
HI = {"resultType": "complete", "content": [{"type": "text", "text": "hi"}]}


def answer(body: bytes, kind: str = "application/json", status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def event(body: bytes, end: bytes) -> bytes:
    return b"event: message" + end + b"data: " + body + end * 2


STREAM = "text/event-stream"
ODD: dict[str, Callable[[bytes], bytes]] = {
    "compressed": lambda body: answer(gzip.compress(body), more="content-encoding: gzip\r\n"),
    "compressed stream": lambda body: answer(
        gzip.compress(event(body, b"\n")), STREAM, more="content-encoding: gzip\r\n"
    ),
    "CR stream": lambda body: answer(event(body, b"\r"), STREAM),
    "CRLF stream": lambda body: answer(event(body, b"\r\n"), STREAM),
    "cut stream": lambda body: answer(event(body, b"\n")[:-1], STREAM),
    "batch": lambda body: answer(b"[" + body + b"]"),
    "page": lambda body: answer(b"<html>Welcome to the hotel", "text/html"),
    "bad UTF-8": lambda body: answer(body.replace(b"hi", b"\xff")),
    "endless": lambda body: answer(b"x" * 10_000),
    "broken": lambda body: answer(body)[:-5],
    "no HTTP": lambda body: b"SSH-2.0 hello\r\n\r\n",
}


@pytest.fixture
async def odd() -> AsyncIterator[Callable[[str], str]]:
    """odd("batch") -> the address of a server that answers tools/call in that way; elsewhere it behaves."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                size = next(
                    (int(line.split(":")[1]) for line in head.lower().splitlines() if "content-length" in line), 0
                )
                asked = json.loads(await reader.readexactly(size))
                path = head.split()[1]
                result = {"server/discover": FOUND, "tools/list": TOOLS, "tools/call": HI}.get(asked["method"], {})
                body = json.dumps({"jsonrpc": "2.0", "id": asked.get("id"), "result": result}).encode()
                if path == "/redirected":
                    writer.write(answer(b"", status="307 Temporary Redirect", more="location: /redirected/\r\n"))
                elif asked["method"] == "tools/call" and path.strip("/") in ways:
                    writer.write(ODD[ways[path.strip("/")]](body))
                    if ways[path.strip("/")] in ("broken", "no HTTP"):
                        break
                else:
                    writer.write(answer(body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ways = {str(number): way for number, way in enumerate(ODD)}
    paths = {way: number for number, way in ways.items()} | {"redirected": "redirected"}
    yield lambda way: f"http://127.0.0.1:{port}/{paths[way]}"
    await lab.close_all()
    server.close()


@pytest.mark.parametrize("way", ["redirected", "compressed", "compressed stream", "CR stream", "CRLF stream"])
async def test_what_http_allows_works_and_is_on_the_tape(odd: Callable[[str], str], way: str) -> None:
    conn = await lab.connect(odd(way))
    assert (await conn.call("t", timeout=10)).text == "hi"
    assert [frame.label for frame in conn.tape][-1] == "result tools/call t"
    if way == "redirected":
        assert "307" in {str(frame.status) for frame in conn.tape}


@pytest.mark.parametrize(
    ("way", "error", "said"),
    [
        ("cut stream", lab.ConnectionClosedError, "SSE stream ended without a response"),
        ("batch", lab.ResultError, r"not JSON-RPC: '\[\{"),
        ("page", lab.RpcError, "Unexpected content type: text/html"),
        ("bad UTF-8", lab.ResultError, "not JSON-RPC: '{"),
        ("endless", lab.ConnectionClosedError, "longer than 5,000 bytes"),
        ("broken", lab.ConnectionClosedError, "peer closed connection"),
        ("no HTTP", lab.ConnectionClosedError, "illegal status line"),
    ],
)
async def test_what_it_does_not_allow_is_one_error_and_the_next_call_goes_on(
    odd: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, way: str, error: type[Exception], said: str
) -> None:
    conn = await lab.connect(odd(way))
    monkeypatch.setattr(http, "MAX_ANSWER", 5_000)
    with pytest.raises(error, match=said):
        await conn.call("t", timeout=10)
    last = conn.tape[-1]
    assert last.direction == "received", "what did arrive is on the tape"
    assert "ended within" in last.note or way != "cut stream"
    assert await conn.send("tools/list") == TOOLS
