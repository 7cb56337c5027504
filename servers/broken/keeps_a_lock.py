"""Defect: a refused booking keeps the lock, and every booking after it waits for ever. Other tools still answer."""

import asyncio

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("keeps_a_lock", log_level="WARNING")
LOCK = asyncio.Lock()
TAKEN: list[str] = []


@server.tool()
async def book(seat: str) -> str:
    """Book a seat."""
    await LOCK.acquire()
    if seat in TAKEN:
        raise ToolError(f"{seat} is taken")
    TAKEN.append(seat)
    LOCK.release()
    return f"{seat} is yours"


@server.tool()
async def taken() -> list[str]:
    """The seats that are taken."""
    return TAKEN


if __name__ == "__main__":
    server.run()
