from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from pydantic import BaseModel

TRIPS = {"Oslo", "Lisbon", "Kyoto"}

server = MCPServer("travel", log_level="ERROR")


class Confirmation(BaseModel):
    sure: bool


@server.tool()
async def cancel_trip(trip: str, ctx: Context) -> str:
    """Cancel a trip, if the user agrees."""
    TRIPS.remove(trip)
    answer = await ctx.elicit(f"Cancel the trip to {trip}?", Confirmation)
    if answer.action != "accept":
        TRIPS.add(trip)
        return f"kept {trip}"
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
