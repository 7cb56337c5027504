"""fails: taken
why: Names are compared with those of other plugins. The server's own tools are names as well.
"""

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

INSTALLED = {}

server = MCPServer("workshop", log_level="ERROR")


def saying(text):
    def say() -> str:
        return text

    return say


async def announce(ctx):
    await ctx.notify_tools_changed()
    await ctx.session.send_tool_list_changed()


@server.tool()
async def install(plugin: str, tools: dict[str, str], ctx: Context) -> str:
    """Install a plugin: the names of its tools, and the text that each one answers."""
    if plugin in INSTALLED:
        return f"{plugin} is there already"
    taken = {name for names in INSTALLED.values() for name in names}
    for name in tools:
        if name in taken:
            raise ToolError(f"there is a tool {name!r} already: nothing was installed")
    for name, text in tools.items():
        server.add_tool(saying(text), name=name)
    INSTALLED[plugin] = list(tools)
    if tools:
        await announce(ctx)
    return f"installed {plugin}"


@server.tool()
async def remove(plugin: str, ctx: Context) -> str:
    """Remove a plugin and its tools."""
    if plugin not in INSTALLED:
        raise ToolError(f"there is no plugin {plugin!r}")
    names = INSTALLED.pop(plugin)
    for name in names:
        server.remove_tool(name)
    if names:
        await announce(ctx)
    return f"removed {plugin}"


if __name__ == "__main__":
    server.run()
