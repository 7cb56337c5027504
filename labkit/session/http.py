"""The recording HTTP client: every request and response body on the tape, with headers and status.

It sits below the SDK's HTTP transports, where the bytes are. A refused or broken connection becomes an
answer to the one request concerned: the SDK would tear the whole client down, but a stateless client
may well outlive a server's restart.
"""

from __future__ import annotations

import codecs
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cache
from typing import Any, cast

import httpx2

from labkit.session.sdk import MCP_DEFAULT_SSE_READ_TIMEOUT, MCP_DEFAULT_TIMEOUT
from labkit.session.tls import Tls, explained
from labkit.wire import Tape, mask_headers

UNREACHABLE = -32000
"""The code of the answers made up here: the SDK's own code for a closed connection."""

MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of one answer, of one server-sent event, or of one line over stdio."""

_SESSION = re.compile(r"(session_?id=\w{8})\w*", re.IGNORECASE)  # legacy SSE names its session in a URL


@cache
def system_trust() -> ssl.SSLContext:
    """What a client of https is made with that was told nothing else: the authorities of the system."""
    return ssl.create_default_context()  # 20-40 ms: once a process, and only for https


@cache
def no_trust() -> ssl.SSLContext:
    """What a client of plain http is made with, in no time: it has no authorities, so any https through it fails."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def recording_client(
    url: str,
    tape: Tape,
    *,
    headers: Mapping[str, str] | None = None,
    auth: httpx2.Auth | None = None,
    tls: Tls | None = None,
) -> httpx2.AsyncClient:
    """An HTTP client for MCP at `url` whose traffic is recorded. Enter it as a context manager.

    Raises ConnectError for files of `tls` that cannot be used.
    """
    trust = tls.context() if tls else system_trust() if url.lower().startswith("https:") else no_trust()
    return httpx2.AsyncClient(
        transport=_Recorder(httpx2.AsyncHTTPTransport(verify=trust), tape, bool(tls and tls.cert)),
        headers=dict(headers or {}),
        auth=auth,
        timeout=httpx2.Timeout(MCP_DEFAULT_TIMEOUT, read=MCP_DEFAULT_SSE_READ_TIMEOUT),
    )


def why_unreachable(error: Exception, url: httpx2.URL, *, shown: bool, answered: bool) -> str:
    """Why there was no answer from `url`, as the end of a sentence.

    `shown`: whether the client has a certificate to show; `answered`: whether the server had ever answered it.
    """
    reason = ""
    if url.scheme == "https":
        ended = isinstance(error, httpx2.ReadError | httpx2.WriteError | httpx2.RemoteProtocolError | ssl.SSLError)
        reason = explained(error, shown=shown, fresh=ended and not answered)
    return reason or f"{type(error).__name__}: {error}".rstrip(": ")


class _Recorder(httpx2.AsyncBaseTransport):
    def __init__(self, inner: httpx2.AsyncHTTPTransport, tape: Tape, certificate: bool) -> None:
        self._inner, self._tape, self._certificate = inner, tape, certificate
        self._answered = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()  # a redirected request comes with its content unread
        path = request.url.raw_path.partition(b"?")[0].decode("ascii", "replace")
        line = f"{request.method} {path}"
        sent = body.decode("utf-8", "replace")
        self._tape.record("sent", sent, headers=mask_headers(request.headers), note="" if sent else line)
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.TransportError as error:
            return self._unreachable(request, body, error)
        except ssl.SSLError as error:  # an alert that comes after the handshake: httpx2 leaves it as it is
            lost = httpx2.ReadError(str(error), request=request)
            lost.__cause__ = error
            return self._unreachable(request, body, lost)
        self._answered = True
        kind = response.headers.get("content-type", "").lower()
        if kind.startswith("text/event-stream"):
            return self._stream(response, line)
        response.stream = _Bounded(cast(httpx2.AsyncByteStream, response.stream))
        try:
            content = await response.aread()
        except httpx2.TransportError as error:
            await response.aclose()
            return self._unreachable(request, body, error)
        self._received(response, content.decode("utf-8", "replace"), line)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _received(self, response: httpx2.Response, text: str, line: str) -> None:
        note = "" if text.startswith("{") else f"{response.status_code} {response.reason_phrase} to {line}"
        self._tape.record(
            "received", text, headers=mask_headers(response.headers), status=response.status_code, note=note
        )

    def _stream(self, response: httpx2.Response, line: str) -> httpx2.Response:
        headers = mask_headers(response.headers)

        def event(data: str, name: str, whole: bool) -> None:
            note = "" if data.startswith("{") else f"SSE event {name}: " + _SESSION.sub(r"\1…", data)
            note += "" if whole else " (the stream ended within this event)"
            text = data if data.startswith("{") else ""
            self._tape.record("received", text, headers=headers, status=response.status_code, note=note)

        if line.startswith("GET"):
            self._tape.record("received", "", headers=headers, status=response.status_code, note=f"stream open: {line}")
        if "content-encoding" in response.headers:
            response = _decoded(response)
        response.stream = _EventTee(cast(httpx2.AsyncByteStream, response.stream), event)
        return response

    def _unreachable(self, request: httpx2.Request, body: bytes, error: httpx2.TransportError) -> httpx2.Response:
        reason = why_unreachable(error, request.url, shown=self._certificate, answered=self._answered)
        self._tape.record("received", "", note=f"no answer from {request.url.host}:{request.url.port} ({reason})")
        try:
            request_id: Any = json.loads(body).get("id")
        except (ValueError, AttributeError):
            raise error from None
        if request_id is None:
            raise error
        message = {
            "code": UNREACHABLE,
            "message": f"the server cannot be reached ({reason})",
            "data": {"transport": True},
        }
        return httpx2.Response(503, json={"jsonrpc": "2.0", "id": request_id, "error": message}, request=request)


class _Bounded(httpx2.AsyncByteStream):
    """Passes a body on, up to `MAX_ANSWER` bytes: what has no end must not fill the memory."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._inner:
            size += len(chunk)
            if size > MAX_ANSWER:
                raise httpx2.RemoteProtocolError(f"the answer is longer than {MAX_ANSWER:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Plain(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.Response) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner.aiter_bytes():
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def _decoded(response: httpx2.Response) -> httpx2.Response:
    """The same response with its body decompressed: a proxy on the way may compress event streams."""
    headers = [(k, v) for k, v in response.headers.multi_items() if k not in ("content-encoding", "content-length")]
    return httpx2.Response(
        response.status_code, headers=headers, stream=_Plain(response), extensions=response.extensions
    )


class _EventTee(httpx2.AsyncByteStream):
    """Passes an event stream on, reporting each event (WHATWG HTML, section 9.2) that carries data."""

    def __init__(self, inner: httpx2.AsyncByteStream, report: Callable[[str, str, bool], None]) -> None:
        self._inner, self._report = inner, report
        self._parts: list[str] = []  # of the event that is arriving: joined once, when it is whole
        self._last = self._held = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._feed(self._decode(chunk))
            yield chunk
        self._feed("\n" if self._held else "")
        self._tell("".join(self._parts), whole=False)

    def _feed(self, text: str) -> None:
        text, self._held = self._held + text, ""
        if "\r" in text:
            if text.endswith("\r"):  # perhaps the first half of \r\n
                text, self._held = text[:-1], "\r"
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not text:
            return
        self._parts.append(text)
        if "\n\n" not in self._last + text:
            self._last = text[-1]
            return
        *blocks, rest = "".join(self._parts).split("\n\n")
        self._parts, self._last = [rest], rest[-1:]
        for block in blocks:
            self._tell(block, whole=True)

    def _tell(self, block: str, *, whole: bool) -> None:
        data: list[str] = []
        name = "message"
        for line in block.split("\n"):
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
            elif line.startswith("event:"):
                name = line[6:].strip()
        if any(data):
            self._report("\n".join(data), name, whole)

    async def aclose(self) -> None:
        await self._inner.aclose()
