"""A server of notes that believes who it is told the user is."""

from __future__ import annotations

import json
from collections import defaultdict

from mcp.server import MCPServer


def crm() -> MCPServer:
    """Notes of users, which believes the argument `user_id`, as many servers do."""
    server = MCPServer("crm", log_level="ERROR")
    kept: dict[str, list[str]] = defaultdict(list)

    @server.tool()
    async def add_note(user_id: str, text: str) -> str:
        """Write a note."""
        kept[user_id].append(text)
        return "kept"

    @server.tool()
    async def list_notes(user_id: str) -> str:
        """List notes."""
        return json.dumps(kept[user_id])

    @server.tool()
    async def today() -> str:
        """Tell the day."""
        return "Monday"

    return server
