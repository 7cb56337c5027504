"""What runs in a server process that the lab starts.

    python -m labkit.session.launch stdio FILE
    python -m labkit.session.launch http|sse FILE [OBJECT] [PORT]

stdio runs the file as `__main__`. http and sse serve its object with uvicorn on 127.0.0.1, write one JSON
line with the URL to stdout when ready, and stop when stdin closes: the server cannot outlive its owner.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from labkit._lean import hide_grammar

GRACE = 2
NO_SERVER = 78
"""Exit code when the file has no server to serve; the sentence is on stderr. (EX_CONFIG of sysexits.h.)"""
PATHS = {"http": "/mcp", "sse": "/sse"}


def main(argv: list[str]) -> None:
    """Entry point; `argv` without the program name."""
    hide_grammar()
    via, file, *rest = argv
    path = Path(file).resolve()
    if via == "stdio":
        sys.argv = [str(path), *rest]
        sys.path.insert(0, str(path.parent))
        runpy.run_path(str(path), run_name="__main__")
        return
    serve(via, path, rest[0] if rest else "server", int(rest[1]) if len(rest) > 1 else 0)


def listen(port: int = 0) -> socket.socket:
    """A listening socket on 127.0.0.1.

    The protocol is named because asyncio turns Nagle's algorithm off only for sockets that say they are
    TCP; without it every small answer waits 40 ms for the client's delayed acknowledgement.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def web_app(server: Any, via: str) -> Any:
    """The ASGI application of an MCPServer or a low-level Server. Raises ValueError where there is none."""
    if via == "http":
        return server.streamable_http_app()
    if not hasattr(server, "sse_app"):
        raise ValueError("the low-level Server has no ready-made SSE app; use via='http'")
    return server.sse_app()


def serve(via: str, path: Path, attribute: str, port: int) -> None:
    """Serve until stdin closes or a signal arrives."""
    import uvicorn

    from labkit.errors import CatalogError
    from labkit.session.loading import load_server

    sys.path.insert(0, str(path.parent))  # as for a script: the modules beside it can be imported
    try:
        server, _ = load_server(path, attribute)
    except CatalogError as error:
        if error.__cause__ is not None:
            traceback.print_exception(error.__cause__)  # of the file's own code: its author wants to see the line
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(NO_SERVER) from None
    listener = listen(port)
    config = uvicorn.Config(
        web_app(server, via), http="h11", log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE
    )
    runner = uvicorn.Server(config)
    ready = {"url": f"http://127.0.0.1:{listener.getsockname()[1]}{PATHS[via]}"}

    async def announce() -> None:
        await startup(sockets=[listener])
        if runner.started:
            print(json.dumps(ready), flush=True)

    async def started(sockets: list[socket.socket] | None = None) -> None:
        await announce()

    startup = runner.startup
    runner.startup = started  # uvicorn has no hook for "now it accepts requests"

    def watch_owner() -> None:
        while os.read(0, 4096):
            pass
        runner.should_exit = True
        timer = threading.Timer(GRACE + 3, os._exit, (0,))
        timer.daemon = True
        timer.start()

    threading.Thread(target=watch_owner, name="labkit-owner", daemon=True).start()
    runner.run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1:])
