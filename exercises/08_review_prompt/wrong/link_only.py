"""fails: embedded
why: A link is shorter, but a prompt has to be complete: the model cannot follow it, and the host need not.
"""

from typing import Annotated

import mcp_types as types
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import AssistantMessage, UserMessage
from pydantic import Field

FILES = {"main.py": "print(sum([1, 2]))\n", "web/login.py": "password = 'hunter2'\n"}
FOCUSES = ("bugs", "security", "style")

server = MCPServer("reviewer", log_level="ERROR")


@server.resource("code://{+path}", mime_type="text/x-python")
def code(path: str) -> str:
    """One file."""
    return FILES[path]


@server.tool()
def write_file(path: str, text: str) -> str:
    """Write a file."""
    FILES[path] = text
    return f"wrote {path}"


@server.prompt(title="Review a file")
def review_file(
    path: Annotated[str, Field(description="Path of the file.")],
    focus: Annotated[str, Field(description="What to look for: bugs, security or style.")] = "bugs",
):
    """Review a file of the project."""
    focus = focus.casefold()
    if path not in FILES:
        raise MCPError(types.INVALID_PARAMS, f"there is no file {path!r}")
    if focus not in FOCUSES:
        raise MCPError(types.INVALID_PARAMS, "focus is bugs, security or style")
    link = types.ResourceLink(uri=f"code://{path}", name=path, mime_type="text/x-python")
    return [
        UserMessage(f"Review {path}, which is attached. Look for {focus}."),
        UserMessage(link),
        AssistantMessage("I have read the file, and will begin with the gravest finding."),
        UserMessage("Go ahead."),
    ]


if __name__ == "__main__":
    server.run()
