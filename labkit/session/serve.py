"""Run a server on its own, without a connection to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.errors import ConnectError
from labkit.session.past import remember
from labkit.session.serving import RunningServer
from labkit.session.targets import make_plan


async def serve(
    target: Any,
    *,
    via: str = "http",
    port: int = 0,
    server: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> RunningServer:
    """Serve a catalog server, a server's .py file, or a server object over HTTP ("http") or legacy SSE ("sse").

    Listens on 127.0.0.1, on a free port unless `port` is given; returns when it accepts connections.
    The result has `url`, `pid`, `stderr` and `stop()`. Errors: CatalogError, ConnectError.
    """
    if via not in ("http", "sse"):
        raise ConnectError(
            f"serve() is for 'http' and 'sse', not {via!r}: a stdio server is started by whoever connects."
        )
    plan = make_plan(target, via=via, server=server, env=env, cwd=cwd, port=port)
    if plan.running is None:
        raise ConnectError(f"{plan.shown} is already running, or is not the lab's to start.")
    running = await plan.running.start()
    remember(running)
    return running
