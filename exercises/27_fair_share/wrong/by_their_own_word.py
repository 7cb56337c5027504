"""fails: own, all, greedy, reports, names
why: The client's name is at hand. All users of one gateway have the same, and whoever likes has a new one.
"""

from labkit.patterns.calls import by_client, everyone
from labkit.patterns.rate_limit import RateLimit
from mcp.server import MCPServer

USER = "lab.example/user"


def by_user(call):
    """Who calls. The gateway has verified it, and wrote it where no model writes."""
    return str((call.ctx.meta or {}).get(USER, ""))


server = MCPServer(
    "weather",
    log_level="ERROR",
    middleware=[
        RateLimit("5/hour", key=by_client),
        RateLimit({"order_report": "2/hour"}, key=by_client),
        RateLimit("12/hour", key=everyone),
    ],
)


@server.tool()
async def forecast(city: str, user: str = "") -> str:
    """Tell the weather."""
    return f"rain in {city}"


@server.tool()
async def order_report(city: str) -> str:
    """Order a report, on paper."""
    return f"a report on {city} is on its way"


if __name__ == "__main__":
    server.run()
