"""fails: no
why: The form was accepted, so the trip is cancelled - although the user has put a no into it.
"""

from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver import CancelledElicitation, Elicit, ElicitationResult, Resolve
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
async def cancel_trip(trip: str, answer: Annotated[ElicitationResult[Confirmation], Resolve(confirm)]) -> str:
    """Cancel a trip, if the user agrees."""
    if isinstance(answer, CancelledElicitation):
        raise ToolError(f"the user has not decided about {trip}: ask again later")
    if answer.action == "decline":
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
