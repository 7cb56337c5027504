"""fails: item
why: An empty text seems a polite answer for nothing. The client cannot tell it from a text that is empty.
"""

from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

STOCK = {"bolt": 40, "nut": 12}

server = MCPServer("stockroom", version="1.0.0", instructions="Look at stock://all before you take anything.")
Count = Annotated[int, Field(ge=1)]


@server.tool()
def put(item: str, count: Count) -> int:
    """Put items on the shelf. Answers with how many there are now."""
    STOCK[item] = STOCK.get(item, 0) + count
    return STOCK[item]


@server.tool()
def take(item: str, count: Count) -> int:
    """Take items from the shelf. Answers with how many are left."""
    there = STOCK.get(item, 0)
    if count > there:
        raise ToolError(f"only {there} of {item} in stock")
    STOCK[item] = there - count
    return STOCK[item]


@server.resource("stock://all", mime_type="application/json")
def everything() -> dict[str, int]:
    """All items and their counts."""
    return {item: count for item, count in STOCK.items() if count}


@server.resource("stock://item/{item}")
def one(item: str) -> str:
    """The count of one item."""
    if not STOCK.get(item):
        return ""
    return str(STOCK[item])


@server.prompt()
def reorder(item: str) -> str:
    """Ask for an order of more."""
    return f"We have {STOCK.get(item, 0)} of {item} left. Write a short order for more."


if __name__ == "__main__":
    server.run()
