import json
from typing import Literal

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

UNTIL = "2027-06-30"
Status = Literal["waiting", "moving", "delivered", "lost"]


class Parcel(BaseModel):
    parcel_code: str
    status: Status
    weight: int = Field(description="Grams.")


class Parcels(BaseModel):
    parcels: list[Parcel]


def make(env):
    """A server for these parcels, as JSON: lists of code, customer, status, grams."""
    rows = json.loads(env["PARCELS"])
    server = MCPServer("parcels", version="2.0.0", log_level="WARNING")

    def shown(row):
        return Parcel(parcel_code=row[0], status=row[2], weight=row[3])

    @server.tool()
    def get_parcel(parcel_code: str) -> Parcel:
        """What is known of a parcel."""
        for row in rows:
            if row[0] == parcel_code:
                return shown(row)
        raise ToolError(f"there is no parcel {parcel_code}")

    @server.tool()
    def list_parcels(customer_id: str, status: Status, limit: int = 10) -> Parcels:
        """The parcels of a customer."""
        found = [shown(row) for row in rows if row[1] == customer_id and row[2] == status]
        return Parcels(parcels=found[:limit])

    return server
