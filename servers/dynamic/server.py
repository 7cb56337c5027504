"""Dynamic: tools that come and go while the server runs, and clients that hear of it.

Run it by itself (it speaks MCP on stdin and stdout): python servers/dynamic/server.py

Worth noticing:
- add_tool and remove_tool of MCPServer change the list; telling clients is a second step, and one message tells of any
  number of changes. It reaches listeners of the modern era and handshake clients alike (../subscriptions.py);
- a new tool has real schemas, made from its definition as if it had been written here (definitions.py);
- what is sent becomes a formula or a text with gaps, never code;
- a name keeps its meaning: to change a tool it has to be removed first, so that a client which has approved it notices;
- the tools belong to this process. They end with it, and all clients of one HTTP server share them.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.dynamic import definitions
from servers.dynamic.definitions import TOOLBOXES, Definition, DefinitionError
from servers.subscriptions import EveryEraBus

MAX_TOOLS = 50

bus = EveryEraBus()
server = MCPServer(
    "dynamic",
    title="Dynamic tools",
    version="1.0.0",
    instructions="Tools can be added and removed here. List the tools again when you are told that they have changed.",
    log_level="WARNING",
    subscriptions=bus,
)
bus.serve_handshake_era(server, lists=["tools"])
defined: dict[str, Definition] = {}


class Change(BaseModel):
    """What has changed."""

    added: list[str]
    removed: list[str]
    defined: list[str] = Field(description="All tools that were added and are there now.")


NEW = types.ToolAnnotations(destructive_hint=False, open_world_hint=False)
GONE = types.ToolAnnotations(destructive_hint=True, open_world_hint=False)
PURE = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
ToolName = Annotated[str, Field(description="Name of the tool: lower-case letters, digits and _.")]
Description = Annotated[str, Field(description="What the tool is for.", min_length=1, max_length=300)]


@server.tool(title="Add a formula", annotations=NEW)
async def add_formula(
    name: ToolName,
    description: Description,
    formula: Annotated[str, Field(description="Such as price * (1 + rate) ** years", max_length=300)],
    parameters: Annotated[dict[str, str], Field(description="Every name in the formula, and what it means.")],
    ctx: Context,
) -> Change:
    """Add a tool that computes a formula from numbers."""
    try:
        made = definitions.formula(name, description, formula, parameters)
    except DefinitionError as error:
        raise ToolError(str(error)) from error
    return await change(ctx, add=[made])


@server.tool(title="Add a text", annotations=NEW)
async def add_text(
    name: ToolName,
    description: Description,
    text: Annotated[str, Field(description="Such as Dear {name}, thank you for {what}!", max_length=2000)],
    ctx: Context,
) -> Change:
    """Add a tool that fills the gaps of a text."""
    try:
        made = definitions.text(name, description, text)
    except DefinitionError as error:
        raise ToolError(str(error)) from error
    return await change(ctx, add=[made])


@server.tool(title="Load a toolbox", annotations=NEW)
async def load_toolbox(
    toolbox: Annotated[str, Field(description=f"One of {', '.join(TOOLBOXES)}.")], ctx: Context
) -> Change:
    """Add several tools at once, with one announcement. Those that are there already stay as they are."""
    if toolbox not in TOOLBOXES:
        raise ToolError(f"there is no toolbox {toolbox!r}: there are {', '.join(TOOLBOXES)}")
    return await change(ctx, add=[made for made in TOOLBOXES[toolbox] if made.name not in defined])


@server.tool(title="Remove tools", annotations=GONE)
async def remove_tools(
    names: Annotated[list[str], Field(description="Tools that were added here.", min_length=1, max_length=MAX_TOOLS)],
    ctx: Context,
) -> Change:
    """Remove tools that were added. All of them, or none if one of the names is wrong."""
    unknown = [name for name in names if name not in defined]
    if unknown:
        there_are = f"there are {', '.join(defined)}" if defined else "none was added yet"
        raise ToolError(f"{', '.join(map(repr, unknown))} cannot be removed, as it was not added here: {there_are}")
    return await change(ctx, remove=list(dict.fromkeys(names)))


@server.resource("dynamic://tools", name="tools", title="Tools that were added", mime_type="application/json")
def tools() -> str:
    """The definitions of all tools that were added."""
    return json.dumps({"tools": [vars(made) for made in defined.values()]}, indent=2, ensure_ascii=False)


async def change(ctx: Context, add: list[Definition] = [], remove: list[str] = []) -> Change:  # noqa: B006 - only read
    """Change the list of tools, then announce it, before the caller gets its answer."""
    fixed = {tool.name for tool in await server.list_tools()}
    for made in add:
        if made.name in fixed:
            raise ToolError(f"there is a tool {made.name!r} already: choose another name, or remove it first")
    if len(defined) + len(add) > MAX_TOOLS:
        raise ToolError(f"there are {len(defined)} tools of {MAX_TOOLS} already: remove some first")
    for made in add:
        server.add_tool(
            definitions.function(made, ToolError), name=made.name, description=made.description, annotations=PURE
        )
        defined[made.name] = made
    for name in remove:
        server.remove_tool(name)
        del defined[name]
    if add or remove:
        await ctx.notify_tools_changed()
        await ctx.notify_resource_updated("dynamic://tools")
    return Change(added=[made.name for made in add], removed=remove, defined=list(defined))


if __name__ == "__main__":
    server.run()
