"""What is read through a cache: keys that are never ambiguous, bounded memory, and fetches in the background."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from labkit.patterns.cache_backend import MemoryCache
from labkit.patterns.clock import VirtualClock, settle
from labkit.patterns.deadline import remaining, within
from labkit.patterns.read_through import Freshness, ReadThrough, cache_key

pytestmark = pytest.mark.anyio
TEXTS = st.text(st.sampled_from('ab:,"\\[]{}\ud83d\ude00\U0001f600é'), max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, -0.0, 1e300]) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def strict(value: Any) -> Any:
    """Equal only for the same JSON value: to Python, True is 1 and 1.0."""
    if isinstance(value, list):
        return ("list", *(strict(item) for item in value))
    if isinstance(value, dict):
        return ("dict", *sorted((name, strict(item)) for name, item in value.items()))
    return (type(value).__name__, repr(value))


@given(st.lists(JSON, max_size=4), st.lists(JSON, max_size=4))
@example(["a:b", "c"], ["a", "b:c"])
@example(["\ud83d\ude00"], ["\U0001f600"])
@example([{"a": 1, "b": 2}], [{"b": 2, "a": 1}])
@example([1], [True])
@example(["\ud83d"], ["?"])
@settings(deadline=None, max_examples=200)
def test_keys_are_equal_only_for_equal_parts(one: list[Any], other: list[Any]) -> None:
    assert (cache_key(*one) == cache_key(*other)) == (strict(one) == strict(other))
    assert len(cache_key(*one)) == 32


async def test_memory_is_bounded_in_bytes_however_large_answers_and_arguments_are() -> None:
    backend = MemoryCache(50_000)
    cache = ReadThrough(backend)
    for size in (10, 1_000, 20_000, 60_000):
        for number in range(100):

            async def fetch(size: int = size) -> str:
                return "x" * size

            await cache.get(cache_key("y" * size, number), fetch, lambda _: Freshness(60))
            assert backend.size <= 50_000
    assert cache.stats().misses == 400 and cache.stats().kept == 300 and cache.stats().evicted > 250
    assert len(backend) == 2


async def test_who_waited_is_given_a_value_of_its_own() -> None:
    cache, go = ReadThrough(), asyncio.Event()

    async def fetch() -> list[str]:
        await go.wait()
        return ["value"]

    crowd = [asyncio.create_task(cache.get(b"k", fetch, lambda _: Freshness(60))) for _ in range(3)]
    await settle()
    go.set()
    founds = await asyncio.gather(*crowd)
    assert [found.state for found in founds] == ["miss", "joined", "joined"]
    for found in founds:
        found.value.append("changed")
    kept = await cache.get(b"k", fetch, lambda _: Freshness(60))
    assert [len(found.value) for found in founds] == [2, 2, 2] and kept.value == ["value"]


async def test_close_ends_what_is_fetched_behind() -> None:
    clock = VirtualClock()
    cache = ReadThrough(clock=clock)
    cancelled: list[bool] = []

    async def quick() -> int:
        return 1

    async def never() -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return 0

    await cache.get(b"k", quick, lambda _: Freshness(10, stale=10))
    clock.jump(15)
    before = len(asyncio.all_tasks())
    for _ in range(10):
        assert (await cache.get(b"k", never, lambda _: Freshness(10))).state == "stale"
        await settle()
    assert len(asyncio.all_tasks()) == before + 1
    await cache.close()
    assert cancelled == [True] and len(asyncio.all_tasks()) == before


async def test_a_refresh_that_hangs_is_given_up_and_another_may_follow() -> None:
    clock = VirtualClock()
    cache = ReadThrough(clock=clock, refresh_timeout=0.01)

    async def quick() -> int:
        return 1

    async def never() -> int:
        await asyncio.Event().wait()
        return 0

    await cache.get(b"k", quick, lambda _: Freshness(10, stale=10))
    clock.jump(15)
    await cache.get(b"k", never, lambda _: Freshness(10))
    await until(lambda: cache.refresh_failed == 1)
    assert (await cache.get(b"k", quick, lambda _: Freshness(10))).state == "stale"
    await until(lambda: cache.refreshed == 1)


async def test_a_background_fetch_is_of_the_same_principal_and_not_bound_by_the_callers_deadline() -> None:
    clock = VirtualClock()
    cache = ReadThrough(clock=clock)
    seen: list[tuple[float | None, str]] = []

    async def fetch() -> int:
        token = auth_context_var.get()
        seen.append((remaining(), token.access_token.subject if token else ""))
        return 1

    user = AuthenticatedUser(AccessToken(token="t", client_id="app", scopes=[], subject="ada"))
    token = auth_context_var.set(user)
    for _ in range(2):
        async with within(5):
            await cache.get(b"k", fetch, lambda _: Freshness(10, stale=10))
        clock.jump(15)
    auth_context_var.reset(token)
    await until(lambda: cache.refreshed == 1)
    assert seen[0][0] is not None and seen[1] == (None, "ada")


async def test_background_fetches_are_bounded() -> None:
    clock = VirtualClock()
    cache = ReadThrough(clock=clock)
    begun: list[int] = []

    async def quick() -> int:
        return 1

    async def never() -> int:
        begun.append(1)
        await asyncio.Event().wait()
        return 0

    for number in range(100):
        await cache.get(cache_key(number), quick, lambda _: Freshness(10, stale=10))
    clock.jump(15)
    for number in range(100):
        assert (await cache.get(cache_key(number), never, lambda _: Freshness(10))).state == "stale"
    await settle()
    assert len(begun) == ReadThrough.MAX_REFRESHES
    await cache.close()


async def until(condition: Any) -> None:
    """Wait for something that happens in the server's own thread."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
