"""What every door in front of an ASGI application does: read a body, hand it on, answer in the application's place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.types import Message, Receive, Send

MOST_BYTES = 4 << 20
"""Of a request's body: as much as the SDK takes."""


async def whole_body(receive: Receive, most: int = MOST_BYTES) -> bytes | None:
    """The body of a request; None when it is longer than that many bytes."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, once more, and then what comes after it."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return left.pop() if left else await receive()

    return next_message


async def answer_json(
    send: Send, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> None:
    """Answer with an object that nobody keeps."""
    data = json.dumps(body).encode()
    own = {"content-type": "application/json", "content-length": str(len(data)), "cache-control": "no-store"}
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in {**own, **(headers or {})}.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": data})
