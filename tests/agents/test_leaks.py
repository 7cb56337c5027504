"""Whatever ends a run, nothing of it is left: connections, tasks, threads, processes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import anyio
import psutil
import pytest

import labkit as lab
from labkit.agents import ModelError, ScriptedModel, Transcript, call, opened, run
from labkit.agents.stage import Prop, tool
from labkit.session.link import OPEN

pytestmark = pytest.mark.anyio
RUNS = 100


def prop(name: str, begun: anyio.Event | None = None) -> Any:
    def answer(tool: str, given: dict[str, Any]) -> str:
        if given.get("n") == 13:
            raise ValueError("thirteen")
        if begun:
            begun.set()
        return str(given.get("n"))

    return Prop(name, [tool("say", "Say.", n="integer")], answer).server


async def one(number: int) -> str:
    """A run that ends in one of five ways: which one."""

    def script(talk: Any) -> Any:
        yield [call("a.say", n=number), call("b.say", n=13), call("b.gone")]
        if number % 5 == 1:
            raise ModelError("no answer")
        if number % 5 == 2:
            raise ZeroDivisionError("a bug of the model")
        while number % 5 == 3:
            yield call("a.say", n=1)
        if number % 5 == 4:
            scope.cancel()
            yield call("a.say", n=1)
        return "done"

    told = Transcript()
    with anyio.CancelScope() as scope:
        try:
            async with opened({"a": prop("a"), "b": prop("b")}) as servers:
                await run(ScriptedModel(script), "Go.", servers, steps=4, transcript=told)
        except (ModelError, ZeroDivisionError):
            pass
    return told.ended


async def test_a_hundred_runs_leave_nothing() -> None:
    await one(0)  # what is made once and kept, such as a pool of threads, is there now
    tasks, threads, connections = len(asyncio.all_tasks()), threading.active_count(), len(OPEN)
    ended = [await one(number) for number in range(RUNS)]
    assert ended == ["answered", "failed", "failed", "steps", "cancelled"] * (RUNS // 5)
    assert (len(asyncio.all_tasks()), len(OPEN)) == (tasks, connections)
    assert threading.active_count() <= threads


async def test_a_server_that_cannot_be_reached_closes_those_before_it() -> None:
    before = len(OPEN)
    with pytest.raises(lab.LabError):
        async with opened({"a": prop("a"), "gone": "no_such_server_anywhere"}):
            raise AssertionError("it was opened")
    assert len(OPEN) == before


async def test_a_process_ends_with_a_run_that_is_cancelled() -> None:
    def script(talk: Any) -> Any:
        scope.cancel()
        yield call("calc.add", a=1, b=1)

    pids: list[int] = []
    with anyio.CancelScope() as scope:
        async with opened({"calc": "calculator"}, via="stdio") as servers:
            pids.append(servers["calc"].pid or 0)
            assert psutil.pid_exists(pids[0])
            await run(ScriptedModel(script), "Go.", servers)
    assert scope.cancelled_caught and not psutil.pid_exists(pids[0])
