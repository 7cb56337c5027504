"""HTTP requests to the ASGI application of an answer, in the answer's own process and without a port.

Loaded by path from subject.py, so it imports nothing of labkit.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import unquote


class Application:
    """An ASGI application, started when first asked; it runs as long as its process."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._started: asyncio.Event | None = None
        self._lifespan: asyncio.Task[None] | None = None

    async def ask(self, method: str, path: str, headers: list[list[str]], body: str) -> dict[str, Any]:
        """The answer to one request: status, headers as pairs in lower case, and the whole body as text."""
        await self._start()
        where, _, query = path.partition("?")
        answer: dict[str, Any] = {"status": 0, "headers": [], "body": ""}
        parts: list[bytes] = []
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        inbox.put_nowait({"type": "http.request", "body": body.encode(), "more_body": False})
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(where),
            "raw_path": where.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer["status"] = message["status"]
                answer["headers"] = [[n.decode("latin-1"), v.decode("latin-1")] for n, v in message.get("headers", [])]
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))

        await self._app(scope, inbox.get, send)
        return {**answer, "body": b"".join(parts).decode("utf-8", "replace")}

    async def _start(self) -> None:
        if self._started is None:
            self._started = asyncio.Event()
            self._lifespan = asyncio.ensure_future(self._live(self._started))
        await self._started.wait()

    async def _live(self, started: asyncio.Event) -> None:
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        inbox.put_nowait({"type": "lifespan.startup"})

        async def send(message: dict[str, Any]) -> None:
            started.set()

        # An application without a lifespan raises here; it needs no start.
        with contextlib.suppress(Exception):
            await self._app({"type": "lifespan", "asgi": {"version": "3.0"}}, inbox.get, send)
        started.set()
