"""fails: shout
why: Multiplying a string repeats it without anything between, which looks right for times=1.
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
    return text.upper() * times


@server.resource("desk://motto")
def motto() -> str:
    return MOTTO


@server.resource("greeting://{name}")
def greeting(name: str) -> str:
    return f"Hello, {name}!"


if __name__ == "__main__":
    server.run()
