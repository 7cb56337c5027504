"""uvicorn's HTTP protocol, with the head and the body of an answer sent as one: a write to a socket costs a gateway
more than anything else that it does for a call, and uvicorn makes two."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class JoinedWrites(HttpToolsProtocol):
    """What `uvicorn.Config(http=...)` takes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Write through `Joining` from now on."""
        joining = Joining(cast(asyncio.Transport, transport), self.loop)
        super().connection_made(cast(asyncio.Transport, joining))


class Joining:
    """A transport that holds the first write of a turn of the loop, and sends it with the second one, or when the turn
    is over. In all else it is the transport that it is given."""

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it now behind what is held, or soon."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        elif data:
            self._held = data
            self._loop.call_soon(self._release)

    def close(self) -> None:
        """Send what is held, and close."""
        self._release()
        self._transport.close()

    def _release(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)
