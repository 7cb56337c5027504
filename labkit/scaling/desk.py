"""A server to be replicated: it knows its number, remembers in a store, asks back over two rounds, works and waits.

    pool = await lab.replicas(labkit.scaling.desk.__file__, n=3)      # processes
    pool = await lab.replicas(make_server, n=3)                       # threads of this kernel: cheap, and unkillable

DESK_KEY: the key of its requestState; without it, one of its process. REDIS_URL: the store; without it, its memory.
DESK_STATELESS: no sessions in the handshake era.
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Annotated, Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Elicit, Resolve
from mcp.server.request_state import RequestStateSecurity
from pydantic import BaseModel

from labkit.services.store import open_store


class Sure(BaseModel):
    """What the user is asked."""

    ok: bool


async def ask(text: str) -> Elicit[Sure]:
    """The question before a text is sent."""
    return Elicit(f"Send {text}?", Sure)


def make_server(
    number: int, *, key: str = "", stateless: bool = False, store_url: str | None = "memory://"
) -> MCPServer[Any]:
    """The server of one replica. `key` is that of its requestState, `stateless` is about the handshake era only."""
    security = RequestStateSecurity(keys=[key]) if key else None
    server: MCPServer[Any] = MCPServer("desk", log_level="CRITICAL", request_state_security=security)
    if stateless:
        server.streamable_http_app = partial(server.streamable_http_app, stateless_http=True)
    store = open_store(store_url)

    @server.tool()
    async def which() -> int:
        """The number of the replica."""
        return number

    @server.tool()
    async def remember(name: str, text: str) -> str:
        """Keep a text."""
        await store.set(name, text)
        return "kept"

    @server.tool()
    async def recall(name: str) -> str:
        """The text that was kept, or nothing."""
        return await store.get(name) or "nothing"

    @server.tool()
    async def send(text: str, sure: Annotated[Sure, Resolve(ask)]) -> str:
        """Send a text, after a question."""
        return f"sent {text}" if sure.ok else "not sent"

    @server.tool()
    async def work(ms: float) -> str:
        """Compute for so many milliseconds of processor time; nothing else of this replica runs meanwhile."""
        end = time.thread_time() + min(ms, 1000) / 1000
        while time.thread_time() < end:
            pass
        return "done"

    @server.tool()
    async def nap(seconds: float) -> str:
        """Take so long."""
        await anyio.sleep(seconds)
        return "rested"

    return server


server = make_server(
    int(os.environ.get("LAB_REPLICA", "0")),
    key=os.environ.get("DESK_KEY", ""),
    stateless=bool(os.environ.get("DESK_STATELESS")),
    store_url=os.environ.get("REDIS_URL"),
)
