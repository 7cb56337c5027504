"""Rooms, version 1: kept for those who use it, and deprecated. Version 2 stands beside it in v2.py.

Run it by itself (it speaks MCP on stdin and stdout): python servers/versioned/v1.py

Worth noticing:
- it is version 2 with a translation at its edges: the rooms are found by rooms.py for both, so that nothing is repaired
  in one and forgotten in the other;
- that it is deprecated, since when, until when, and what to use is said three times: to the model in instructions and
  description, to programs in `_meta`. No client reads a change log;
- its contract does not change any more. A renamed field would break whoever uses it: that is what version 2 is for.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import mcp_types as types
from mcp.server import MCPServer
from pydantic import BaseModel, Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.versioned import rooms

DEPRECATED: dict[str, Any] = {
    "mcp-lab/deprecation": {"since": "2026-10-01", "until": "2027-06-30", "use": "rooms_v2", "instead": "find_rooms"}
}
READ = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

server = MCPServer(
    "rooms",
    title="Meeting rooms (version 1, deprecated)",
    version="1.4.0",
    instructions="Deprecated: this is version 1, which ends on 2027-06-30. Use version 2 (rooms_v2), in which `size` "
    "is called `seats`.",
    log_level="WARNING",
)


class Room(BaseModel):
    """A meeting room."""

    number: str
    name: str
    size: int = Field(description="How many people find a seat.")


class Rooms(BaseModel):
    """Rooms, the smallest first."""

    rooms: list[Room]


@server.tool(title="Find rooms", annotations=READ, meta=DEPRECATED)
def find_rooms(
    size: Annotated[int, Field(description="How many people there are.", ge=1, le=1000)],
    limit: Annotated[int, Field(description="Most rooms to return.", ge=1, le=50)] = 50,
) -> Rooms:
    """Find meeting rooms that are large enough. Deprecated: use find_rooms of version 2, which takes `seats`."""
    found = rooms.with_seats(size)[:limit]
    return Rooms(rooms=[Room(number=room.number, name=room.name, size=room.seats) for room in found])


if __name__ == "__main__":
    server.run()
