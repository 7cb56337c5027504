"""How a server of the range is started as a program: over stdio, or over HTTP for this machine alone."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from labkit.defences.loopback import is_loopback_host

Make = Callable[[Mapping[str, str]], Any]
REFUSED = 2
"""Exit code when the server would not start."""


def run(make: Make | None = None, *, app: Make | None = None, argv: list[str] | None = None) -> None:
    """Serve what `make(env)` returns (an MCPServer) or `app(env)` (an ASGI application).

    Arguments: nothing or `stdio`, or `http [--host HOST] [--port N]`. The URL goes to stderr. A host that is not this
    machine's own is refused with exit code 2: a server of the range is broken on purpose. The settings are those of the
    environment; `RANGE_ROOT` is a temporary folder, and `RANGE_CANARY` some text, where it has none.
    """
    options = _options(argv, over_stdio=app is None)
    if options.transport == "http" and (refusal := unfit(options.host)):
        print(refusal, file=sys.stderr)
        raise SystemExit(REFUSED)
    with tempfile.TemporaryDirectory(prefix="labkit-range-", ignore_cleanup_errors=True) as folder:
        server = (app or _needed(make))({"RANGE_ROOT": folder, "RANGE_CANARY": "canary-by-hand", **os.environ})
        if options.transport == "stdio":
            server.run()
            return
        _serve(only_loopback(server if app else server.streamable_http_app()), options.host, options.port)


def unfit(host: str) -> str:
    """Why a server of the range does not listen there, in a sentence; "" for loopback."""
    if is_loopback_host(host):
        return ""
    return (
        f"This server is vulnerable on purpose, and does not listen on {host!r}: others could reach it."
        " Use --host 127.0.0.1, or leave --host out."
    )


def only_loopback(app: Any) -> Any:
    """An ASGI application that answers 403 to clients of other machines, whatever it was bound to."""

    async def guarded(
        scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        client = (scope.get("client") or ("127.0.0.1", 0))[0]
        if scope["type"] == "websocket" and unfit(client):
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http" and unfit(client):
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"This server is for its own machine only."})
            return
        await app(scope, receive, send)

    return guarded


def _options(argv: list[str] | None, *, over_stdio: bool) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A server of the security range. Loopback only.")
    transports = ["stdio", "http"] if over_stdio else ["http"]
    parser.add_argument("transport", nargs="?", choices=transports, default=transports[0])
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine alone (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one, which is the default")
    return parser.parse_args(argv)


def _needed(make: Make | None) -> Make:
    if make is None:
        raise TypeError("run() needs make or app: a function of the settings")
    return make


def _serve(app: Any, host: str, port: int) -> None:
    import socket

    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind((host, port))
        number = listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        print(f"http://{shown}:{number}/mcp", file=sys.stderr, flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
