"""Everything is counted once, under bounded names, and percentiles are exact."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from prometheus_client.parser import text_string_to_metric_families

import labkit as lab
from labkit.patterns.calls import Call, CallMiddleware, Proceed, refusal
from labkit.patterns.clock import VirtualClock, settle
from labkit.patterns.metrics import OTHER, Metrics, percentile

pytestmark = pytest.mark.anyio
ERAS = ("2026-07-28", "2025-11-25")


class Closed(CallMiddleware):
    async def around(self, call: Call, proceed: Proceed) -> dict[str, Any]:
        return refusal(call, "No.", reason="closed") if call.arguments.get("name") == "closed" else await proceed()


def library(metrics: Metrics, clock: VirtualClock | None = None) -> MCPServer:
    server = MCPServer("library")
    metrics.install(server)
    server.middleware.append(Closed())

    @server.tool()
    async def lend(name: str, seconds: float = 0) -> str:
        """Lend a book."""
        if clock:
            await clock.sleep(seconds)
        if name == "lost":
            raise ToolError("lost")
        return name

    return server


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (each.name, *(each.labels[name] for name in sorted(each.labels, reverse=True))): each.value
        for family in families
        for each in family.samples
        if each.name.startswith("mcp_")
    }


@pytest.mark.parametrize("era", ERAS)
async def test_calls_are_counted_by_tool_and_outcome(era: str) -> None:
    metrics = Metrics(tools=["lend"])
    async with await lab.connect(library(metrics), era=era) as conn:
        for name in ("a", "b", "lost", "closed"):
            await conn.call("lend", name=name, check=False)
        assert samples(metrics)[("mcp_active_connections",)] == (era == ERAS[1])
    found = samples(metrics)
    assert found[("mcp_tool_calls_total", "lend", "ok")] == 2
    assert found[("mcp_tool_calls_total", "lend", "error")] == found[("mcp_tool_calls_total", "lend", "refused")] == 1
    assert found[("mcp_tool_latency_seconds_count", "lend")] == 4
    assert found[("mcp_tool_calls_in_progress",)] == found[("mcp_active_connections",)] == 0
    summary = metrics.summary()
    assert (summary.calls, summary.errors, summary.connections) == (4, 1, 0)
    assert summary.tools["lend"].outcomes == {"ok": 2, "error": 1, "refused": 1}


async def test_sessions_are_counted_while_they_last_and_stateless_requests_too() -> None:
    clock = VirtualClock()
    metrics = Metrics()
    server = library(metrics, clock)
    async with await lab.connect(server, era=ERAS[1]) as first, await lab.connect(server, era=ERAS[0]) as second:
        await first.call("lend", name="a")
        await second.call("lend", name="a")
        assert metrics.summary().connections == 1
        waiting = asyncio.create_task(second.call("lend", name="a", seconds=1))
        while not metrics.summary().in_progress:
            await asyncio.sleep(0.01)
        assert metrics.summary().connections == 2
        waiting.cancel()
        await asyncio.wait([waiting])
    while metrics.summary().connections:  # the end of a connection is not waited for
        await asyncio.sleep(0.01)


async def test_latencies_and_work_in_progress() -> None:
    clock = VirtualClock()
    metrics = Metrics(tools=["lend"], now=clock.now)
    server = library(metrics, clock)
    lending = [asyncio.create_task(server.call_tool("lend", {"name": "x"}))]  # not a message: not counted
    await asyncio.gather(*lending)

    async def call(seconds: float) -> None:
        async def proceed(arguments: Any = None) -> dict[str, Any]:
            await clock.sleep(seconds)
            return {}

        await metrics.around(FakeCall("lend"), proceed)  # type: ignore[arg-type]

    tasks = [asyncio.create_task(call(n)) for n in range(1, 101)]
    await settle()
    assert metrics.summary().in_progress == 100
    await clock.advance(200)
    await asyncio.gather(*tasks)
    tool = metrics.summary().tools["lend"]
    assert (tool.p50_ms, tool.p95_ms, tool.p99_ms, tool.max_ms, tool.mean_ms) == (
        50_000,
        95_000,
        99_000,
        100_000,
        50_500,
    )
    found = samples(metrics)
    assert found[("mcp_tool_latency_seconds_bucket", "lend", "10.0")] == 10
    assert found[("mcp_tool_latency_seconds_sum", "lend")] == 5050


class FakeCall:
    def __init__(self, tool: str) -> None:
        self.tool, self.modern = tool, True


async def test_a_cancelled_call_is_counted_as_such() -> None:
    metrics = Metrics(tools=["lend"])

    async def proceed(arguments: Any = None) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    task = asyncio.create_task(metrics.around(FakeCall("lend"), proceed))  # type: ignore[arg-type]
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert metrics.summary().tools["lend"].outcomes == {"cancelled": 1} and metrics.summary().in_progress == 0


async def test_names_that_callers_make_up_do_not_become_labels() -> None:
    metrics = Metrics()
    async with await lab.connect(library(metrics)) as conn:
        for n in range(300):
            await conn.call(f"made up {n}", check=False)
        await conn.call("lend", name="a")
    assert metrics.summary().tools.keys() == {OTHER, "lend"}
    assert metrics.summary().tools[OTHER].outcomes == {"error": 300}


async def test_a_tool_that_is_listed_has_its_label_even_if_it_always_fails() -> None:
    metrics = Metrics()
    async with await lab.connect(library(metrics)) as conn:
        await conn.send("tools/list", {})
        await conn.call("lend", name="lost", check=False)
    assert metrics.summary().tools["lend"].errors == 1


def test_there_are_never_more_labels_than_allowed() -> None:
    metrics = Metrics(max_tools=3, keep=5)
    for n in range(50):
        metrics.record(f"tool {n}", "ok", n)
    metrics.record("gone", "error", 1)
    tools = metrics.summary().tools
    assert tools.keys() == {"tool 0", "tool 1", "tool 2", OTHER}
    assert metrics.latencies(OTHER) == [46, 47, 48, 49, 1] and metrics.latencies("nobody") == []
    assert tools[OTHER].calls == 48 and tools[OTHER].window == 5 and tools[OTHER].max_ms == 49_000
    assert samples(metrics)[("mcp_tool_calls_total", OTHER, "ok")] == 47


def test_two_in_one_process_do_not_add_up() -> None:
    one, two = Metrics(), Metrics()
    one.record("a", "ok", 1)
    assert two.summary().calls == 0 and one.summary().calls == 1


async def test_both_ways_to_read_them() -> None:
    metrics = Metrics()
    server = library(metrics)
    async with await lab.connect(server) as conn:
        await conn.call("lend", name="a")
        told = json.loads((await conn.read("metrics://summary")).text)
    assert told["tools"]["lend"]["calls"] == told["calls"] == 1
    transport = httpx2.ASGITransport(server.streamable_http_app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=")
    assert 'mcp_tool_calls_total{outcome="ok",tool="lend"} 1.0' in answer.text


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.001, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], percent: float) -> None:
    values.sort()
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values) * (1 - 1e-12)
    below = [value for value in values if value < found]
    assert len(below) * 100 < percent * len(values), "no smaller one will do"


def test_percentiles_at_the_edges() -> None:
    assert percentile([], 50) == 0
    assert [percentile(range(1, 21), p) for p in (0, 5, 50, 95, 96, 100)] == [1, 1, 10, 19, 20, 20]
