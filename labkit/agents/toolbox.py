"""The tools of several servers in one list, with names that say whose they are, and a way to call them by these."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from labkit.agents.model import Tool
from labkit.errors import LabError, UnknownNameError, did_you_mean
from labkit.session.connection import Connection, connect
from labkit.session.results import wire_shape


@dataclass(frozen=True)
class ToolResult:
    """What a call gave: the text that a model reads, and whether it is an error."""

    text: str
    is_error: bool = False


class Toolbox(Protocol):
    """What the loop takes tools from. A host that filters, renames or guards tools is one of these."""

    async def tools(self) -> list[Tool]:
        """The tools to offer now. Asked before each reply, since lists change."""
        ...

    async def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        """Make a call by the name that was offered. A LabError becomes a tool error, which the model reads."""
        ...


class Connections:
    """Connections by a name of the user's choice. A tool is offered as `name.tool`.

    The owner of an offered name is looked up, never cut out of it: servers choose the names of their tools.
    """

    def __init__(self, connections: Mapping[str, Connection], separator: str = ".") -> None:
        self.connections, self.separator = dict(connections), separator
        self._owners: dict[str, tuple[str, str]] = {}

    async def definitions(self) -> dict[str, list[dict[str, Any]]]:
        """By connection, the definitions as the server gives them now."""
        found: dict[str, list[dict[str, Any]]] = {}
        for name, connection in self.connections.items():
            await connection.refresh()
            found[name] = [wire_shape(tool) for tool in connection.tools]
        return found

    async def tools(self) -> list[Tool]:
        """All tools of all connections. Raises LabError when two would have one name."""
        offered: list[Tool] = []
        owners: dict[str, tuple[str, str]] = {}
        for owner, definitions in (await self.definitions()).items():
            for definition in definitions:
                name = f"{owner}{self.separator}{definition['name']}"
                if name in owners:
                    raise LabError(f"{name} would be a tool of {owners[name][0]} and of {owner}: name one differently.")
                owners[name] = owner, definition["name"]
                offered.append(Tool.of(definition, name))
        self._owners = owners
        return offered

    async def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        """Call a tool of the last list. Raises UnknownNameError for another name, and what Connection.call does."""
        if name not in self._owners:
            raise UnknownNameError(f"There is no tool {name!r}. {did_you_mean(name, self._owners)}")
        return await self.call_at(*self._owners[name], arguments)

    async def call_at(self, owner: str, tool: str, arguments: dict[str, Any]) -> ToolResult:
        """Call a tool of a connection by the name that its server has for it."""
        # Arguments are the model's, and what is wrong with them the server's to say: it reads that, and tries again.
        return result_of((await self.connections[owner].call(tool, arguments, check=False, progress=False)).raw)


@asynccontextmanager
async def opened(targets: Mapping[str, Any], **options: Any) -> AsyncGenerator[dict[str, Connection]]:
    """Connections to several servers, by name; all are closed at the end, whatever ends it, a failing connect included.

    `targets` and `options` are what `lab.connect` takes.
    """
    async with AsyncExitStack() as stack:
        connections: dict[str, Connection] = {}
        for name, target in targets.items():
            connection = await connect(target, name=name, **options)
            connections[name] = await stack.enter_async_context(connection)
        yield connections


def result_of(raw: Mapping[str, Any]) -> ToolResult:
    """A `tools/call` result as a model reads it: its texts, and one word for whatever is none."""
    blocks: Iterable[Mapping[str, Any]] = raw.get("content") or ()
    texts = [_text(block) for block in blocks]
    if not texts and raw.get("structuredContent") is not None:
        texts = [str(raw["structuredContent"])]
    return ToolResult("\n".join(texts), bool(raw.get("isError")))


def _text(block: Mapping[str, Any]) -> str:
    inner: Any = block.get("resource")
    if block.get("type") == "text":
        return str(block.get("text", ""))
    if isinstance(inner, Mapping) and "text" in inner:
        return str(inner["text"])  # pyright: ignore[reportUnknownArgumentType]
    return f"<{block.get('type', 'unknown')}>"
