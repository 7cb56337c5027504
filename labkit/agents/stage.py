"""Props for rehearsing attacks by words: servers that say what they are given and write down what they are asked.

    eve = Prop("eve", [tool("add", "Add two numbers. ...", a="integer", b="integer")], lambda name, given: "5")
    told = await run(ObedientModel(), "Add 2 and 3.", {"eve": await lab.connect(eve.server)})
    eve.calls                                   # [("add", {"a": 2, "b": 3, "note": "canary-..."})]

`Hosted` is a host whose own functions choose what the model is given and where a call goes: the part under attack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mcp_types as types
from mcp.server import Server

from labkit.agents.model import Tool
from labkit.agents.toolbox import Connections, ToolResult
from labkit.errors import UnknownNameError
from labkit.session.connection import Connection

Json = dict[str, Any]
Definitions = dict[str, list[Json]]


def tool(name: str, description: str, /, *, optional: Sequence[str] = (), **properties: str | Json) -> Json:
    """A tool's definition. A property is a JSON type, or a whole schema; all are required but the `optional` ones."""
    schemas = {key: {"type": value} if isinstance(value, str) else value for key, value in properties.items()}
    schema = {"type": "object", "properties": schemas, "required": [key for key in schemas if key not in optional]}
    return {"name": name, "description": description, "inputSchema": schema}


class Prop:
    """A server with these definitions, word by word; `answer(tool, arguments)` is the text of each result.

    `definitions` may be changed while it runs: the next list shows it.
    """

    def __init__(self, name: str, definitions: Sequence[Json], answer: Callable[[str, Json], str]) -> None:
        self.definitions = list(definitions)
        self.calls: list[tuple[str, Json]] = []
        """What was called, with what, in order."""
        self.answer = answer
        self.server: Server[Any] = Server(name, on_list_tools=self._list, on_call_tool=self._call)

    async def _list(self, _: Any, __: Any) -> types.ListToolsResult:
        tools = [types.Tool.model_validate(definition) for definition in self.definitions]
        return types.ListToolsResult(tools=tools, ttl_ms=0, cache_scope="private")

    async def _call(self, _: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        given = dict(params.arguments or {})
        self.calls.append((params.name, given))
        text = self.answer(params.name, given)
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


class Hosted:
    """A toolbox made of a host's functions.

    `offer({server: [definition, ...]})` gives the definitions for the model, under the names it is to use;
    `route({server: [...]}, name)` gives the server and its tool for such a name, or None.
    """

    def __init__(
        self,
        connections: Mapping[str, Connection],
        offer: Callable[[Definitions], Sequence[Json]],
        route: Callable[[Definitions, str], Sequence[str] | None],
    ) -> None:
        self._servers, self._offer, self._route = Connections(connections), offer, route
        self._listed: Definitions = {}

    async def tools(self) -> list[Tool]:
        """What the host offers now."""
        self._listed = await self._servers.definitions()
        return [Tool.of(definition) for definition in self._offer(self._listed)]

    async def call(self, name: str, arguments: Json) -> ToolResult:
        """Call what the host finds under the name. Raises UnknownNameError where it finds nothing."""
        found = self._route(self._listed, name)
        if found is None:
            raise UnknownNameError(f"The host has no tool {name!r}.")
        server, there = found
        return await self._servers.call_at(server, there, arguments)
