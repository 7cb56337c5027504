"""Searching 50,000 files through the file_search server, against ripgrep, or `grep -r` where that is not installed."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mcp import Client, StdioServerParameters

from benchmarks.rows import Row, ratio_row, time_row
from labkit.catalog import LAB_ROOT

WORDS = ["alpha", "beta", "gamma", "delta", "import", "return", "value", "class", "def", "self", "x", "=", "(", ":"]
NEEDLE = "needle_in_haystack"
PER_FOLDER = 100


def run(quick: bool = False) -> list[Row]:
    """A search for a rare text, the time to its first hit, and a search for names."""
    files, rounds = (2_000, 2) if quick else (50_000, 7)
    with tempfile.TemporaryDirectory(prefix="labkit-bench-") as folder:
        expected = _plant(Path(folder), files)
        return asyncio.run(_measure(Path(folder), files, expected, rounds))


def _plant(root: Path, files: int) -> int:
    """Made-up sources, about 1.5 kB each; every thousandth holds the needle. Returns how many do."""
    chance, needles = random.Random(2026), 0
    lines = [" ".join(chance.choices(WORDS, k=8)) for _ in range(500)]
    for number in range(files):
        folder = root / f"package{number // (10 * PER_FOLDER):02}" / f"module{number // PER_FOLDER:03}"
        if number % PER_FOLDER == 0:
            folder.mkdir(parents=True)
        text = chance.choices(lines, k=chance.randrange(10, 60))
        if number % 1000 == 7:
            text.append(NEEDLE)
            needles += 1
        (folder / f"file{number % PER_FOLDER:02}.py").write_text("\n".join(text) + "\n", encoding="utf-8")
    return needles


def _peer() -> tuple[str, list[str]]:
    if shutil.which("rg"):
        return "ripgrep", ["rg", "--line-number", "--fixed-strings", "--ignore-case", NEEDLE, "."]
    if shutil.which("grep"):
        return "grep -r", ["grep", "-rniF", NEEDLE, "."]
    raise RuntimeError("neither rg nor grep is installed: install ripgrep, or leave out this topic with --only")


async def _measure(root: Path, files: int, expected: int, rounds: int) -> list[Row]:
    name, command = _peer()
    lab: list[float] = []
    first: list[float] = []
    bare: list[float] = []
    names: list[float] = []
    server = StdioServerParameters(
        command=sys.executable,
        args=[str(LAB_ROOT / "servers" / "file_search" / "server.py")],
        env={"FILE_SEARCH_ROOT": str(root)},
    )

    async with Client(server) as client:

        async def through_server() -> None:
            began = time.perf_counter()
            hits: list[float] = []

            async def on_progress(progress: float, total: float | None, message: str | None) -> None:
                hits.append(time.perf_counter())

            arguments = {"text": NEEDLE, "limit": 1000}
            result = await client.call_tool("search_content", arguments, progress_callback=on_progress)
            lab.append(1e3 * (time.perf_counter() - began))
            first.append(1e3 * (hits[0] - began))
            found = (result.structured_content or {})["matches"]
            assert len(found) == expected, f"found {len(found)} of {expected}"

        def by_peer() -> None:
            began = time.perf_counter()
            done = subprocess.run(command, cwd=root, capture_output=True, check=True)
            bare.append(1e3 * (time.perf_counter() - began))
            assert done.stdout.count(b"\n") == expected

        await client.list_tools()
        await client.call_tool("search_content", {"text": NEEDLE})  # the files are in memory from here on
        for turn in range(rounds):
            steps = [through_server, by_peer] if turn % 2 == 0 else [by_peer, through_server]
            for step in steps:
                if (waiting := step()) is not None:
                    await waiting
            began = time.perf_counter()
            await client.call_tool("find_files", {"pattern": "*07.py", "limit": 1000})
            names.append(1e3 * (time.perf_counter() - began))

    count = f"{files:,} files"
    bar = 2.0 if name == "grep -r" else None  # ripgrep uses all cores
    return [
        ratio_row("file_search", f"text in {count}, over stdio, against {name}", lab, bare, bar),
        ratio_row("file_search", f"first hit, against the whole search, {count}", first, lab, 0.5),
        time_row("file_search", f"names in {count}, over stdio", names, None),
    ]
