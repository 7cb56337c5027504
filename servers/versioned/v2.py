"""Rooms, version 2. Version 1 stands beside it in v1.py, for those who still use it.

Run it by itself (it speaks MCP on stdin and stdout): python servers/versioned/v2.py

What is different, and who it would break if it were done in version 1:

| in version 2 | whom it would break |
|---|---|
| `size` is called `seats`, in what is asked and in what is answered | everybody |
| `limit` is 10 when it is left out, not 50 | who leaves it out and counts on all |
| there is a tool get_room | nobody |
| an answer also has the floor | nobody, unless they refuse what they do not know |

Worth noticing: both servers call themselves `rooms`, and differ in `version`. Which one a client gets is decided
outside, by a gateway or by the host's configuration.
"""

import sys
from pathlib import Path
from typing import Annotated

import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.versioned import rooms

READ = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

server = MCPServer(
    "rooms",
    title="Meeting rooms",
    version="2.0.0",
    instructions="Meeting rooms. This is version 2: what was `size` in version 1 is called `seats`.",
    log_level="WARNING",
)


class Room(BaseModel):
    """A meeting room."""

    number: str
    name: str
    seats: int
    floor: int


class Rooms(BaseModel):
    """Rooms, the smallest first."""

    total: int = Field(description="How many fit; the list may hold fewer.")
    rooms: list[Room]


class RoomDetails(Room):
    """A meeting room, and what is in it."""

    screen: bool


@server.tool(title="Find rooms", annotations=READ)
def find_rooms(
    seats: Annotated[int, Field(description="How many people there are.", ge=1, le=1000)],
    limit: Annotated[int, Field(description="Most rooms to return.", ge=1, le=50)] = 10,
) -> Rooms:
    """Find meeting rooms that are large enough."""
    found = rooms.with_seats(seats)
    shown = [Room(number=room.number, name=room.name, seats=room.seats, floor=room.floor) for room in found[:limit]]
    return Rooms(total=len(found), rooms=shown)


@server.tool(title="Room", annotations=READ)
def get_room(number: Annotated[str, Field(description="Such as 1.02.", max_length=20)]) -> RoomDetails:
    """Show one meeting room."""
    room = rooms.by_number(number)
    if room is None:
        raise ToolError(f"there is no room {number!r}: find_rooms shows what there is")
    return RoomDetails(number=room.number, name=room.name, seats=room.seats, floor=room.floor, screen=room.screen)


if __name__ == "__main__":
    server.run()
