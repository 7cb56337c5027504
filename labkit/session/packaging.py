"""The same tools packed into one server or into several: start them together, call by the name of the tool.

    async with await start_packaging("microservices") as company:
        await company.call("list_employees", department="sales")      # goes to the server that has the tool

`servers/packagings.toml` says which servers a packaging consists of.
"""

from __future__ import annotations

import asyncio
import html
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from labkit.catalog import SERVERS
from labkit.errors import CatalogError, ConnectError, ConnectionClosedError, LabError, UnknownNameError, did_you_mean
from labkit.session.connection import Connection, connect
from labkit.session.link import OPEN
from labkit.session.results import Result


@dataclass(frozen=True)
class PackagingEntry:
    """A packaging: the names of its servers in the catalog, and one line that says what it is good for."""

    name: str
    servers: tuple[str, ...]
    why: str


def load_packagings(path: Path | None = None) -> dict[str, PackagingEntry]:
    """The packagings by name. Raises CatalogError when the file cannot be used, naming the entry at fault."""
    path = path or SERVERS / "packagings.toml"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise CatalogError(f"Cannot read the packagings {path}: {error}. Restore it from the repository.") from error
    return {name: _entry(path, name, table) for name, table in tables.items()}


def _entry(path: Path, name: str, table: Any) -> PackagingEntry:
    entry = cast("dict[str, Any]", table) if isinstance(table, dict) else {}
    servers, why = entry.get("servers"), entry.get("why")
    if not isinstance(servers, list) or not servers or not isinstance(why, str):
        raise CatalogError(f"{path}: [{name}] needs a list 'servers' with at least one name, and a string 'why'.")
    return PackagingEntry(name, tuple(str(server) for server in cast("list[Any]", servers)), why)


class Packaging:
    """The servers of a packaging, running, with a connection to each. Made by `start_packaging`.

    `connections` by name of the server; `owners` says which of them has a tool.
    """

    def __init__(self, entry: PackagingEntry, connections: Mapping[str, Connection]) -> None:
        self.name, self.why = entry.name, entry.why
        self.connections = dict(connections)
        self.owners: dict[str, str] = {}
        for server, connection in self.connections.items():
            for tool in connection.tools.names:
                if tool in self.owners:
                    raise ConnectError(
                        f"The packaging {self.name!r} has two tools {tool!r}: of {self.owners[tool]} and of {server}."
                        " Rename one, or leave one of the servers out of packagings.toml."
                    )
                self.owners[tool] = server

    @property
    def processes(self) -> dict[str, int]:
        """The process ids of the servers that have a process of their own and are running, by name of the server."""
        running = {name: c.pid for name, c in self.connections.items() if not c.closed and c.transport != "memory"}
        return {name: pid for name, pid in running.items() if pid is not None}

    @property
    def alive(self) -> list[str]:
        """The servers that are not known to have ended. The end of an HTTP server shows when it is called."""
        return [name for name, connection in self.connections.items() if not connection.closed]

    async def call(self, tool: str, arguments: dict[str, Any] | None = None, /, **keywords: Any) -> Result:
        """Call a tool on the server that has it; the same arguments, options and errors as `Connection.call`.

        When that server has ended, the error names it, and a note says which servers go on.
        """
        if tool not in self.owners:
            raise UnknownNameError(
                f"The packaging {self.name!r} has no tool {tool!r}. {did_you_mean(tool, self.owners)}"
            )
        owner = self.owners[tool]
        try:
            return await self.connections[owner].call(tool, arguments, **keywords)
        except ConnectionClosedError as error:
            if not getattr(error, "__notes__", ()):  # a dead connection raises the same error each time
                error.add_note(self._loss(owner))
            raise

    def _loss(self, server: str) -> str:
        tools = ", ".join(tool for tool, owner in self.owners.items() if owner == server)
        others = " and ".join(name for name in self.alive if name != server)
        rest = f"Not concerned: {others}." if others else "There is no other server."
        return f"Lost with {server}: {tools}. {rest}"

    def kill(self, server: str) -> None:
        """SIGKILL the process of one server (TerminateProcess on Windows), to see what that takes along.

        Raises UnknownNameError, and LabError when it runs in this kernel.
        """
        connection = self.connections.get(server)
        if connection is None:
            known = did_you_mean(server, self.connections)
            raise UnknownNameError(f"The packaging {self.name!r} has no server {server!r}. {known}")
        link = OPEN.get(connection.id)
        if link is None:
            raise LabError(f"The server {server!r} has ended already.")
        link.kill()

    async def close(self) -> None:
        """Close the connections and end the servers. More than once is fine."""
        await asyncio.gather(*(connection.close() for connection in self.connections.values()))

    async def __aenter__(self) -> Packaging:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        lines = [f"<packaging {self.name}: {len(self.connections)} servers, {len(self.owners)} tools>"]
        return "\n".join([*lines, *("  ".join(row) for row in self._rows())])

    def _repr_html_(self) -> str:
        head = f"<b>{html.escape(self.name)}</b>: {html.escape(self.why)}"
        rows = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in self._rows())
        return f"<div>{head}<table><tr><th>server</th><th>state</th><th>tools</th></tr>{rows}</table></div>"

    def _rows(self) -> list[tuple[str, str, str]]:
        def state(name: str) -> str:
            if name not in self.alive:
                return "ended"
            return f"pid {self.processes[name]}" if name in self.processes else "in this kernel"

        return [
            (name, state(name), ", ".join(tool for tool, owner in self.owners.items() if owner == name))
            for name in self.connections
        ]


async def start_packaging(
    name: str,
    via: str = "stdio",
    *,
    era: str = "auto",
    env: Mapping[str, str] | None = None,
    patience: float | None = 60.0,
) -> Packaging:
    """Start the servers of a packaging, at the same time, and connect to each.

    `name` is one of `servers/packagings.toml`; `via` "stdio" or "http" (a process each), or "memory" (this kernel).
    `era`, `env` and `patience` as for `connect`. When one does not start, the others are ended again.
    Errors: CatalogError, ConnectError, EraError.
    """
    known = load_packagings()
    if name not in known:
        raise CatalogError(f"There is no packaging {name!r}. {did_you_mean(name, known, has='There are')}")
    entry = known[name]
    starting = [
        asyncio.ensure_future(connect(server, via=via, era=era, env=env, patience=patience)) for server in entry.servers
    ]
    try:
        return Packaging(entry, dict(zip(entry.servers, await asyncio.gather(*starting), strict=True)))
    except BaseException:
        for each in starting:
            each.cancel()
        for each in starting:
            with suppress(BaseException):
                await (await each).close()
        raise
