"""Vulnerable: what a caller writes is pasted into a command line, and a shell reads it.

Two tools in front of a program (history.py, a stand-in for a version control program). What a shell knows - `;`, `|`,
`$NAME`, `$(...)` - it does; and what begins with a dash is an option to the program, whoever wrote it.
"""

import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from mcp.server import MCPServer


def make(env: Mapping[str, str]) -> MCPServer:
    """RANGE_ROOT is where the program runs; RANGE_CANARY stands for the token that it needs for its repository."""
    server = MCPServer("vulnerable-commands", log_level="ERROR")
    program = env.get("RANGE_PROGRAM", str(Path(__file__).with_name("history.py")))
    # start(command, env) gives what a program says: a list of words is started as it is, a text is read by the shell.
    start = runpy.run_path(program)["start"]
    history = subprocess.list2cmdline([sys.executable, "-ISB", program])

    @server.tool()
    def show(change: str) -> str:
        """Show a change, by its number or its tag."""
        return start(f"{history} show {change}", env)

    @server.tool()
    def find(words: str) -> str:
        """Find the changes whose message has these words."""
        return start(f'{history} find "{words}"', env)

    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
