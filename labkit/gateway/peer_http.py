"""A backend behind a URL (Streamable HTTP): one POST a request, on connections that are kept."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

from mcp.shared.inbound import NAME_BEARING_METHODS, encode_header_value

from labkit.errors import ConnectError, ConnectionClosedError, LabError, ResultError, RpcError
from labkit.gateway.exchange import Exchange, Json, encode
from labkit.gateway.http_body import Broken, Reply
from labkit.gateway.http_replies import Farewell, Moved, Post, ServerStream, Told
from labkit.gateway.http_wire import Wire, header_lines
from labkit.gateway.peer import PATIENCE, OnEvent, OnLost, Peer
from labkit.session.tls import Tls
from labkit.wire import mask_url

FRAMING = frozenset([b"host", b"content-length", b"transfer-encoding", b"connection", b"content-type", b"accept"])
"""Headers that nobody else may set: they say where the message begins and ends, and what it is."""
ROUTING = frozenset([b"mcp-protocol-version", b"mcp-method", b"mcp-name", b"mcp-session-id"])
"""Headers that follow from the message: twice, they would be refused."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
GOODBYE = 2.0
"""Seconds for a server to end a session."""
STREAM_PATIENCE = 5.0
"""Seconds to wait for the server's own stream to be open, and for it to hear that the handshake is over."""


class HttpPeer(Peer):
    """An MCP endpoint. `headers` go out with every request; `tls` says whom it trusts and what it shows."""

    transport = "http"
    _headers_in_meta = False

    def __init__(
        self,
        name: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        tls: Tls | None = None,
        era: str = "auto",
        on_event: OnEvent | None = None,
        on_lost: OnLost | None = None,
        client_info: Json | None = None,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(name, era=era, on_event=on_event, on_lost=on_lost, client_info=client_info, patience=patience)
        self.url, self._tls = url, tls
        try:
            self._own = header_lines(_pairs(headers or {}))
        except ValueError as error:
            raise ConnectError(f"{self.who}: its headers cannot be sent: {error}.") from None
        self._session = ""
        self._path = ""
        self._start_lines = b""
        self._agreed = False
        self._told: Told | None = None
        self._stream: ServerStream | None = None
        self._wire: Wire | None = None

    async def _start(self) -> None:
        self._wire = Wire(self.url, self._tls)
        self._path = self._wire.path

    async def _greet(self) -> None:
        for _ in range(4):
            self._start_lines = self._lines("POST")
            try:
                await super()._greet()
                return
            except Moved as moved:
                self._move(moved.location)
        raise ConnectError(f"{self.who} redirects from one URL to the next. Configure the URL of its MCP endpoint.")

    def _move(self, location: str) -> None:
        here = urlsplit(self.url)
        to = urlsplit(urljoin(self.url, location))
        if (to.scheme, to.netloc) != (here.scheme, here.netloc):
            raise ConnectError(
                f"{self.who} redirects to another place, {mask_url(location)}. Configure that URL if it is the server."
            )
        self.url = to.geturl()
        self._path = (to.path or "/") + (f"?{to.query}" if to.query else "")

    def _lines(self, verb: str) -> bytes:
        """What every request of this verb begins with."""
        accept = "text/event-stream" if verb == "GET" else "application/json, text/event-stream"
        lines = f"{verb} {self._path} HTTP/1.1\r\nHost: {self._http.netloc}\r\nAccept: {accept}\r\n"
        lines += "Content-Type: application/json\r\n" if verb == "POST" else ""
        if self._agreed:  # a modern request names its version itself
            lines += f"MCP-Protocol-Version: {self.era}\r\n"
            lines += f"Mcp-Session-Id: {self._session}\r\n" if self._session else ""
        return lines.encode("latin-1") + b"Accept-Encoding: identity\r\n" + self._own

    def _introduced(self, result: Json, info: Any) -> None:
        super()._introduced(result, info)
        self._agreed = not self._modern
        self._start_lines = self._lines("POST")

    async def _greeted(self) -> None:
        if self._told is None:
            return
        # On connections of their own, requests could overtake it.
        with suppress(TimeoutError):
            async with asyncio.timeout(STREAM_PATIENCE):
                await self._told.settled.wait()
        self._stream = ServerStream(self)
        self._stream.ask()

    @property
    def _http(self) -> Wire:
        assert self._wire is not None
        return self._wire

    # sending -----------------------------------------------------------------------------------

    def _post(self, message: Json, reply: Reply, more: bytes = b"") -> None:
        body = encode(message)
        if self._modern:
            method: str = message["method"]
            key = NAME_BEARING_METHODS.get(method)
            name = message["params"].get(key) if key and "params" in message else None
            more = _routing(self.era, method, name if isinstance(name, str) else None) + more
        head = self._start_lines + more + b"Content-Length: %d\r\n\r\n" % len(body)
        self._http.send(head + body, reply)

    def _send(self, exchange: Exchange, message: Json) -> None:
        caller = exchange.caller
        more = b""
        if caller is not None and caller.headers:
            more = _sendable(caller.headers)
        exchange.wire = reply = Post(self, exchange)
        reply.once = exchange.method == "tools/call" and not (caller is not None and caller.repeatable)
        self._post(message, reply, more)

    def _say(self, message: Json) -> None:
        if self._state not in ("open", "opening") or (self._modern and "method" not in message):
            return
        told = Told(self)
        if self._told is None:  # the first is notifications/initialized
            self._told = told
        self._post(message, told)

    def _give_up(self, exchange: Exchange, why: str) -> None:
        if not self._modern and exchange.method != "initialize":  # there a closed stream cancels nothing
            params: Json = {"requestId": exchange.id, "reason": why}
            self._say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        cast(Reply, exchange.wire).abort()

    def session_given(self, session: bytes) -> None:
        """The session id that came with the answer to `initialize`, or nothing."""
        self._session = session.decode("latin-1")

    def heard(self, exchange: Exchange | None, message: Json) -> None:
        """A notification, or a request of the server, that came on a stream."""
        if message.get("id") is None:
            self._notified(exchange, message)
        else:
            # On the server's own stream nothing tells whose call it belongs to.
            self._asked(exchange if exchange is not None else self._only(), message)

    def session_lost(self, status: int, message: Any) -> LabError | None:
        """Whether this answer says that the session is over: then the peer is lost."""
        if self._modern or not self._session or status not in (400, 404):
            return None
        error = cast(Json, message).get("error") if isinstance(message, dict) else None
        code = cast(Json, error).get("code") if isinstance(error, dict) else None
        said = str(cast(Json, error).get("message", "")) if isinstance(error, dict) else ""
        if code == -32601 or (status == 400 and "session" not in said.lower()):
            return None
        lost = ConnectionClosedError(
            f"{self.who} has ended the session: {said or f'HTTP {status}'}. It was restarted, or took too long a rest."
        )
        self._lose(lost)
        return lost

    def broken(self, error: Broken, doing: str) -> LabError:
        """What `failed` was told, for messages."""
        where = mask_url(self.url)
        if self._state == "closed":
            return self.gone()
        if error.malformed:
            return ResultError(f"{self.who} sent no proper answer to {doing}: {error}.")
        if not error.reached:
            return ConnectionClosedError(f"{self.who} cannot be reached at {where}: {error}.")
        return ConnectionClosedError(f"{self.who} at {where} ended the connection during {doing}: {error}.")

    @property
    def wanted(self) -> bool:
        """Whether what comes is still of interest."""
        return self._state in ("open", "opening")

    # the server's own stream -------------------------------------------------------------------

    def get(self, reply: Reply, last_id: bytes = b"") -> None:
        """Ask for a stream of the server: its own, or the rest of one after the event `last_id`."""
        more = b"Last-Event-ID: " + last_id + b"\r\n" if last_id else b""
        self._http.send(self._lines("GET") + more + b"\r\n", reply)

    def missed(self) -> None:
        """The server's own stream was away for a while."""
        lists = {f"{kind}ListChanged": True for kind in ("tools", "prompts", "resources") if kind in self.capabilities}
        self._missed({**lists, "resourceSubscriptions": sorted(self._uris)})

    async def _subscribe(self, uris: frozenset[str]) -> None:
        if self._stream is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(STREAM_PATIENCE):
                    await self._stream.settled.wait()
        await super()._subscribe(uris)

    # closing -----------------------------------------------------------------------------------

    async def _stop(self) -> None:
        if self._stream is not None:
            self._stream.close()
        if self._wire is None:
            return
        if self._session and self.error is None:
            reply = Farewell(self)
            self._wire.send(self._lines("DELETE") + b"\r\n", reply)
            with suppress(LabError, TimeoutError):
                async with asyncio.timeout(GOODBYE):
                    await reply.answer
            reply.abort()
        await self._wire.close()


def _sendable(headers: Mapping[str, str]) -> bytes:
    try:
        return header_lines(_pairs(headers))
    except ValueError as error:  # of Unicode, too
        raise RpcError(-32602, f"a header cannot be sent: {error}") from None


def _pairs(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers of others as bytes, without those that are not theirs to set; MCP's are encoded where they have to be."""
    pairs: list[tuple[bytes, bytes]] = []
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for one")
        if name.lower().startswith("mcp-"):
            value = encode_header_value(value)
        pair = name.encode("ascii"), value.encode("latin-1")
        if pair[0].lower() not in FRAMING | ROUTING:
            pairs.append(pair)
    return pairs


@lru_cache(4096)
def _routing(version: str, method: str, name: str | None) -> bytes:
    pairs = [(b"MCP-Protocol-Version", version.encode()), (b"Mcp-Method", encode_header_value(method).encode())]
    if name is not None:
        pairs.append((b"Mcp-Name", encode_header_value(name).encode()))
    return header_lines(pairs)
