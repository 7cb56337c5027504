"""File search: find files by name, lines by text, and read around them. Fast enough for 50,000 files.

Run it by itself (it speaks MCP on stdin and stdout): python servers/file_search/server.py

FILE_SEARCH_ROOT  the folder to search; without it, the lab itself

Worth noticing:
- a search works in slices, each in a thread: between two of them the server answers others, reports progress, and
  stops for good if the call was cancelled. The first hit is reported at once, long before the walk ends;
- everything has a limit, and an answer that leaves something out says so;
- hidden files and what .gitignore files name are left out, as a programmer expects, unless asked for.
"""

import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import anyio.to_thread
import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from labkit.defences.folders import LinkRefused, open_folder
from labkit.defences.paths import NameRefused, PathRefused, names_below
from servers.file_search import search
from servers.file_search.search import MAX_BYTES, Hit, Search, Tally

LAB = Path(__file__).resolve().parents[2]

server = MCPServer(
    "file_search",
    title="File search",
    version="1.0.0",
    instructions="Search one tree of files. All paths are below its root, with slashes: src/main.py",
    log_level="WARNING",
)
root = Path(os.environ.get("FILE_SEARCH_ROOT") or LAB).expanduser().resolve()


class Found(BaseModel):
    """Files that fit."""

    files: list[str] = Field(description="Paths below the root.")
    truncated: bool = Field(description="Whether the search ended early, because there were enough.")
    visited: int = Field(description="How many files were looked at.")


class Match(BaseModel):
    """A line that fits."""

    path: str = Field(description="Path below the root.")
    line: int = Field(description="Number of the line, from 1.")
    text: str = Field(description=f"The line, up to {search.MAX_LINE} characters.")


class Matches(BaseModel):
    """Lines that fit."""

    matches: list[Match]
    truncated: bool = Field(description="Whether the search ended early, because there were enough.")
    visited: int = Field(description="How many files were looked at.")
    skipped: int = Field(description="How many were not searched: binary, too long, or forbidden.")


class Excerpt(BaseModel):
    """Some lines of a file."""

    path: str
    text: str
    first_line: int
    lines: int = Field(description="How many lines the file has.")
    truncated: bool = Field(description="Whether the file goes on after this.")


READ = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
Limit = Annotated[int, Field(description="Most hits to return.", ge=1, le=1000)]
Everything = Annotated[bool, Field(description="Also hidden files, and those that .gitignore files name.")]
GLOB = "*.py for names at any depth, src/**/*.py for paths."


@server.tool(title="Find files", annotations=READ)
async def find_files(
    pattern: Annotated[str, Field(description=GLOB, min_length=1, max_length=300)],
    ctx: Context,
    limit: Limit = 100,
    everything: Everything = False,
) -> Found:
    """Find files by name. Reports the first one as soon as it is found, and stops when it is cancelled."""
    tally = Tally()
    hits = await run(ctx, search.find(root, pattern, tally, everything=everything), tally, limit)
    return Found(files=[hit.path for hit in hits[:limit]], truncated=len(hits) > limit, visited=tally.visited)


@server.tool(title="Search content", annotations=READ)
async def search_content(
    text: Annotated[str, Field(description="Text to look for, as it is.", min_length=1, max_length=300)],
    ctx: Context,
    files: Annotated[str, Field(description="Which files: " + GLOB, min_length=1, max_length=300)] = "*",
    ignore_case: Annotated[bool, Field(description="Whether A and a are the same.")] = True,
    limit: Limit = 100,
    everything: Everything = False,
) -> Matches:
    """Find lines that hold a text. Reports the first one as soon as it is found, and stops when it is cancelled."""
    tally = Tally()
    work = search.search(root, text, tally, files=files, ignore_case=ignore_case, everything=everything)
    hits = await run(ctx, work, tally, limit)
    return Matches(
        matches=[Match(path=hit.path, line=hit.line, text=hit.text) for hit in hits[:limit]],
        truncated=len(hits) > limit,
        visited=tally.visited,
        skipped=tally.skipped,
    )


@server.tool(title="Read file", annotations=READ)
def read_file(
    path: Annotated[str, Field(description="Path below the root, as the other tools tell it.")],
    first_line: Annotated[int, Field(description="Where to begin, from 1.", ge=1)] = 1,
    max_lines: Annotated[int, Field(description="Most lines to return.", ge=1, le=2000)] = 200,
) -> Excerpt:
    """Read lines of a text file, such as those around a match."""
    data = content(path)
    if b"\x00" in data[:8192]:
        raise ToolError(f"{path!r} is binary: only text can be read")
    lines = data.decode("utf-8", "replace").split("\n")
    if lines[-1] == "":  # a newline ends a line, it does not begin one
        lines.pop()
    wanted = lines[first_line - 1 : first_line - 1 + max_lines]
    return Excerpt(
        path=path,
        text="\n".join(wanted),
        first_line=first_line,
        lines=len(lines),
        truncated=first_line - 1 + max_lines < len(lines),
    )


async def run(ctx: Context, work: Search, tally: Tally, limit: int) -> list[Hit]:
    """Do the work of a search, slice by slice. Hits beyond the limit mean that there are more."""
    hits: list[Hit] = []
    ended = False
    with closing(work):  # also when the call is cancelled: the walk ends here and its folders are closed
        while not ended and len(hits) <= limit:
            try:
                ended = await in_thread(lambda: search.advance(work, hits, limit))
            except OSError as error:
                raise ToolError(f"the root cannot be searched: {error.strerror or error}") from error
            first = f", the first in {hits[0].path}" if hits else ""
            await ctx.report_progress(tally.visited, None, f"{len(hits)} hits{first}")
    return hits


async def in_thread(function: Callable[[], bool]) -> bool:
    return await anyio.to_thread.run_sync(function)


def content(path: str) -> bytes:
    """A file, reached from the root folder by folder. Names are compared with nothing, and lead nowhere else."""
    try:
        names = names_below(path)
    except NameRefused as error:
        raise ToolError(str(error)) from error
    except PathRefused:
        names = []
    if not names:
        raise ToolError(f"{path!r} is no file below the root: pass a path as find_files tells it")
    *above, name = names
    try:
        with closing(open_folder(root, above)) as folder:
            with folder.read(name):  # says in which way a name is no file
                pass
            data = folder.content(name, MAX_BYTES)
    except LinkRefused as error:
        raise ToolError(f"{path!r} is behind a link, and links are not followed") from error
    except IsADirectoryError as error:
        raise ToolError(f"{path!r} is a folder: name a file in it") from error
    except OSError as error:
        raise ToolError(f"cannot read {path!r}: {error.strerror or error}; find_files tells what there is") from error
    if data is None:
        raise ToolError(f"{path!r} is longer than {MAX_BYTES} bytes, the most that is read")
    return data


if __name__ == "__main__":
    server.run()
