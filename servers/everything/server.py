"""Everything: every feature of both protocol eras, on one server. The official conformance suite is run against it.

Run it by itself (it speaks MCP on stdin and stdout): python servers/everything/server.py

content.py      tools with every kind of argument and of result
work.py         tools that take time, report progress, log, change the server, or end it
asking.py       tools that ask the user, the model or the client's roots, in both eras
reading.py      resources, templates, prompts, completion
conformance.py  the fixtures that the suite wants, named test_*; rounds.py has those of the modern era
"""

import base64
import sys
import warnings
from pathlib import Path

from mcp import MCPDeprecationWarning
from mcp.server import MCPServer
from mcp.server.mcpserver import Icon

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.everything import asking, conformance, content, reading, rounds, work
from servers.everything.media import png
from servers.subscriptions import EveryEraBus

# Sampling, roots and logging are deprecated since 2026-07-28, and using them is what this server is for.
warnings.filterwarnings("ignore", category=MCPDeprecationWarning, module=r"servers\.everything\.")

bus = EveryEraBus()
server = MCPServer(
    "everything",
    title="Everything",
    description="Every feature of the Model Context Protocol, to try out and to test clients with.",
    version="1.0.0",
    instructions="A server for trying things out. Nothing here touches the world outside.",
    icons=[Icon(src=f"data:image/png;base64,{base64.b64encode(png(16, 16)).decode()}", mime_type="image/png")],
    log_level="WARNING",
    tools=[conformance.schema_tool()],
    subscriptions=bus,
)
bus.serve_handshake_era(server, lists=["tools", "prompts"])

for module in (content, work, asking, reading, conformance, rounds):
    module.register(server)


if __name__ == "__main__":
    server.run()
