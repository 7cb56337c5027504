"""Servers that are strange, careless or hostile: odd names, odd schemas, noise. The learner's cell goes on."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp.server import MCPServer, Server

import labkit as lab
from labkit.session import progress, stdio

pytestmark = pytest.mark.anyio

ODD: dict[str, Any] = {
    "convert": {"properties": {"from": {"type": "string"}, "to": {"type": "string"}}, "required": ["from"]},
    "names": {"properties": {"x": True}},
    "all-of": {"allOf": [{"properties": {"x": {"type": "integer"}}}], "properties": {}},
    "free": {},
    "null": {"properties": None, "required": None},
    "elsewhere": {"properties": {"x": {"$ref": "http://127.0.0.1:9/x.json"}}},
    "pattern": {"properties": {"x": {"type": "string", "pattern": "("}}},
    "type": {"properties": {"x": {"type": "no such type"}}},
    "_x": {"properties": {"x": {}, "others": {}}},
    "we ird/ñ<script>": {"properties": {"x y": {}, "x": {}}},
    "": {"properties": {"x": {}}},
}


@pytest.fixture
async def odd(connect: Callable[..., Any]) -> Any:
    """A server whose every tool is odd and fails."""

    async def tools(*_: Any) -> types.ListToolsResult:
        found = [types.Tool(name=name, input_schema={"type": "object", **schema}) for name, schema in ODD.items()]
        return types.ListToolsResult(tools=found)

    async def refuse(*_: Any) -> types.CallToolResult:
        return types.CallToolResult(content=[types.TextContent(text="<u>no</u>")], is_error=True)

    return await connect(Server("odd", on_list_tools=tools, on_call_tool=refuse))


@pytest.mark.parametrize("name", ODD)
async def test_odd_tools_are_shown_and_can_be_called(odd: Any, name: str) -> None:
    handle = odd.tools[name]
    assert repr(handle).startswith(name) and handle.__doc__
    result = await odd.call(name, {"from": "EUR"} if name == "convert" else {"x": 1})
    assert result.is_error and "<u>" not in result._repr_html_() + odd.tools._repr_html_()
    assert name in repr(odd.tools) and name in odd.tools.names


async def test_arguments_that_python_cannot_name_go_in_a_dict(odd: Any) -> None:
    assert str(odd.tools.convert.__signature__) == "(*, to: str = None, **others)"
    assert "from (required)" in odd.tools.convert.__doc__
    assert (await odd.tools.convert({"from": "EUR"}, to="USD")).text == "<u>no</u>"
    assert callable(odd.tools["names"]) and isinstance(odd.tools.names, list)


CHATTY = """
import beside
print("hello from the top of the file", flush=True)
from mcp.server import MCPServer
server = MCPServer("chatty")

@server.tool()
def talk(size: int) -> str:
    print("x" * size, flush=True)
    return beside.WORD
"""


WHERE = """
import os
from mcp.server import MCPServer
server = MCPServer("where")

@server.tool()
def cwd() -> str:
    return os.getcwd()
"""


@pytest.fixture
def chatty(tmp_path: Path) -> Path:
    """A server that prints to stdout, and imports a module that lies beside it."""
    (tmp_path / "beside.py").write_text("WORD = 'one'\n", encoding="utf-8")
    path = tmp_path / "chatty.py"
    path.write_text(CHATTY, encoding="utf-8")
    return path


async def test_a_server_that_prints_does_not_stop_over_http(connect: Callable[..., Any], chatty: Path) -> None:
    conn = await connect(chatty, via="http")
    for _ in range(3):  # a pipe holds 64 KiB
        assert (await conn.call("talk", size=60_000, timeout=20)).text == "one"
    assert "hello from the top of the file" in conn.stderr
    assert max(map(len, conn.stderr.lines)) <= 20_000, "a line without an end is kept in parts"


async def test_each_connection_imports_what_lies_beside_its_server(
    connect: Callable[..., Any], chatty: Path, tmp_path: Path
) -> None:
    first = await connect(chatty, via="memory")
    (tmp_path / "beside.py").write_text("WORD = 'changed'\n", encoding="utf-8")
    second = await connect(chatty, via="memory")
    words = [(await conn.call("talk", size=1)).text for conn in (first, second)]
    assert words == ["one", "changed"]


async def test_a_port_in_use_is_told_in_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for target in ("calculator", MCPServer("mine")):
            with pytest.raises(lab.ConnectError, match=rf"cannot listen on port {port} .*Leave port= out"):
                await lab.serve(target, port=port)


async def test_cwd_holds_over_http_and_a_wrong_one_is_named(connect: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "where.py"
    path.write_text(WHERE, encoding="utf-8")
    folder = tmp_path / "a folder"
    folder.mkdir()
    conn = await connect(path, via="http", cwd=folder)
    assert Path((await conn.call("cwd")).text).samefile(folder)
    with pytest.raises(lab.ConnectError, match="cwd="):
        await connect(path, via="http", cwd=tmp_path / "nowhere")


async def test_a_line_without_end_over_stdio_ends_the_connection(
    connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdio, "MAX_ANSWER", 300_000)
    flood = "import sys\nsys.stdin.readline()\nwhile True: sys.stdout.write('y' * 10_000)"
    with pytest.raises(lab.ConnectError, match="not JSON-RPC: 'yyy"):
        await connect([sys.executable, "-c", flood], patience=30)


@pytest.mark.parametrize("cursor", ["same", None])
async def test_a_list_without_end_is_cut_and_says_so(connect: Callable[..., Any], cursor: str | None) -> None:
    asked: list[None] = []

    async def tools(*_: Any) -> types.ListToolsResult:
        asked.append(None)
        tool = types.Tool(name=f"t{len(asked)}", input_schema={"type": "object"})
        return types.ListToolsResult(tools=[tool], next_cursor=cursor or str(len(asked)))

    conn = await connect(Server("endless", on_list_tools=tools))
    assert len(conn.tools) == (2 if cursor else 100) == len(asked)
    assert f"{len(asked)} are listed, the rest is left out" in conn.stderr


async def test_a_flood_of_progress_draws_few_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    bar = progress._Bar("t")
    monkeypatch.setattr(bar, "_handle", "a bar is on the page")
    monkeypatch.setattr(bar, "_show", lambda done, *_: drawn.append(done))
    for number in range(1, 1001):
        await bar.update(number, 1000, None)
    assert drawn[-1] == 1000 and len(drawn) < 100
