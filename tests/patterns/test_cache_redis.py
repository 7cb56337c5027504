"""Caches that share a Redis, and what they do while it is away."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

import labkit as lab
from labkit import services
from labkit.patterns.cache import Cache, Policy
from labkit.patterns.cache_backend import EVERYTHING
from labkit.patterns.clock import VirtualClock
from labkit.patterns.read_through import Found, Freshness, ReadThrough, cache_key
from labkit.patterns.redis_cache import RedisCache

pytestmark = pytest.mark.anyio
TAGS = (EVERYTHING, "tag:weather")
PATIENCE = 30.0
"""Seconds: a machine with much else to do is no Redis that is away."""


class Process:
    """What one of several server processes has: a cache of its own on the common Redis, and an upstream to ask."""

    def __init__(self, url: str, name: str, **options: Any) -> None:
        self.clock, self.fetches = VirtualClock(), 0
        self.redis = RedisCache(url, name=name, clock=self.clock, **options)
        self.cache = ReadThrough(self.redis, clock=self.clock)

    async def fetch(self) -> list[int]:
        self.fetches += 1
        return [self.fetches]

    async def ask(self, city: str = "Rome") -> Found:
        return await self.cache.get(cache_key(city), self.fetch, lambda _: Freshness(60, stale=30), TAGS)


@asynccontextmanager
async def processes(url: str, count: int = 2, **options: Any) -> AsyncIterator[list[Process]]:
    name = secrets.token_hex(4)
    made = [Process(url, name, **{"timeout": PATIENCE, **options}) for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            await each.cache.close()


async def test_what_one_has_fetched_the_other_is_given(redis_url: str) -> None:
    async with processes(redis_url) as (one, other):
        assert (await one.ask()).state == "miss"
        found = await other.ask()
        assert found.state == "hit" and found.value == [1] and 0 <= found.age < 30
        assert (one.fetches, other.fetches) == (1, 0)


async def test_what_one_drops_is_void_for_the_other_even_on_its_way(redis_url: str) -> None:
    async with processes(redis_url) as (one, other):
        await one.ask()
        await other.cache.drop("tag:weather")
        assert (await one.ask()).state == "miss"

        async def meanwhile() -> list[str]:
            await other.cache.drop("tag:weather")
            return ["old"]

        await other.cache.drop("tag:weather")
        await one.cache.get(cache_key("Rome"), meanwhile, lambda _: Freshness(60), TAGS)
        assert (await other.ask()).state == "miss"


async def test_names_and_versions_keep_apart(redis_url: str) -> None:
    name = secrets.token_hex(4)
    caches = [RedisCache(redis_url, name=name, version=version, timeout=PATIENCE) for version in ("1", "2")]
    stamp = (await caches[0].load(b"k", TAGS)).stamp
    assert await caches[0].save(b"k", TAGS, stamp, {"n": 1}, 60, 60)
    assert [(await cache.load(b"k", TAGS)).entry is not None for cache in caches] == [True, False]
    for cache in caches:
        await cache.close()


async def test_redis_itself_forgets_and_its_time_counts(redis_url: str) -> None:
    from redis.asyncio import Redis

    name = secrets.token_hex(4)
    cache, redis = RedisCache(redis_url, name=name, timeout=PATIENCE), Redis.from_url(redis_url, decode_responses=True)
    stamp = (await cache.load(b"k", TAGS)).stamp
    assert await cache.save(b"k", TAGS, stamp, {"n": 1}, 60, 90)
    (key,) = await redis.keys(f"labkit:cache:*{name}*:entry:*")
    assert 80_000 < await redis.pttl(key) <= 90_000
    await redis.hset(key, "made", float(await redis.hget(key, "made")) - 70)
    entry = (await cache.load(b"k", TAGS)).entry
    assert entry and 70 <= entry.age < 80 and entry.ttl == 60
    await redis.hset(key, "made", float(await redis.hget(key, "made")) - 20)
    assert (await cache.load(b"k", TAGS)).entry is None
    await cache.drop(("tag:weather",))
    (mark,) = await redis.keys(f"labkit:cache:*{name}*:mark:*")
    assert await redis.pttl(mark) > 24 * 3_600_000
    await redis.aclose()
    await cache.close()


async def test_away_it_works_on_without_cache_and_comes_back(
    redis_url: str, redis_home: services.Temporary, caplog: pytest.LogCaptureFixture
) -> None:
    async with processes(redis_url) as (one, other):
        await one.ask(), await other.ask()
        redis_home.down("redis")
        began = time.monotonic()
        assert [(await one.ask()).state for _ in range(20)] == ["miss"] * 20
        assert time.monotonic() - began < 5
        # Tried once, then left alone for a second; and said once.
        assert one.redis.failures == 1 and one.redis.away
        assert [record.message[:33] for record in caplog.records].count("The cache goes on without Redis: ") == 1
        one.clock.jump(1)
        await one.ask()
        assert one.redis.failures == 2
        redis_home.up("redis")
        assert (await one.ask()).state == "miss" and one.redis.failures == 2
        one.clock.jump(1)
        await one.ask()
        assert (await one.ask()).state == "hit" and not one.redis.away
        assert (await other.ask()).state == "hit"


async def test_a_crowd_makes_one_call_even_while_it_is_away(redis_url: str, redis_home: services.Temporary) -> None:
    async with processes(redis_url, 1) as (one,):
        redis_home.down("redis")
        go, fetches = asyncio.Event(), list[int]()

        async def slow() -> list[str]:
            fetches.append(1)
            await go.wait()
            return ["before"]

        crowd = [
            asyncio.create_task(one.cache.get(cache_key("Rome"), slow, lambda _: Freshness(60), TAGS))
            for _ in range(50)
        ]
        await until(lambda: sum(map(len, one.cache._flights._flights.values())) == 49)
        # What was on its way before a drop is not given to those who call after it.
        await one.cache.drop("tag:weather")
        assert (await one.ask()).value == [1]
        go.set()
        founds = await asyncio.gather(*crowd)
        assert len(fetches) == 1 and [found.state for found in founds].count("joined") == 49
        assert all(found.value == ["before"] for found in founds)


async def test_what_was_dropped_while_it_was_away_is_void_when_it_is_back(
    redis_url: str, redis_home: services.Temporary
) -> None:
    async with processes(redis_url) as (one, other):
        await one.ask()
        # Redis stays, and is only out of this one's reach: so its entries live on.
        one.redis._outage.until = one.clock.now() + 1
        await one.cache.drop("tag:weather")
        assert (await other.ask()).state == "hit"
        assert (await one.ask()).state == "miss"
        one.clock.jump(1)
        assert (await one.ask()).state == "miss"
        assert (await other.ask()).value == [3]


async def test_too_many_owed_drops_become_one_of_everything(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RedisCache, "MAX_OWED", 3)
    async with processes(redis_url) as (one, other):
        await other.ask()
        one.redis._outage.until = one.clock.now() + 1
        for number in range(5):
            await one.cache.drop(f"tag:{number}")
        assert len(one.redis._owed) == 1
        one.clock.jump(1)
        assert (await one.ask()).state == "miss"


async def test_one_that_never_answers_costs_a_moment_and_then_nothing() -> None:
    held: list[asyncio.StreamWriter] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with processes(f"redis://127.0.0.1:{port}", 1, timeout=0.05) as (one,):
        began = time.monotonic()
        assert [(await one.ask()).state for _ in range(10)] == ["miss"] * 10
        assert time.monotonic() - began < 3 and one.redis.failures == 1 and one.fetches == 10
        one.clock.jump(1)
        crowd = await asyncio.gather(*(one.ask(f"city {number}") for number in range(20)))
        assert len(crowd) == 20 and one.redis.failures == 2  # one of them has tried it again
    server.close()
    for writer in held:
        writer.close()


async def test_cancelling_in_the_midst_of_it_leaves_the_connection_usable(redis_url: str) -> None:
    async with processes(redis_url, 1) as (one,):
        await one.ask()
        for turns in range(12):
            task = asyncio.create_task(one.ask(f"city {turns}"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert (await one.ask()).value == [1]
        assert one.redis.failures == 0


async def test_a_value_that_is_too_large_or_no_json_is_not_kept(redis_url: str) -> None:
    async with processes(redis_url, 1, max_bytes=100) as (one,):
        stamp = (await one.redis.load(b"k", TAGS)).stamp
        assert not await one.redis.save(b"k", TAGS, stamp, "x" * 99, 60, 60)
        assert not await one.redis.save(b"k", TAGS, stamp, {1, 2}, 60, 60)
        assert await one.redis.save(b"k", TAGS, stamp, "x" * 98, 60, 60)
        assert one.redis.failures == 0


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_as_middleware_two_servers_share_answers(redis_url: str, era: str) -> None:
    name, ran = secrets.token_hex(4), list[str]()

    def server() -> tuple[MCPServer, Cache]:
        cache = Cache({"forecast": Policy(60, scope="public")}, RedisCache(redis_url, name=name, timeout=PATIENCE))

        @asynccontextmanager
        async def lifespan(_: Any) -> AsyncIterator[None]:
            yield
            await cache.close()

        made = MCPServer("weather", middleware=[cache], lifespan=lifespan)

        @made.tool()
        async def forecast(city: str) -> str:
            """The weather to come."""
            ran.append(city)
            return f"{city} {len(ran)}"

        return made, cache

    (one, _), (other, cache) = server(), server()
    async with await lab.connect(one, era=era) as here, await lab.connect(other, era=era) as there:
        assert (await here.call("forecast", city="Rome")).data == "Rome 1"
        assert (await there.call("forecast", city="Rome")).data == "Rome 1"
    assert ran == ["Rome"] and cache.stats().hits == 1


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)
