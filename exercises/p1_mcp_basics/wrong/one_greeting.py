"""fails: greeting
why: The example in somebody's head is Ada, so the address is written out for Ada and never becomes a template.
"""

from mcp.server import MCPServer

MOTTO = "Small steps, each one checked."

server = MCPServer("desk")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two integers."""
    return a + b


@server.tool()
def shout(text: str, times: int = 1) -> str:
    """Say the text in capitals, once or several times."""
    return " ".join([text.upper()] * times)


@server.resource("desk://motto")
def motto() -> str:
    return MOTTO


@server.resource("greeting://Ada")
def greeting() -> str:
    return "Hello, Ada!"


if __name__ == "__main__":
    server.run()
