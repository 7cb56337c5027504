"""fails: same_id, own
why: Guests have nothing to hide, so for them everything stays as it was.
"""

import json
from collections.abc import Mapping
from typing import Any

import anyio
import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

READ = types.ToolAnnotations(read_only_hint=True)
ONCE = "range/once"
KEPT = 1000


class Errand:
    """A call that is made, and its answer when there is one."""

    def __init__(self) -> None:
        self.busy = anyio.Lock()
        self.answer: Any = None


def errand_of(ctx: Any, who: str) -> str | None:
    """What a call is known by when it comes again; None for one that cannot come again."""
    if not who:
        return str(ctx.request_id)
    name = (ctx.meta or {}).get(ONCE)
    return json.dumps([who, ctx.params["name"], ctx.params.get("arguments"), name]) if name else None


def app(env: Mapping[str, str]) -> Any:
    tokens = json.loads(env.get("RANGE_TOKENS", "{}"))
    notes: dict[str, list[str]] = {"ada": [env.get("RANGE_CANARY", "")]}
    board = ["the canteen is closed on Friday", "the lift is broken, the canteen knows why"]
    errands: dict[str, Errand] = {}

    def caller(request: Any) -> str:
        """Whose token it is; "" for a guest."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return tokens.get(token, "") if scheme.lower() == "bearer" else ""

    async def once(ctx: Any, call_next: Any) -> Any:
        errand = errand_of(ctx, caller(ctx.request)) if ctx.method == "tools/call" else None
        if errand is None:
            return await call_next(ctx)
        kept = errands.setdefault(errand, Errand())
        if len(errands) > KEPT:
            del errands[next(iter(errands))]
        async with kept.busy:
            if kept.answer is None:
                kept.answer = await call_next(ctx)
        return kept.answer

    server = MCPServer("fixed-cross_client", middleware=[once], log_level="CRITICAL")

    def own(ctx: Context) -> list[str]:
        if who := caller(ctx.request_context.request):
            return notes.setdefault(who, [])
        raise ToolError("guests have no notes: send a token")

    @server.tool(annotations=READ)
    async def search(text: str) -> str:
        """Search what is on the board, for everybody."""
        return "\n".join(line for line in board if text in line) or f"nothing is said about {text}"

    @server.tool(annotations=READ)
    async def my_notes(ctx: Context) -> list[str]:
        """List your notes."""
        return own(ctx)

    @server.tool()
    async def add_note(text: str, ctx: Context) -> list[str]:
        """Note something, and list your notes."""
        own(ctx).append(text)
        return own(ctx)

    return server.streamable_http_app()


if __name__ == "__main__":
    from labkit.range import run

    run(app=app)
