"""Certifying what is behind an open connection, and what a notebook shows of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

import labkit as lab
from labkit.testbench import certify
from labkit.testbench.again import ANOTHER, OBJECT, SAME
from labkit.testbench.progress import notebook_listener

pytestmark = pytest.mark.anyio
LIGHT = Path(__file__).parents[1] / "session" / "light_server.py"
QUICK: dict[str, Any] = {"profile": "quick", "only": ["protocol.ids"]}


def counting() -> MCPServer:
    server = MCPServer("counting")

    @server.tool()
    def one() -> int:
        return 1

    return server


@pytest.mark.parametrize(
    ("target", "via", "transport", "note"),
    [
        ([sys.executable, str(LIGHT)], None, "stdio", ANOTHER),
        (LIGHT, "stdio", "stdio", ANOTHER),
        ("calculator", "memory", "stdio", ANOTHER),
        ("calculator", "http", "http", ANOTHER),
        (counting(), "memory", "http", OBJECT),
        (counting(), "http", "http", OBJECT),
    ],
    ids=lambda value: getattr(value, "name", None) or (None if isinstance(value, list) else str(value)[:12]),
)
async def test_a_connection_stands_for_its_server(target: Any, via: str | None, transport: str, note: str) -> None:
    async with await lab.connect(target, via=via) as conn:
        mark = conn.tape.count
        certificate = await certify(conn, **QUICK)
        assert certificate.passed and not conn.closed, str(certificate)
        assert (certificate.name, certificate.transport, certificate.note) == (conn.name, transport, note)
        assert note in str(certificate) and note in certificate._repr_html_()
        assert conn.tape.count == mark  # nothing was said over it


async def test_a_running_server_at_a_url_is_tested_itself() -> None:
    async with await lab.serve(counting()) as running, await lab.connect(running.url) as conn:
        certificate = await certify(conn, **QUICK)
        assert certificate.passed and certificate.note == SAME and certificate.target == running.url


def test_a_connection_of_the_sync_face_will_do() -> None:
    import asyncio

    with lab.sync.connect(LIGHT, via="stdio") as conn:
        certificate = asyncio.run(certify(conn, **QUICK))
        assert certificate.passed and certificate.note == ANOTHER and conn.call("add", a=1, b=2).text == "3"


async def test_environment_and_folder_of_the_connection_are_those_of_the_other(tmp_path: Path) -> None:
    code = f"import os, runpy; assert os.environ['CANARY'] == 'sings' and os.path.exists('here'); runpy.run_path({str(LIGHT)!r}, run_name='__main__')"
    (tmp_path / "here").touch()
    options: dict[str, Any] = {"env": {"CANARY": "sings"}, "cwd": tmp_path}
    async with await lab.connect([sys.executable, "-c", code], **options) as conn:
        assert (await certify(conn, **QUICK)).passed


async def test_a_notebook_shows_one_line_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, view: Any) -> None:
            shown.append(view.data)

    def display(view: Any, display_id: bool) -> Handle:
        shown.append(view.data)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("labkit.testbench.progress.in_notebook", lambda: True)
    monkeypatch.delenv("LABKIT_SCRIPTED", raising=False)
    await certify(LIGHT, only=["protocol.ids", "doctor.version-unknown"])
    assert [text.partition("</progress> ")[2] for text in shown] == [
        "light_server: 0 of 2 checks, doctor.version-unknown",
        "light_server: 1 of 2 checks, protocol.ids",
        "light_server: 2 of 2 checks",
    ]
    monkeypatch.setenv("LABKIT_SCRIPTED", "1")
    await certify(LIGHT, only=["protocol.ids"])
    assert len(shown) == 3
    assert notebook_listener("x")(None, None, 0, 1) is None  # type: ignore[arg-type]
