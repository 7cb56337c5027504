"""The entry point of a container. It runs in the foreground, logs to stderr, and ends in an orderly way on SIGTERM.

    python -m labkit.deploy.run server FILE        an MCPServer object named `server`
    python -m labkit.deploy.run gateway FILE       a gateway's configuration

The first line on stdout is {"url": ...}, when requests are accepted. What it is told is in `settings`. On SIGTERM:

1. for DRAIN_SECONDS /ready says no, and calls are answered as before: those who send them have to notice first;
2. it stops listening, and calls in flight have GRACE_SECONDS to end;
3. it ends, with code 0. A second signal skips the waiting.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from labkit._lean import hide_grammar
from labkit.deploy.app import MCP, Drain, gateway_app, server_app
from labkit.deploy.rules import DeployError
from labkit.deploy.settings import Settings, take_secrets
from labkit.errors import LabError

USAGE = 2
KEEP_ALIVE = 75
"""Seconds that an idle connection stays. Longer than a proxy keeps its own (nginx: 60): the proxy has to be the one
that closes, or it sends a call into a connection that is being closed and answers 502."""


def main(argv: list[str]) -> int:
    """Run until a signal. The exit code: 0, 1 when it could not start, 2 for wrong arguments."""
    hide_grammar()
    if len(argv) != 2 or argv[0] not in ("server", "gateway"):
        print("usage: python -m labkit.deploy.run server|gateway FILE", file=sys.stderr)
        return USAGE
    try:
        take_secrets(os.environ)
        settings = Settings.read(os.environ)
        app = make(argv[0], Path(argv[1]), settings)
        listener = bind(settings)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return serve(app, listener, settings)


def make(kind: str, file: Path, settings: Settings) -> Drain:
    """The application that `file` defines. Raises CatalogError, GatewayConfigError."""
    if kind == "gateway":
        return gateway_app(file, settings)
    from labkit.session.loading import load_server

    server: Any = load_server(file.resolve())[0]
    return server_app(server, settings)


def bind(settings: Settings) -> socket.socket:
    """The listening socket. Raises DeployError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named for Nagle's algorithm: see labkit.session.launch.listen.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        where = f"{settings.host}:{settings.port}"
        raise DeployError(f"Cannot listen on {where}: {error.strerror}. Set HOST and PORT to what is free.") from error
    return listener


def serve(app: Drain, listener: socket.socket, settings: Settings) -> int:
    """Serve until a signal, then drain and stop. 0, or 1 when the application did not start."""
    import uvicorn

    class Server(uvicorn.Server):
        """uvicorn, with a time between the signal and the end."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # The base class raises what it caught once more at its end: as a process's status that is "killed".
            if app.draining or sig != signal.SIGTERM or settings.drain == 0:
                self.should_exit = True
                return
            app.begin()
            loop.call_soon_threadsafe(loop.call_later, settings.drain, self.stop)

        def stop(self) -> None:
            self.should_exit = True

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                host, port = listener.getsockname()[:2]
                print(json.dumps({"url": f"http://{f'[{host}]' if ':' in host else host}:{port}{MCP}"}), flush=True)

    config = uvicorn.Config(
        app,
        http=_http(),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # who calls is for credentials to say, not for a header that anybody may write
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=round(settings.grace),
    )
    runner = Server(config)

    async def run() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        await runner.serve(sockets=[listener])

    loop: asyncio.AbstractEventLoop = None  # pyright: ignore[reportAssignmentType]
    asyncio.run(run())
    return 0 if runner.started else 1


def _http() -> Any:
    """The reader of HTTP: the gateway's own joins the writes of an answer into one."""
    if "labkit.gateway" not in sys.modules:
        return "httptools"
    from labkit.gateway.joined_writes import JoinedWrites

    return JoinedWrites


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
