"""fails: add, add_schema
why: In plain Python the types are a matter of taste. Here they are the schema: without them arguments arrive as strings
    and "2" + "3" is "23".
"""

from mcp.server import MCPServer

MOTTO = "Small steps, each one checked."

server = MCPServer("desk")


@server.tool()
def add(a, b):
    """Add two integers."""
    return a + b


@server.tool()
def shout(text: str, times: int = 1) -> str:
    """Say the text in capitals, once or several times."""
    return " ".join([text.upper()] * times)


@server.resource("desk://motto")
def motto() -> str:
    return MOTTO


@server.resource("greeting://{name}")
def greeting(name: str) -> str:
    return f"Hello, {name}!"


if __name__ == "__main__":
    server.run()
