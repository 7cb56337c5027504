"""A server whose one tool takes every kind of argument, and gives back what arrived."""

import sys
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Elicit, Resolve
from pydantic import BaseModel, Field

server = MCPServer("menu", log_level="ERROR")


class Place(BaseModel):
    city: str
    zip: int = 0


class Sure(BaseModel):
    sure: bool


@server.tool()
def echo(
    text: str = "",
    whole: int = 0,
    ratio: float = 0.0,
    flag: bool = False,
    mode: Literal["fast", "slow", "very slow"] = "fast",
    level: Annotated[int, Field(json_schema_extra={"enum": [1, 2, 3]})] = 1,
    tags: list[str] = [],  # noqa: B006
    place: Place | None = None,
    either: int | str | None = None,
    free: Any = None,
) -> dict[str, Any]:
    """Give back the arguments."""
    given = locals()
    return {k: v.model_dump() if isinstance(v, BaseModel) else v for k, v in given.items()}


@server.tool()
async def remove(path: str, answer: Annotated[Sure, Resolve(lambda: Elicit("Really?", Sure))]) -> str:
    """Ask before removing."""
    return f"removed {path}" if answer.sure else "kept"


@server.tool()
async def grow(ctx: Context) -> str:
    """Add a tool."""
    server.add_tool(lambda: "late", name="latecomer", description="made at run time")
    await ctx.notify_tools_changed()
    return "grown"


@server.tool()
def mutter(text: str) -> str:
    """Say something on stderr."""
    print(text, file=sys.stderr, flush=True)
    return "said"


@server.resource("menu://today")
def today() -> str:
    return "soup"


@server.resource("menu://day/{name}")
def day(name: str) -> str:
    return f"{name}: soup"


@server.prompt()
def review(code: str, language: Literal["python", "rust"] = "python") -> str:
    """Review code."""
    return f"Review this {language}: {code}"


if __name__ == "__main__":
    server.run()
