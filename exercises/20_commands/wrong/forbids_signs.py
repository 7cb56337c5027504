"""fails: shell, option, file, words
why: A list of signs that a shell reads, and the shell is still there. It also refuses the words that have one of them.
"""

import runpy
import sys
from collections.abc import Mapping
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

SIGNS = set(";|&$`<>\\\"'")


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
        if SIGNS & set(change):
            raise ToolError("no tag: signs of the shell")
        return start(" ".join([*history, "show", change]), env)

    @server.tool()
    def find(words: str) -> str:
        """Find the changes whose message has these words."""
        if SIGNS & set(words):
            raise ToolError(f"{words!r} has signs of the shell in it")
        return start(" ".join([*history, "find", f'"{words}"']), env)

    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
