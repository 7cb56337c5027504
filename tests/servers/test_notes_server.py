"""The notes server: what it stores, what it shows, and whom it tells."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client, MCPError

from servers.notes.store import NoteError, NoteStore

from .conftest import call

# The handshake era is what half of these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")


class Inbox:
    """Collects the notifications of a client."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[str, str | None]] = asyncio.Queue()

    async def __call__(self, message: Any) -> None:
        await self._queue.put((message.method, getattr(message.params, "uri", None)))

    async def next(self) -> tuple[str, str | None]:
        with anyio.fail_after(5):
            return await self._queue.get()


@pytest.fixture(scope="module")
def database(way: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("-".join(way)) / "below" / "notes.db"


@pytest.fixture(scope="module")
def inbox(way: tuple[str, str]) -> Inbox:
    return Inbox()


@pytest.fixture(scope="module")
async def notes(connect: Any, way: tuple[str, str], database: Path, inbox: Inbox) -> AsyncIterator[Client]:
    async with connect("notes", way, {"NOTES_DB": str(database)}, message_handler=inbox) as client:
        yield client


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return result.content[0].text  # type: ignore[union-attr]


async def text(client: Client, uri: str) -> str:
    return (await client.read_resource(uri)).contents[0].text  # type: ignore[union-attr]


@asynccontextmanager
async def watching(client: Client, uri: str, inbox: Inbox) -> AsyncIterator[None]:
    """Subscribe the way of the era. Notifications arrive in the inbox either way."""
    if client.protocol_version == "2026-07-28":
        async with client.listen(resources_list_changed=True, resource_subscriptions=[uri]):
            yield
    else:
        await client.subscribe_resource(uri)
        yield
        await client.unsubscribe_resource(uri)


@pytest.mark.anyio
async def test_a_created_note_can_be_listed_and_read(notes: Client) -> None:
    created = await call(notes, "create_note", name="shopping", text="milk\nbread ½", mime_type="text/plain")
    assert created == {
        "name": "shopping", "uri": "notes://shopping", "mime_type": "text/plain", "revision": 1, "characters": 12,
    }  # fmt: skip
    listed = {resource.uri: resource for resource in (await notes.list_resources()).resources}
    assert listed["notes://shopping"].mime_type == "text/plain" and listed["notes://shopping"].size == 13
    assert await text(notes, "notes://shopping") == "milk\nbread ½"
    assert "shopping" in [note["name"] for note in json.loads(await text(notes, "notes://index"))["notes"]]


@pytest.mark.anyio
@pytest.mark.parametrize("mime_type", ["text/markdown", "text/plain"])
async def test_a_note_is_read_with_its_own_type(notes: Client, mime_type: str) -> None:
    name = mime_type.replace("/", "-")
    await call(notes, "create_note", name=name, text="# x", mime_type=mime_type)
    assert (await notes.read_resource(f"notes://{name}")).contents[0].mime_type == mime_type


@pytest.mark.anyio
async def test_update_replaces_appends_and_notices_other_hands(notes: Client) -> None:
    await call(notes, "create_note", name="draft", text="one")
    await call(notes, "update_note", name="draft", text=" two", append=True)
    assert await text(notes, "notes://draft") == "one two"
    assert "is at revision 2, not 1" in await refusal(notes, "update_note", name="draft", text="x", if_revision=1)
    await call(notes, "update_note", name="draft", text="new", if_revision=2)
    assert await text(notes, "notes://draft") == "new"


@pytest.mark.anyio
async def test_a_deleted_note_is_gone(notes: Client) -> None:
    await call(notes, "create_note", name="gone", text="")
    await call(notes, "delete_note", name="gone")
    assert "there is no note 'gone'" in await refusal(notes, "delete_note", name="gone")
    with pytest.raises(MCPError, match="there is no note 'gone'") as raised:
        await notes.read_resource("notes://gone")
    assert raised.value.code == -32602


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["Upper", "a/b", "..", "", "ü", "index", "x" * 65])
async def test_unsuitable_names_are_refused(notes: Client, name: str) -> None:
    assert name in await refusal(notes, "create_note", name=name, text="x")


@pytest.mark.anyio
async def test_a_note_is_created_once(notes: Client) -> None:
    await call(notes, "create_note", name="once", text="first")
    assert "already" in await refusal(notes, "create_note", name="once", text="second")
    assert await text(notes, "notes://once") == "first"


@pytest.mark.anyio
async def test_search_finds_any_letter_case_and_shows_the_line(notes: Client) -> None:
    await call(notes, "create_note", name="trip", text="Plan\nSchöne STRASSE ansehen")
    found = (await call(notes, "search_notes", query="SCHÖNE straße"))["result"]
    assert found == [{"name": "trip", "uri": "notes://trip", "line": "Schöne STRASSE ansehen"}]


@pytest.mark.anyio
async def test_completion_knows_the_names(notes: Client) -> None:
    await call(notes, "create_note", name="zebra", text="")
    template = types.ResourceTemplateReference(uri="notes://{name}")
    for ref in (template, types.PromptReference(name="summarize")):
        assert (await notes.complete(ref, {"name": "name", "value": "zeb"})).completion.values == ["zebra"]


@pytest.mark.anyio
async def test_the_prompt_embeds_the_note(notes: Client) -> None:
    await call(notes, "create_note", name="long", text="a long story")
    last = (await notes.get_prompt("summarize", {"name": "long"})).messages[-1].content
    assert isinstance(last, types.EmbeddedResource) and last.resource.text == "a long story"  # type: ignore[union-attr]
    with pytest.raises(MCPError, match="there is no note 'nope'"):
        await notes.get_prompt("summarize", {"name": "nope"})


@pytest.mark.anyio
async def test_capabilities_are_true_for_the_era(notes: Client) -> None:
    resources = notes.server_capabilities.resources
    assert resources and resources.subscribe and resources.list_changed


@pytest.mark.anyio
async def test_a_subscriber_hears_of_changes_here(notes: Client, inbox: Inbox) -> None:
    async with watching(notes, "notes://mine", inbox):
        await call(notes, "create_note", name="mine", text="1")
        # Every handshake client hears of the list, also in other tests: only look for what this one is about.
        assert await until(inbox, "notifications/resources/updated") == "notes://mine"
        await until(inbox, "notifications/resources/list_changed")
        await call(notes, "update_note", name="mine", text="2")
        assert await until(inbox, "notifications/resources/updated") == "notes://mine"


@pytest.mark.anyio
async def test_a_subscriber_hears_of_changes_by_others(notes: Client, inbox: Inbox, database: Path) -> None:
    other = NoteStore(database)
    other.create("shared", "1")
    async with watching(notes, "notes://shared", inbox):
        other.update("shared", "2")
        assert await until(inbox, "notifications/resources/updated") == "notes://shared"
        assert await text(notes, "notes://shared") == "2"


@pytest.mark.anyio
async def test_an_own_change_is_told_without_waiting_for_the_next_look(
    connect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("servers.notes.watch.POLL_SECONDS", 3600)
    own, inbox = {"NOTES_DB": str(tmp_path / "notes.db")}, Inbox()
    async with connect("notes", ("memory", "handshake"), own, message_handler=inbox) as client:
        await client.subscribe_resource("notes://now")
        await call(client, "create_note", name="now", text="")
        assert await until(inbox, "notifications/resources/updated") == "notes://now"


@pytest.mark.anyio
async def test_a_handshake_client_can_unsubscribe(connect: Any, tmp_path: Path) -> None:
    own, inbox = {"NOTES_DB": str(tmp_path / "notes.db")}, Inbox()
    async with connect("notes", ("memory", "handshake"), own, message_handler=inbox) as client:
        for uri in ("notes://one", "notes://two"):
            await client.subscribe_resource(uri)
        await client.unsubscribe_resource("notes://one")
        for name in ("one", "two"):
            await call(client, "create_note", name=name, text="")
        assert await until(inbox, "notifications/resources/updated") == "notes://two"


async def until(inbox: Inbox, method: str) -> str | None:
    while True:
        got, uri = await inbox.next()
        if got == method:
            return uri


WRITER = """
import sys
from pathlib import Path
from servers.notes.store import NoteStore
store, me = NoteStore(Path(sys.argv[1])), sys.argv[2]
try:
    store.create("log", "")
except Exception as error:
    assert "already" in str(error), error
for n in range(25):
    store.update("log", f"{me}-{n}\\n", append=True)
    store.create(f"{me}-{n}", me)
"""


def test_processes_writing_at_once_lose_nothing(tmp_path: Path) -> None:
    database = tmp_path / "new" / "notes.db"
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", WRITER, str(database)]
    writers = [
        subprocess.Popen([*command, me], cwd=root, stderr=subprocess.PIPE, text=True, encoding="utf-8") for me in "abcd"
    ]
    assert [(writer.communicate(timeout=60)[1], writer.returncode) for writer in writers] == [("", 0)] * 4
    expected = {f"{me}-{n}" for me in "abcd" for n in range(25)}
    store = NoteStore(database)
    assert set(store.read("log").text.split()) == expected
    assert {note.name for note in store.all()} == expected | {"log"}


def test_an_unusable_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    file.write_text("this is no database, but it is longer than a header" * 10, encoding="utf-8")
    with pytest.raises(NoteError, match=r"cannot use the notes in .*notes\.db"):
        NoteStore(file).all()
