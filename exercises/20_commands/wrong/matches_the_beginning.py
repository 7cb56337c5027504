"""fails: file
why: `match` looks at the beginning alone, and a name with more behind it goes through.
"""

import re
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

TAG = re.compile(r"[A-Za-z0-9][\w./-]*")


def make(env: Mapping[str, str]) -> MCPServer:
    """RANGE_ROOT is where the program runs; RANGE_CANARY stands for the token that it needs for its repository."""
    server = MCPServer("fixed-commands", log_level="ERROR")
    program = env.get("RANGE_PROGRAM", str(Path(__file__).with_name("history.py")))
    # start(command, env) gives what a program says: a list of words is started as it is, a text is read by the shell.
    start = runpy.run_path(program)["start"]
    history = [sys.executable, "-ISB", program]

    @server.tool()
    def show(change: str) -> str:
        """Show a change, by its number or its tag."""
        if not TAG.match(change):
            raise ToolError("no number and no tag of a change")
        return start([*history, "show", "--", change], env)

    @server.tool()
    def find(words: str) -> str:
        """Find the changes whose message has these words."""
        return start([*history, "find", "--", words], env)

    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
