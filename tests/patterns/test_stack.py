"""The order of the patterns, each step of it told apart from the other way round by what can be seen."""

from __future__ import annotations

import asyncio
import inspect
import json
import pkgutil
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

import labkit as lab
from labkit import patterns
from labkit.patterns.audit import Audit
from labkit.patterns.breaker import CircuitBreaker
from labkit.patterns.bulkhead import Bulkhead
from labkit.patterns.cache import Cache
from labkit.patterns.calls import META_REASON, META_SOURCE, Call, CallMiddleware, Proceed, answer, refusal
from labkit.patterns.clock import VirtualClock, settle
from labkit.patterns.deadline import Deadline
from labkit.patterns.failures import Unavailable
from labkit.patterns.fallback import Fallback, Instead, LastGood
from labkit.patterns.health import Health
from labkit.patterns.ledger_reading import search
from labkit.patterns.logs import Logs
from labkit.patterns.metrics import Metrics
from labkit.patterns.rate_limit import RateLimit
from labkit.patterns.retry import Retry
from labkit.patterns.stack import ORDER, Joined, stack
from labkit.patterns.tracing import Tracing

pytestmark = pytest.mark.anyio


class Kitchen:
    """A server with one tool, `dish`, that does as it is told, in front of which stand all patterns, and a clock."""

    def __init__(self, tmp_path: Path, limit: str = "1000/minute", fallback: Any = None, **options: Any) -> None:
        self.clock = VirtualClock()
        self.cooked = 0
        self.cook: Callable[[int], Any] = lambda number: f"dish {number}"
        clock = self.clock
        self.audit, self.metrics = Audit(tmp_path / "audit", required=True), Metrics()
        self.limit, self.cache = RateLimit(limit, clock=clock), Cache({"dish": 60}, clock=clock)
        self.retry, self.breaker = Retry({"dish"}, clock=clock), CircuitBreaker(failures=3, clock=clock)
        self.places, self.deadline = Bulkhead(1, wait=1, clock=clock), Deadline(30, clock=clock)
        substitute = fallback(clock=clock) if fallback else Instead("tins", self.tins)
        self.fallback, self.health = Fallback(dish=[substitute]), Health(clock=clock)
        # Named in no order at all.
        self.middleware = stack(
            self.places, self.cache, None, self.audit, self.retry, self.fallback, Tracing(), self.breaker, self.deadline,
            self.metrics, self.limit, Logs(self), self.health, **options,
        )  # fmt: skip
        self.logged: list[dict[str, Any]] = []
        self.server = MCPServer("kitchen", middleware=self.middleware)
        self.metrics.install(self.server)
        self.health.install(self.server)
        self.tin: dict[str, Any] | None = None

        @self.server.tool()
        async def dish(name: str) -> str:
            """A dish."""
            self.cooked += 1
            made = self.cook(self.cooked)
            if asyncio.isfuture(made):
                made = await made
            if isinstance(made, Exception):
                raise made
            return made

    def write(self, line: bytes) -> None:
        self.logged.append(json.loads(line))

    async def tins(self, call: Call) -> dict[str, Any] | None:
        return self.tin

    def outcomes(self) -> list[str]:
        """As the audit has them, which are those of the metrics and the log, too."""
        found = [record["outcome"] for record in search(self.audit.ledger.folder, tool="dish")]
        assert [line["outcome"] for line in self.logged] == found
        counted = self.metrics.summary().tools["dish"].outcomes
        assert {name: count for name, count in counted.items() if count} == {name: found.count(name) for name in found}
        return found


@pytest.fixture
def kitchen(tmp_path: Path) -> Any:
    made: list[Kitchen] = []

    def make(**options: Any) -> Kitchen:
        made.append(Kitchen(tmp_path / str(len(made)), **options))
        return made[-1]

    yield make
    for each in made:
        each.audit.close()


async def ask(kitchen: Kitchen, conn: Any, name: str = "soup") -> Any:
    """A call's result; retries and limits that wait do so in no time."""
    task = asyncio.create_task(conn.call("dish", name=name, check=False))
    while not task.done():
        await kitchen.clock.advance(0.2)
    return await task


def names(middleware: list[Any]) -> list[str]:
    return [
        name
        for each in middleware
        for name in (names(each.members) if hasattr(each, "members") else [type(each).__name__])
    ]


def test_the_order_is_that_of_the_list(kitchen: Any) -> None:
    assert names(kitchen().middleware) == list(ORDER)
    moved = names(kitchen(cache_first=True).middleware)
    assert moved.index("Deadline") < moved.index("Cache") < moved.index("RateLimit") < moved.index("Fallback")


def test_what_is_installed_is_not_there_twice(kitchen: Any) -> None:
    here = kitchen()
    assert names(here.server.middleware).count("Metrics") == names(here.server.middleware).count("Health") == 1


def test_every_pattern_has_a_place() -> None:
    kinds: set[str] = set()
    for info in pkgutil.iter_modules(patterns.__path__):
        module = import_module(f"labkit.patterns.{info.name}")
        found = inspect.getmembers(module, lambda each: inspect.isclass(each) and issubclass(each, CallMiddleware))
        kinds |= {name for name, each in found if each.__module__ == module.__name__}
    assert kinds - {"CallMiddleware", "Joined"} == set(ORDER)


def test_what_has_no_place_is_said_so() -> None:
    class Mine(CallMiddleware):
        pass

    with pytest.raises(TypeError, match=r"Mine has no place .* as in \[\*stack\(...\), Mine\(...\)\]"):
        stack(Mine())

    class Own(Cache):
        pass

    own, several = Own({}), [RateLimit("1/second"), RateLimit("2/second")]
    (joined,) = stack(own, *several)
    assert isinstance(joined, Joined) and joined.members == (*several, own)
    assert stack(own) == [own] and stack(None) == []


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_a_refused_call_is_written_down_and_costs_nothing_further_in(kitchen: Any, era: str) -> None:
    here = kitchen(limit="2/minute")
    here.tin = {"result": "beans"}
    async with await lab.connect(here.server, era=era) as conn:
        results = [await ask(here, conn, name) for name in ("soup", "stew", "cake")]
    assert [result.is_error for result in results] == [False, False, True]
    assert results[2].raw["_meta"][META_REASON] == "rate-limited"  # and no fallback: nothing is done for this caller
    assert here.outcomes() == ["ok", "ok", "refused"] and here.cooked == 2
    assert here.cache.stats().calls == 2 and here.places.stats().entered == 2


async def test_a_server_that_stops_writes_down_what_it_turns_away_and_takes_no_token(kitchen: Any) -> None:
    here = kitchen()
    here.tin = {"result": "beans"}
    async with await lab.connect(here.server) as conn:
        await ask(here, conn)
        here.health.drain()
        assert "about to stop" in str(await ask(here, conn))
    assert here.outcomes() == ["ok", "refused"] and here.limit.stats().admitted == here.cache.stats().calls == 1


async def test_what_the_audit_refuses_is_counted_and_logged(kitchen: Any) -> None:
    here = kitchen()
    async with await lab.connect(here.server) as conn:
        here.audit.close()  # nothing can be written any more
        results = [await ask(here, conn) for _ in range(2)]
    assert [result.is_error for result in results] == [False, True]
    assert results[1].raw["_meta"][META_REASON] == "audit-unavailable" and here.cooked == 1
    assert [line["outcome"] for line in here.logged] == ["ok", "refused"]
    assert here.metrics.summary().tools["dish"].outcomes == {"ok": 1, "refused": 1}


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_health_is_told_though_the_limit_is_used_up(kitchen: Any, era: str) -> None:
    here = kitchen(limit="1/minute")
    here.health.check("stove")(lambda: "hot")
    async with await lab.connect(here.server, era=era) as conn:
        assert [(await ask(here, conn)).is_error for _ in range(2)] == [False, True]
        told = await conn.call("health_check")
    assert not told.is_error and told.data["checks"]["stove"]["message"] == "hot"
    assert json.loads(told.text) == told.data and here.limit.stats().admitted == 1


async def test_metrics_that_are_installed_later_count_what_is_refused() -> None:
    server, metrics = MCPServer("late", middleware=stack(RateLimit("1/minute", clock=VirtualClock()))), Metrics()
    metrics.install(server)

    @server.tool()
    def hello() -> str:
        """Say hello."""
        return "hello"

    async with await lab.connect(server) as conn:
        for _ in range(2):
            await conn.call("hello")
    assert metrics.summary().tools["hello"].outcomes == {"ok": 1, "refused": 1}


async def test_a_kept_answer_costs_a_token_and_no_place(kitchen: Any) -> None:
    here = kitchen(limit="3/minute")
    async with await lab.connect(here.server) as conn:
        results = [await ask(here, conn) for _ in range(4)]
    assert [result.is_error for result in results] == [False, False, False, True]
    assert results[1].raw["_meta"][META_SOURCE] == "cache" and here.outcomes() == ["ok", "ok", "ok", "refused"]
    assert here.cooked == here.places.stats().entered == here.retry.stats.calls == 1


async def test_with_the_cache_first_it_costs_none(kitchen: Any) -> None:
    here = kitchen(limit="3/minute", cache_first=True)
    async with await lab.connect(here.server) as conn:
        results = [await ask(here, conn) for _ in range(6)]
    assert not any(result.is_error for result in results) and here.limit.stats().admitted == 1
    assert here.outcomes() == ["ok"] * 6


async def test_each_attempt_is_judged_and_takes_its_own_place(kitchen: Any) -> None:
    here = kitchen()
    here.cook = lambda number: Unavailable("burnt") if number < 3 else "at last"
    async with await lab.connect(here.server) as conn:
        assert (await ask(here, conn)).data == "at last"
    assert here.retry.stats.retries == 2 and here.places.stats().entered == 3 and here.limit.stats().admitted == 1
    assert here.breaker.breakers["dish"].stats().failed == 2 and here.outcomes() == ["ok"]


async def test_an_open_breaker_takes_no_place_and_what_is_kept_is_still_given(kitchen: Any) -> None:
    here = kitchen()
    async with await lab.connect(here.server) as conn:
        await ask(here, conn, "cake")
        here.cook = lambda number: Unavailable("burnt")
        assert (await ask(here, conn)).raw["_meta"][META_REASON] == "unavailable"
        entered = here.places.stats().entered
        assert entered == 4 and (await ask(here, conn)).raw["_meta"][META_REASON] == "circuit-open"
        assert here.places.stats().entered == entered
        assert (await ask(here, conn, "cake")).raw["_meta"][META_SOURCE] == "cache"
    assert here.outcomes() == ["ok", "refused", "refused", "ok"]


async def test_a_substitute_is_not_kept_as_the_real_answer(kitchen: Any) -> None:
    here = kitchen()
    here.cook = lambda number: Unavailable("burnt")
    here.tin = {"result": "beans"}
    async with await lab.connect(here.server) as conn:
        first = await ask(here, conn)
        assert first.raw["_meta"][META_SOURCE] == "tins" and first.data == "beans"
        assert here.cooked == 3  # not before the tool itself was tried again
        await here.clock.advance(31)
        here.cook = lambda number: "fresh"
        assert (await ask(here, conn)).data == "fresh"
    assert here.outcomes() == ["ok", "ok"]


async def test_the_last_good_answer_is_as_old_as_it_says(kitchen: Any) -> None:
    here = kitchen(fallback=LastGood)
    async with await lab.connect(here.server) as conn:
        for seconds in (0, 40, 30):  # fetched, kept for a minute, and too old by then
            await here.clock.advance(seconds)
            result = await ask(here, conn)
            here.cook = lambda number: Unavailable("burnt")
    assert result.raw["_meta"][META_SOURCE] == "kept" and re.search(r"This answer is 7\d s old", str(result.raw))


async def test_the_deadline_holds_while_a_limit_is_waited_for() -> None:
    clock = VirtualClock()
    limit = RateLimit("1/10 seconds", wait=10, clock=clock)
    server = MCPServer("slow", middleware=stack(limit, Deadline(2, clock=clock)))

    @server.tool()
    async def quick() -> str:
        """Takes no time."""
        return "done"

    async with await lab.connect(server) as conn:
        assert (await conn.call("quick")).data == "done"
        task = asyncio.create_task(conn.call("quick", check=False))
        for _ in range(60):
            await clock.advance(0.2)
        result = await task
    assert result.raw["_meta"][META_REASON] == "timeout" and limit.stats().given_up == 1


async def test_the_deadline_holds_while_a_place_is_waited_for() -> None:
    clock = VirtualClock()
    waits = stack(Bulkhead(1, queue=5, wait=60, clock=clock), Deadline(2, clock=clock))
    server = MCPServer("slow", middleware=waits)

    @server.tool()
    async def slow() -> str:
        """Never ends."""
        await asyncio.Event().wait()
        return "never"

    async with await lab.connect(server) as conn:
        tasks = [asyncio.create_task(conn.call("slow", check=False)) for _ in range(2)]
        for _ in range(12):
            await clock.advance(0.2)
        results = await asyncio.gather(*tasks)
    assert [result.raw["_meta"][META_REASON] for result in results] == ["timeout", "timeout"]


async def test_a_cancelled_call_passes_through_all_and_leaves_nothing_behind(kitchen: Any) -> None:
    here = kitchen()
    never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    here.cook = lambda number: never if number == 1 else "next"
    here.tin = {"result": "beans"}
    async with await lab.connect(here.server) as conn:
        task = asyncio.create_task(conn.call("dish", name="soup"))
        await settle()
        while not here.cooked:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await ask(here, conn)).data == "next"
    assert here.outcomes() == ["cancelled", "ok"]
    assert here.retry.stats.retries == 0 and here.cache.stats().kept == 1
    assert all(count == 0 for count in here.fallback.answered.values() if count != 1)
    assert here.metrics.summary().in_progress == 0 and here.places.stats().peak == 1


async def test_a_tool_that_refuses_is_not_tried_again_nor_replaced(kitchen: Any) -> None:
    here = kitchen()
    here.cook = lambda number: ToolError("not on the menu")
    here.tin = {"result": "beans"}
    async with await lab.connect(here.server) as conn:
        assert "not on the menu" in str(await ask(here, conn))
    assert here.cooked == 1 and here.outcomes() == ["error"] and here.breaker.breakers == {}


class Step(CallMiddleware):
    """Notes what it sees, and may do something else than pass it on."""

    def __init__(self, seen: list[tuple[str, Any]], name: str, act: Any = None) -> None:
        self.seen, self.name, self.act = seen, name, act

    async def around(self, call: Call, proceed: Proceed) -> dict[str, Any]:
        self.seen.append((self.name, call.arguments["text"]))
        return await (self.act(call, proceed) if self.act else proceed())


async def twice(call: Call, proceed: Proceed) -> dict[str, Any]:
    return answer(call, await proceed({"text": (await proceed())["structuredContent"]["result"] + "!"}))


async def fails(call: Call, proceed: Proceed) -> dict[str, Any]:
    if call.arguments["text"] == "fail":
        raise Unavailable("not now", retry_after=2)
    return await proceed()


async def softens(call: Call, proceed: Proceed) -> dict[str, Any]:
    result = await proceed()
    return refusal(call, "softened", reason=result["_meta"][META_REASON]) if result["isError"] else result


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize(
    ("text", "said", "inner"), [("hi", "hi!", ["hi", "hi", "hi!", "hi!"]), ("fail", None, ["fail"])]
)
async def test_joined_is_as_one_by_one(joined: bool, text: str, said: str | None, inner: list[str]) -> None:
    """Other arguments reach all that are further in, a raised refusal is a refused result to all further out."""
    seen: list[tuple[str, Any]] = []
    steps = [
        Step(seen, "outer", softens),
        Step(seen, "twice", twice if said else None),
        Step(seen, "fails", fails),
        Step(seen, "inner"),
    ]
    server = MCPServer("echo", middleware=[Joined(*steps)] if joined else steps)

    @server.tool()
    async def echo(text: str) -> str:
        """The text."""
        return text

    async with await lab.connect(server) as conn:
        result = await conn.call("echo", text=text, check=False)
    if said:
        assert result.data == said
        assert seen == [
            ("outer", "hi"),
            ("twice", "hi"),
            ("fails", "hi"),
            ("inner", "hi"),
            ("fails", "hi!"),
            ("inner", "hi!"),
        ]
    else:
        assert "softened" in str(result) and result.raw["_meta"][META_REASON] == "unavailable"
        assert seen == [("outer", "fail"), ("twice", "fail"), ("fails", "fail")]
    assert [text for name, text in seen if name in ("fails", "inner")] == inner
