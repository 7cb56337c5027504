import time

import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

FREE = {"stalls": 40, "circle": 12}
PRICE = {"stalls": 24, "circle": 18}

server = MCPServer("box office", log_level="ERROR")
printed_so_far = 0


@server.tool()
def find_seats(row, count):
    """Seats."""
    return f"{FREE[row]} seats in the {row}, {int(count) * PRICE[row]} for {count}"


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def book(row, count):
    """Book.

    Args:
        row: stalls or circle
        count: 1 to 8
    """
    if int(count) > FREE[row]:
        return "Error: not enough seats"
    FREE[row] -= int(count)
    return FREE[row]


@server.tool()
def print_tickets(count: int, ctx: Context) -> str:
    """Print tickets, one after the other."""
    global printed_so_far
    for number in range(1, count + 1):
        time.sleep(0.01)  # the printer
        printed_so_far += 1
        ctx.report_progress(number, count, f"ticket {number}")
    return f"{count} tickets"


@server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
def printed() -> int:
    """How many tickets came out of the printer so far."""
    return printed_so_far


if __name__ == "__main__":
    server.run()
