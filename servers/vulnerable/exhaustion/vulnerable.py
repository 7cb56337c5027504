"""Vulnerable: nothing here has an end that the server has set: no line, answer, computation or wait."""

import re
from collections.abc import Mapping

import anyio
from mcp.server import MCPServer

HEADING = re.compile(r"(\w+\s?)+:")


def make(env: Mapping[str, str]) -> MCPServer:
    """RANGE_SECONDS says how long a caller may have to wait; RANGE_LINES, how many lines the log has at first."""
    server = MCPServer("vulnerable-exhaustion", log_level="ERROR")
    log = [f"{number:05} all is well" for number in range(int(env.get("RANGE_LINES", "5000")))]

    @server.tool()
    async def last_lines(count: int = 10) -> list[str]:
        """The last lines of the log, 200 at most."""
        return log[-count:]

    @server.tool()
    async def write_line(line: str) -> int:
        """Write a line of at most 200 characters into the log. Answers with how many lines it has."""
        log.append(line)
        return len(log)

    @server.tool()
    async def is_heading(text: str) -> bool:
        """Whether a text is words with a space or nothing in between, and a colon at the end: `Week 3:`."""
        return HEADING.fullmatch(text) is not None

    @server.tool()
    async def expand(parts: dict[str, list[str]], word: str) -> list[str]:
        """Put for a word its parts, for those their parts, and so on; 1000 words may be looked at on the way."""

        def words(word: str) -> list[str]:
            return [each for part in parts[word] for each in words(part)] if word in parts else [word]

        return words(word)

    @server.tool()
    async def wait_for(word: str) -> str:
        """Wait for a line of the log with a word in it, as long as a caller may have to wait."""
        while True:
            for line in reversed(log):
                if word in line:
                    return line
            await anyio.sleep(0.01)

    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
