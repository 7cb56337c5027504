"""Vulnerable: this file server judges a path by its text, and the system goes where the path leads.

`read_file` and `save_file` look at how the path begins; `first_lines` looks for `..`.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations


def make(env: Mapping[str, str]) -> MCPServer:
    """A server of the folder `data` in RANGE_ROOT, which may hold folders and links."""
    root = Path(env["RANGE_ROOT"], "data").absolute()
    server = MCPServer("vulnerable-paths", log_level="ERROR")
    reads = ToolAnnotations(read_only_hint=True)

    def inside(path: str) -> Path:
        """The place of a path, if that is in the shared folder."""
        place = os.path.normpath(root / path)
        if not place.startswith(str(root)):
            raise ToolError(f"{path} is outside of the shared folder")
        return Path(place)

    @server.tool(annotations=reads)
    def read_file(path: str) -> str:
        """The text of a file in the shared folder."""
        return text_of(inside(path))

    @server.tool(annotations=reads)
    def first_lines(path: str, lines: int = 3) -> list[str]:
        """The first lines of a file in the shared folder."""
        if ".." in path:
            raise ToolError(f"{path} leads out of the shared folder")
        return text_of(root / path).splitlines()[:lines]

    @server.tool()
    def save_file(path: str, text: str) -> str:
        """Write a file in the shared folder; folders on the way are made."""
        place = inside(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ToolError(f"{path} cannot be written: {error.strerror}") from error
        return f"{path} is saved"

    return server


def text_of(place: Path) -> str:
    """What is in a file."""
    try:
        return place.read_text(encoding="utf-8")
    except OSError as error:
        raise ToolError(f"{place.name} cannot be read: {error.strerror}") from error


if __name__ == "__main__":
    from labkit.range import run

    run(make)
