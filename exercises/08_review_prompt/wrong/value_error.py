"""fails: refused
why: In Python a ValueError is right. Here its text is withheld, and the code says that the server has crashed.
"""

from typing import Annotated

import mcp_types as types
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
        raise ValueError(f"there is no file {path!r}")
    if focus not in FOCUSES:
        raise ValueError("focus is bugs, security or style")
    file = types.TextResourceContents(uri=f"code://{path}", mime_type="text/x-python", text=FILES[path])
    return [
        UserMessage(f"Review {path}, which is attached. Look for {focus}."),
        UserMessage(types.EmbeddedResource(resource=file)),
        AssistantMessage("I have read the file, and will begin with the gravest finding."),
        UserMessage("Go ahead."),
    ]


if __name__ == "__main__":
    server.run()
