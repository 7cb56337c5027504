"""A backend that is a server object of this process: the SDK's own loop, fed and heard without a wire."""

from __future__ import annotations

import asyncio
import json
import math
from contextlib import suppress
from contextvars import Context
from types import TracebackType
from typing import Any, cast

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server import MCPServer, Server
from mcp.shared.message import ServerMessageMetadata

from labkit.errors import ConnectionClosedError
from labkit.gateway.exchange import Json, encode
from labkit.gateway.peer import PATIENCE, OnEvent, OnLost
from labkit.gateway.peer_pipe import PipePeer
from labkit.session.sdk import SessionMessage

GRACE = 2.0
"""Seconds that the server has to end by itself when its input ends."""
MORE_GRACE = 5.0
"""Seconds that it has once it was cancelled."""

Item = SessionMessage | Exception


class _Outbox:
    """The server's write stream: what it sends is heard at once, with the request that it belongs to."""

    def __init__(self, peer: MemoryPeer) -> None:
        self._peer = peer

    async def send(self, item: SessionMessage, /) -> None:
        self._peer.hear(item)

    async def aclose(self) -> None: ...

    async def __aenter__(self) -> _Outbox:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None: ...


class MemoryPeer(PipePeer):
    """A server object, with a lifespan and a connection of its own for each peer.

    The SDK says for each message which request it belongs to, so that many calls may ask at once.
    """

    transport = "memory"

    def __init__(
        self,
        name: str,
        server: MCPServer[Any] | Server[Any],
        *,
        era: str = "auto",
        on_event: OnEvent | None = None,
        on_lost: OnLost | None = None,
        client_info: Json | None = None,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(name, era=era, on_event=on_event, on_lost=on_lost, client_info=client_info, patience=patience)
        self.server = server
        self._inbox: MemoryObjectSendStream[Item] | None = None
        self._running: asyncio.Task[None] | None = None

    async def _start(self) -> None:
        inbox, outlet = anyio.create_memory_object_stream[Item](math.inf)
        self._inbox = inbox
        # In a context of its own: whoever opens a backend lends it neither identity nor trace.
        name = f"labkit-gateway-server-{self.name}"
        self._running = self._loop.create_task(self._run(outlet), name=name, context=Context())

    async def _run(self, inbox: MemoryObjectReceiveStream[Item]) -> None:
        server = cast(Any, self.server)
        lowlevel = cast("Server[Any]", getattr(server, "_lowlevel_server", server))
        why = ""
        try:
            await lowlevel.run(inbox, cast(Any, _Outbox(self)), lowlevel.create_initialization_options())
        except Exception as error:
            why = f" {_root(error)}"
        finally:
            inbox.close()
        self._lose(ConnectionClosedError(f"{self.who} of this process has ended.{why}"))

    def _write(self, message: Json) -> None:
        if self._inbox is None:
            return
        copy = json.loads(encode(message))  # neither side may change what the other one holds
        parsed = types.jsonrpc_message_adapter.validate_python(copy, by_name=False)
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):  # it has ended: `_run` says so
            self._inbox.send_nowait(SessionMessage(parsed))

    def hear(self, item: SessionMessage) -> None:
        """One message of the server."""
        message = item.message.model_dump(mode="json", by_alias=True, exclude_unset=True)
        metadata = item.metadata
        related = metadata.related_request_id if isinstance(metadata, ServerMessageMetadata) else None
        self._heard(message, related)

    async def _stop(self) -> None:
        task = self._running
        if self._inbox is None or task is None:
            return
        self._inbox.close()
        done, _ = await asyncio.wait([task], timeout=GRACE)
        if not done:
            task.cancel()
            await asyncio.wait([task], timeout=MORE_GRACE)


def _root(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return f"{type(error).__name__}: {error}"
