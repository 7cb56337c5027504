"""Tools that take time, report, log, change the server, or end it."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, get_args
from weakref import WeakKeyDictionary

import anyio
import mcp_types as types
from mcp.server import MCPServer, ServerRequestContext
from mcp.server.connection import Connection
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

LEVELS: tuple[types.LoggingLevel, ...] = get_args(types.LoggingLevel)
"""From debug to emergency."""
LAB = Path(__file__).resolve().parents[2]


def register(server: MCPServer[Any]) -> None:
    time_taking(server)
    logging_tools(server)
    changing(server)


def time_taking(server: MCPServer[Any]) -> None:
    @server.tool(title="Slow work")
    async def slow(
        ctx: Context,
        seconds: Annotated[float, Field(description="How long it takes.", ge=0, le=600)] = 2.0,
        steps: Annotated[int, Field(description="How many progress reports.", ge=1, le=1000)] = 10,
    ) -> str:
        """Work for a while, step by step, with progress. Can be cancelled at any moment."""
        for step in range(1, steps + 1):
            await anyio.sleep(seconds / steps)
            await ctx.report_progress(step, steps, f"step {step} of {steps}")
        return f"{steps} steps in {seconds:g} seconds"

    @server.tool(title="Work that cannot be cancelled")
    def stubborn(seconds: Annotated[float, Field(description="How long it takes.", ge=0, le=60)] = 1.0) -> str:
        """Block a thread for a while. The caller may give up, the thread does not."""
        time.sleep(seconds)
        return f"blocked a thread for {seconds:g} seconds"

    @server.tool(title="End the server", annotations=types.ToolAnnotations(destructive_hint=True))
    def exit_process(code: Annotated[int, Field(description="Exit code.", ge=0, le=255)] = 1) -> str:
        """End the server process at once, without an answer, as a crash would."""
        # In memory, "the process" is the notebook kernel or the test run of whoever connected.
        main = Path(getattr(sys.modules["__main__"], "__file__", None) or "/").resolve()
        if not any(main.is_relative_to(LAB / folder) for folder in ("servers", "labkit")):
            raise ToolError("this server shares its process with others: connect to it with via='stdio' or via='http'")
        print(f"exit_process: ending with code {code}, as asked", file=sys.stderr, flush=True)
        os._exit(code)


def logging_tools(server: MCPServer[Any]) -> None:
    # The level that each handshake client asked for. Modern clients name theirs with every request.
    chosen: WeakKeyDictionary[Connection, types.LoggingLevel] = WeakKeyDictionary()

    @server.tool(name="log", title="Write to the log")
    async def log_tool(
        message: Annotated[str, Field(description="What to log.")],
        ctx: Context,
        level: Annotated[types.LoggingLevel, Field(description="From debug to emergency.")] = "info",
        times: Annotated[int, Field(description="How often.", ge=1, le=100)] = 1,
    ) -> str:
        """Send log messages to the client, if it wants messages of that level."""
        connection: Connection = ctx.session._connection  # pyright: ignore[reportPrivateUsage]
        if LEVELS.index(level) < LEVELS.index(chosen.get(connection, "debug")):
            return f"nothing sent: the client asked for {chosen[connection]} and above"
        for _ in range(times):
            await log(ctx, level, message)
        return f"{times} sent at level {level}"

    async def set_level(ctx: ServerRequestContext[Any], params: types.SetLevelRequestParams) -> types.EmptyResult:
        chosen[ctx.session._connection] = params.level  # pyright: ignore[reportPrivateUsage]
        return types.EmptyResult()

    # MCPServer (mcp 2.3) has no public way to answer logging/setLevel; the handler also advertises the capability.
    lowlevel = server._lowlevel_server  # pyright: ignore[reportPrivateUsage]
    lowlevel.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_level)


async def log(ctx: Context, level: types.LoggingLevel, data: str) -> None:
    """Send one log message, on the stream of the call that it belongs to."""
    await ctx.session.send_log_message(  # pyright: ignore[reportDeprecated]
        level, data, logger="everything", related_request_id=ctx.request_id
    )


def changing(server: MCPServer[Any]) -> None:
    added: set[str] = set()
    counter = 0

    @server.tool(title="Add a tool")
    async def add_tool(
        name: Annotated[str, Field(description="Name of the new tool.", pattern=r"^[a-z][a-z0-9_]{0,39}$")],
        ctx: Context,
    ) -> str:
        """Add a tool to this server, and announce it."""
        if name in [tool.name for tool in await server.list_tools()]:
            raise ToolError(f"there is a tool {name!r} already: choose another name")
        server.add_tool(lambda: f"Hello from {name}.", name=name, description="A tool that was added later.")
        added.add(name)
        await ctx.notify_tools_changed()
        return f"added {name}"

    @server.tool(title="Remove a tool")
    async def remove_tool(
        name: Annotated[str, Field(description="Name of a tool that add_tool has added.")], ctx: Context
    ) -> str:
        """Remove a tool that was added, and announce it."""
        if name not in added:
            there_are = f"there are {', '.join(sorted(added))}" if added else "none was added"
            raise ToolError(f"{name!r} is not a tool that add_tool has added: {there_are}")
        added.discard(name)
        server.remove_tool(name)
        await ctx.notify_tools_changed()
        return f"removed {name}"

    @server.tool(title="Count up")
    async def count_up(ctx: Context) -> int:
        """Count up the resource everything://counter, and tell those who watch it."""
        nonlocal counter
        counter += 1
        await ctx.notify_resource_updated("everything://counter")
        return counter

    @server.resource("everything://counter", name="counter", title="A counter", mime_type="application/json")
    def counter_resource() -> str:
        """Counted up by the tool count_up."""
        return json.dumps({"counter": counter})
