"""fails: listed
why: Left out, the filter means waiting: half of what the caller knew is gone.
"""

import json
from typing import Literal

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

UNTIL = "2027-06-30"
State = Literal["waiting", "moving", "delivered"]
Status = Literal["waiting", "moving", "delivered", "lost"]


class Tracked(BaseModel):
    code: str
    state: State
    weight: float = Field(description="Kilograms.")


class Parcel(Tracked):
    status: Status
    grams: int


class Parcels(BaseModel):
    parcels: list[Parcel]


def make(env):
    """A server for these parcels, as JSON: lists of code, customer, status, grams."""
    rows = json.loads(env["PARCELS"])
    server = MCPServer("parcels", version="1.5.0", log_level="WARNING")

    def shown(row):
        code, _, status, grams = row
        state = "moving" if status == "lost" else status
        return Parcel(code=code, state=state, weight=grams / 1000, status=status, grams=grams)

    @server.tool()
    def get_parcel(code: str) -> Parcel:
        """What is known of a parcel."""
        for row in rows:
            if row[0] == code:
                return shown(row)
        raise ToolError(f"there is no parcel {code}")

    @server.tool()
    def list_parcels(customer: str, limit: int = 50, status: Status = "waiting") -> Parcels:
        """The parcels of a customer."""
        found = [shown(row) for row in rows if row[1] == customer and status in (None, row[2])]
        return Parcels(parcels=found[:limit])

    @server.tool(meta={"lab/deprecation": {"use": "get_parcel", "until": UNTIL}})
    def track(code: str) -> Tracked:
        """Deprecated, ends on 2027-06-30: use get_parcel. Where a parcel is."""
        parcel = get_parcel(code)
        return Tracked(code=parcel.code, state=parcel.state, weight=parcel.weight)

    return server
