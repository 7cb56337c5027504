"""A tool call through `lab.connect`, its tape on, against `mcp.Client`: same server, same era, in turns."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from mcp import Client, StdioServerParameters

import labkit as lab
from benchmarks.echo_server import server
from benchmarks.rows import Row, ratio_row
from labkit.session.serving import launch_command, launch_environment

SERVER = Path(__file__).with_name("echo_server.py")
BARS = {"memory": 1.25, "stdio": 1.10, "http": 1.10}
MODES = {"2026-07-28": "2026-07-28", "2025-11-25": "legacy"}
TOOLS = ("echo", "echo_in_thread")
Call = Callable[[], Awaitable[Any]]


def run(quick: bool = False) -> list[Row]:
    """One row for each transport, era and kind of tool."""
    blocks, calls = (2, 5) if quick else (24, 50)
    return asyncio.run(_all(blocks, calls))


async def _all(blocks: int, calls: int) -> list[Row]:
    rows: list[Row] = []
    for via in BARS:
        for era in MODES:
            async with _pair(via, era) as (connection, client):
                for tool in TOOLS:
                    rows.append(await _compare(via, era, tool, connection, client, blocks, calls))
    return rows


@asynccontextmanager
async def _pair(via: str, era: str) -> AsyncIterator[tuple[Any, Client]]:
    """A lab connection and a bare client, each open for the whole measurement.

    Over HTTP both talk to one server process; over stdio each has a child of its own, started by the same command.
    """
    if via == "memory":
        async with await lab.connect(server, era=era) as connection, Client(server, mode=MODES[era]) as client:
            yield connection, client
    elif via == "stdio":
        command = launch_command("stdio", SERVER)
        child = StdioServerParameters(command=command[0], args=command[1:], env=launch_environment())
        async with (
            await lab.connect(SERVER, via="stdio", era=era) as connection,
            Client(child, mode=MODES[era]) as client,
        ):
            yield connection, client
    else:
        async with (
            await lab.serve(SERVER, via="http") as running,
            await lab.connect(running.url, era=era) as connection,
            Client(running.url, mode=MODES[era]) as client,
        ):
            yield connection, client


async def _compare(via: str, era: str, tool: str, connection: Any, client: Client, blocks: int, calls: int) -> Row:
    async def ours() -> None:
        result = await connection.call(tool, text="hello")
        assert result.data == "hello"

    async def theirs() -> None:
        result = await client.call_tool(tool, {"text": "hello"})
        assert result.structured_content == {"result": "hello"}

    lab_p50: list[float] = []
    bare_p50: list[float] = []
    await _p50(ours, calls), await _p50(theirs, calls)
    for block in range(blocks):
        # ABBA: a drift of the machine's speed within a pair of blocks then favours each side as often as the other.
        order = ((ours, lab_p50), (theirs, bare_p50))
        for call, series in order if block % 2 == 0 else reversed(order):
            series.append(await _p50(call, calls))
    kind = "sync tool" if tool == "echo_in_thread" else "async tool"
    frames = len(connection.tape)
    assert frames >= 2 * calls, f"the tape was to be on, and holds {frames} frames"
    return ratio_row("calls", f"{via}, {era}, {kind}", lab_p50, bare_p50, BARS[via])


async def _p50(call: Call, count: int) -> float:
    """The median time of `count` calls, one after the other, in milliseconds."""
    gc.collect()  # garbage of one side is not to be paid for by the other
    times: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        await call()
        times.append((time.perf_counter() - began) * 1e3)
    return median(times)
