"""The door of a server that answers signed requests only (`requests`), as ASGI middleware.

    app = SignatureDoor(server.streamable_http_app(), Verifier([key]))

Put it outermost: what it has not let in, nobody has read. The key that signed is at `scope["labkit.key"]`, by name.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from labkit.defences.requests import Request, SignatureError, Verifier

LIMIT = 4 * 1024 * 1024
"""Bytes of a body that are read before it is known who sent it: as the SDK has it."""
KEY = "labkit.key"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class SignatureDoor:
    """Lets in what is signed; 401 for what is not, 413 for what is too long. WebSockets are not let in."""

    def __init__(self, app: App, verifier: Verifier, *, limit: int = LIMIT) -> None:
        self._app, self._verifier, self._limit = app, verifier, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the server calls for each connection."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        body = await self._body(receive)
        if body is None:
            return await _answer(send, 413, f"The body is longer than {self._limit} bytes.")
        try:
            key = self._verifier.verify(request_of(scope, body))
        except SignatureError as error:
            return await _answer(send, 401, str(error))
        await self._app({**scope, KEY: key.name}, _again(body, receive), send)

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body; None when it is too long."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b"".join(parts)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._limit:
                return None
            if not message.get("more_body"):
                return b"".join(parts)


def request_of(scope: Scope, body: bytes) -> Request:
    """What of an ASGI request is signed."""
    raw: Any = scope.get("raw_path") or cast("str", scope["path"]).encode()
    path = cast(bytes, raw).decode("latin-1")
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    return Request(scope["method"], path, scope["query_string"].decode("latin-1"), headers, body)


def _again(body: bytes, receive: Receive) -> Receive:
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return left.pop() if left else await receive()

    return next_message


async def _answer(send: Send, status: int, message: str) -> None:
    body = json.dumps({"error": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Labkit-Signature"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
