"""Several peers that do the same work: turns, and what becomes of requests when one of them is gone."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server import MCPServer

import labkit as lab

pytestmark = pytest.mark.anyio


def replica(number: int) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer(f"replica {number}", log_level="CRITICAL")

    @server.tool()
    async def which() -> int:
        """Which of them it is."""
        return number

    return server


@pytest.mark.parametrize("balance", ["round_robin", "least_loaded"])
async def test_a_replica_that_is_gone_gets_no_more_and_comes_back(balance: str) -> None:
    async with AsyncExitStack() as stack:
        running = [await lab.serve(replica(number)) for number in range(3)]
        for each in running:
            stack.push_async_callback(each.stop)
        table = {"url": running[0].url, "gateway": {"replicas": [each.url for each in running[1:]], "balance": balance}}
        gateway = await stack.enter_async_context(lab.Gateway.of({"pool": table}))
        client = await stack.enter_async_context(Client(gateway.server))

        async def answers(calls: int) -> Counter[int]:
            found = [await client.call_tool("pool.which", {}) for _ in range(calls)]
            assert not any(each.is_error for each in found), found
            return Counter(each.structured_content["result"] for each in found)

        if balance == "round_robin":
            assert await answers(6) == {0: 2, 1: 2, 2: 2}
        await running[1].stop()
        assert 1 not in await answers(12)
        if balance == "round_robin":
            assert [each.ready for each in gateway.health()] == [2]
            await anyio.to_thread.run_sync(running[1].begin)
            with anyio.fail_after(60):
                while [each.ready for each in gateway.health()] != [3]:
                    await anyio.sleep(0.05)
            assert 1 in await answers(3)


async def test_without_any_left_a_call_is_refused_and_told_when_to_come_back() -> None:
    running = await lab.serve(replica(0))
    async with lab.Gateway.of({"pool": {"url": running.url}}) as gateway, Client(gateway.server) as client:
        assert (await client.call_tool("pool.which", {})).structured_content == {"result": 0}
        await running.stop()
        refused = await client.call_tool("pool.which", {})
        assert refused.is_error and refused.meta and refused.meta["labkit/reason"] == "unavailable"
        assert "pool" in refused.content[0].text
