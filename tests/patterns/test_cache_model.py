"""The cache against a model of a few lines: any order of calls, drops, cancellations and passing time, in memory and
on Redis."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from labkit.patterns.cache_backend import EVERYTHING, Backend, MemoryCache
from labkit.patterns.clock import VirtualClock
from labkit.patterns.read_through import Found, Freshness, ReadThrough, cache_key
from labkit.patterns.redis_cache import RedisCache

TTL, STALE, ERROR_TTL = 100.0, 50.0, 20.0
ROOM = 3
VALUE_BYTES = 10  # a list of one small number, packed
TAGS = {
    "a": (EVERYTHING, "tool:one", "tag:red"),
    "b": (EVERYTHING, "tool:one", "tag:blue"),
    "c": (EVERYTHING, "tool:two", "tag:red"),
    "d": (EVERYTHING, "tool:two", "tag:blue"),
    "e": (EVERYTHING, "tool:two"),
}
KEYS = st.sampled_from(sorted(TAGS))
OUTCOMES = st.sampled_from(["good", "good", "good", "error", "alone", "raises"])


@dataclass
class Kept:
    """What the model knows of an entry."""

    value: int
    made: float
    ttl: float
    keep: float
    void: bool = False


@dataclass
class Flight:
    """A fetch under way, and those who wait for it; `void` when one of its tags was dropped meanwhile."""

    key: str
    tasks: list[asyncio.Task[Found]] = field(default_factory=list[asyncio.Task[Found]])
    ends: asyncio.Future[str] | None = None
    void: bool = False


def judge(value: list[int]) -> Freshness | None:
    """Numbers that end with 8 are errors, and with 9 nobody else's business."""
    return {8: Freshness(ERROR_TTL, negative=True), 9: None}.get(value[0] % 10, Freshness(TTL, STALE))


class CacheModel(RuleBasedStateMachine):
    """`place` makes the backend, `room` is how many entries it has room for."""

    place: Callable[[VirtualClock], Backend]
    room: float

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock()
        self.cache = ReadThrough(type(self).place(self.clock), clock=self.clock)
        self.entries: dict[str, Kept] = {}  # the least recently used first
        self.flights: list[Flight] = []
        self.fetches = self.count = self.evicted = 0
        self.seen = dict.fromkeys(("hit", "stale", "joined", "miss"), 0)

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def made(self, outcome: str) -> list[int]:
        """A new value; its last digit is its outcome."""
        if outcome == "raises":
            raise ConnectionError("down")
        self.count += 1
        return [1_000_000_000 + self.count * 10 + {"good": 0, "error": 8, "alone": 9}[outcome]]

    def ask(self, key: str, fetch: Any) -> Any:
        return self.cache.get(cache_key(key), fetch, judge, TAGS[key])

    def living(self, key: str) -> Kept | None:
        """What the model would give for a key: whoever asks for it uses it."""
        if not self.has(key):
            self.entries.pop(key, None)
            return None
        self.entries[key] = self.entries.pop(key)
        return self.entries[key]

    def has(self, key: str) -> bool:
        kept = self.entries.get(key)
        return kept is not None and not kept.void and self.clock.now() - kept.made < kept.keep

    def keep(self, key: str, value: list[int]) -> None:
        freshness = judge(value)
        if freshness is None:
            return
        now = self.clock.now()
        self.entries = {k: kept for k, kept in self.entries.items() if now - kept.made < kept.keep}
        if key not in self.entries and len(self.entries) >= self.room:
            self.entries.pop(next(iter(self.entries)))
            self.evicted += 1
        self.entries.pop(key, None)
        self.entries[key] = Kept(value[0], now, freshness.ttl, freshness.ttl + freshness.stale)

    def flying(self, key: str) -> Flight | None:
        return next((flight for flight in self.flights if flight.key == key and not flight.void), None)

    def fetching(self, key: str) -> bool:
        return self.flying(key) is not None

    @rule(key=KEYS, outcome=OUTCOMES)
    def call(self, key: str, outcome: str) -> None:
        """A call whose fetch, if there is one, ends at once."""
        if not self.has(key) and self.fetching(key):
            return  # it would wait: see `begin`
        kept = self.living(key)
        before = self.fetches

        async def fetch() -> list[int]:
            self.fetches += 1
            return self.made(outcome)

        async def asked() -> Found | None:
            try:
                return await self.ask(key, fetch)
            except ConnectionError:
                return None
            finally:
                await asyncio.gather(*self.cache._refreshes.values(), return_exceptions=True)

        found: Found | None = self.run(asked())
        if kept is None:
            assert self.fetches == before + 1
            self.seen["miss"] += found is not None
            assert found is None if outcome == "raises" else found and found.state == "miss"
            if found:
                self.keep(key, found.value)
            return
        age = self.clock.now() - kept.made
        fresh = age < kept.ttl
        assert found is not None and found.value == [kept.value]
        assert found.state == ("hit" if fresh else "stale") and math.isclose(found.age, age, abs_tol=1e-5)
        assert math.isclose(found.fresh_for, max(0.0, kept.ttl - age), abs_tol=1e-5)
        self.seen[found.state] += 1
        if not fresh and self.fetching(key):
            return
        assert self.fetches == before + (not fresh)
        if not fresh and outcome == "good":
            self.keep(key, [1_000_000_000 + self.count * 10])

    @precondition(lambda self: len(self.flights) < 3)
    @rule(key=KEYS)
    def begin(self, key: str) -> None:
        """A call whose fetch takes its time, or that waits for another."""
        if self.has(key):
            return
        self.living(key)
        flight = self.flying(key)
        if flight is None:
            flight = Flight(key)
            self.flights.append(flight)
        flight.tasks.append(self.loop.create_task(self.ask(key, self.slow(flight))))
        self.until(lambda: self.at_rest(flight))

    def slow(self, flight: Flight) -> Any:
        async def fetch() -> list[int]:
            self.fetches += 1
            flight.ends = self.loop.create_future()
            return self.made(await flight.ends)

        return fetch

    def at_rest(self, flight: Flight) -> bool:
        waiting = sum(
            not place.done() for places in self.cache._flights._flights.values() for place in places
        )  # all but those who fetch
        return flight.ends is not None and waiting == sum(len(flight.tasks) - 1 for flight in self.flights)

    def until(self, condition: Callable[[], bool]) -> None:
        async def wait() -> None:
            deadline = time.monotonic() + 10
            while not condition():
                assert time.monotonic() < deadline, "it never came to that"
                await asyncio.sleep(0)

        self.run(wait())

    @precondition(lambda self: self.flights)
    @rule(outcome=OUTCOMES.filter(lambda outcome: outcome != "alone"), which=st.integers(0, 9))
    def land(self, outcome: str, which: int) -> None:
        """A slow fetch ends: all who waited have its value, or its exception."""
        flight = self.flights.pop(which % len(self.flights))
        assert flight.ends is not None
        flight.ends.set_result(outcome)
        founds = self.run(asyncio.wait_for(asyncio.gather(*flight.tasks, return_exceptions=True), 10))
        if outcome == "raises":
            assert all(isinstance(found, ConnectionError) for found in founds)
            return
        assert [found.state for found in founds] == ["miss"] + ["joined"] * (len(founds) - 1)
        assert len({found.value[0] for found in founds}) == 1
        self.seen["miss"] += 1
        self.seen["joined"] += len(founds) - 1
        if not flight.void:
            self.keep(flight.key, founds[0].value)

    @precondition(lambda self: self.flights)
    @rule(which=st.integers(0, 9), who=st.integers(0, 9))
    def cancel(self, which: int, who: int) -> None:
        """One of those who wait, or the one who fetches, is cancelled."""
        flight = self.flights[which % len(self.flights)]
        place = who % len(flight.tasks)
        task = flight.tasks.pop(place)
        if place == 0:
            flight.ends = None
        task.cancel()
        self.run(asyncio.wait([task], timeout=10))
        assert task.cancelled()
        if flight.tasks:
            self.until(lambda: self.at_rest(flight))
        else:
            self.flights.remove(flight)

    @rule(tag=st.sampled_from(["tool:one", "tool:two", "tag:red", "tag:blue", EVERYTHING]))
    def drop(self, tag: str) -> None:
        """What has the tag is void, and so is what is on its way."""
        self.run(self.cache.drop(tag))
        for key, kept in self.entries.items():
            kept.void = kept.void or tag in TAGS[key]
        for flight in self.flights:
            flight.void = flight.void or tag in TAGS[flight.key]
        if tag == EVERYTHING:
            self.entries.clear()

    @rule(seconds=st.sampled_from([1, 19, 20, 50, 99, 100, 149, 150]))
    def pass_time(self, seconds: int) -> None:
        self.clock.jump(seconds)

    @invariant()
    def counters_agree(self) -> None:
        stats = self.cache.stats()
        assert {name: getattr(stats, name if name != "hit" else "hits") for name in ("hit", "stale", "joined")} == {
            name: self.seen[name] for name in ("hit", "stale", "joined")
        }
        assert stats.misses == self.seen["miss"] and stats.failures == 0
        if self.room < math.inf:
            assert stats.evicted == self.evicted

    def teardown(self) -> None:
        for flight in self.flights:
            for task in flight.tasks:
                task.cancel()
            self.run(asyncio.wait(flight.tasks, timeout=10))
        assert len(self.cache._flights) == 0
        self.run(self.cache.close())
        self.loop.close()


def proves(place: Callable[[VirtualClock], Backend], room: float, examples: int, steps: int) -> None:
    class Machine(CacheModel):
        pass

    Machine.place, Machine.room = staticmethod(place), room
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_memory_behaves_as_the_model() -> None:
    proves(lambda clock: MemoryCache(ROOM * (MemoryCache.OVERHEAD + VALUE_BYTES), clock=clock), ROOM, 150, 40)


def test_redis_behaves_as_the_model(redis_url: str) -> None:
    proves(
        lambda clock: RedisCache(redis_url, name=secrets.token_hex(4), redis_time=clock, timeout=30), math.inf, 25, 40
    )


@pytest.mark.parametrize("limit", [1, 3])
def test_memory_forgets_the_oldest_drops_and_all_of_their_time(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag that is no longer remembered must not bring back what it made void."""
    monkeypatch.setattr(MemoryCache, "MAX_TAGS", limit)
    cache = MemoryCache()

    async def story() -> None:
        tags = (EVERYTHING, "tag:mine")
        stamp = (await cache.load(b"k", tags)).stamp
        assert await cache.save(b"k", tags, stamp, "old", 60, 60)
        await cache.drop(("tag:mine",))
        for number in range(limit + 1):
            await cache.drop((f"tag:{number}",))
        assert len(cache._dropped) == limit
        assert (await cache.load(b"k", tags)).entry is None

    asyncio.run(story())
