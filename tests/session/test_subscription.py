"""Subscriptions: the same code in both eras, over every transport."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

import labkit as lab

from .conftest import ERAS, VIAS

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[f"{via} {era}" for via in ("stdio", "http") for era in ERAS])
async def notes(request: pytest.FixtureRequest, connect: Any, tmp_path: Path) -> Any:
    via, era = request.param.split()
    return await connect("notes", via=via, era=era, env={"NOTES_DB": str(tmp_path / "notes.db")})


async def test_a_changed_resource_is_announced(notes: Any) -> None:
    await notes.call("create_note", name="todo", text="milk")
    events = await notes.subscribe("notes://todo")
    await notes.call("update_note", name="todo", text="bread")
    event = await events.next(timeout=20)
    assert (event.kind, event.uri) == ("resource", "notes://todo")
    await events.close()
    assert events.closed


@pytest.mark.parametrize("via", VIAS)
async def test_a_changed_list_of_tools_is_announced_and_listed_again(connect: Any, via: str) -> None:
    for era in ERAS:
        conn = await connect(via=via, era=era)
        async with await conn.subscribe(tools=True) as events:
            await conn.call("grow", name="extra")
            assert (await events.next(timeout=20)).kind == "tools"
        assert (await conn.call("extra")).data == "extra"


async def test_iteration_ends_with_the_connection(memory: Any) -> None:
    events = await memory.subscribe(tools=True)
    seen: list[str] = []

    async def follow() -> None:
        async for event in events:
            seen.append(event.kind)

    task = asyncio.ensure_future(follow())
    await memory.call("grow", name="extra")
    while not seen:
        await asyncio.sleep(0)
    await memory.close()
    await asyncio.wait_for(task, 5)
    assert seen == ["tools"] and events.closed


async def test_waiting_is_bounded(memory: Any) -> None:
    events = await memory.subscribe(tools=True)
    with pytest.raises(lab.CallTimeoutError, match="No change of tools was announced within 0.05 s"):
        await events.next(timeout=0.05)
    await events.close()
    with pytest.raises(lab.ConnectionClosedError):
        await events.next(timeout=1)


async def test_subscribing_to_nothing_is_refused(memory: Any) -> None:
    with pytest.raises(lab.ArgumentsError, match="subscribe\\(\\) to what"):
        await memory.subscribe()


EAGER = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    result = {}
    if asked.get("method") == "initialize":
        result = {"protocolVersion": "2025-11-25", "serverInfo": {"name": "eager", "version": "1"},
                  "capabilities": {"resources": {"subscribe": True}}}
    if asked.get("method") == "resources/subscribe":
        if asked["params"]["uri"] == "x://no":
            answer = {"error": {"code": -32602, "message": "no such resource"}}
            print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}), flush=True)
            continue
        change = {"method": "notifications/resources/updated", "params": asked["params"]}
        both = [change, {"id": asked["id"], "result": {}}]
        sys.stdout.write("".join(json.dumps({"jsonrpc": "2.0", **each}) + "\\n" for each in both))
        sys.stdout.flush()
    elif "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


async def test_an_event_that_comes_before_the_answer_is_not_lost(connect: Any) -> None:
    conn = await connect([sys.executable, "-c", EAGER], era="2025-11-25", listing=False)
    events = await conn.subscribe("x://a")
    assert (await events.next(timeout=10)).uri == "x://a"
    await events.close()
    with pytest.raises(lab.RpcError, match="no such resource"):
        await conn.subscribe("x://no")
    assert conn._link.event_sinks == []
