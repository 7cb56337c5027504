"""Serve an ASGI application on loopback: say the URL, stop when stdin closes. Used by the sides, in any Python."""

import asyncio
import json
import logging
import os
import socket
import threading
from typing import Any

import uvicorn


async def serve(app: Any) -> None:
    """Serve `app` at /mcp."""
    logging.disable(logging.INFO)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    config = uvicorn.Config(app, http="httptools", log_level="error", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)

    def watch() -> None:
        while os.read(0, 4096):
            pass
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"}), flush=True)
    await asyncio.shield(server.serve(sockets=[listener]))
