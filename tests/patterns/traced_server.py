"""A server that asks the weather API, and traces it: the middle of the errand of test_tracing.py."""

import os

import httpx2
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from labkit.patterns.calls import Call, CallMiddleware, Proceed, refusal
from labkit.patterns.logs import Logs
from labkit.patterns.tracing import TracedTransport, Tracing, record

record("weather")


class Policy(CallMiddleware):
    async def around(self, call: Call, proceed: Proceed):
        return refusal(call, "No.", reason="policy") if call.arguments.get("area") == "ZZ" else await proceed()


server = MCPServer("weather", log_level="WARNING", middleware=[Logs(), Tracing(), Policy()])
http = httpx2.AsyncClient(transport=TracedTransport(), base_url=os.environ["WEATHER_API"], headers={"user-agent": "t"})


@server.tool()
async def alerts(area: str) -> int:
    """How many alerts there are."""
    answer = await http.get("/alerts/active", params={"area": area})
    if answer.status_code != 200:
        raise ToolError(f"the weather API says {answer.status_code}")
    return len(answer.json()["features"])


if __name__ == "__main__":
    server.run()
