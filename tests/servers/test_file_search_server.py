"""The file search server: what it finds, what it leaves out, and that it reports early and stops when told."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from labkit.defences.folders import HELD, HeldFolder
from servers.file_search.ignore import IgnoreFile
from servers.file_search.search import Tally, advance, find, search

from .conftest import call, refusal

pytestmark = [pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

FILES = {
    "readme.md": "# Demo\nThe Needle is here.\n",
    "src/main.py": "import os\n\nneedle = 1\nprint(needle)\n",
    "src/deep/er/util.py": "x = 'Straße'\n",
    "src/build/made.py": "needle\n",
    "node_modules/lib.py": "needle\n",
    ".hidden/x.py": "needle\n",
    "keep.log": "needle\n",
    "drop.log": "needle\n",
    "ends_without_newline.txt": "one\ntwo",
    ".gitignore": "node_modules/\n*.log\n!keep.log\n",
    "src/.gitignore": "/build\n",
}


def fill(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("search")
    fill(place, {"secret.txt": "SECRET needle"})
    root = fill(place / "root", FILES)
    (root / "image.bin").write_bytes(b"\x00needle")
    (root / "huge.txt").write_bytes(b"needle\n" * 300_000)
    if os.name != "nt":
        (root / "link.txt").symlink_to(place / "secret.txt")
        (root / "away").symlink_to(place)
        os.mkfifo(root / "pipe")
    return root


@pytest.fixture(scope="module")
async def client(connect: Any, near: tuple[str, str], tree: Path) -> AsyncIterator[Client]:
    async with connect("file_search", near, {"FILE_SEARCH_ROOT": str(tree)}) as client:
        yield client


@pytest.mark.anyio
async def test_the_contract(client: Client, contract: Any) -> None:
    await contract(client, "file_search")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("*.py", ["src/main.py", "src/deep/er/util.py"]),
        ("src/*.py", ["src/main.py"]),
        ("src/**/*.py", ["src/main.py", "src/deep/er/util.py"]),
        ("*.log", ["keep.log"]),
        ("*.PY", []),
    ],
)
async def test_files_are_found_by_name_or_path(client: Client, pattern: str, files: list[str]) -> None:
    found = await call(client, "find_files", pattern=pattern)
    assert (found["files"], found["truncated"]) == (files, False) and found["visited"] >= 6


@pytest.mark.anyio
async def test_everything_means_hidden_and_ignored_too(client: Client) -> None:
    found = await call(client, "find_files", pattern="*.py", everything=True)
    assert set(found["files"]) == {name for name in FILES if name.endswith(".py")}


@pytest.mark.anyio
async def test_lines_are_found_with_number_and_text(client: Client) -> None:
    found = await call(client, "search_content", text="needle", files="src/**")
    assert found["matches"] == [
        {"path": "src/main.py", "line": 3, "text": "needle = 1"},
        {"path": "src/main.py", "line": 4, "text": "print(needle)"},
    ]
    everywhere = await call(client, "search_content", text="NEEDLE")
    assert [m["path"] for m in everywhere["matches"]] == ["keep.log", "readme.md", "src/main.py", "src/main.py"]
    assert everywhere["skipped"] == 2  # the binary one and the long one
    exact = await call(client, "search_content", text="Needle", ignore_case=False)
    assert [(m["path"], m["line"]) for m in exact["matches"]] == [("readme.md", 2)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "ignore_case", "found"),
    [
        ("STRAßE", True, True),
        ("straße", True, True),
        ("straße", False, False),
        ("Straße", False, True),
        (".*", True, False),
    ],
)
async def test_letters_beyond_ascii_and_no_patterns(client: Client, text: str, ignore_case: bool, found: bool) -> None:
    matches = (await call(client, "search_content", text=text, ignore_case=ignore_case, files="*.py"))["matches"]
    assert [m["path"] for m in matches] == (["src/deep/er/util.py"] if found else [])


@pytest.mark.anyio
async def test_an_answer_that_leaves_something_out_says_so(client: Client) -> None:
    few = await call(client, "search_content", text="needle", limit=1)
    assert (len(few["matches"]), few["truncated"]) == (1, True)
    all_four = await call(client, "search_content", text="needle", limit=4)
    assert (len(all_four["matches"]), all_four["truncated"]) == (4, False)
    assert (await call(client, "find_files", pattern="*", limit=1))["truncated"]


@pytest.mark.anyio
async def test_lines_around_a_match_are_read(client: Client) -> None:
    assert await call(client, "read_file", path="src/main.py", first_line=3, max_lines=1) == {
        "path": "src/main.py", "text": "needle = 1", "first_line": 3, "lines": 4, "truncated": True,
    }  # fmt: skip
    whole = await call(client, "read_file", path="ends_without_newline.txt")
    assert (whole["text"], whole["lines"], whole["truncated"]) == ("one\ntwo", 2, False)


NO_FILE = "is no file below the root: pass a path as find_files tells it"
BAD = [
    ({"path": "../secret.txt"}, f"'../secret.txt' {NO_FILE}"),
    ({"path": "src/../readme.md"}, f"'src/../readme.md' {NO_FILE}"),
    ({"path": "/etc/passwd"}, f"'/etc/passwd' {NO_FILE}"),
    ({"path": ""}, f"'' {NO_FILE}"),
    ({"path": "x\x00"}, f"'x\\x00' {NO_FILE}"),
    ({"path": "src"}, "'src' is a folder: name a file in it"),
    ({"path": "nope.py"}, "cannot read 'nope.py': No such file or directory; find_files tells what there is"),
    ({"path": "image.bin"}, "'image.bin' is binary: only text can be read"),
    ({"path": "huge.txt"}, "'huge.txt' is longer than 2000000 bytes, the most that is read"),
]
LINKS = [
    ({"path": "link.txt"}, "'link.txt' is behind a link, and links are not followed"),
    ({"path": "away/secret.txt"}, "'away/secret.txt' is behind a link, and links are not followed"),
    ({"path": "pipe"}, "cannot read 'pipe': pipe is no regular file; find_files tells what there is"),
    ({"path": "readme.md/x"}, "cannot read 'readme.md/x': Not a directory; find_files tells what there is"),
]


@pytest.mark.anyio
async def test_bad_input_gets_its_message(client: Client) -> None:
    cases = BAD + (LINKS if os.name != "nt" else [])
    assert [await refusal(client, "read_file", **arguments) for arguments, _ in cases] == [said for _, said in cases]
    for tool, arguments, named in [
        ("find_files", {"pattern": ""}, "pattern\n  String should have at least 1 character"),
        ("search_content", {"text": ""}, "text\n  String should have at least 1 character"),
        ("search_content", {"text": "x" * 301}, "text\n  String should have at most 300 characters"),
        ("find_files", {"pattern": "*", "limit": 0}, "limit\n  Input should be greater than or equal to 1"),
        ("find_files", {"pattern": "*", "limit": 1001}, "limit\n  Input should be less than or equal to 1000"),
        ("read_file", {"path": "readme.md", "first_line": 0}, "first_line\n  Input should be greater than or equal to 1"),
    ]:  # fmt: skip
        assert named in await refusal(client, tool, **arguments)


@pytest.mark.anyio
async def test_a_root_that_is_gone_is_said_to_be(connect: Any, tmp_path: Path) -> None:
    async with connect("file_search", ("memory", "modern"), {"FILE_SEARCH_ROOT": str(tmp_path / "gone")}) as client:
        assert (
            await refusal(client, "find_files", pattern="*") == "the root cannot be searched: No such file or directory"
        )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four thousand files, the first of which holds what is looked for."""
    root = tmp_path_factory.mktemp("large")
    for folder in range(40):
        (root / f"{folder:02}").mkdir()
        for number in range(100):
            (root / f"{folder:02}" / f"{number:02}.txt").write_bytes(b"needle" if folder + number == 0 else b"straw")
    return root


@pytest.mark.anyio
async def test_the_first_hit_is_told_before_the_walk_ends(connect: Any, near: tuple[str, str], large: Path) -> None:
    told: list[tuple[float, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async with connect("file_search", near, {"FILE_SEARCH_ROOT": str(large)}) as client:
        result = await client.call_tool("search_content", {"text": "needle"}, progress_callback=on_progress)
        assert result.structured_content["visited"] == 4000  # type: ignore[index]
    assert told[0] == (1, "1 hits, the first in 00/00.txt")
    assert told == sorted(told) and told[-1][0] == 4000


@pytest.mark.anyio
@pytest.mark.skipif(os.name == "nt", reason="counts what HeldFolder opens")
@pytest.mark.parametrize("era", ["modern", "handshake"])
async def test_a_cancelled_search_opens_no_more_files(
    connect: Any, large: Path, era: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    content = HeldFolder.content
    monkeypatch.setattr(
        HeldFolder, "content", lambda self, name, limit: opened.append(name) or content(self, name, limit)
    )
    started = anyio.Event()

    async def on_progress(*_: Any) -> None:
        started.set()

    # One file per slice: the walk would take thousands of slices more.
    monkeypatch.setattr("servers.file_search.search.SLICE_SECONDS", 0)
    async with connect("file_search", ("memory", era), {"FILE_SEARCH_ROOT": str(large)}) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                lambda: client.call_tool("search_content", {"text": "needle"}, progress_callback=on_progress)
            )
            with anyio.fail_after(10):
                await started.wait()
            tasks.cancel_scope.cancel()
        # What was sent before the cancellation arrived is done when this one is answered.
        await client.call_tool("find_files", {"pattern": "01/*"})
        stopped = len(opened)
        await client.call_tool("find_files", {"pattern": "01/*"})  # as many slices as the search would take
    assert 0 < stopped < 4000 and len(opened) == stopped


def run(work: Any) -> list[str]:
    hits: list[Any] = []
    while not advance(work, hits, 10**6):
        pass
    return [hit.path for hit in hits]


def test_a_search_that_is_closed_gives_its_folders_back(large: Path) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to count descriptors")
    before = len(list(Path("/proc/self/fd").iterdir()))
    work = search(large, "straw", Tally())
    next(work)
    assert len(list(Path("/proc/self/fd").iterdir())) > before
    work.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.skipif(not HELD, reason="this system cannot hold folders; the race stays open")
def test_a_file_that_becomes_a_link_between_listing_and_opening_is_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, {"root/file.txt": "mine", "secret.txt": "SECRET"})
    folder = HeldFolder(tmp_path / "root")
    try:
        assert folder.names() == (["file.txt"], [])
        (tmp_path / "root/file.txt").unlink()
        (tmp_path / "root/file.txt").symlink_to(tmp_path / "secret.txt")
        with pytest.raises(OSError):
            folder.content("file.txt", 100)
        assert folder.names() == ([], [])
    finally:
        folder.close()


IGNORE = r"""
# comment
*.o
!important.o
/top
build/
docs/*.txt
a/**/z
**/cache
deep/**
foo[0-9].c
x[!a-c].c
\#hash
\!bang
trailing\{blank}
spaces{blank}{blank}
*.tmp
!/sub/
sub/*
!sub/keep*
nested/inner/
mid*dle
ques?ion
"""
PATHS = [
    "a.o", "important.o", "d/important.o", "d/b.o", "top", "d/top", "build/x", "d/build/x", "buildx", "docs/a.txt",
    "docs/d/a.txt", "d/docs/a.txt", "a/z", "a/b/z", "a/c/d/z", "a/b/zz", "cache", "d/cache/x", "e/cache", "deep/a",
    "deep/b/c", "d/deep/a", "e/deep/a", "foo1.c", "foox.c", "xa.c", "xd.c", "#hash", "!bang", "trailing ", "spaces", "t.tmp",
    "sub/a", "sub/keep", "sub/keeper/x", "nested/inner/x", "d/nested/inner/x", "middle", "midxdle", "mid/dle", "question",
    "ques/ion", "ok", "d/ok",
]  # fmt: skip


@pytest.mark.skipif(shutil.which("git") is None or os.name == "nt", reason="git decides what is right; install git")
def test_what_is_ignored_is_what_git_ignores(tmp_path: Path) -> None:
    fill(
        tmp_path,
        dict.fromkeys(PATHS, "") | {".gitignore": IGNORE.replace("{blank}", " "), "d/.gitignore": "ok\n!b.o\n/deep/\n"},
    )
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    listing = ["git", "ls-files", "-z", "--others", "--exclude-standard"]
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=environment, check=True)
    seen = subprocess.run(listing, cwd=tmp_path, env=environment, capture_output=True, check=True).stdout.decode()
    expected = {path for path in seen.split("\0") if path and ".gitignore" not in path}
    assert set(run(find(tmp_path, "*", Tally()))) == expected


def test_a_rule_that_means_nothing_harms_nothing() -> None:
    rules = IgnoreFile("[z-a]\n[\n!\n/\n\\\n***\n", "")
    assert rules.ignores("a", "a", False) is True  # *** is *
    assert IgnoreFile("[z-a]\n[ab\n", "").ignores("a", "a", False) is None
