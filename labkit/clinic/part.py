"""One server of a miniature: the tools of some families, with the times, the state and the rules of a decision.

What a tool computes, it does by keeping its process from everything else for that long, asleep: as a computing tool
does, but without a core of this machine, of which a miniature has fewer than the brief has machines. `CLINIC_PART` is
the plan (see `running`), `LAB_REPLICA` the number of the replica.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any, Protocol

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import UNSUPPORTED_PROTOCOL_VERSION

from labkit.defences.signing import HEADER, Verifier
from labkit.errors import PrincipalError

KEY = "x-api-key"
MODERN = "2026-07-28"


class Shelf(Protocol):
    """Where texts are kept."""

    def put(self, key: str, text: str) -> None:
        """Keep a text."""
        ...

    def get(self, key: str) -> str | None:
        """The text, if it is there."""
        ...


class Memory:
    """In the process."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def put(self, key: str, text: str) -> None:
        self._texts[key] = text

    def get(self, key: str) -> str | None:
        return self._texts.get(key)


class File:
    """In an SQLite file: of one replica, or of all, for which it then stands in for the store that they share."""

    def __init__(self, path: str) -> None:
        self._path = path
        with closing(self._open()) as db:
            db.execute("CREATE TABLE IF NOT EXISTS texts (key TEXT PRIMARY KEY, text TEXT)")

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=5.0, isolation_level=None)

    def put(self, key: str, text: str) -> None:
        with closing(self._open()) as db:
            db.execute("INSERT OR REPLACE INTO texts VALUES (?, ?)", (key, text))

    def get(self, key: str) -> str | None:
        with closing(self._open()) as db:
            row = db.execute("SELECT text FROM texts WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None


def make_server(number: int, plan: dict[str, Any]) -> MCPServer[Any]:
    """The server of one replica."""
    server: MCPServer[Any] = MCPServer(plan.get("name", "part"), log_level="CRITICAL")
    if plan.get("stateless"):
        server.streamable_http_app = partial(server.streamable_http_app, stateless_http=True)
    if plan.get("eras", "both") != "both":
        server.middleware.append(partial(one_era, plan["eras"]))
    store: str = plan.get("store", "memory")
    shelf = Memory() if store == "memory" else File(store.replace("{replica}", str(number)))
    families: dict[str, dict[str, Any]] = plan.get("families", {})
    below = Below(families)
    who = _identify(plan)
    for name, family in families.items():
        _add(server, name, family, below, shelf, who)
    return server


def _add(
    server: MCPServer[Any],
    name: str,
    family: dict[str, Any],
    below: Below,
    shelf: Shelf,
    who: Callable[[Context[Any, Any]], str],
) -> None:
    async def use() -> str:
        """What the family does."""
        await below.do(name)
        return "." * int(family["bytes"])

    server.tool(name=name)(use)
    if not family["keeps"]:
        return

    async def keep(key: str, text: str, ctx: Context[Any, Any]) -> str:
        """Keep a text."""
        shelf.put(f"{who(ctx)}/{name}/{key}", text)
        return "kept"

    async def find(key: str, ctx: Context[Any, Any]) -> str:
        """The text that was kept, or nothing."""
        return shelf.get(f"{who(ctx)}/{name}/{key}") or ""

    server.tool(name=f"{name}_keep")(keep)
    server.tool(name=f"{name}_find")(find)


class Below:
    """Does what calls of the families do, those that they call in turn included."""

    def __init__(self, families: dict[str, dict[str, Any]]) -> None:
        self._families = families
        self._targets: dict[str, Any] = {}

    async def do(self, name: str) -> None:
        """One call. Raises ToolError when what it stands on does not answer."""
        family = self._families[name]
        if used := family.get("uses"):
            if used in self._families:
                await self.do(used)
            elif error := await self._call(used, family["url"]):
                raise ToolError(f"{used} gives no answer: {error}")
        if family["wait"]:
            await anyio.sleep(family["wait"])
        time.sleep(family["hold"])  # noqa: ASYNC251 - nobody else of this process is to run meanwhile

    async def _call(self, tool: str, url: str) -> str:
        from labkit.scaling.callers import HttpCaller, Target

        if tool not in self._targets:
            self._targets[tool] = target = Target(url, tool, {}, {})
            target.era = MODERN
        caller = HttpCaller(self._targets[tool], 2.0)
        await caller.open()
        return await caller.call(2.0)


async def one_era(era: str, ctx: Any, call_next: Any) -> Any:
    """Middleware of a server that speaks one era only."""
    handshake = ctx.protocol_version != MODERN
    if (era == "modern" and (handshake or ctx.method == "initialize")) or (era == "handshake" and not handshake):
        raise MCPError(UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version", {"served": era})
    return await call_next(ctx)


def _identify(plan: dict[str, Any]) -> Callable[[Context[Any, Any]], str]:
    """Whose texts a call is about: by a key, by the signature of a gateway, or everybody's."""
    keys: dict[str, str] = plan.get("keys", {})
    if not plan.get("identity"):
        return lambda ctx: ""
    verifier = Verifier(plan["secret"], plan["name"]) if plan.get("secret") else None

    def who(ctx: Context[Any, Any]) -> str:
        headers = {name.lower(): value for name, value in (ctx.headers or {}).items()}
        if verifier is None:
            tenant = keys.get(headers.get(KEY, ""), "")
        else:
            try:
                tenant = verifier.verify(headers.get(HEADER.lower())).subject
            except PrincipalError as error:
                raise ToolError(str(error)) from None
        if not tenant:
            raise ToolError("No key that is known: who are you?")
        return tenant

    return who


server = make_server(int(os.environ.get("LAB_REPLICA", "0")), json.loads(os.environ.get("CLINIC_PART", "{}")))

if __name__ == "__main__":
    server.run()
