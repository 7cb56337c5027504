"""Fifty stdio servers started at once: through `lab.connect`, and by the bare SDK with the same command, in turns."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

from mcp import Client, StdioServerParameters

import labkit as lab
from benchmarks.rows import Row, ratio_row
from labkit.session.serving import launch_command, launch_environment

BAR = 1.0
"""No slower: two rounds of the same side differ by more than the five per cent allowed for."""

SERVER = Path(__file__).with_name("echo_server.py")


def run(quick: bool = False) -> list[Row]:
    """One row: from the first start until each server has answered one call."""
    return [asyncio.run(_compare(3 if quick else 50, 1 if quick else 2))]


async def _compare(count: int, rounds: int) -> Row:
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        for side in (_with_lab, _with_sdk) if number % 2 == 0 else (_with_sdk, _with_lab):
            (ours if side is _with_lab else theirs).append(await side(count))
    return ratio_row("fifty", f"{count} stdio servers at once, to the first answer of each", ours, theirs, BAR)


async def _with_lab(count: int) -> float:
    async def start(stack: AsyncExitStack) -> None:
        connection = await stack.enter_async_context(await lab.connect(SERVER, via="stdio"))
        await connection.call("echo", text="hello")

    async with AsyncExitStack() as stack:
        began = time.perf_counter()
        await asyncio.gather(*(start(stack) for _ in range(count)))
        return (time.perf_counter() - began) * 1e3


async def _with_sdk(count: int) -> float:
    command = launch_command("stdio", SERVER)
    child = StdioServerParameters(command=command[0], args=command[1:], env=launch_environment())
    answered = asyncio.Semaphore(0)
    done = asyncio.Event()

    async def hold() -> None:  # the SDK's client is entered and left by one task
        async with Client(child) as client:
            await client.call_tool("echo", {"text": "hello"})
            answered.release()
            await done.wait()

    async with asyncio.TaskGroup() as group:
        began = time.perf_counter()
        for _ in range(count):
            group.create_task(hold())
        for _ in range(count):
            await answered.acquire()
        took = (time.perf_counter() - began) * 1e3
        done.set()
    return took
