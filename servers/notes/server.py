"""Notes: text that is read as resources, changed by tools, and watched by subscription. Kept in SQLite.

Run it by itself (it speaks MCP on stdin and stdout): python servers/notes/server.py
NOTES_DB names the database file; without it, work/notes.db below the lab. Any number of servers may share one file.

Worth noticing:
- reading is a resource, because the application or the user chooses what to read; changing is a tool, because the
  model does it;
- resources/list shows every note, resources/templates/list how to address one, completion helps to type the name;
- a change is announced to subscribers of both protocol eras (../subscriptions.py), also when another process made it
  (watch.py).
"""

import json
import os
import sys
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import anyio.to_thread
import mcp_types as types
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, UserMessage
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from pydantic import BaseModel, Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.notes.store import MAX_TEXT, MimeType, Note, NoteError, NoteStore, UnknownNote
from servers.notes.watch import Watch
from servers.subscriptions import EveryEraBus

ROOT = Path(__file__).resolve().parents[2]

store = NoteStore(Path(os.environ.get("NOTES_DB") or ROOT / "work" / "notes.db"))
bus = EveryEraBus()


def uri(name: str) -> str:
    return f"notes://{name}"


@asynccontextmanager
async def lifespan(server: MCPServer[Watch]) -> AsyncGenerator[Watch]:
    async with Watch(store, bus, uri).running() as watch:
        yield watch


class NotesServer(MCPServer[Watch]):
    """MCPServer lists the resources that were registered, each with one fixed type; notes come and go and differ."""

    async def list_resources(self) -> list[types.Resource]:
        notes = await anyio.to_thread.run_sync(store.all)
        return await super().list_resources() + [
            types.Resource(uri=uri(note.name), name=note.name, mime_type=note.mime_type, size=len(note.text.encode()))
            for note in notes
        ]

    async def read_resource(
        self, uri: Any, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents] | types.InputRequiredResult:
        contents = await super().read_resource(uri, context)
        name = str(uri).removeprefix("notes://")
        if name == "index" or isinstance(contents, types.InputRequiredResult):
            return contents
        note = await anyio.to_thread.run_sync(store.read, name)
        return [replace(content, mime_type=note.mime_type) for content in contents]


server = NotesServer(
    "notes",
    title="Notes",
    version="1.0.0",
    instructions="Read notes as resources (notes://index, notes://NAME). Create, update, delete and search with tools.",
    log_level="WARNING",
    lifespan=lifespan,
    subscriptions=bus,
)
bus.serve_handshake_era(server, lists=["resources"])


@server.resource("notes://index", name="index", title="Index of all notes", mime_type="application/json")
def index() -> str:
    """All notes: name, URI, type, size and time of the last change."""
    notes = [
        {
            "name": note.name,
            "uri": uri(note.name),
            "mime_type": note.mime_type,
            "characters": len(note.text),
            "revision": note.revision,
            "updated": note.updated,
        }
        for note in store.all()
    ]
    return json.dumps({"notes": notes}, indent=2, ensure_ascii=False)


@server.resource("notes://{name}", name="note", title="One note", mime_type="text/markdown")
def note(name: str) -> str:
    """The text of one note."""
    try:
        return store.read(name).text
    except UnknownNote as error:
        raise ResourceNotFoundError(str(error)) from error
    except NoteError as error:
        raise ResourceError(str(error)) from error


class NoteInfo(BaseModel):
    """A note without its text."""

    name: str
    uri: str = Field(description="Where to read it.")
    mime_type: str
    revision: int = Field(description="1 when created, one more with every update.")
    characters: int


class Hit(BaseModel):
    """A note that was found."""

    name: str
    uri: str = Field(description="Where to read it.")
    line: str = Field(description="First line that matches, or the first line of the note.")


Name = Annotated[str, Field(description="Name of the note: lower-case letters, digits and . _ -")]
Text = Annotated[str, Field(description="Text of the note.", max_length=MAX_TEXT)]


@server.tool(title="Create note", annotations=types.ToolAnnotations(destructive_hint=False, open_world_hint=False))
async def create_note(
    name: Name,
    text: Text,
    ctx: Context,
    mime_type: Annotated[MimeType, Field(description="Kind of text.")] = "text/markdown",
) -> NoteInfo:
    """Create a note. Fails if there is one of that name."""
    return info(await change(ctx, lambda: store.create(name, text, mime_type)))


@server.tool(title="Update note", annotations=types.ToolAnnotations(destructive_hint=True, open_world_hint=False))
async def update_note(
    name: Name,
    text: Text,
    ctx: Context,
    append: Annotated[bool, Field(description="Add to the end instead of replacing.")] = False,
    if_revision: Annotated[int | None, Field(description="Only change the note if this is still its revision.")] = None,
) -> NoteInfo:
    """Replace the text of a note, or append to it."""
    return info(await change(ctx, lambda: store.update(name, text, append=append, if_revision=if_revision)))


@server.tool(title="Delete note", annotations=types.ToolAnnotations(destructive_hint=True, open_world_hint=False))
async def delete_note(name: Name, ctx: Context) -> NoteInfo:
    """Delete a note for good."""
    return info(await change(ctx, lambda: store.delete(name)))


@server.tool(title="Search notes", annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=False))
def search_notes(
    query: Annotated[str, Field(description="Text to look for, in any letter case.", min_length=1, max_length=200)],
    limit: Annotated[int, Field(description="Most notes to return.", ge=1, le=100)] = 10,
) -> list[Hit]:
    """Find notes by text in their name or content."""
    try:
        found = store.search(query)[:limit]
    except NoteError as error:
        raise ToolError(str(error)) from error
    return [Hit(name=note.name, uri=uri(note.name), line=matching_line(note.text, query)) for note in found]


@server.prompt(title="Summarize a note")
def summarize(name: Annotated[str, Field(description="Name of the note.")]) -> list[UserMessage]:
    """Ask for a summary of one note, which is embedded as a resource."""
    try:
        found = store.read(name)
    except NoteError as error:
        raise MCPError(types.INVALID_PARAMS, str(error)) from error
    embedded = types.TextResourceContents(uri=uri(name), mime_type=found.mime_type, text=found.text)
    return [
        UserMessage("Summarize this note in two sentences."),
        UserMessage(types.EmbeddedResource(resource=embedded)),
    ]


@server.completion()
async def complete(
    ref: types.PromptReference | types.ResourceTemplateReference,
    argument: types.CompletionArgument,
    context: types.CompletionContext | None,
) -> types.Completion | None:
    """Names of notes, for notes://{name} and for the prompt."""
    if argument.name != "name":
        return None
    names = [note.name for note in await anyio.to_thread.run_sync(store.all)]
    matching = [name for name in names if name.startswith(argument.value)]
    return types.Completion(values=matching[:100], total=len(matching), has_more=len(matching) > 100)


async def change(ctx: Context, operation: Callable[[], Note]) -> Note:
    """Run one operation of the store, then announce what it changed, before the caller gets its answer."""
    watch = cast(Watch, ctx.request_context.lifespan_context)
    try:
        # SQLite may wait for another process: in a thread, so that this server goes on meanwhile.
        changed = await anyio.to_thread.run_sync(operation)
        await watch.look()
    except NoteError as error:
        raise ToolError(str(error)) from error
    return changed


def info(note: Note) -> NoteInfo:
    return NoteInfo(
        name=note.name,
        uri=uri(note.name),
        mime_type=note.mime_type,
        revision=note.revision,
        characters=len(note.text),
    )


def matching_line(text: str, query: str) -> str:
    lines = text.splitlines() or [""]
    return next((line for line in lines if query.casefold() in line.casefold()), lines[0])[:200]


if __name__ == "__main__":
    server.run()
