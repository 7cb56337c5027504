"""`lab.connect`: every kind of target, every transport, every revision; and what it says when it cannot."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.server import MCPServer
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS

import labkit as lab

from .conftest import PROBE, VIAS, loaded

pytestmark = pytest.mark.anyio
MUTE = [sys.executable, "-c", "import sys\nfor line in sys.stdin: pass"]


@pytest.mark.parametrize("via", VIAS)
@pytest.mark.parametrize("era", KNOWN_PROTOCOL_VERSIONS)
async def test_every_revision_over_every_transport(connect: Any, via: str, era: str) -> None:
    conn = await connect(via=via, era=era)
    assert (conn.era, conn.transport) == (era, via)
    result = await conn.call("add", a=2, b=3)
    assert (result.data, result.is_error) == (5, False)
    first = "server/discover" if era == "2026-07-28" else "initialize"
    assert conn.tape[0].method == first and conn.tape.era == era
    assert (conn.server_info.name, conn.server_info.version, conn.instructions) == ("probe", "9.9", "Probe me.")


@pytest.mark.parametrize("via", VIAS)
async def test_auto_picks_the_newest_revision(connect: Any, via: str) -> None:
    assert (await connect(via=via)).era == "2026-07-28"


async def test_legacy_sse(connect: Any) -> None:
    conn = await connect(via="sse")
    assert (await conn.call("add", a=1, b=1)).data == 2 and conn.transport == "sse"


async def test_a_catalog_name_in_memory_by_default(connect: Any) -> None:
    conn = await connect("calculator")
    assert (conn.transport, conn.pid) == ("memory", None)
    assert (await conn.call("add", a=2, b=3)).data == 5


async def test_a_command_as_text_and_as_a_list(connect: Any) -> None:
    as_list = await connect([sys.executable, str(PROBE)])
    as_text = await connect(f"python {PROBE.as_posix()}")
    assert as_list.name == as_text.name == "probe_server"
    pids = [(await c.call("whoami")).data["pid"] for c in (as_list, as_text)]
    assert pids == [as_list.pid, as_text.pid]


async def test_server_objects(connect: Any) -> None:
    server = MCPServer("mine")
    server.add_tool(lambda: "high", name="level")
    assert (await (await connect(server)).call("level")).data == "high"
    assert (await (await connect(server._lowlevel_server)).call("level")).data == "high"
    over_http = await connect(server, via="http")
    assert (await over_http.call("level")).data == "high" and over_http.url.startswith("http://127.0.0.1:")


async def test_a_url(connect: Any) -> None:
    async with await lab.serve(PROBE) as running:
        conn = await connect(running.url, headers={"X-Api-Key": "s3cret"})
        assert (await conn.call("add", a=1, b=2)).data == 3
        sent = conn.tape.filter("tools/call", direction="sent")[0]
        assert sent.headers["x-api-key"] == "***" and "s3cret" not in conn.tape.html()
        assert sent.headers["mcp-method"] == "tools/call" and sent.headers["mcp-name"] == "add"
        assert conn.tape.filter("tools/call", direction="received")[0].status == 200


async def test_a_host_configuration_file(connect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_SECRET", "from the environment")
    config = tmp_path / "mcp.json"
    entry = {"command": sys.executable, "args": [str(PROBE)], "env": {"PROBE": "${PROBE_SECRET}"}}
    config.write_text(json.dumps({"mcpServers": {"mine": entry, "other": {"url": "http://127.0.0.1:1/mcp"}}}), "utf-8")
    conn = await connect(config, server="mine")
    assert conn.name == "mine" and (await conn.call("whoami")).data["probe"] == "from the environment"
    with pytest.raises(lab.HostConfigError, match="no server 'mime'. Did you mean 'mine'?"):
        await connect(str(config), server="mime")
    with pytest.raises(lab.HostConfigError, match="mine, other: say which one"):
        await connect(config)


async def test_environment_and_folder_reach_the_process(connect: Any, tmp_path: Path) -> None:
    conn = await connect(via="stdio", env={"PROBE": "given"}, cwd=tmp_path)
    data = (await conn.call("whoami")).data
    assert data["probe"] == "given" and Path(data["cwd"]).resolve() == tmp_path.resolve()
    over_http = await connect(via="http", env={"PROBE": "given"})
    assert (await over_http.call("whoami")).data["probe"] == "given"


async def test_in_memory_connections_share_no_state(connect: Any) -> None:
    one, other = await connect(via="memory"), await connect(via="memory")
    await one.call("grow", name="extra")
    await other.refresh()
    assert "extra" not in other.tools


@pytest.mark.parametrize(
    ("target", "options", "error", "said"),
    [
        ("calculater", {}, lab.CatalogError, "Did you mean 'calculator'"),
        ("no-such-program --flag", {}, lab.ConnectError, "there is no program 'no-such-program' on the PATH"),
        ("no_such_file.py", {}, lab.CatalogError, "There is no file no_such_file.py in "),
        ("no_such_file.json", {"server": "x"}, lab.HostConfigError, "Cannot read the host configuration no_such_file"),
        ("python 'open", {}, lab.ConnectError, "cannot be read: No closing quotation"),
        ("calculator", {"headers": {"A": "1"}}, lab.ConnectError, "reached over memory: add via='http'"),
        (Path("no_such_file.py"), {}, lab.CatalogError, "There is no file"),
        (42, {}, lab.ConnectError, "Cannot connect to 42. Give a catalog name"),
        ("", {}, lab.ConnectError, "Give a catalog name"),
        ([], {}, lab.ConnectError, "Give a catalog name"),
        ("calculator", {"via": "stdio", "env": {"A": 1}}, lab.ConnectError, "'A' is int: write env={'A': '1'}"),
        ("calculator", {"via": "stdio", "env": {1: "A"}}, lab.ConnectError, "the name 1 is no text"),
        ("calculator", {"via": "htp"}, lab.ConnectError, "Did you mean 'http'"),
        ("calculator", {"era": "2025-11-26"}, lab.EraError, "Did you mean '2025-11-25'"),
        ("http://127.0.0.1:1/mcp", {"via": "stdio"}, lab.ConnectError, "reached over http or sse, not over 'stdio'"),
        ("http://127.0.0.1:1/mcp", {"env": {"A": "1"}}, lab.ConnectError, "env= is for servers that run in a process"),
        ("calculator", {"env": {"A": "1"}}, lab.ConnectError, "add via='stdio' or via='http'"),
        (PROBE, {"via": "memory", "server": "sevrer"}, lab.CatalogError, "defines no 'sevrer'"),
        (PROBE, {"via": "stdio", "cwd": "/no/such/folder"}, lab.ConnectError, "the folder /no/such/folder does not"),
    ],
)
async def test_a_wrong_target_is_one_clear_sentence(
    connect: Any, target: Any, options: Any, error: Any, said: str
) -> None:
    before = loaded()
    with pytest.raises(error) as caught:
        await connect(target, **options)
    assert said in str(caught.value)
    assert len(caught.value._render_traceback_()) == 1
    assert loaded() <= before, "a server that was loaded stays"


async def test_a_program_that_ends_at_once(connect: Any) -> None:
    with pytest.raises(lab.ConnectError) as caught:
        await connect([sys.executable, "-c", "import sys; sys.exit('no such database')"])
    assert "exited with code 1 while connecting" in str(caught.value) and "no such database" in str(caught.value)


async def test_a_program_that_is_no_mcp_server(connect: Any) -> None:
    with pytest.raises(lab.ConnectError, match="wrote to stdout what is not JSON-RPC: 'hello'"):
        await connect([sys.executable, "-c", "print('hello')"])


async def test_a_mute_server(connect: Any) -> None:
    with pytest.raises(lab.ConnectError, match="did not answer within 0.3 s"):
        await connect(MUTE, patience=0.3)


async def test_nobody_listens_at_the_url(connect: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/mcp"
        with pytest.raises(lab.ConnectError, match="cannot be reached .*Is it running at"):
            await connect(url)


async def test_a_url_that_is_no_mcp_endpoint(connect: Any) -> None:
    async with await lab.serve(PROBE) as running:
        with pytest.raises(lab.ConnectError, match="does not connect"):
            await connect(running.url.replace("/mcp", "/elsewhere"))


async def test_a_server_that_speaks_only_the_other_era(connect: Any) -> None:
    import mcp_types as types
    from mcp import MCPError

    async def modern_only(context: Any, call_next: Any) -> Any:
        if context.method == "initialize":
            raise MCPError(
                types.UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version", {"supported": ["2026-07-28"]}
            )
        return await call_next(context)

    server = MCPServer("new", middleware=[modern_only])
    with pytest.raises(lab.EraError, match="refused the 2025-11-25 handshake with error -32022"):
        await connect(server, era="2025-11-25")

    old = "import sys, json\nfor line in sys.stdin:\n m=json.loads(line)\n if 'id' in m: print(json.dumps({'jsonrpc':'2.0','id':m['id'],'error':{'code':-32601,'message':'what?'}}), flush=True)"
    with pytest.raises(lab.EraError, match="does not speak 2026-07-28: it answered server/discover with error -32601"):
        await connect([sys.executable, "-c", old], era="2026-07-28")


async def test_a_counter_offer_is_named(connect: Any) -> None:
    script = (
        "import sys, json\nfor line in sys.stdin:\n m=json.loads(line)\n"
        " if 'id' in m: print(json.dumps({'jsonrpc':'2.0','id':m['id'],'result':{'protocolVersion':'2025-06-18','capabilities':{},"
        "'serverInfo':{'name':'old','version':'1'}}}), flush=True)"
    )
    with pytest.raises(lab.EraError, match="was offered 2024-11-05 and counter-offered 2025-06-18"):
        await connect([sys.executable, "-c", script], era="2024-11-05")
    assert (await connect([sys.executable, "-c", script], era="2025-06-18")).era == "2025-06-18"


async def test_an_interrupted_connect_leaves_nothing(connect: Any) -> None:
    import psutil

    with anyio.move_on_after(0.3):
        await connect(MUTE)
    assert list(lab.connections()) == []
    assert not [p for p in psutil.Process().children() if MUTE[-1] in p.cmdline()]


async def test_listing_can_be_left_out(connect: Any) -> None:
    conn = await connect(via="memory", listing=False)
    assert [f.method for f in conn.tape.filter(direction="sent")] == ["server/discover"]
    assert (await conn.call("add", a=1, b=1)).data == 2


async def test_fifty_at_once(connect: Any) -> None:
    conns: list[Any] = [None] * 50

    async def one(number: int) -> None:
        conns[number] = await connect("calculator")

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(one, number)
    assert len(lab.connections()) == 50
    assert [(await c.call("add", a=n, b=1)).data for n, c in enumerate(conns)] == list(range(1, 51))
    assert await lab.close_all() == 50


async def test_only_a_second_connection_to_a_server_looks_for_a_forgotten_first(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[object] = []
    monkeypatch.setattr("labkit.session.link.collect_soon", looked.append)
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(connect, "calculator")
    assert looked == []  # it stops the loop for tenths of a second in a large kernel
    await connect("calculator")
    assert len(looked) == 1
