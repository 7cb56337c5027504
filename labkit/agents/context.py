"""Who the user is, put into calls by code. A model fills in arguments with any name that it has read somewhere.

    tools = Injected({"crm": crm}, user_id=user.id)      # user: whoever has signed in, as the host knows it
    told = await run(model, task, tools)

Where a server takes the user from the connection (a token, who started it) this is not needed: connect as the user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labkit.agents.model import Json, Tool
from labkit.agents.toolbox import Connections, Toolbox, ToolResult
from labkit.session.connection import Connection


class Injected:
    """A toolbox whose tools have some arguments filled in: the model does not see them, and cannot give them.

    These are arguments of the first level, by name. A tool that has none of them is left as it is, and gets none.
    """

    def __init__(self, tools: Toolbox | Mapping[str, Connection], /, **values: Any) -> None:
        self._box = Connections(tools) if isinstance(tools, Mapping) else tools
        self._values = values
        self._takes: dict[str, set[str]] = {}

    async def tools(self) -> list[Tool]:
        """What the toolbox offers, without these arguments."""
        offered = await self._box.tools()
        self._takes = {tool.name: set(self._values) & set(tool.schema.get("properties") or ()) for tool in offered}
        return [replace(tool, schema=_without(tool.schema, self._takes[tool.name])) for tool in offered]

    async def call(self, name: str, arguments: Json) -> ToolResult:
        """Make the call with the values; what the model gave under these names is dropped, also where no tool asks."""
        given = {key: value for key, value in arguments.items() if key not in self._values}
        ours = {key: self._values[key] for key in self._takes.get(name, ())}
        return await self._box.call(name, {**given, **ours})


def _without(schema: Json, names: set[str]) -> Json:
    if not names:
        return schema
    left = {key: value for key, value in schema["properties"].items() if key not in names}
    required = [key for key in schema.get("required") or () if key not in names]
    return {**schema, "properties": left, "required": required}
