"""The frame of the range: a drill is read from its folder and run; servers of the range stay on this machine."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from labkit.errors import CatalogError
from labkit.range import drill, drills, run
from labkit.range.running import REFUSED, only_loopback, unfit
from labkit.session.registry import connections

TOML = """
number = 1
title = "Echoes"
happened = "Never."
owasp = ["MCP05"]
spec = "server/tools#security-considerations"
finds = ["security.traversal"]
via = "memory"
exercise = "20_x"
notebook = "20_x"
summary = "It tells what it should keep."
repair = "It does not."
"""
VULNERABLE = '''
from mcp.server import MCPServer


def make(env):
    server = MCPServer("vulnerable-echo")

    @server.tool()
    def secret(name: str) -> str:
        """Tell."""
        return env["RANGE_CANARY"] if name == "please" else "no"

    return server
'''
DRILL = """
async def attack(target):
    conn = await target.connect()
    (target.folder / "x").write_text("x", encoding="utf-8")
    said = (await conn.call("secret", name="please")).data
    return [f"it said {said}"] if target.canary in said else []


async def legitimate(target):
    conn = await target.connect(headers={})
    said = (await conn.call("secret", name="x")).data
    return [] if said == "no" and conn.transport == "http" else [f"said {said} over {conn.transport}"]


async def near_misses(target):
    return [] if target.module().make else ["no module"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "echo"
    place.mkdir()
    (place / "drill.toml").write_text(TOML, encoding="utf-8")
    (place / "drill.py").write_text(DRILL, encoding="utf-8")
    (place / "vulnerable.py").write_text(VULNERABLE, encoding="utf-8")
    (place / "fixed.py").write_text(VULNERABLE.replace("please", "never said"), encoding="utf-8")
    return tmp_path


@pytest.mark.anyio
async def test_the_attack_is_seen_its_canary_is_not_shown_and_nothing_stays(folder: Path) -> None:
    one, before, modules = drill("echo", folder), len(connections()), set(sys.modules)
    fell = await one.attack()
    assert not fell.held and fell.lines == ("it said canary-...",)
    assert "canary-..." in repr(fell) and "canary-..." in fell._repr_html_()
    assert fell.obtained[0].startswith("it said canary-") and fell.obtained[0] not in repr(fell)
    grade = await one.grade("fixed")
    assert grade.passed, grade
    assert (await one.grade(str(folder / "echo" / "fixed.py"))).passed
    assert not (await one.grade()).passed
    assert len(connections()) == before
    left = {
        name
        for name in set(sys.modules) - modules
        if name.startswith(("labkit_server_echo_vulnerable_", "labkit_server_echo_fixed_"))
    }
    assert not left
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("labkit-http-")]


def test_a_drill_that_is_not_there_or_not_as_it_should_be_is_named(folder: Path) -> None:
    assert list(drills(folder)) == ["echo"] and "It tells what" in repr(drills(folder))
    with pytest.raises(CatalogError, match="no drill 'ecko'. Did you mean 'echo'"):
        drill("ecko", folder)
    toml = folder / "echo" / "drill.toml"
    toml.write_text(TOML + 'colour = "red"\n', encoding="utf-8")
    with pytest.raises(CatalogError, match="unknown key 'colour'"):
        drills(folder)
    toml.write_text(TOML.replace("number = 1", 'number = "1"'), encoding="utf-8")
    with pytest.raises(CatalogError, match="'number' is missing, or is no int"):
        drills(folder)


@pytest.mark.anyio
async def test_a_file_that_is_no_server_is_said_so(folder: Path) -> None:
    (folder / "odd.py").write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"odd\.py has no function make"):
        await drill("echo", folder).attack(folder / "odd.py")
    (folder / "odd.py").write_text("1 / 0\n", encoding="utf-8")
    with pytest.raises(CatalogError, match="failed while loading: ZeroDivisionError"):
        await drill("echo", folder).attack(folder / "odd.py")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com", ""])
def test_it_listens_for_nobody_else(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(app=lambda env: None, argv=["http", "--host", host])
    assert ended.value.code == REFUSED
    assert "vulnerable on purpose" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_is_fit(host: str) -> None:
    assert unfit(host) == ""


@pytest.mark.anyio
async def test_clients_of_other_machines_are_refused() -> None:
    asked: list[str] = []

    async def app(scope: dict, receive: object, send: object) -> None:
        asked.append(scope["client"][0])

    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    for client in ("127.0.0.1", "192.0.2.7"):
        await only_loopback(app)({"type": "http", "client": (client, 5)}, None, send)
    assert asked == ["127.0.0.1"] and sent[0]["status"] == 403


@pytest.mark.anyio
async def test_nor_by_a_websocket() -> None:
    async def inner(scope: dict, receive: object, send: object) -> None:
        raise AssertionError("it was let in")

    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    await only_loopback(inner)({"type": "websocket", "client": ("203.0.113.9", 1)}, None, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
