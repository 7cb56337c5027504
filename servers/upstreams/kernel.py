"""Serve an ASGI application in this kernel, on a free port of 127.0.0.1, when it has to know its own address first."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any, Self

import uvicorn


class InKernel:
    """`make(url)` gives the application for the address it will have. A context manager, or `start` and `stop`."""

    def __init__(self, make: Callable[[str], Any], port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        try:
            app = make(self.url)
        except BaseException:
            self._listener.close()
            raise
        config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), daemon=True)

    def start(self) -> Self:
        """Serve. Connections that come before it is up wait in the socket's queue."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End it. Stopping twice is fine."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(10)
        self._listener.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()
