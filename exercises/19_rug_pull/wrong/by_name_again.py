"""fails: twice
why: Which names are good is found out first, and then all tools of these names are offered.
"""

import hashlib
import json

from mcp.server import MCPServer
from mcp_types import ToolAnnotations

FIELDS = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


def approve(trusted, server, tools):
    """What is trusted (it is kept in a file, as JSON) after the user has looked at these tools and approved them."""
    return {**trusted, server: {**trusted.get(server, {}), **{tool["name"]: digest(tool) for tool in tools}}}


def offer(trusted, server, tools):
    """Of the tools that a server lists now, those that the model is given."""
    pins = trusted.get(server, {})
    good = {tool["name"] for tool in tools if pins.get(tool["name"]) == digest(tool)}
    return [tool for tool in tools if tool["name"] in good]


def waiting(trusted, server, tools):
    """The others, with why: [[name, "new" or "changed"], ...]. The user is asked about them."""
    pins, offered = trusted.get(server, {}), offer(trusted, server, tools)
    return [[tool["name"], "changed" if tool["name"] in pins else "new"] for tool in tools if tool not in offered]


def digest(tool):
    """The same for what means the same: neither the order of members counts, nor one that is null."""
    seen = {field: tool[field] for field in FIELDS if tool.get(field) is not None}
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def add(a: int, b: int) -> int:
    """Add two whole numbers."""
    return a + b


def make(env):
    """A server to try the host on."""
    server = MCPServer("fixed-rug_pull", log_level="CRITICAL")
    server.add_tool(add, annotations=ToolAnnotations(read_only_hint=True))
    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
