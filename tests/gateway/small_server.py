"""What the tests of the gateway's peers need to see from the server's side. Run it as a script to speak stdio."""

from __future__ import annotations

import json
import warnings
from typing import Any

import anyio
from mcp import MCPDeprecationWarning
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from pydantic import BaseModel

warnings.filterwarnings("ignore", category=MCPDeprecationWarning)


class Word(BaseModel):
    word: str


def make_server() -> MCPServer[Any]:
    server = MCPServer("small", instructions="Small.", log_level="CRITICAL")
    started: list[str] = []
    stopped: list[str] = []
    held: dict[int, anyio.Event] = {}

    @server.tool()
    async def wait(key: str) -> str:
        """Wait for ever."""
        started.append(key)
        try:
            await anyio.sleep_forever()
        finally:
            stopped.append(key)
        return "never"

    @server.tool()
    async def journal() -> str:
        """What has started to wait, and what was stopped."""
        return json.dumps({"started": started, "stopped": stopped})

    @server.tool()
    async def hold(number: int, of: int) -> int:
        """Wait until `of` calls are here; they are answered one after the other, the highest number first."""
        held[number] = anyio.Event()
        if len(held) == of:
            held[of - 1].set()
        await held[number].wait()
        if number == 0:
            held.clear()
        else:
            held[number - 1].set()
        return number

    @server.tool()
    async def ask(label: str, ctx: Context) -> str:
        """Ask the user of the handshake era for a word."""
        answer = await ctx.elicit(label, Word)
        return f"{label}: {answer.data.word}" if answer.action == "accept" else f"{label}: {answer.action}"

    @server.tool()
    async def seen(ctx: Context) -> str:
        """The `_meta` of this request, and its HTTP headers."""
        request = ctx.request_context.request
        headers = dict(request.headers) if request is not None else {}
        return json.dumps({"meta": ctx.request_context.meta or {}, "headers": headers}, default=str)

    @server.tool()
    async def tell(text: str, ctx: Context) -> str:
        """Log a text, and report progress."""
        await ctx.session.send_log_message("info", text, related_request_id=ctx.request_id)
        await ctx.report_progress(1, 1, text)
        return text

    return server


if __name__ == "__main__":
    make_server().run()
