"""fails: pattern, near
why: The pattern stays, and texts are limited to what a heading has. Forty letters keep it busy longer than you wait.
"""

import re
from collections.abc import Mapping
from typing import Annotated

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

# No two ways to read the same text: what a group has taken, another one cannot take.
HEADING = re.compile(r"(\w+\s?)+:")
LINES, LONGEST, STEPS = 200, 200, 1000


def make(env: Mapping[str, str]) -> MCPServer:
    """RANGE_SECONDS says how long a caller may have to wait; RANGE_LINES, how many lines the log has at first."""
    server = MCPServer("fixed-exhaustion", log_level="ERROR")
    seconds = float(env.get("RANGE_SECONDS", "5"))
    log = [f"{number:05} all is well" for number in range(int(env.get("RANGE_LINES", "5000")))]

    @server.tool()
    async def last_lines(count: Annotated[int, Field(ge=1, le=LINES)] = 10) -> list[str]:
        """The last lines of the log, 200 at most."""
        return log[-count:]

    @server.tool()
    async def write_line(line: Annotated[str, Field(max_length=LONGEST)]) -> int:
        """Write a line of at most 200 characters into the log. Answers with how many lines it has."""
        log.append(line)
        return len(log)

    @server.tool()
    async def is_heading(text: Annotated[str, Field(max_length=100)]) -> bool:
        """Whether a text is words with a space or nothing in between, and a colon at the end: `Week 3:`."""
        return HEADING.fullmatch(text) is not None

    @server.tool()
    async def expand(parts: dict[str, list[str]], word: str) -> list[str]:
        """Put for a word its parts, for those their parts, and so on; 1000 words may be looked at on the way."""
        found, waiting, left = [], [word], STEPS
        while waiting:
            left -= 1
            if left < 0:
                raise ToolError("more than 1000 words on the way: expand it in pieces")
            word = waiting.pop()
            if word in parts:
                waiting += reversed(parts[word])
            else:
                found.append(word)
        return found

    @server.tool()
    async def wait_for(word: str) -> str:
        """Wait for a line of the log with a word in it, as long as a caller may have to wait."""
        with anyio.move_on_after(seconds):
            while True:
                for line in reversed(log):
                    if word in line:
                        return line
                await anyio.sleep(0.01)
        raise ToolError("no such line in time: ask again later")

    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
