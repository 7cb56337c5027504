"""Retries: of what may be repeated, when it may help, after a while, within a budget."""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types as types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

import labkit as lab
from labkit.patterns.calls import META_RETRY_AFTER
from labkit.patterns.clock import VirtualClock
from labkit.patterns.deadline import within
from labkit.patterns.failures import Unavailable
from labkit.patterns.retry import META_ATTEMPTS, Backoff, Budget, Retry, Retrying

pytestmark = pytest.mark.anyio
NEVER_WAIT = Backoff(0)


class Flaky:
    """Fails as often as told, and notes when it was asked."""

    def __init__(self, clock: VirtualClock, *errors: Exception) -> None:
        self.clock, self.errors, self.asked = clock, list(errors), list[float]()

    async def __call__(self) -> str:
        self.asked.append(self.clock.now())
        if self.errors:
            raise self.errors.pop(0)
        return "fine"


def down(**settings: Any) -> Unavailable:
    return Unavailable("down", **settings)


async def finished(clock: VirtualClock, task: asyncio.Task[str], seconds: float = 100) -> str:
    await clock.advance(seconds)
    assert task.done()
    return await task


async def test_waits_double_up_to_a_cap_and_are_random_below() -> None:
    backoff = Backoff(base=1, cap=5)
    assert [backoff.wait(n, 0.5) for n in (1, 2, 3, 4, 2000)] == [0.5, 1, 2, 2.5, 2.5]
    clock, chances = VirtualClock(), iter([0.5, 0.25, 0.9])
    work = Flaky(clock, down(), down(), down())
    retrying = Retrying(4, backoff=backoff, clock=clock, chance=lambda: next(chances))
    assert await finished(clock, asyncio.create_task(retrying.run(work))) == "fine"
    assert work.asked == pytest.approx([0, 0.5, 1.0, 4.6])
    assert (retrying.stats.calls, retrying.stats.retries) == (1, 3)


async def test_the_last_error_is_raised_when_attempts_are_used_up() -> None:
    clock = VirtualClock()
    work = Flaky(clock, down(), down(), Unavailable("third"), down())

    @Retrying(3, backoff=NEVER_WAIT, clock=clock)
    async def ask(word: str) -> str:
        """Documented."""
        return word + await work()

    assert ask.__doc__ == "Documented."
    with pytest.raises(Unavailable, match="third"):
        await ask("x")
    assert len(work.asked) == 3


@pytest.mark.parametrize("error", [ValueError("a bug"), ToolError("refused"), down(reason="deadline")])
async def test_bugs_and_refusals_are_not_repeated(error: Exception) -> None:
    clock = VirtualClock()
    work = Flaky(clock, error)
    with pytest.raises(type(error)):
        await Retrying(5, backoff=NEVER_WAIT, clock=clock).run(work)
    assert len(work.asked) == 1


async def test_retry_after_is_waited_for_and_those_told_the_same_still_part() -> None:
    clock = VirtualClock()
    work = Flaky(clock, down(retry_after=3), down(retry_after=60))
    retrying = Retrying(5, backoff=Backoff(1), longest=30, clock=clock, chance=lambda: 0.5)
    task = asyncio.create_task(retrying.run(work))
    with pytest.raises(Unavailable) as caught:
        await finished(clock, task)
    assert work.asked == [0, 3.5] and caught.value.retry_after == 60 and retrying.stats.too_late == 1


async def test_no_wait_goes_beyond_the_deadline() -> None:
    clock = VirtualClock()
    work = Flaky(clock, down(), down(), down())
    retrying = Retrying(9, backoff=Backoff(4, cap=60), clock=clock, chance=lambda: 0.5)

    async def in_time() -> str:
        async with within(5, clock=clock):
            return await retrying.run(work)

    task = asyncio.create_task(in_time())
    await clock.advance(2)
    with pytest.raises(Unavailable, match="down"):
        await asyncio.wait_for(task, 5)
    assert work.asked == [0, 2] and clock.now() == 2, "the second wait would take 4 s of the 3 s left"


async def test_cancellation_ends_the_wait() -> None:
    clock = VirtualClock()
    work = Flaky(clock, down(), down())
    task = asyncio.create_task(Retrying(clock=clock, chance=lambda: 0.5).run(work))
    await clock.advance(0)
    task.cancel()
    await clock.advance(10)
    assert task.cancelled() and len(work.asked) == 1


async def test_a_cancelled_attempt_is_not_repeated() -> None:
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Retrying(when=lambda error: True).run(work)
    assert attempts == 1


async def test_in_an_outage_retries_are_a_share_of_the_calls() -> None:
    clock = VirtualClock()
    budget = Budget(ratio=0.1, reserve=10)
    retrying = Retrying(3, backoff=NEVER_WAIT, budget=budget, clock=clock)
    work = Flaky(clock, *[down() for _ in range(4000)])
    for _ in range(1000):
        with pytest.raises(Unavailable):
            await retrying.run(work)
    assert len(work.asked) == 1000 + retrying.stats.retries
    assert 105 <= retrying.stats.retries <= 110
    assert retrying.stats.exhausted + retrying.stats.over_budget == 1000


@given(st.lists(st.booleans(), max_size=300), st.sampled_from([0.0, 0.1, 0.2, 1.0]), st.integers(0, 20))
def test_a_budget_never_gives_more_than_it_promises(steps: list[bool], ratio: float, reserve: int) -> None:
    budget, calls, retries = Budget(ratio, reserve), 0, 0
    for is_call in steps:
        if is_call:
            calls += 1
            budget.earn()
        else:
            # Only a reserve that can hold a whole one gives anything.
            retries += budget.spend()
        assert retries <= reserve + ratio * calls + 1e-6
        assert budget.left + 1e-6 >= 0 and budget.left <= reserve


def shop(*middleware: Any, **arguments: Any) -> tuple[MCPServer, list[str]]:
    server, done = MCPServer("shop", middleware=middleware, log_level="CRITICAL"), list[str]()

    def tool(name: str, annotations: types.ToolAnnotations | None) -> None:
        def act(fail: int = 99) -> str:
            done.append(name)
            if done.count(name) <= fail:
                raise Unavailable("The shop does not answer.", **arguments)
            return "ok"

        server.add_tool(act, name=name, annotations=annotations)

    tool("look", types.ToolAnnotations(read_only_hint=True))
    tool("set", types.ToolAnnotations(read_only_hint=False, idempotent_hint=True))
    tool("buy", types.ToolAnnotations(read_only_hint=False, idempotent_hint=False))
    tool("plain", None)
    return server, done


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_tools_are_repeated_as_their_annotations_allow(era: str) -> None:
    server, done = shop()
    retry = Retry(server, 3, backoff=NEVER_WAIT)
    server.middleware.append(retry)
    async with await lab.connect(server, era=era) as conn:
        for name in ("look", "set", "buy", "plain"):
            result = await conn.call(name)
            assert result.is_error
            assert result.raw["_meta"].get(META_ATTEMPTS) == {"look": 3, "set": 3}.get(name)
        assert (await conn.call("nothing", check=False)).is_error
    assert done == ["look"] * 3 + ["set"] * 3 + ["buy", "plain"]
    assert (retry.stats.retries, retry.stats.exhausted, retry.stats.unrepeatable) == (4, 2, 2)


async def test_tools_can_be_named_instead() -> None:
    server, done = shop(Retry({"buy"}, 2, backoff=NEVER_WAIT))
    async with await lab.connect(server) as conn:
        assert (await conn.call("look")).is_error
        assert (await conn.call("buy", fail=1)).data == "ok"
    assert done == ["look", "buy", "buy"]


async def test_refusals_of_a_tool_are_answers() -> None:
    server, count = MCPServer("no", log_level="CRITICAL"), 0

    @server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
    def no(crash: bool) -> str:
        """Never."""
        nonlocal count
        count += 1
        raise ValueError if crash else ToolError("no such city")

    server.middleware.append(Retry(server, backoff=NEVER_WAIT))
    async with await lab.connect(server) as conn:
        assert (await conn.call("no", crash=False)).is_error and (await conn.call("no", crash=True)).is_error
    assert count == 2


async def test_retries_on_retries_do_not_multiply() -> None:
    server, done = shop()
    server.middleware.extend(Retry(server, 3, backoff=NEVER_WAIT) for _ in range(3))
    async with await lab.connect(server) as conn:
        result = await conn.call("look")
    assert len(done) == 3 and result.raw["_meta"][META_ATTEMPTS] == 3


async def test_an_error_that_is_handed_on_still_says_when_to_come_back() -> None:
    clock = VirtualClock()
    server, done = shop(retry_after=7)
    server.middleware.append(Retry(server, longest=5, clock=clock))
    async with await lab.connect(server) as conn:
        result = await conn.call("look")
    assert len(done) == 1 and result.raw["_meta"][META_RETRY_AFTER] == 7
