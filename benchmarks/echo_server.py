"""The server of the measurements: two tools that do next to nothing, so that what is left is the way to them.

By itself it speaks stdio: python benchmarks/echo_server.py
"""

from mcp.server import MCPServer

server = MCPServer("echo", version="1.0.0", log_level="WARNING")


@server.tool()
async def echo(text: str) -> str:
    """Give the text back, on the server's loop."""
    return text


@server.tool()
def echo_in_thread(text: str) -> str:
    """Give the text back, from a worker thread: that is where the SDK runs tools that are not async."""
    return text


if __name__ == "__main__":
    server.run()
