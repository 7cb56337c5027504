"""Run a gateway: over HTTP until it is told to stop, or on stdin and stdout for one host."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

from labkit.errors import ConnectError
from labkit.gateway.joined_writes import JoinedWrites
from labkit.gateway.relay import PATH
from labkit.session.serving import claim

if TYPE_CHECKING:
    from labkit.gateway.front import Gateway

GRACE = 5
"""Seconds that calls in flight have when the gateway is told to stop."""


def settings(gateway: Gateway, *, relay: bool = True) -> uvicorn.Config:
    """How uvicorn serves a gateway."""
    return uvicorn.Config(
        gateway.app(relay=relay),
        http=JoinedWrites,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # who calls is for credentials to say, and nothing stands in front of loopback
        timeout_graceful_shutdown=GRACE,
    )


class Listening:
    """A gateway that listens on 127.0.0.1, served from the event loop that it was started on."""

    def __init__(self, gateway: Gateway, listener: socket.socket, *, relay: bool = True) -> None:
        self._listener, self._runner = listener, uvicorn.Server(settings(gateway, relay=relay))
        self.url = url_of(listener)
        # Not `serve`: signals are for whoever owns the loop, a kernel or a test.
        work = self._runner._serve(sockets=[listener])  # pyright: ignore[reportPrivateUsage]
        self._task = asyncio.get_running_loop().create_task(work, name="gateway-http")

    async def begun(self) -> None:
        """Return when requests are accepted. Raises ConnectError."""
        while not self._runner.started:
            if self._task.done():
                self._listener.close()
                raise ConnectError(f"The gateway did not start: {self._task.exception() or 'see its log'}.")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Let calls in flight end, for a few seconds, and stop."""
        self._runner.should_exit = True
        with contextlib.suppress(Exception):
            await asyncio.shield(self._task)
        self._listener.close()


def listen(gateway: Gateway, port: int = 0, *, relay: bool = True) -> Listening:
    """Begin to serve. Raises ConnectError when the port cannot be had."""
    return Listening(gateway, claim(gateway.config.name, port), relay=relay)


def url_of(listener: socket.socket) -> str:
    """The URL of the MCP endpoint."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"


def run_http(gateway: Gateway, *, port: int = 0, ready: Callable[[str], None] | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM; calls in flight may end first. Raises ConnectError when the port is taken."""
    listener = claim(gateway.config.name, port)
    try:
        if ready is not None:
            ready(url_of(listener))
        uvicorn.Server(settings(gateway)).run(sockets=[listener])
    finally:
        listener.close()


def run_stdio(gateway: Gateway) -> None:
    """Serve one host on stdin and stdout, until stdin closes."""
    from mcp.server.stdio import stdio_server

    async def main() -> None:
        async with stdio_server() as (reader, writer):
            await gateway.server.run(reader, writer, gateway.server.create_initialization_options())

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
