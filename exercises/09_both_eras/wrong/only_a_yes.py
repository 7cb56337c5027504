"""fails: no, no_answer
why: With the plain model as its type the tool runs after a yes only; a decline fails the call, with the SDK's words.
"""

from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver import Elicit, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

TRIPS = {"Oslo", "Lisbon", "Kyoto"}

server = MCPServer("travel", log_level="ERROR")


class Confirmation(BaseModel):
    sure: bool


def confirm(trip: str) -> Elicit[Confirmation]:
    if trip not in TRIPS:
        raise ToolError(f"there is no trip {trip!r}")
    return Elicit(f"Cancel the trip to {trip}?", Confirmation)


@server.tool()
async def cancel_trip(trip: str, answer: Annotated[Confirmation, Resolve(confirm)]) -> str:
    """Cancel a trip, if the user agrees."""
    if not answer.sure:
        return f"kept {trip}"
    TRIPS.discard(trip)
    return f"cancelled {trip}"


@server.tool()
def add_trip(trip: str) -> str:
    """Add a trip."""
    TRIPS.add(trip)
    return f"added {trip}"


@server.tool()
def trips() -> list[str]:
    """All trips."""
    return sorted(TRIPS)


if __name__ == "__main__":
    server.run()
