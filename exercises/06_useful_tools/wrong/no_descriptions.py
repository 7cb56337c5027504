"""fails: schema
why: The types are all there; what the numbers mean is left to the reader's guess.
"""

from typing import Annotated, Literal

import anyio
import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

FREE = {"stalls": 40, "circle": 12}
PRICE = {"stalls": 24, "circle": 18}

server = MCPServer("box office", log_level="ERROR")
printed_so_far = 0

Row = Annotated[Literal["stalls", "circle"], Field(description="Where to sit.")]
Count = Annotated[int, Field(ge=1, le=8)]


class Offer(BaseModel):
    row: str
    free: int
    price: int


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def find_seats(row: Row, count: Count) -> Offer:
    """Tell how many seats of a row are free, and what `count` of them cost together. Books nothing."""
    return Offer(row=row, free=FREE[row], price=count * PRICE[row])


@server.tool(annotations=types.ToolAnnotations(destructive_hint=False))
def book(row: Row, count: Count) -> int:
    """Book seats. Answers with how many are left in the row. Look with find_seats first."""
    if count > FREE[row]:
        raise ToolError(f"only {FREE[row]} seats are free in the {row}: book fewer, or another row")
    FREE[row] -= count
    return FREE[row]


@server.tool()
async def print_tickets(count: int, ctx: Context) -> str:
    """Print tickets, one after the other."""
    global printed_so_far
    for number in range(1, count + 1):
        await anyio.sleep(0.01)  # the printer
        printed_so_far += 1
        await ctx.report_progress(number, count, f"ticket {number}")
    return f"{count} tickets"


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def printed() -> int:
    """How many tickets came out of the printer so far."""
    return printed_so_far


if __name__ == "__main__":
    server.run()
