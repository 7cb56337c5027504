from mcp.server import MCPServer
from mcp.server.mcpserver import Context

INSTALLED = {}

server = MCPServer("workshop", log_level="ERROR")


@server.tool()
async def install(plugin: str, tools: dict[str, str], ctx: Context) -> str:
    """Install a plugin: the names of its tools, and the text that each one answers."""
    for name, text in tools.items():
        server.add_tool(lambda: text, name=name)
        await ctx.notify_tools_changed()
    INSTALLED[plugin] = tools
    return f"installed {plugin}"


@server.tool()
async def remove(plugin: str, ctx: Context) -> str:
    """Remove a plugin and its tools."""
    for name in INSTALLED.get(plugin, []):
        server.remove_tool(name)
    await ctx.notify_tools_changed()
    return f"removed {plugin}"


if __name__ == "__main__":
    server.run()
