"""The server behind an open connection, to be certified as an instance of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labkit.session import connection, sync
from labkit.session.serving import ThreadServer
from labkit.session.targets import Plan

OBJECT = "This certifies the object of the kernel itself, behind HTTP: its state is shared with the open connection."
ANOTHER = "This certifies another instance of the server, not the one behind the open connection."
SAME = "This certifies the running server itself, over connections of its own."


def another(conn: connection.Connection | sync.Connection) -> tuple[Any, dict[str, Any], str]:
    """The target, the options of `certify`, and a sentence that says what is certified."""
    inner = conn._inner if isinstance(conn, sync.Connection) else conn  # pyright: ignore[reportPrivateUsage]
    link = inner._link  # pyright: ignore[reportPrivateUsage]
    plan: Plan = link.plan
    named: Any = link.made_with.get("target")
    known = isinstance(named, str | Path) and not link.made_with.get("server")
    if plan.params:
        return [plan.params.command, *plan.params.args], {"env": plan.params.env, "cwd": plan.params.cwd}, ANOTHER
    if plan.url:
        return plan.url, {"headers": plan.headers, "tls": plan.tls}, SAME
    if plan.running:
        if known:
            return named, {"via": "http", "env": link.made_with.get("env"), "cwd": link.made_with.get("cwd")}, ANOTHER
        return plan.running.url, {}, OBJECT if isinstance(plan.running, ThreadServer) else SAME
    return (named, {}, ANOTHER) if known else (plan.server, {}, OBJECT)
