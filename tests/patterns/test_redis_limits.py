"""Limits that processes share: together they admit no more than one would, and Redis may go away and come back."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer

import labkit as lab
from labkit import services
from labkit.patterns.calls import META_REASON, META_RETRY_AFTER
from labkit.patterns.clock import VirtualClock
from labkit.patterns.rate_limit import RateLimit
from labkit.patterns.redis_limits import CONNECTIONS, RedisLimiter
from labkit.patterns.sliding_window import SlidingWindow

pytestmark = pytest.mark.anyio
SERVER = Path(__file__).with_name("limited_server.py")
KINDS = ["3/minute", "3/minute burst 3"]
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
async def make(redis_url: str) -> AsyncIterator[Callable[..., RedisLimiter]]:
    """`make(rate, ...)`: a limiter under a name of its own, closed at the end."""
    made: list[RedisLimiter] = []

    def limiter(rate: str, url: str = redis_url, **options: Any) -> RedisLimiter:
        made.append(RedisLimiter(url, rate, **{"name": os.urandom(8).hex(), "timeout": 60.0, **options}))
        return made[-1]

    yield limiter
    for each in made:
        await each.close()


async def admitted(limiter: RedisLimiter, key: str, times: int = 5) -> int:
    return sum([(await limiter.take(key)).admitted for _ in range(times)])


async def keys(limiter: RedisLimiter) -> list[bytes]:
    return [key async for key in limiter._redis.scan_iter(match=limiter._common[0].replace(b":shared", b":*"))]


async def test_four_processes_admit_what_one_may(redis_url: str) -> None:
    env = {"REDIS_URL": redis_url, "LIMIT_NAME": os.urandom(8).hex()}
    eras = ["2026-07-28", "2025-11-25"] * 2
    connections = await asyncio.gather(*(lab.connect(SERVER, via="stdio", env=env, era=era) for era in eras))
    by_process = Counter[int]()
    try:
        for tool, limit in (("windowed", 60), ("burst", 50)):
            calls = [conn.call(tool, check=False) for _ in range(30) for conn in connections]
            results = await asyncio.gather(*calls)
            by_process.update(result.data for result in results if not result.is_error)
            assert {result.raw["_meta"][META_REASON] for result in results if result.is_error} == {"rate-limited"}
            assert sum(not result.is_error for result in results) == limit
        assert len(by_process) == 4  # all of them did admit some
    finally:
        await asyncio.gather(*(conn.close() for conn in connections))


@pytest.mark.parametrize("rate", KINDS)
async def test_all_at_once_from_two_clients_is_no_more_than_the_limit(make: Any, rate: str) -> None:
    limiters = [make(rate, name=name) for name in [os.urandom(8).hex()] * 2]
    verdicts = await asyncio.gather(*(limiter.take("ada") for limiter in limiters for _ in range(3 * CONNECTIONS)))
    assert sum(verdict.admitted for verdict in verdicts) == 3
    assert not any(verdict.away for verdict in verdicts)
    assert await admitted(limiters[0], "ben") == 3


@pytest.mark.parametrize("rate", KINDS)
async def test_redis_goes_by_its_own_clock_and_forgets(make: Any, rate: str) -> None:
    limiter = make(rate)
    assert await admitted(limiter, "ada") == 3
    verdict = await limiter.take("ada")
    assert 0 < verdict.wait <= 60
    left = {key.rpartition(b":")[2]: await limiter._redis.pttl(key) for key in await keys(limiter)}
    assert set(left) == {b"ada", b"ids"} and all(0 < milliseconds <= 60_000 for milliseconds in left.values())
    booked = await limiter.take("ada", within=60.0)
    assert booked and 0 < booked.wait <= 60
    assert not await limiter.take("ada")


@pytest.mark.parametrize("rate", KINDS)
async def test_a_flood_of_ids_leaves_a_bounded_number_of_records(make: Any, rate: str) -> None:
    clock = VirtualClock(1e9)
    limiter = make(rate, max_keys=20, now=clock.now)
    assert await admitted(limiter, "ada") == 3
    assert sum([await admitted(limiter, f"made-up-{n}", 1) for n in range(60)]) == 19 + 3
    assert len(await keys(limiter)) == 20 + 2 and not await limiter.take("ada")
    clock.jump(60.001)
    # Those of before are forgotten a few at a time, and each makes room.
    assert sum([await admitted(limiter, f"new-{n}", 1) for n in range(20)]) == 20
    assert await limiter._redis.zcard(limiter._common[1]) <= 20


async def test_ids_may_be_long_or_no_text_at_all(make: Any) -> None:
    limiter = make("3/minute")
    for key in ("x" * 10**5, "x" * (10**5 - 1) + "y", "\ud800", "", "\0"):
        assert await admitted(limiter, key) == 3
    assert max(map(len, await keys(limiter))) < 200


async def test_what_can_never_be_is_an_error(make: Any) -> None:
    with pytest.raises(ValueError, match="the limit admits 1 to 3 at once"):
        await make("3/minute").take("ada", 4)
    with pytest.raises(ValueError, match="longer than the limit's period"):
        await make("3/minute").take("ada", within=61)


async def test_a_wait_of_a_whole_period_is_no_longer_than_a_period(make: Any) -> None:
    for rate in ("3/second burst 1", "7/minute burst 2", "3/2seconds"):
        limiter = make(rate, now=lambda: 1.7e9)
        most = limiter.rate.most
        assert await limiter.take("ada", most) and await limiter.take("ada", most, limiter.period)


async def test_a_cancelled_question_leaves_no_answer_for_the_next(make: Any) -> None:
    limiter = make("1/minute")
    assert await limiter.take("full")
    for turns in range(12):
        asked = asyncio.create_task(limiter.take("full"))
        for _ in range(turns):
            await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        assert await limiter.take(f"fresh-{turns}")
    assert limiter.failures == 0


@pytest.mark.parametrize("rate", KINDS)
@pytest.mark.parametrize("fail", ["closed", "open", "here"])
async def test_redis_goes_away_and_comes_back(rate: str, fail: str, redis_home: services.Temporary, make: Any) -> None:
    clock = VirtualClock()
    here = SlidingWindow(1, 60, clock=clock)
    limiter = make(rate, fail=here if fail == "here" else fail, clock=clock, recheck=2.0)
    assert await admitted(limiter, "ada", 2) == 2
    redis_home.down("redis")
    try:
        verdicts = [await limiter.take("ada") for _ in range(10)]
        assert [verdict.admitted for verdict in verdicts] == {
            "closed": [False] * 10, "open": [True] * 10, "here": [True] + [False] * 9,
        }[fail]  # fmt: skip
        assert all(verdict.away for verdict in verdicts) and limiter.away and limiter.trouble
        assert verdicts[-1].wait == {"closed": 2.0, "open": 0.0, "here": 60.0}[fail]
        assert limiter.failures == 1 and limiter.uncounted == 10  # one question was enough
        clock.jump(2)
        await asyncio.gather(*(limiter.take("ben") for _ in range(10)))
        assert limiter.failures == 2 and limiter.uncounted == 20  # only one of ten tried again
    finally:
        redis_home.up("redis")
    clock.jump(2)
    verdict = await limiter.take("ada")
    # Two were counted before; those let through meanwhile nobody counted.
    assert verdict and not verdict.away and not limiter.away
    assert not await limiter.take("ada") and limiter.failures == 2


async def test_a_redis_that_does_not_answer_costs_one_call_its_patience(make: Any) -> None:
    accepted = list[asyncio.StreamWriter]()
    hanging = await asyncio.start_server(lambda _, writer: accepted.append(writer), "127.0.0.1", 0)
    async with hanging:
        port = hanging.sockets[0].getsockname()[1]
        clock = VirtualClock()
        limiter = make("3/minute", url=f"redis://127.0.0.1:{port}/0", timeout=0.05, fail="open", clock=clock)
        verdicts = await asyncio.wait_for(asyncio.gather(*(limiter.take("ada") for _ in range(50))), 20)
        assert all(verdict.admitted and verdict.away for verdict in verdicts)
        failures = limiter.failures
        assert await limiter.take("ada") and limiter.failures == failures
        for writer in accepted:
            writer.close()
            await writer.wait_closed()


async def test_middleware_fails_as_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def call(fail: Any) -> Any:
        limit = RateLimit("3/minute", redis=NOWHERE, fail=fail)
        server = MCPServer("shop", middleware=[limit])

        @server.tool()
        async def look() -> str:
            """Look around."""
            return "hello"

        with caplog.at_level(logging.WARNING, "labkit.patterns"):
            async with Client(server) as client:
                return await client.call_tool("look", {})

    closed = await call("closed")
    assert (
        closed.is_error and "this server cannot count calls at the moment. Try again in 1 s." in closed.content[0].text
    )
    assert closed.meta[META_REASON] == "limiter-away" and 0 < closed.meta[META_RETRY_AFTER] <= 1
    assert not (await call("open")).is_error
    assert "Redis cannot be asked for the limit on calls" in caplog.text


async def test_middleware_shares_a_limit_by_name(redis_url: str) -> None:
    names = [os.urandom(8).hex(), os.urandom(8).hex()]
    limits = [RateLimit({"*": "3/minute"}, redis=redis_url, name=name) for name in (names[0], names[0], names[1])]
    passed = list[int]()
    for limit in limits:
        server = MCPServer("shop", middleware=[limit])

        @server.tool()
        async def look() -> str:
            """Look around."""
            return "hello"

        async with Client(server) as client:
            passed.append(sum([not (await client.call_tool("look", {})).is_error for _ in range(2)]))
        await limit.close()
    assert passed == [2, 1, 2]
