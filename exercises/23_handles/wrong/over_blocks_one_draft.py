"""fails: use
why: One draft for each user needs no handles that anybody could steal. Whoever starts a second one has lost the first.
"""

import json
import os
import secrets
import time
from collections.abc import Mapping

import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.request_state import RequestStateSecurity

USER = "lab.example/user"


def who(ctx) -> str:
    """Who calls. The gateway in front has verified it, and writes it here over whatever the client sent.

    Without a gateway there is one user: the one who started this server.
    """
    return (ctx.meta or {}).get(USER) or "local"


def make(env: Mapping[str, str]) -> MCPServer:
    """RANGE_SECONDS says how long a handle and a state are good for."""
    seconds = float(env.get("RANGE_SECONDS", "900"))
    security = RequestStateSecurity(keys=[os.urandom(32)], bind_principal=who, ttl=seconds)
    server = MCPServer("fixed-handles", log_level="ERROR", request_state_security=security)
    drafts = {}

    def lines_of(handle, ctx):
        found = drafts.get((who(ctx.request_context), handle))
        if found is None or time.monotonic() >= found[0]:
            raise ToolError(f"there is no draft {handle}")
        return found[1]

    @server.tool()
    async def start_draft(ctx: Context) -> str:
        """Start a draft. Answers with the handle that the other tools take."""
        for key in [key for key in drafts if key[0] == who(ctx.request_context)]:
            del drafts[key]
        handle = secrets.token_urlsafe(16)
        drafts[who(ctx.request_context), handle] = time.monotonic() + seconds, []
        return handle

    @server.tool()
    async def add_line(draft: str, line: str, ctx: Context) -> int:
        """Add a line to a draft. Answers with how many it has."""
        lines = lines_of(draft, ctx)
        lines.append(line)
        return len(lines)

    @server.tool()
    async def read_draft(draft: str, ctx: Context) -> str:
        """Read a draft."""
        return "\n".join(lines_of(draft, ctx))

    @server.tool()
    async def publish_draft(draft: str, ctx: Context) -> types.InputRequiredResult | str:
        """Publish a draft, once the user has said yes. Answers with what was published."""
        if ctx.input_responses is None:
            lines_of(draft, ctx)
            sure = {"type": "object", "properties": {"sure": {"type": "boolean"}}}
            form = types.ElicitRequestFormParams(message=f"Publish {draft}?", requested_schema=sure)
            asked = {"sure": types.ElicitRequest(params=form)}
            return types.InputRequiredResult(input_requests=asked, request_state=json.dumps({"draft": draft}))
        answer = ctx.input_responses["sure"]
        if answer.action != "accept" or not answer.content.get("sure"):
            return "not published"
        return "published: " + "\n".join(lines_of(json.loads(ctx.request_state)["draft"], ctx))

    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
