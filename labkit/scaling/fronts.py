"""What every load balancer of the lab can do, and the embedded one as such: a thread with an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from labkit.scaling.choosing import Balance, Choice, Upstream
from labkit.scaling.proxy import Door, Proxy
from labkit.session.serving import claim

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds for the thread to do what takes no time."""


class Front(Protocol):
    """A load balancer. All of it blocks, and may be called from any thread."""

    kind: str
    """nginx or embedded."""
    port: int
    """Where it listens on 127.0.0.1."""

    def begin(self, upstreams: list[Upstream]) -> None:
        """Listen. Raises LabError."""
        ...

    def replace(self, upstreams: list[Upstream]) -> None:
        """From when this returns, new requests go to these; they count as being up."""
        ...

    def drained(self, upstream: Upstream, seconds: float) -> int:
        """Wait until a replaced one has answered all it had. Returns how many requests it had left; -1: not known."""
        ...

    def remove(self, upstream: Upstream) -> int:
        """Forget a replaced one. Returns how many sessions it takes along, as far as they are known."""
        ...

    def count(self) -> None:
        """Bring `calls` and `failed` of the upstreams up to date."""
        ...

    def close(self) -> None:
        """Stop. Twice is fine."""
        ...


class EmbeddedFront:
    """The proxy of proxy.py in a thread of its own: a cell that blocks does not block it, but shares the processor."""

    kind = "embedded"

    def __init__(self, balance: Balance, *, port: int = 0, resend: bool = False) -> None:
        self.port = port
        self._choice = Choice(balance)
        self._proxy = Proxy(self._choice, resend=resend)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None

    def begin(self, upstreams: list[Upstream]) -> None:
        listener = claim("load balancer", self.port)
        self.port = listener.getsockname()[1]
        self._choice.replace(upstreams)
        self._loop = loop = asyncio.new_event_loop()

        def run() -> None:
            loop.run_forever()
            loop.close()

        threading.Thread(target=run, name="labkit-balancer", daemon=True).start()

        async def listen() -> asyncio.Server:
            return await loop.create_server(lambda: Door(self._proxy), sock=listener)

        self._server = self._run(listen())

    def replace(self, upstreams: list[Upstream]) -> None:
        async def replacing() -> None:
            for each in upstreams:
                each.down_until = 0.0
            self._choice.replace(upstreams)

        self._run(replacing())

    def drained(self, upstream: Upstream, seconds: float) -> int:
        return self._run(self._proxy.drained(upstream, seconds), seconds)

    def remove(self, upstream: Upstream) -> int:
        return self._run(self._proxy.remove(upstream))

    def count(self) -> None:
        """The proxy counts as it goes."""

    def close(self) -> None:
        loop, self._loop = self._loop, None
        if loop is None:
            return

        async def closing() -> None:
            if self._server is not None:
                self._server.close()
            await self._proxy.close()

        try:
            asyncio.run_coroutine_threadsafe(closing(), loop).result(PATIENCE)
        finally:
            loop.call_soon_threadsafe(loop.stop)

    def _run(self, work: Coroutine[Any, Any, T], seconds: float = 0.0) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("the balancer does not run")
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(PATIENCE + seconds)
