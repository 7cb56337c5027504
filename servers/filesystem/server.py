"""Filesystem: files below a few allowed folders, and nothing else on the machine.

Run it by itself (it speaks MCP on stdin and stdout): python servers/filesystem/server.py

FILES_ROOTS      allowed folders, separated as in PATH; without it, work/files below the lab, which is made
FILES_MAX_BYTES  largest file to read or write, 1000000 by default
FILES_BLOCKED    endings that are neither read nor written, such as ".exe,.env"; there is a list by default

Worth noticing:
- a path is checked by walking it, folder by folder; links are refused in the step that opens
  (labkit/defences/folders.py and paths.py). Comparing strings is not enough: "/data-private" begins with "/data", and a
  link inside leads outside;
- writing is atomic: a reader sees the old file or the new one, never half of it;
- errors name our paths, never those of the machine;
- `filesystem://limits` says what the server promises on this system, and where that ends.
"""

import mimetypes
import os
import sys
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import anyio.to_thread
import mcp_types as types
from mcp.server import MCPServer
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from pydantic import BaseModel, Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.filesystem.vault import MOST_VISITED, FileError, Kind, Limits, NotThere, Vault, sha256

ROOT = Path(__file__).resolve().parents[2]
READ_PREFIX = "files://read/"
END = object()

# Named one by one: among all that Python knows are codecs that take minutes for a file, or unpack it.
Encoding = Literal[
    "utf-8", "utf-8-sig", "utf-16", "utf-32", "ascii", "latin-1", "iso-8859-15", "cp1250", "cp1251", "cp1252", "cp437",
    "koi8-r", "shift_jis", "euc-jp", "euc-kr", "big5", "gb18030",
]  # fmt: skip


def open_vault() -> Vault:
    named = [Path(folder).expanduser() for folder in os.environ.get("FILES_ROOTS", "").split(os.pathsep) if folder]
    if not named:
        named = [ROOT / "work" / "files"]
        named[0].mkdir(parents=True, exist_ok=True)
    limits = Limits()
    if "FILES_BLOCKED" in os.environ:
        endings = [ending.strip() for ending in os.environ["FILES_BLOCKED"].split(",")]
        limits = replace(limits, blocked=tuple(filter(None, endings)))
    if "FILES_MAX_BYTES" in os.environ:
        limits = replace(limits, max_bytes=int(os.environ["FILES_MAX_BYTES"]))
    return Vault(named, limits)


class FilesServer(MCPServer[Any]):
    """MCPServer gives all resources of one template one type; files differ."""

    async def read_resource(
        self, uri: Any, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents] | types.InputRequiredResult:
        contents = await super().read_resource(uri, context)
        if isinstance(contents, types.InputRequiredResult) or not str(uri).startswith(READ_PREFIX):
            return contents
        return [replace(content, mime_type=mime_type(str(uri), content.content)) for content in contents]


server = FilesServer(
    "filesystem",
    title="Filesystem",
    version="1.0.0",
    instructions="Files below a few folders. list_folder without a path shows the roots; every path begins with one.",
    log_level="WARNING",
)
vault = open_vault()


class FileEntry(BaseModel):
    """Something in a folder."""

    path: str = Field(description="What to pass to the other tools.")
    kind: Kind = Field(description="Links are shown, and never followed.")
    size: int | None = Field(description="Bytes, of a file.")
    modified: str = Field(description="ISO 8601, UTC.")


class Listing(BaseModel):
    """What was found."""

    entries: list[FileEntry]
    truncated: bool = Field(description="Whether there is more than is shown.")


class FileText(BaseModel):
    """Text of a file."""

    path: str
    text: str
    truncated: bool = Field(description="Whether the file goes on after this.")


class Written(BaseModel):
    """A file that was written."""

    path: str
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="Of the bytes, in hexadecimal.")
    created: bool = Field(description="False if it took the place of another one.")


FilePath = Annotated[str, Field(description="Name of a root, then names below it: files/letters/one.txt")]
FolderPath = Annotated[str, Field(description="Name of a root, then folders below it. Empty: all roots.")]
READ = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
WRITE = types.ToolAnnotations(destructive_hint=True, idempotent_hint=True, open_world_hint=False)


@server.tool(title="List folder", annotations=READ)
def list_folder(
    path: FolderPath = "",
    hidden: Annotated[bool, Field(description="Show names that begin with a dot.")] = False,
    limit: Annotated[int, Field(description="Most entries to return.", ge=1, le=5000)] = 500,
) -> Listing:
    """List a folder, folders first. Without a path, list the roots."""
    with refusals():
        found = vault.entries(path, hidden=hidden)
    return Listing(entries=[FileEntry(**vars(entry)) for entry in found[:limit]], truncated=len(found) > limit)


@server.tool(title="Read file", annotations=READ)
def read_file(
    path: FilePath,
    encoding: Annotated[Encoding, Field(description="How the bytes stand for text.")] = "utf-8",
    first_line: Annotated[int, Field(description="Where to begin, counted from 1.", ge=1)] = 1,
    max_lines: Annotated[int | None, Field(description="Most lines to return; all if left out.", ge=1)] = None,
) -> FileText:
    """Read a text file, or some lines of it."""
    with refusals():
        text, more = vault.text(path, encoding, first_line, max_lines)
    return FileText(path=path, text=text, truncated=more)


@server.tool(title="Write file", annotations=WRITE)
def write_file(
    path: FilePath,
    text: Annotated[str, Field(description="All of what the file is to hold.")],
    overwrite: Annotated[bool, Field(description="Replace a file that is there.")] = False,
    create_folders: Annotated[bool, Field(description="Make the folders on the way.")] = False,
    encoding: Annotated[Encoding, Field(description="How the text becomes bytes.")] = "utf-8",
) -> Written:
    """Write a text file. It appears whole or not at all; by default an existing file is kept."""
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError as error:
        raise ToolError(
            f"{text[error.start : error.start + 1]!r} cannot be written as {encoding}: leave encoding out for utf-8"
        ) from error
    with refusals():
        created = vault.write(path, data, overwrite=overwrite, create_folders=create_folders)
    return Written(path=path, size=len(data), sha256=sha256(data), created=created)


@server.tool(title="Search files", annotations=READ)
def search_files(
    pattern: Annotated[str, Field(description="*.txt for names at any depth, docs/**/*.md for paths.", max_length=300)],
    path: FolderPath = "",
    limit: Annotated[int, Field(description="Most entries to return.", ge=1, le=1000)] = 100,
) -> Listing:
    """Find files and folders by name, at any depth. Hidden ones are left out, links are not followed."""
    found: list[FileEntry] = []
    with refusals(), closing(vault.search(path, pattern)) as walk:
        for _, entry in zip(range(MOST_VISITED), walk, strict=False):
            if entry is not None:
                found.append(FileEntry(**vars(entry)))
            if len(found) > limit:
                break
        given_up = len(found) <= limit and next(walk, END) is not END
    return Listing(entries=found[:limit], truncated=len(found) > limit or given_up)


@server.resource("filesystem://limits", name="limits", title="Limits", mime_type="application/json")
def limits() -> dict[str, Any]:
    """What this server promises on this system, and where that ends."""
    return {
        "roots": vault.names,
        "max_bytes": vault.limits.max_bytes,
        "blocked": list(vault.limits.blocked),
        "links": "never followed, not even those that stay inside",
        "races": vault.races,
        "not_prevented": "hard links to files outside and file systems mounted inside, made by others on this machine",
    }


@server.resource(READ_PREFIX + "{+path}", name="file", title="A file", mime_type="application/octet-stream")
def file(path: str) -> str | bytes:
    """A file: as text if it is UTF-8, else as it is."""
    with refusals(ResourceError):
        data, size = vault.read(path)
        if len(data) < size:
            raise FileError(f"{path!r} holds {size} bytes, more than {len(data)}: use read_file with max_lines")
    try:
        return data.decode("utf-8") if b"\x00" not in data else data
    except UnicodeDecodeError:
        return data


@server.completion()
async def complete(
    ref: types.PromptReference | types.ResourceTemplateReference,
    argument: types.CompletionArgument,
    context: types.CompletionContext | None,
) -> types.Completion | None:
    """Paths, one folder at a time: "files/le" becomes "files/letters/"."""
    if argument.name != "path":
        return None
    folder = argument.value.rpartition("/")[0]
    try:
        found = await anyio.to_thread.run_sync(vault.entries, folder)
    except FileError:
        found = []
    paths = [
        entry.path + ("/" if entry.kind == "folder" else "") for entry in found if entry.kind in ("file", "folder")
    ]
    matching = [path for path in paths if path.startswith(argument.value)]
    return types.Completion(values=matching[:100], total=len(matching), has_more=len(matching) > 100)


def mime_type(uri: str, content: str | bytes) -> str:
    guessed = mimetypes.guess_type(uri)[0]
    return guessed or ("text/plain" if isinstance(content, str) else "application/octet-stream")


@contextmanager
def refusals(error_type: type[Exception] = ToolError) -> Generator[None]:
    """Turn a refusal into the kind of error that reaches the caller; all other exceptions stay private."""
    try:
        yield
    except FileError as error:
        if error_type is ResourceError and isinstance(error, NotThere):
            error_type = ResourceNotFoundError
        raise error_type(str(error)) from error


if __name__ == "__main__":
    server.run()
