"""The fleet without a browser: what runs, what is counted, and what stop, restart and kill -9 leave behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest
from mcp.server import MCPServer

import labkit as lab
from labkit.errors import LabError, UnknownNameError
from labkit.session.past import ENDED, KEPT, SERVED, remember
from labkit.session.serving import RunningServer
from labkit.ui.fleet import Fleet

pytestmark = pytest.mark.anyio


@pytest.fixture
async def fleet() -> AsyncIterator[Any]:
    ENDED.clear()
    SERVED.clear()
    fleet: Any = Fleet()
    fleet.told = []
    fleet.tell = lambda what, **data: fleet.told.append((what, data))
    yield fleet
    fleet.close()
    await lab.close_all()
    for running in SERVED:
        await running.stop()
    SERVED.clear()


async def rows(fleet: Any) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in (await fleet.respond("watch", {}))["rows"]}


def key(conn: Any) -> str:
    return f"connection-{conn.id}"


async def test_a_connection_of_each_kind_is_listed(fleet: Any) -> None:
    memory = await lab.connect("calculator")
    stdio = await lab.connect("calculator", via="stdio")
    running = await lab.serve("calculator")
    far = await lab.connect(running.url)
    seen = await rows(fleet)
    assert len(seen) == 4
    assert (seen[key(memory)]["pid"], seen[key(memory)]["own"], seen[key(memory)]["acts"]) == (
        None,
        False,
        ["stop", "reconnect"],
    )
    assert seen[key(stdio)]["own"] and seen[key(stdio)]["acts"] == ["stop", "restart", "kill"]
    assert seen[key(stdio)]["memory"] > 10
    server = seen[f"server-{running.number}"]
    assert (server["state"], server["pid"], server["url"]) == ("running", running.pid, running.url)
    assert f"led to by connection {far.id}" in server["note"]
    assert not seen[key(far)]["own"] and seen[key(far)]["note"] == "to a server that is listed here"


async def test_calls_and_errors_are_counted(fleet: Any) -> None:
    conn = await lab.connect("calculator")
    await conn.call("add", a=1, b=2)
    await conn.call("divide", a=1, b=0)
    with pytest.raises(LabError):
        await conn.send("no/such")
    row = (await rows(fleet))[key(conn)]
    assert (row["calls"], row["errors"]) == (3, 2)


async def test_kill_shows_the_death_and_the_obituary_stays(fleet: Any) -> None:
    conn = await lab.connect("calculator", via="stdio")
    text = await fleet.respond("kill", {"key": key(conn)})
    assert f"pid {conn.pid}" in text and "is killed" in text
    row = (await rows(fleet))[key(conn)]
    assert row["state"] == "died" and str(conn.pid) in row["note"] and row["acts"] == ["reconnect"]
    assert conn.closed and not psutil.pid_exists(conn.pid)
    if os.name == "posix":
        assert "SIGKILL" in row["note"]


async def test_a_connection_again_is_a_new_one_that_the_view_holds(fleet: Any) -> None:
    conn = await lab.connect("calculator", via="stdio", era="2025-11-25")
    await fleet.respond("kill", {"key": key(conn)})
    text = await fleet.respond("restart", {"key": key(conn)})
    (number,) = [int(each.split("-")[1]) for each, row in (await rows(fleet)).items() if row["state"] == "running"]
    assert number != conn.id and f"lab.fleet()[{number}]" in text
    assert fleet[number].era == "2025-11-25"
    assert (await fleet[number].call("add", a=2, b=3)).data == 5
    with pytest.raises(UnknownNameError, match=f"holds: {number}"):
        fleet[conn.id]


async def test_restart_of_an_open_connection_closes_it_first(fleet: Any) -> None:
    conn = await lab.connect("calculator", via="http")
    pid = conn.pid
    text = await fleet.respond("restart", {"key": key(conn)})
    assert "is new" in text and "stays so" in text
    assert conn.closed and not psutil.pid_exists(pid)


async def test_a_killed_http_server_ends_its_connection(fleet: Any) -> None:
    conn = await lab.connect("calculator", via="http")
    psutil.Process(conn.pid).kill()  # from outside: nothing tells the client
    async with asyncio.timeout(10):
        while (await rows(fleet))[key(conn)]["state"] != "died" or not conn.closed:
            await asyncio.sleep(0.02)
    assert str(conn.pid) in (await rows(fleet))[key(conn)]["note"]


async def test_a_served_server_keeps_its_url_over_kill_and_restart(fleet: Any) -> None:
    running = await lab.serve("calculator")
    url, pid, name = running.url, running.pid, f"server-{running.number}"
    await fleet.respond("kill", {"key": name})
    assert (await rows(fleet))[name]["state"] == "died"
    text = await fleet.respond("restart", {"key": name})
    assert running.url == url and running.pid != pid and url in text
    conn = await lab.connect(url)
    assert (await conn.call("add", a=2, b=3)).data == 5
    await fleet.respond("stop", {"key": name})
    row = (await rows(fleet))[name]
    assert (row["state"], row["acts"]) == ("stopped", ["restart"])


async def test_a_server_object_of_this_kernel_cannot_be_killed(fleet: Any) -> None:
    server = MCPServer("mine")
    running = await lab.serve(server)
    row = (await rows(fleet))[f"server-{running.number}"]
    assert row["pid"] == os.getpid() and not row["own"] and "kill" not in row["acts"]
    with pytest.raises(LabError, match="inside this kernel"):
        await fleet.respond("kill", {"key": row["key"]})
    await fleet.respond("restart", {"key": row["key"]})
    conn = await lab.connect(running.url)
    with pytest.raises(LabError, match="no process that the lab started"):
        await fleet.respond("kill", {"key": key(conn)})
    assert not conn.closed


async def test_start_from_the_catalog(fleet: Any) -> None:
    assert "calculator" in (await fleet.respond("watch", {}))["catalog"]
    assert "is served at http://127.0.0.1:" in await fleet.respond("start", {"name": "calculator", "via": "http"})
    assert "It is lab.fleet()[" in await fleet.respond("start", {"name": "calculator", "via": "stdio"})
    assert sorted(row["transport"] for row in (await rows(fleet)).values()) == ["http", "stdio"]


async def test_what_is_gone_is_said(fleet: Any) -> None:
    with pytest.raises(LabError, match="Connection 0 is gone already"):
        await fleet.respond("stop", {"key": "connection-0"})


async def test_it_watches_only_as_long_as_it_is_asked_to(fleet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.ui.fleet.PERIOD", 0.01)
    await fleet.respond("watch", {})
    conn = await lab.connect("calculator")
    await conn.call("add", a=1, b=1)
    async with asyncio.timeout(30):
        while not fleet.told or (fleet.told[-1][1]["rows"][0]["calls"], fleet.told[-1][1]["rows"][0]["doing"]) != (
            1,
            "",
        ):
            await asyncio.sleep(0.01)
        told = len(fleet.told)
        await fleet.respond("watch", {})
        fleet._until = 0.0  # as when no browser has asked for a while
        await fleet._watching
    assert len(fleet.told) == told, "unchanged rows are not told again"


async def test_the_list_of_what_ended_is_bounded(fleet: Any) -> None:
    for _ in range(KEPT + 3):
        await (await lab.connect("calculator", listing=False)).close()
    assert len(await rows(fleet)) == KEPT
    assert all(each.recipe is None for each in ENDED), "objects of this kernel are not kept alive"


async def test_still_and_text(fleet: Any) -> None:
    assert "No server was started yet" in fleet.still() and "No server" in fleet.text()
    conn = await lab.connect("calculator", via="stdio", name="<b>calc</b>")
    assert str(conn.pid) in fleet.still() and "&lt;b&gt;calc" in fleet.still() and "<script" not in fleet.still()
    assert str(conn.pid) in fleet.text()


async def test_the_view_is_the_same_each_time() -> None:
    assert lab.fleet() is lab.fleet()


def test_stopped_servers_are_forgotten_in_time() -> None:
    kept = list(SERVED)
    SERVED.clear()
    for _ in range(KEPT + 5):
        remember(RunningServer("never begun"))
    assert [each.number for each in SERVED] == sorted(each.number for each in SERVED) and len(SERVED) == KEPT
    SERVED[:] = kept
