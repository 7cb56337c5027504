"""A server for tests: its limits are on Redis, REDIS_URL. Several processes of it share them."""

import os

from mcp.server.mcpserver import MCPServer

from labkit.patterns.calls import everyone
from labkit.patterns.rate_limit import RateLimit
from labkit.patterns.redis_limits import RedisLimiter


def limiter(rate: str) -> RedisLimiter:
    """Patient: on a machine with much else to do, half a second is short."""
    return RedisLimiter(os.environ["REDIS_URL"], rate, name=os.environ["LIMIT_NAME"], timeout=60)


limits = {"windowed": limiter("60/day"), "burst": limiter("60/day burst 50")}
server = MCPServer("limited", middleware=[RateLimit(limits, key=everyone)])


@server.tool()
async def windowed() -> int:
    """Tell which process this is."""
    return os.getpid()


@server.tool()
async def burst() -> int:
    """Tell which process this is."""
    return os.getpid()


if __name__ == "__main__":
    server.run()
