"""The fleet: every server that this kernel started or is connected to, what it is doing, and the means to end it.

While a browser shows it, it is brought up to date about once a second; it asks again every few seconds, and when it
stops asking the work stops. Only processes that the lab started can be killed.
"""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict
from typing import Any, overload

from labkit.catalog import load_catalog
from labkit.errors import LabError, UnknownNameError
from labkit.session.census import Row, census, measured
from labkit.session.connection import Connection, connect, connect_again
from labkit.session.link import OPEN, Link
from labkit.session.packaging import Packaging, start_packaging
from labkit.session.past import ENDED, SERVED
from labkit.session.serve import serve
from labkit.session.serving import RunningServer
from labkit.ui.panel import Panel

LEASE = 12.0
"""Seconds for which one request of a browser keeps the view up to date."""
PERIOD = 1.0
PATIENCE = 5.0
"""Seconds to wait until an end is seen by those concerned."""


class Fleet(Panel):
    """The servers as a table. `fleet[7]` is the connection that this view opened as number 7."""

    parts = ("fleet",)
    sheets = ("fleet",)

    def __init__(self) -> None:
        super().__init__("Servers")
        self._held: dict[int, Connection] = {}
        self._until = 0.0
        self._watching: asyncio.Task[None] | None = None
        self._last: list[dict[str, Any]] = []

    def __getitem__(self, number: int) -> Connection:
        """A connection that was opened here. Raises UnknownNameError for others."""
        if number not in self._held:
            have = ", ".join(map(str, self._held)) or "none yet"
            raise UnknownNameError(f"This view opened no connection {number}. It holds: {have}.")
        return self._held[number]

    # what the browser asks ---------------------------------------------------------------------

    async def answer_watch(self) -> dict[str, Any]:
        """The state, which is told again when it changes, for the next seconds."""
        self._until = time.monotonic() + LEASE
        if self._watching is None or self._watching.done():
            self._watching = asyncio.ensure_future(self._watch())
        return {"rows": await self._rows(), "catalog": list(load_catalog())}

    async def answer_start(self, name: str, via: str) -> str:
        """Serve a server of the catalog (http, sse), or connect to it (stdio)."""
        if via == "stdio":
            text = self._hold(await connect(name, via="stdio"), "is open")
        else:
            running = await serve(name, via=via)
            text = f"{name} is served at {running.url}, pid {running.pid}."
        return await self._done(text)

    async def answer_stop(self, key: str) -> str:
        """Close a connection, with what was started for it; or stop a server."""
        found = _find(key)
        if isinstance(found, RunningServer):
            await found.stop()
            return await self._done(f"{found.name} is stopped.")
        await found.home(found.close())
        self._held.pop(found.number, None)
        return await self._done(f"Connection {found.number} to {found.plan.name} is closed.")

    async def answer_restart(self, key: str) -> str:
        """Start a server again at its URL; or open a new connection like this one, which is closed."""
        past = next((each for each in ENDED if key == f"connection-{each.number}"), None)
        if past is not None and past.recipe is not None:
            made = await connect_again(past.recipe)
            return await self._done(self._hold(made, f"is new; connection {past.number} stays over"))
        found = _find(key)
        if isinstance(found, RunningServer):
            await asyncio.to_thread(found.restart)
            text = f"{found.name} runs again at {found.url}, pid {found.pid}. Sessions of the handshake eras are lost."
            return await self._done(text)
        await found.home(found.close())
        self._held.pop(found.number, None)
        made = await connect_again(found.recipe)
        return await self._done(self._hold(made, f"is new; connection {found.number} is closed, and stays so"))

    async def answer_kill(self, key: str) -> str:
        """SIGKILL, and what came of it. Raises LabError where there is no process that the lab started."""
        found = _find(key)
        name, pid = (found.name, found.pid) if isinstance(found, RunningServer) else (found.plan.name, found.pid)
        found.kill()
        if isinstance(found, RunningServer):
            await _until(lambda: found.state != "running")
            return await self._done(f"{name} (pid {pid}) is killed. Who calls its URL now finds nobody.")
        if (running := found.plan.running) is not None:
            await _until(lambda: running.state != "running")
            await found.home(found.notice())
        await _until(lambda: found.closed)
        self._held.pop(found.number, None)
        over = "ended with it; its row says how" if found.died else "has not noticed yet"
        return await self._done(f"{name} (pid {pid}) is killed. Connection {found.number} {over}.")

    def _hold(self, made: Connection, what: str) -> str:
        self._held[made.id] = made
        return f"Connection {made.id} to {made.name} {what}. It is lab.fleet()[{made.id}]."

    async def _done(self, text: str) -> str:
        self.tell("rows", rows=await self._rows())
        self.redraw()
        return text

    # keeping up --------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while time.monotonic() < self._until:
            await asyncio.sleep(PERIOD)
            rows = await self._rows()
            if rows != self._last:
                self._last = rows
                self.tell("rows", rows=rows)
                self.redraw()

    async def _rows(self) -> list[dict[str, Any]]:
        for link in list(OPEN.values()):
            if link.plan.running is not None and link.loop.is_running():
                await link.home(link.notice())
        return [_data(row) for row in await asyncio.to_thread(measured, census())]

    def close(self) -> None:
        """Stop watching, and let go of the browser's half and of the connections."""
        self._until = 0.0
        if self._watching is not None:
            self._watching.cancel()
        self._held.clear()
        super().close()

    # the still ---------------------------------------------------------------------------------

    def still(self) -> str:
        columns = ("name", "state", "transport", "pid", "url", "calls", "errors", "note")
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in columns)
        rows = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{html.escape(_cell(row, name))}</td>" for name in columns)
            + "</tr>"
            for row in census()
        )
        return f"<table><tr>{head}</tr>{rows}</table>" if rows else "<p>No server was started yet.</p>"

    def text(self) -> str:
        lines = [
            f"{row.key:14} {row.name:16} {row.state:8} {row.transport:6} pid {row.pid or '-'}  calls {row.calls}"
            f"  errors {row.errors}  {row.url}".rstrip()
            for row in census()
        ]
        return "\n".join(lines) or "No server was started yet."

    __repr__ = text


_fleet: Fleet | None = None


@overload
def fleet() -> Fleet: ...
@overload
def fleet(
    packaging: str, *, via: str = "stdio", era: str = "auto", env: Mapping[str, str] | None = None
) -> Coroutine[Any, Any, Packaging]: ...
def fleet(
    packaging: str | None = None, *, via: str = "stdio", era: str = "auto", env: Mapping[str, str] | None = None
) -> Fleet | Coroutine[Any, Any, Packaging]:
    """Every server that this kernel started or is connected to; in a notebook a live view with start, stop and kill.

    The same view each time: `lab.fleet()[7]` is connection 7, if it was opened there.

    `await lab.fleet("microservices")` starts the servers of a packaging together, each over `via`, and gives them as
    one: `.call(tool, ...)` goes to whichever has the tool, `.close()` ends them. `servers/packagings.toml` has the
    names. Raises CatalogError, ConnectError.
    """
    if packaging is not None:
        return start_packaging(packaging, via, era=era, env=env)
    global _fleet
    if _fleet is None or _fleet.stranded:
        _fleet = Fleet()
    return _fleet


def _find(key: str) -> RunningServer | Link:
    for running in SERVED:
        if key == f"server-{running.number}":
            return running
    for link in OPEN.values():
        if key == f"connection-{link.number}":
            return link
    raise LabError(f"{key.replace('-', ' ').capitalize()} is gone already.")


async def _until(true: Callable[[], bool]) -> None:
    """Wait until it is true, or for a few seconds."""
    deadline = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)


def _data(row: Row) -> dict[str, Any]:
    # In whole megabytes, or every row would change every second.
    memory = None if row.memory is None else round(row.memory / 1e6)
    return {**asdict(row), "memory": memory, "acts": list(row.acts)}


def _cell(row: Row, name: str) -> str:
    value = getattr(row, name)
    return "" if value is None else str(value)[:300]
