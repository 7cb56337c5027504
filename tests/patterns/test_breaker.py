"""The circuit breaker: a machine of hypothesis drives it and a model that is written for reading, not for speed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

import labkit as lab
from labkit.patterns.breaker import Breaker, BreakerOpen, Change, CircuitBreaker, Permit
from labkit.patterns.calls import META_REASON, META_RETRY_AFTER, by_argument
from labkit.patterns.clock import VirtualClock
from labkit.patterns.failures import Unavailable


class Model:
    """What a breaker promises, in lists. Calls are (number, era)."""

    def __init__(self, failures: int, of: int, cooldown: float, probes: int) -> None:
        self.failures, self.of, self.cooldown, self.probes = failures, of, cooldown, probes
        self.state, self.era, self.changed = "closed", 0, 0.0
        self.outcomes: list[bool] = []
        self.out = 0
        self.good = 0

    def turn(self, state: str, now: float) -> None:
        self.state, self.changed, self.era = state, now, self.era + 1
        self.outcomes, self.out, self.good = [], 0, 0

    def admits(self, now: float) -> bool:
        waited = now - self.changed >= self.cooldown
        if self.state == "open" and waited:
            self.turn("half-open", now)
        elif self.state == "half-open" and self.out + self.good == self.probes and waited:
            self.changed, self.era, self.out = now, self.era + 1, 0
        if self.state == "half-open" and self.out + self.good < self.probes:
            self.out += 1
            return True
        return self.state == "closed"

    def ended(self, era: int, failed: bool | None, now: float) -> None:
        if era != self.era:
            return
        if self.state == "half-open":
            self.out -= 1
            if failed:
                self.turn("open", now)
            elif failed is False:
                self.good += 1
                if self.good == self.probes:
                    self.turn("closed", now)
        elif failed is not None:
            self.outcomes = [*self.outcomes, failed][-self.of :]
            if failed and sum(self.outcomes) >= self.failures:
                self.turn("open", now)


class BreakerMachine(RuleBasedStateMachine):
    permits = Bundle("permits")

    @initialize(
        failures=st.integers(1, 4),
        more=st.integers(0, 4),
        cooldown=st.sampled_from([1.0, 5.0]),
        probes=st.integers(1, 3),
    )
    def build(self, failures: int, more: int, cooldown: float, probes: int) -> None:
        self.clock = VirtualClock()
        self.changes: list[Change] = []
        self.breaker = Breaker(
            "it",
            failures=failures,
            of=failures + more,
            cooldown=cooldown,
            probes=probes,
            clock=self.clock,
            listeners=[self.changes.append],
        )
        self.model = Model(failures, failures + more, cooldown, probes)
        self.running: set[Permit] = set()
        self.ended = 0

    @rule(target=permits)
    def call(self) -> tuple[Permit, int] | None:
        admitted = self.model.admits(self.clock.now())
        try:
            permit = self.breaker.admit()
        except BreakerOpen as error:
            assert not admitted
            assert error.retry_after is not None and 0 <= error.retry_after <= self.model.cooldown
            return None
        assert admitted
        self.running.add(permit)
        return permit, self.model.era

    @rule(found=consumes(permits), failed=st.sampled_from([True, True, False, None]))
    def end(self, found: tuple[Permit, int] | None, failed: bool | None) -> None:
        if found is None:
            return
        permit, era = found
        permit.end(failed)
        permit.end(True)  # only the first word counts
        self.ended += 1
        self.model.ended(era, failed, self.clock.now())

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.clock.jump(seconds)

    @invariant()
    def same_state(self) -> None:
        assert self.breaker.state == self.model.state

    @invariant()
    def counted(self) -> None:
        stats = self.breaker.stats()
        assert stats.succeeded + stats.failed + stats.neutral == self.ended
        assert stats.opened == sum(change.after == "open" for change in self.changes)
        path = [change.before for change in self.changes] + [self.breaker.state]
        assert path == ["closed"] + [change.after for change in self.changes]
        allowed = {("closed", "open"), ("open", "half-open"), ("half-open", "open"), ("half-open", "closed")}
        assert {(change.before, change.after) for change in self.changes} <= allowed


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def tripped(clock: VirtualClock, **options: Any) -> Breaker:
    breaker = Breaker("it", failures=1, cooldown=10, clock=clock, **options)
    breaker.admit().end(True)
    assert breaker.state == "open"
    return breaker


def test_of_a_waiting_crowd_only_the_probes_get_through() -> None:
    clock = VirtualClock()
    breaker = tripped(clock, probes=3)
    clock.jump(10)
    admitted: list[Permit] = []

    def caller() -> None:
        with contextlib.suppress(BreakerOpen):
            admitted.append(breaker.admit())

    crowd = [threading.Thread(target=caller) for _ in range(100)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert len(admitted) == 3 and breaker.stats().refused == 97
    for permit in admitted:
        permit.end(False)
    assert breaker.state == "closed"


def test_a_probe_that_hangs_does_not_close_the_door_for_ever() -> None:
    clock = VirtualClock()
    breaker = tripped(clock)
    clock.jump(10)
    hanging = breaker.admit()
    clock.jump(9)
    with pytest.raises(BreakerOpen):
        breaker.admit()
    clock.jump(1)
    breaker.admit().end(False)
    assert breaker.state == "closed"
    hanging.end(True)
    assert breaker.state == "closed" and breaker.stats().late == 1


@pytest.mark.anyio
async def test_cancelled_probes_give_their_place_back() -> None:
    clock = VirtualClock()
    breaker = tripped(clock)
    clock.jump(10)

    @breaker.guard
    async def ask() -> None:
        await clock.sleep(60)

    task = asyncio.create_task(ask())
    await clock.advance(1)
    task.cancel()
    await clock.advance(0)
    assert breaker.state == "half-open" and breaker.stats().neutral == 1
    breaker.admit().end(False)
    assert breaker.state == "closed"


def test_a_context_judges_by_the_exception() -> None:
    breaker = Breaker(failures=2)
    for error, state in [
        (Unavailable("full", reason="overloaded"), "closed"),
        (OSError(), "closed"),
        (OSError(), "open"),
    ]:
        with pytest.raises(type(error)), breaker.admit():
            raise error
        assert breaker.state == state
    with pytest.raises(BreakerOpen, match="has failed too often") as caught:
        breaker.admit()
    assert caught.value.reason == "circuit-open" and 29 < (caught.value.retry_after or 0) <= 30


def test_a_listener_that_fails_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def broken(change: Change) -> None:
        raise RuntimeError("no")

    told: list[Change] = []
    Breaker("it", failures=1, listeners=[broken, told.append]).admit().end(True)
    assert [change.after for change in told] == ["open"] and "listener of the breaker 'it' failed" in caplog.text


@pytest.mark.parametrize("bad", [{"failures": 0}, {"failures": 3, "of": 2}, {"probes": 0}, {"cooldown": 0}])
def test_settings_that_cannot_work_are_refused_at_once(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a breaker needs"):
        Breaker(**bad)
    with pytest.raises(ValueError, match="a breaker needs"):
        CircuitBreaker(**bad)


def towns(breaker: CircuitBreaker) -> tuple[MCPServer, dict[str, Any]]:
    server = MCPServer("towns", middleware=[breaker], log_level="CRITICAL")
    world: dict[str, Any] = {"down": set[str](), "asked": 0}

    @server.tool()
    async def weather(town: str) -> str:
        """The weather of a town."""
        world["asked"] += 1
        if town in world["down"]:
            raise Unavailable(f"{town} does not answer")
        if town == "Atlantis":
            raise ToolError("no such town")
        return "sun"

    @server.tool()
    async def other() -> str:
        """Something else."""
        return "fine"

    return server, world


@pytest.mark.anyio
@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_one_tool_is_refused_while_others_answer(era: str) -> None:
    clock, told = VirtualClock(), list[Change]()
    breaker = CircuitBreaker(failures=3, cooldown=10, clock=clock, listeners=[told.append])
    server, world = towns(breaker)
    async with await lab.connect(server, era=era) as conn:
        world["down"] = {"Oslo"}
        for _ in range(5):
            result = await conn.call("weather", town="Oslo")
        assert world["asked"] == 3 and breaker.state("weather") == "open"
        assert result.is_error and result.raw["_meta"][META_REASON] == "circuit-open"
        assert result.raw["_meta"][META_RETRY_AFTER] == 10
        assert (await conn.call("other")).data == "fine"
        clock.jump(10)
        world["down"] = set()
        assert (await conn.call("weather", town="Oslo")).data == "sun"
    found = breaker.stats()["weather"]
    assert (found.failed, found.refused, found.probes, found.succeeded) == (3, 2, 1, 1)
    assert [(change.name, change.after, change.at) for change in told] == [
        ("weather", "open", 0),
        ("weather", "half-open", 10),
        ("weather", "closed", 10),
    ]


@pytest.mark.anyio
async def test_callers_cannot_open_it_with_arguments_of_their_own() -> None:
    breaker = CircuitBreaker(failures=1)
    server, _ = towns(breaker)
    async with await lab.connect(server) as conn:
        for _ in range(3):
            assert (await conn.call("weather", town="Atlantis")).is_error
            assert (await conn.call("weather", {"town": 7}, check=False)).is_error
            assert (await conn.call("no such tool", check=False)).is_error
    assert breaker.breakers == {}


@pytest.mark.anyio
async def test_each_dependency_has_its_own_and_keys_that_are_made_up_cost_nothing() -> None:
    clock = VirtualClock()
    breaker = CircuitBreaker(by_argument("town"), failures=2, cooldown=10, clock=clock, most=5)
    server, world = towns(breaker)
    async with await lab.connect(server) as conn:
        world["down"] = {"Oslo"} | {f"made up {n}" for n in range(50)}
        for _ in range(2):
            await conn.call("weather", town="Oslo")
        assert breaker.state("Oslo") == "open" and breaker.state("Rome") == "closed"
        assert (await conn.call("weather", town="Rome")).data == "sun"
        assert set(breaker.breakers) == {"Oslo"}, "what has not failed has none"
        for n in range(50):
            await conn.call("weather", town=f"made up {n}")
    assert len(breaker.breakers) == 5 and breaker.state("Oslo") == "open", "closed ones go first"
