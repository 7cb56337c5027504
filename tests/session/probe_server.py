"""The server that the session tests talk to: one tool for each thing that can happen."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Elicit, Image, Resolve, Sample
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import ListRoots
from mcp_types import CreateMessageResult, ListRootsResult, SamplingMessage, TextContent
from pydantic import BaseModel

server = MCPServer("probe", version="9.9", instructions="Probe me.", log_level="ERROR")


class Confirm(BaseModel):
    ok: bool
    reason: str = "because"


def ask(path: str) -> Elicit[Confirm]:
    return Elicit(f"Delete {path}?", Confirm)


def shorten(text: str) -> Sample:
    return Sample([SamplingMessage(role="user", content=TextContent(text=text))], max_tokens=3)


def list_roots() -> ListRoots:
    return ListRoots()


@server.tool()
async def add(a: int, b: int) -> int:
    """Add two integers."""
    return a + b


@server.tool()
def whoami() -> dict[str, Any]:
    return {"pid": os.getpid(), "probe": os.environ.get("PROBE", ""), "cwd": str(Path.cwd())}


@server.tool()
def shout(text: str) -> str:
    print(text, file=sys.stderr, flush=True)
    return text.upper()


@server.tool()
async def slow(seconds: float, ctx: Context, steps: int = 5) -> str:
    """Take a while."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps, f"step {step + 1}")
        await anyio.sleep(seconds / steps)
    return "done"


@server.tool()
def stuck(seconds: float) -> str:
    time.sleep(seconds)
    return "late"


@server.tool()
def quota() -> str:
    raise ToolError("quota exceeded")


@server.tool()
def crash() -> str:
    raise ValueError("secret detail")


@server.tool()
def die(code: int) -> str:
    print("going down", file=sys.stderr, flush=True)
    os._exit(code)


@server.tool()
def liar() -> dict[str, int]:
    return {"n": "not a number"}  # type: ignore[dict-item]


@server.tool()
def picture() -> list:  # type: ignore[type-arg]  # content blocks: no schema
    return ["a caption", Image(data=b"\x89PNG", format="png")]


@server.tool()
def big(size: int) -> str:
    return "x" * size


@server.tool()
def timeout(timeout: int) -> int:
    return timeout


@server.tool()
async def delete(path: str, answer: Annotated[Confirm, Resolve(ask)]) -> str:
    return f"deleted {path} {answer.reason}" if answer.ok else "kept"


@server.tool()
async def summary(text: str, sampled: Annotated[CreateMessageResult, Resolve(shorten)]) -> str:
    return str(getattr(sampled.content, "text", ""))


@server.tool()
async def where(roots: Annotated[ListRootsResult, Resolve(list_roots)]) -> list[str]:
    return [str(root.uri) for root in roots.roots]


@server.tool()
async def tell(text: str, ctx: Context) -> str:
    await ctx.info(text)
    return "told"


@server.tool()
async def grow(name: str, ctx: Context) -> str:
    server.add_tool(lambda: name, name=name, description="made at run time")
    await ctx.notify_tools_changed()
    await ctx.session.send_tool_list_changed()
    return "grown"


@server.tool()
def log_it(text: str) -> str:
    logging.getLogger("mcp.probe").error(text)
    return "logged"


@server.resource("note://welcome", mime_type="text/markdown")
def welcome() -> str:
    return "# hello"


@server.resource("greet://{who}")
def greet(who: str) -> str:
    return f"hello {who}"


@server.prompt()
def review(code: str, lang: str = "python") -> str:
    """Review code."""
    return f"Review this {lang}: {code}"


@server.completion()
async def complete(ref: Any, argument: Any, context: Any) -> Any:
    from mcp_types import Completion

    return Completion(values=[v for v in ("python", "perl", "rust") if v.startswith(argument.value)], total=3)


if __name__ == "__main__":
    server.run()
