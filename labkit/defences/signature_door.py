"""The door of a server that answers signed requests only (`requests`), as ASGI middleware.

    app = SignatureDoor(server.streamable_http_app(), Verifier([key]))

Put it outermost: what it has not let in, nobody has read. The key that signed is at `scope["labkit.key"]`, by name.
"""

from __future__ import annotations

from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send

from labkit.defences.asgi import MOST_BYTES, again, answer_json, whole_body
from labkit.defences.requests import HEADER, Request, SignatureError, Verifier

KEY = "labkit.key"


class SignatureDoor:
    """Lets in what is signed; 401 for what is not, 413 for what is too long. WebSockets are not let in."""

    def __init__(self, app: ASGIApp, verifier: Verifier, *, limit: int = MOST_BYTES) -> None:
        self._app, self._verifier, self._limit = app, verifier, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the server calls for each connection."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        body = await whole_body(receive, self._limit)
        if body is None:
            return await answer_json(send, 413, {"error": f"The body is longer than {self._limit} bytes."})
        try:
            key = self._verifier.verify(request_of(scope, body))
        except SignatureError as error:
            return await answer_json(send, 401, {"error": str(error)}, {"WWW-Authenticate": HEADER})
        await self._app({**scope, KEY: key.name}, again(body, receive), send)


def request_of(scope: Scope, body: bytes) -> Request:
    """What of an ASGI request is signed."""
    raw: Any = scope.get("raw_path") or cast("str", scope["path"]).encode()
    path = cast(bytes, raw).decode("latin-1")
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    return Request(scope["method"], path, scope["query_string"].decode("latin-1"), headers, body)
