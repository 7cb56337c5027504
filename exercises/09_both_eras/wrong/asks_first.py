"""fails: unknown
why: The trip is looked up where it is cancelled: after the user was asked about something that does not exist.
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
    return Elicit(f"Cancel the trip to {trip}?", Confirmation)


@server.tool()
async def cancel_trip(trip: str, answer: Annotated[ElicitationResult[Confirmation], Resolve(confirm)]) -> str:
    """Cancel a trip, if the user agrees."""
    if trip not in TRIPS:
        raise ToolError(f"there is no trip {trip!r}")
    if isinstance(answer, CancelledElicitation):
        raise ToolError(f"the user has not decided about {trip}: ask again later")
    if answer.action == "decline" or not answer.data.sure:
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
