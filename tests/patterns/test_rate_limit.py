"""Limits as middleware: who is counted with whom, what a refusal says, and how calls wait for their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

import labkit as lab
from labkit.patterns.calls import META_REASON, META_RETRY_AFTER, by, by_argument, by_tool, everyone
from labkit.patterns.clock import VirtualClock, settle
from labkit.patterns.rate_limit import Counts, RateLimit
from labkit.patterns.sliding_window import SlidingWindow
from labkit.patterns.token_bucket import TokenBucket

pytestmark = pytest.mark.anyio
ERAS = ("2026-07-28", "2025-11-25")


def shop(*middleware: Any) -> MCPServer:
    server = MCPServer("shop", middleware=middleware)

    @server.tool()
    async def look(who: str = "") -> str:
        """Look around."""
        return f"hello {who}"

    @server.tool()
    async def buy(who: str = "") -> str:
        """Buy something, which fails."""
        raise ToolError("sold out")

    @server.resource("shop://hours")
    def hours() -> str:
        """Opening hours."""
        return "10 to 18"

    return server


@asynccontextmanager
async def signed_in(server: MCPServer, subject: str) -> AsyncIterator[Client]:
    user = AuthenticatedUser(AccessToken(token="t", client_id="app", scopes=[], subject=subject))
    token = auth_context_var.set(user)
    try:
        async with Client(server) as client:
            yield client
    finally:
        auth_context_var.reset(token)


async def admitted(client: Client, tool: str = "look", times: int = 5, **arguments: Any) -> int:
    results = [await client.call_tool(tool, arguments) for _ in range(times)]
    return sum(META_REASON not in (result.meta or {}) for result in results)


@pytest.mark.parametrize("era", ERAS)
async def test_one_line_refuses_with_a_sentence_and_the_seconds(era: str) -> None:
    clock = VirtualClock()
    limit = RateLimit("2/minute", clock=clock)
    async with await lab.connect(shop(limit), era=era) as conn:
        assert (await conn.call("look", who="ada")).data == "hello ada"
        clock.jump(11.5)
        assert (await conn.call("look")).data == "hello "
        refused = await conn.call("look", check=False)
        assert refused.is_error and str(refused.text) == (
            "look was not called: the limit on calls is reached. Try again in 49 s."
        )
        meta = refused.raw["_meta"]
        assert meta[META_REASON] == "rate-limited" and meta[META_RETRY_AFTER] == 48.5
        clock.jump(meta[META_RETRY_AFTER])
        assert (await conn.call("look")).data == "hello "
        assert (await conn.read("shop://hours")).text == "10 to 18"
    assert limit.stats() == Counts(admitted=3, refused=1, waited=0, given_up=0, waiting=0)


async def test_a_burst_in_the_text_makes_a_bucket() -> None:
    clock = VirtualClock()
    limit = RateLimit("1/second burst 4", clock=clock)
    assert isinstance(limit.limiters[0], TokenBucket)
    async with Client(shop(limit)) as client:
        assert await admitted(client) == 4
        clock.jump(2)
        assert await admitted(client) == 2


async def test_every_caller_who_proved_who_it_is_has_its_own_limit() -> None:
    server = shop(RateLimit("3/minute", clock=VirtualClock()))
    for who, expected in (("ada", 3), ("ben", 3), ("ada", 0)):
        async with signed_in(server, who) as client:
            assert await admitted(client) == expected
    async with Client(server) as client:
        # What a caller writes into an argument gives it no limit of its own.
        assert sum([await admitted(client, times=1, who=f"made-up-{n}") for n in range(5)]) == 3


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (everyone, [3, 0, 0]),
        (by_tool, [3, 3, 0]),
        (by_argument("who"), [3, 0, 3]),
        (by(by_tool, by_argument("who")), [3, 3, 3]),
    ],
    ids=["everyone", "tool", "argument", "both"],
)
async def test_the_key_says_who_is_counted_together(key: Any, expected: list[int]) -> None:
    async with Client(shop(RateLimit("3/minute", key=key, clock=VirtualClock()))) as client:
        calls = [("look", "ada"), ("buy", "ada"), ("look", "ben")]
        assert [await admitted(client, tool, who=who) for tool, who in calls] == expected


async def test_each_tool_may_have_its_own_limit() -> None:
    clock = VirtualClock()
    named = {"buy": "1/minute", "*": SlidingWindow(3, 60, clock=clock)}
    async with Client(shop(RateLimit(named, clock=clock))) as client:
        assert [await admitted(client, tool) for tool in ("buy", "look", "no-such-tool")] == [1, 3, 0]
    limit = RateLimit({"buy": "1/minute"}, clock=clock)
    async with Client(shop(limit)) as client:
        assert [await admitted(client, tool) for tool in ("buy", "look")] == [1, 5]
    assert limit.stats().admitted == 1 and limit.stats().refused == 4


async def test_of_two_limits_the_outer_one_keeps_a_greedy_caller_from_taking_everybodys() -> None:
    clock = VirtualClock()
    own, common = RateLimit("3/minute", clock=clock), RateLimit("8/minute", key=everyone, clock=clock)
    server = shop(own, common)
    for who, times, expected in (("greedy", 50, 3), ("ada", 5, 3), ("ben", 5, 2)):
        async with signed_in(server, who) as client:
            assert await admitted(client, times=times) == expected
    assert common.stats().refused == 1


async def test_calls_wait_for_their_turn_in_the_order_they_came() -> None:
    clock = VirtualClock()
    limit = RateLimit("1/second burst 2", key=everyone, wait=2, clock=clock)
    done = list[tuple[str, float]]()

    async def call(client: Client, who: str) -> None:
        result = await client.call_tool("look", {"who": who})
        done.append((who if not result.is_error else "refused", clock.now()))

    async with Client(shop(limit)) as client, asyncio.TaskGroup() as group:
        for who in "abcde":
            group.create_task(call(client, who))
            await settle()
        assert done == [("a", 0), ("b", 0), ("refused", 0)] and limit.waiting == 2
        await clock.advance(1)
        assert done[3:] == [("c", 1)]
        group.create_task(call(client, "late"))  # would be next at 2 if nobody waited
        await clock.advance(2)
    assert done[4:] == [("d", 2), ("late", 3)]
    assert limit.stats() == Counts(admitted=5, refused=1, waited=3, given_up=0, waiting=0)


async def test_who_is_cancelled_while_it_waits_leaves_no_trace_but_the_place() -> None:
    clock = VirtualClock()
    limit = RateLimit("1/minute", key=everyone, wait=60, clock=clock)
    async with Client(shop(limit)) as client:
        await client.call_tool("look", {})
        impatient = asyncio.create_task(client.call_tool("look", {}))
        await settle()
        assert limit.waiting == 1
        impatient.cancel()
        await asyncio.wait([impatient])
        await settle()
        assert impatient.cancelled() and limit.stats() == Counts(admitted=1, refused=0, waited=0, given_up=1, waiting=0)
        assert (await client.call_tool("look", {})).is_error  # that place, in 60 s, stays taken
        clock.jump(60.5)
        patient = asyncio.create_task(client.call_tool("look", {}))
        await clock.advance(59)
        assert not patient.done()
        await clock.advance(1)
        assert not (await patient).is_error


async def test_a_failing_tool_counts_like_any_other() -> None:
    async with Client(shop(RateLimit("2/minute", clock=VirtualClock()))) as client:
        assert await admitted(client, "buy") == 2


def test_a_limit_that_cannot_be_is_told_when_the_server_is_made() -> None:
    with pytest.raises(ValueError, match="'often' is no rate: write it as '100/minute'"):
        RateLimit("often")
    with pytest.raises(ValueError, match="wait=90 is longer than the limit's period of 60 s"):
        RateLimit({"look": "5/hour", "*": "5/minute"}, wait=90)


async def test_nothing_but_the_records_grows_with_the_ids() -> None:
    limit = RateLimit("1/minute", key=by_argument("who"), max_keys=10, clock=VirtualClock())
    async with Client(shop(limit)) as client:
        assert sum([await admitted(client, times=1, who=f"{n}" * 1000) for n in range(30)]) == 10 + 1
    assert limit.limiters[0].keys == 11 and limit.limiters[0].shared == 20  # type: ignore[union-attr]
