"""A server behind the gateways: the SDK's low-level one, with JSON answers, an echo and 49 tools more.

gateway_backend.py NUMBER serves HTTP, gateway_backend.py NUMBER stdio speaks on stdin and stdout.
"""

import asyncio
import sys
from typing import Any

import mcp_types as types
from mcp.server import Server
from mcp.server.stdio import stdio_server

NUMBER = sys.argv[1]


def tool(name: str, description: str) -> types.Tool:
    """A tool that takes a text."""
    schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    return types.Tool(name=name, description=description, input_schema=schema)


TOOLS = [
    tool("echo", "Give the text back."),
    *(tool(f"s{NUMBER}_tool_{n:03}", "Search a catalogue.") for n in range(49)),
]
SCHEMAS = {each.name: each.input_schema for each in TOOLS}


async def list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
    """tools/list"""
    return types.ListToolsResult(tools=TOOLS)


async def call_tool(ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    """tools/call"""
    text = str((params.arguments or {}).get("text"))
    return types.CallToolResult(content=[types.TextContent(text=text)])


server = Server("echo", on_list_tools=list_tools, on_call_tool=call_tool, get_tool_input_schema=SCHEMAS.get)


async def on_stdio() -> None:
    """Speak on stdin and stdout."""
    async with stdio_server() as (reader, writer):
        await server.run(reader, writer, server.create_initialization_options())


if sys.argv[2:] == ["stdio"]:
    asyncio.run(on_stdio())
else:
    import serving

    asyncio.run(serving.serve(server.streamable_http_app(json_response=True)))
