"""The filesystem server as a client sees it: what it does, what it refuses, and in which words."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp import Client, MCPError

from .conftest import call, refusal

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]


@pytest.fixture(scope="module")
def place(near: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two roots, and a secret beside them."""
    place = tmp_path_factory.mktemp("place")
    for folder in ("data/letters/old", "data-private", "more/data"):
        (place / folder).mkdir(parents=True)
    (place / "data-private/secret.txt").write_text("SECRET", encoding="utf-8")
    (place / "secret.txt").write_text("SECRET", encoding="utf-8")
    (place / "data/readme.md").write_text("# Hello\nWörld\n", encoding="utf-8")
    (place / "data/letters/one.txt").write_text("".join(f"line {n}\n" for n in range(1, 11)), encoding="utf-8")
    (place / "data/letters/old/two.txt").write_text("two", encoding="utf-8")
    (place / "data/letters/..dots.txt").write_text("three dots", encoding="utf-8")
    (place / "data/latin.txt").write_bytes("Größe".encode("latin-1"))
    (place / "data/picture.png").write_bytes(b"\x89PNG\x00\xff")
    (place / "data/large.txt").write_bytes(b"0123456789\n" * 200)
    (place / "data/.hidden").write_bytes(b"")
    (place / "data/run.SH").write_text("echo", encoding="utf-8")
    if os.name != "nt":
        (place / "data/link.txt").symlink_to(place / "secret.txt")
        (place / "data/inner.txt").symlink_to(place / "data/readme.md")
        (place / "data/away").symlink_to(place / "data-private")
        os.mkfifo(place / "data/pipe")
    return place


@pytest.fixture(scope="module")
async def files(connect: Any, near: tuple[str, str], place: Path) -> AsyncIterator[Client]:
    roots = os.pathsep.join(str(place / name) for name in ("data", "more/data"))
    async with connect("filesystem", near, {"FILES_ROOTS": roots, "FILES_MAX_BYTES": "1000"}) as client:
        yield client


async def test_the_contract(files: Client, contract: Any) -> None:
    await contract(files, "filesystem")


async def test_the_roots_are_told_by_name_only(files: Client, place: Path) -> None:
    listing = await call(files, "list_folder")
    assert [(entry["path"], entry["kind"]) for entry in listing["entries"]] == [
        ("data", "folder"),
        ("data-2", "folder"),
    ]
    limits = (await files.read_resource("filesystem://limits")).contents[0].text  # type: ignore[union-attr]
    assert json.loads(limits)["roots"] == ["data", "data-2"] and json.loads(limits)["max_bytes"] == 1000
    assert str(place) not in json.dumps(listing) + limits


async def test_a_folder_is_listed_folders_first_and_links_as_links(files: Client) -> None:
    entries = {entry["path"]: entry for entry in (await call(files, "list_folder", path="data"))["entries"]}
    assert next(iter(entries)) == "data/letters" and "data/.hidden" not in entries
    assert entries["data/readme.md"]["kind"] == "file" and entries["data/readme.md"]["size"] == 15
    if os.name != "nt":
        kinds = {path: entries[path]["kind"] for path in ("data/link.txt", "data/away", "data/pipe")}
        assert kinds == {"data/link.txt": "link", "data/away": "link", "data/pipe": "other"}
    shown = await call(files, "list_folder", path="data/", hidden=True)
    assert "data/.hidden" in [entry["path"] for entry in shown["entries"]]
    few = await call(files, "list_folder", path="data", limit=2)
    assert (len(few["entries"]), few["truncated"]) == (2, True)


async def test_text_is_read_whole_or_by_lines(files: Client) -> None:
    whole = await call(files, "read_file", path="data/readme.md")
    assert whole == {"path": "data/readme.md", "text": "# Hello\nWörld\n", "truncated": False}
    some = await call(files, "read_file", path="data/letters/one.txt", first_line=3, max_lines=2)
    assert (some["text"], some["truncated"]) == ("line 3\nline 4\n", True)
    last = await call(files, "read_file", path="data/letters/one.txt", first_line=9, max_lines=2)
    assert (last["text"], last["truncated"]) == ("line 9\nline 10\n", False)
    beyond = await call(files, "read_file", path="data/letters/one.txt", first_line=99)
    assert (beyond["text"], beyond["truncated"]) == ("", False)


async def test_the_beginning_of_a_large_file_can_be_read(files: Client) -> None:
    some = await call(files, "read_file", path="data/large.txt", max_lines=3)
    assert (some["text"], some["truncated"]) == ("0123456789\n" * 3, True)


async def test_other_encodings_are_read_when_named(files: Client) -> None:
    assert (await call(files, "read_file", path="data/latin.txt", encoding="latin-1"))["text"] == "Größe"


async def test_names_that_only_look_dangerous_are_fine(files: Client) -> None:
    assert (await call(files, "read_file", path="data/letters/..dots.txt"))["text"] == "three dots"
    assert (await call(files, "read_file", path="data/./letters//old/two.txt"))["text"] == "two"


async def test_writing_tells_the_hash_of_what_is_on_the_disk(files: Client, place: Path) -> None:
    written = await call(files, "write_file", path="data/new/deep/ü.txt", text="äöü\n", create_folders=True)
    on_disk = (place / "data/new/deep/ü.txt").read_bytes()
    assert on_disk == "äöü\n".encode()
    assert written == {
        "path": "data/new/deep/ü.txt", "size": 7, "sha256": hashlib.sha256(on_disk).hexdigest(), "created": True,
    }  # fmt: skip
    again = {"path": "data/new/deep/ü.txt", "text": "x"}
    assert await refusal(files, "write_file", **again) == (
        "'data/new/deep/ü.txt' exists already: choose another name, or pass overwrite=true"
    )
    assert (place / "data/new/deep/ü.txt").read_bytes() == on_disk
    assert (await call(files, "write_file", **again, overwrite=True))["created"] is False
    assert [file.name for file in (place / "data/new/deep").iterdir()] == ["ü.txt"]  # no drafts are left


@pytest.mark.skipif(os.name == "nt", reason="modes of files are POSIX")
async def test_an_overwritten_file_keeps_its_mode(files: Client, place: Path) -> None:
    file = place / "data/mode.txt"
    file.touch()
    file.chmod(0o640)
    await call(files, "write_file", path="data/mode.txt", text="x", overwrite=True)
    assert file.stat().st_mode & 0o777 == 0o640


async def test_search_finds_names_at_any_depth_and_paths(files: Client) -> None:
    async def found(pattern: str, path: str = "data/letters") -> list[str]:
        return [e["path"] for e in (await call(files, "search_files", pattern=pattern, path=path))["entries"]]

    assert await found("*.txt") == ["data/letters/old/two.txt", "data/letters/one.txt"]
    assert await found("old/*") == await found("**/two.txt") == ["data/letters/old/two.txt"]
    assert await found("letters/**/*.txt", "") == ["data/letters/old/two.txt", "data/letters/one.txt"]
    assert await found("secret*", "") == []
    some = await call(files, "search_files", pattern="*.txt", path="data/letters", limit=1)
    assert (len(some["entries"]), some["truncated"]) == (1, True)


async def test_resources_are_text_or_bytes_with_their_type(files: Client) -> None:
    text = (await files.read_resource("files://read/data/readme.md")).contents[0]
    assert (text.mime_type, text.text) == ("text/markdown", "# Hello\nWörld\n")  # type: ignore[union-attr]
    picture = (await files.read_resource("files://read/data/picture.png")).contents[0]
    assert picture.mime_type == "image/png" and base64.b64decode(picture.blob) == b"\x89PNG\x00\xff"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("files://read/data/nope.txt", -32602),
        ("files://read/data/run.SH", -32603),
        ("files://read/data/large.txt", -32603),
        ("files://read/secret.txt", -32602),
        ("files://read/data/../secret.txt", -32602),
        ("files://read/data/%2e%2e/secret.txt", -32602),
        ("files://read//etc/passwd", -32602),
    ],
)
async def test_resources_refuse_what_the_tools_refuse(files: Client, uri: str, code: int) -> None:
    with pytest.raises(MCPError) as raised:
        await files.read_resource(uri)
    assert raised.value.code == code and "SECRET" not in str(raised.value)


async def test_completion_goes_down_folder_by_folder(files: Client) -> None:
    ref = types.ResourceTemplateReference(uri="files://read/{+path}")

    async def values(typed: str) -> list[str]:
        return (await files.complete(ref, {"name": "path", "value": typed})).completion.values

    assert await values("") == ["data/", "data-2/"]
    assert await values("data/le") == ["data/letters/"]
    assert await values("data/letters/o") == ["data/letters/old/", "data/letters/one.txt"]
    assert await values("../") == [] and await values("data/away/") == []


BELOW = "is no path below a root: begin with 'data/' or 'data-2/', and go downwards only"
NO_ROOT = "is in no root: begin with 'data/' or 'data-2/'"
NOTHING = "list the folder to see what there is"
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("read_file", {"path": "data/../secret.txt"}, f"'data/../secret.txt' {BELOW}"),
    ("read_file", {"path": "../secret.txt"}, f"'../secret.txt' {BELOW}"),
    ("read_file", {"path": "data/letters/../../secret.txt"}, f"'data/letters/../../secret.txt' {BELOW}"),
    ("read_file", {"path": "data/letters/../readme.md"}, f"'data/letters/../readme.md' {BELOW}"),
    ("read_file", {"path": "/etc/passwd"}, f"'/etc/passwd' {BELOW}"),
    ("read_file", {"path": "~/x"}, f"'~/x' {BELOW}"),
    ("read_file", {"path": "data/x\x00.txt"}, f"'data/x\\x00.txt' {BELOW}"),
    ("read_file", {"path": "data-private/secret.txt"}, f"'data-private/secret.txt' {NO_ROOT}"),
    ("read_file", {"path": "C:\\secret.txt"}, f"'C:\\\\secret.txt' {NO_ROOT}" if os.name != "nt" else f"'C:\\\\secret.txt' {BELOW}"),
    ("read_file", {"path": "file:///etc/passwd"}, f"'file:///etc/passwd' {NO_ROOT}" if os.name != "nt" else f"'file:///etc/passwd' {BELOW}"),
    ("read_file", {"path": "data/%2e%2e/secret.txt"}, f"there is nothing at 'data/%2e%2e/secret.txt': {NOTHING}"),
    ("read_file", {"path": "data/nope.txt"}, f"there is nothing at 'data/nope.txt': {NOTHING}"),
    ("read_file", {"path": ""}, "'' is a folder: name a file in it"),
    ("read_file", {"path": "data"}, "'data' is a folder: name a file in it"),
    ("read_file", {"path": "data/letters"}, "'data/letters' is a folder: name a file in it"),
    ("read_file", {"path": "data/readme.md/x"}, "'data/readme.md/x' goes through a file, or ends at one: name a folder"),
    ("read_file", {"path": "data/run.SH"}, "'data/run.SH' is of a blocked type (.sh): this server does not touch such files"),
    ("read_file", {"path": "data/.env"}, "'data/.env' is of a blocked type (.env): this server does not touch such files"),
    ("read_file", {"path": "data/run.sh. "}, "'data/run.sh. ' is of a blocked type (.sh): this server does not touch such files"),
    ("read_file", {"path": "data/large.txt"}, "'data/large.txt' holds 2200 bytes, more than the 1000 that are read at once: ask for its first lines with max_lines"),
    ("read_file", {"path": "data/latin.txt"}, "'data/latin.txt' is not utf-8 text: byte 2 cannot be read. Pass another encoding, such as latin-1; binary files are read as resources"),
    ("write_file", {"path": "data/evil.exe", "text": ""}, "'data/evil.exe' is of a blocked type (.exe): this server does not touch such files"),
    ("write_file", {"path": "data/big.txt", "text": "ü" * 501}, "the text has 1002 bytes, more than the 1000 that may be written: split it up"),
    ("write_file", {"path": "data/no/x.txt", "text": ""}, f"there is nothing at 'data/no/x.txt': {NOTHING}"),
    ("write_file", {"path": "data/letters", "text": "", "overwrite": True}, "'data/letters' is a folder: name a file in it"),
    ("write_file", {"path": "data/readme.md/x.txt", "text": "", "create_folders": True}, "'data/readme.md/x.txt' goes through a file, or ends at one: name a folder"),
    ("write_file", {"path": "data/x.txt", "text": "ü", "encoding": "ascii"}, "'ü' cannot be written as ascii: leave encoding out for utf-8"),
    ("list_folder", {"path": "data/readme.md"}, "'data/readme.md' goes through a file, or ends at one: name a folder"),
    ("list_folder", {"path": "nowhere"}, f"'nowhere' {NO_ROOT}"),
    ("search_files", {"pattern": "*", "path": ".."}, f"'..' {BELOW}"),
]  # fmt: skip
LINKS: list[tuple[str, dict[str, Any], str]] = [
    ("read_file", {"path": "data/link.txt"}, "'data/link.txt': link.txt is a link, and links are not followed. Name the file itself"),
    ("read_file", {"path": "data/inner.txt"}, "'data/inner.txt': inner.txt is a link, and links are not followed. Name the file itself"),
    ("read_file", {"path": "data/away/secret.txt"}, "'data/away/secret.txt': away is a link, and links are not followed. Name the file itself"),
    ("list_folder", {"path": "data/away"}, "'data/away': away is a link, and links are not followed. Name the file itself"),
    ("write_file", {"path": "data/link.txt", "text": "", "overwrite": True}, "'data/link.txt': link.txt is a link, and links are not followed. Name the file itself"),
    ("write_file", {"path": "data/away/x.txt", "text": "", "create_folders": True}, "'data/away/x.txt': away is a link, and links are not followed. Name the file itself"),
    ("read_file", {"path": "data/pipe"}, "'data/pipe' cannot be used: pipe is no regular file"),
    ("write_file", {"path": "data/pipe", "text": "", "overwrite": True}, "'data/pipe' cannot be used: pipe is no regular file"),
    ("read_file", {"path": f"data/{'x' * 300}"}, f"'data/{'x' * 300}' cannot be used: File name too long"),
]  # fmt: skip


async def test_bad_input_gets_its_message(files: Client, place: Path) -> None:
    cases = BAD + (LINKS if os.name != "nt" else [])
    said = [await refusal(files, tool, **arguments) for tool, arguments, _ in cases]
    assert said == [message for _, _, message in cases]
    assert not any(str(place) in message or "SECRET" in message for message in said)
    assert (place / "secret.txt").read_text(encoding="utf-8") == "SECRET"
    assert [file.name for file in (place / "data-private").iterdir()] == ["secret.txt"]


async def test_what_the_schema_forbids_is_named(files: Client) -> None:
    for tool, arguments, named in [
        ("read_file", {"path": "data/readme.md", "encoding": "punycode"}, "encoding\n  Input should be 'utf-8'"),
        ("read_file", {"path": "data/readme.md", "max_lines": 0}, "max_lines\n  Input should be greater than or equal"),
        ("search_files", {"pattern": "*" * 301}, "pattern\n  String should have at most 300 characters"),
        ("write_file", {"path": "data/x.txt"}, "text\n  Field required"),
    ]:  # fmt: skip
        assert named in await refusal(files, tool, **arguments)  # type: ignore[arg-type]
