"""Servers that nobody here wrote, in another language, behind the lab's gateway: each in its own era, for clients of both."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import npm_packages
import psutil
import pytest
from mcp import Client
from typescript_sdk import typescript

import labkit as lab
from labkit.catalog import LAB_ROOT

VERSION = "2026.8.31"
PACKAGES = [f"@modelcontextprotocol/server-{name}@{VERSION}" for name in ("everything", "filesystem", "memory")]
MODES = ("auto", "legacy")
FASTMCP = LAB_ROOT / "build" / "peers" / "fastmcp" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
FASTMCP_SERVER = """
from fastmcp import FastMCP
server = FastMCP("fast")
@server.tool
def double(number: int) -> int:
    "Twice the number."
    return 2 * number
server.run(show_banner=False)
"""

pytestmark = [pytest.mark.anyio, pytest.mark.network, pytest.mark.timeout(npm_packages.INSTALL_SECONDS + 120)]


def script(modules: Path, name: str) -> str:
    return str(modules / "@modelcontextprotocol" / f"server-{name}" / "dist" / "index.js")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("files").resolve()
    (found / "a.txt").write_text("behind a gateway", encoding="utf-8")
    return found


@pytest.fixture(scope="module")
async def gateway(folder: Path) -> AsyncIterator[lab.Gateway]:
    modules = npm_packages.install(*PACKAGES)
    node = str(npm_packages.node(20).exe)
    made = lab.Gateway.of(
        {
            "every": {"command": node, "args": [script(modules, "everything")]},
            "files": {"command": node, "args": [script(modules, "filesystem"), str(folder)]},
            "shouting": {"command": node, "args": [str(typescript())]},
            "memory": {
                "command": node,
                "args": [script(modules, "memory")],
                "env": {"MEMORY_FILE_PATH": str(folder / "memory.json")},
            },
        }
    )
    async with made:
        yield made


@pytest.mark.parametrize("mode", MODES)
async def test_the_reference_servers_answer_clients_of_both_eras(gateway: lab.Gateway, folder: Path, mode: Any) -> None:
    async with Client(gateway.server, mode=mode) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"every.echo", "files.read_text_file", "memory.create_entities"} <= names
        eras = {each.name: each.era for each in gateway.health()}
        assert eras.pop("shouting") == "2026-07-28"
        assert set(eras.values()) == {"2025-11-25"}
        loud = await client.call_tool("shouting.shout", {"text": "quiet"})
        assert loud.content[0].text == "QUIET"
        echo = await client.call_tool("every.echo", {"message": "héllo"})
        assert "héllo" in echo.content[0].text
        read = await client.call_tool("files.read_text_file", {"path": str(folder / "a.txt")})
        assert "behind a gateway" in read.content[0].text
        assert (await client.list_resources()).resources


async def test_one_that_is_killed_takes_down_its_own_tools_and_comes_back(gateway: lab.Gateway) -> None:
    async with Client(gateway.server) as client:
        await client.list_tools()
        (pid,) = gateway.backends["memory"].health().pids
        psutil.Process(pid).kill()
        restarts = gateway.backends["memory"].health().restarts
        assert not (await client.call_tool("every.echo", {"message": "still here"})).is_error
        with anyio.fail_after(60):
            while gateway.backends["memory"].health().restarts == restarts:
                await anyio.sleep(0.05)
        assert not (await client.call_tool("memory.read_graph", {})).is_error
        assert gateway.backends["memory"].health().pids != (pid,)


@pytest.mark.skipif(
    not FASTMCP.is_file(), reason="fastmcp is not here; get it: .venv/bin/python -m benchmarks.peers fastmcp"
)
@pytest.mark.parametrize("mode", MODES)
async def test_a_fastmcp_server_answers_clients_of_both_eras(mode: Any) -> None:
    made = lab.Gateway.of({"fast": {"command": str(FASTMCP), "args": ["-c", FASTMCP_SERVER]}})
    async with made, Client(made.server, mode=mode) as client:
        assert (await client.call_tool("fast.double", {"number": 21})).structured_content == {"result": 42}
