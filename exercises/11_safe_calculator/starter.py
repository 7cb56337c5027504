from mcp.server import MCPServer

server = MCPServer("calculator")
ALLOWED = set("0123456789+-*/(). ")


@server.tool()
def calculate(expression: str) -> str:
    """Compute an expression such as 2 * (3 + 4)."""
    if not set(expression) <= ALLOWED:
        return "Error: invalid characters"
    return f"Result: {eval(expression)}"


if __name__ == "__main__":
    server.run()
