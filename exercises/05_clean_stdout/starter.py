import time

from mcp.server import MCPServer

server = MCPServer("timer")
count = 0

print("timer ready", flush=True)


@server.tool()
async def wait(seconds: float) -> str:
    """Wait, then count a lap."""
    global count
    time.sleep(seconds)
    count += 1
    return f"waited {seconds} s"


@server.tool()
def laps() -> int:
    """How many laps there were."""
    print("someone asked for the laps")
    return count


@server.tool()
def reset() -> str:
    """Start again at 0."""
    global count
    if input("Really? (y/n) ") != "y":
        return "kept"
    count = 0
    return "reset"


@server.resource("lab://status")
def status() -> str:
    """The laps in words."""
    return f"{count} laps"


if __name__ == "__main__":
    server.run()
