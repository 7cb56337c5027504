"""The cache of a server: what is kept, for whom, for how long, and what makes it void."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import anyio
import pytest
from mcp.server import CacheHint
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import Elicit, MCPServer, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel

import labkit as lab
from labkit.patterns.cache import META_CACHE, META_SCOPE, META_TTL, Cache, Policy
from labkit.patterns.cache_backend import MAX_KEEP, MemoryCache
from labkit.patterns.calls import META_SOURCE, Call, CallMiddleware, Proceed, by_argument, refusal
from labkit.patterns.clock import VirtualClock

pytestmark = pytest.mark.anyio
ERAS = ("2026-07-28", "2025-11-25")


class Weather:
    """A server that counts its work, and does it when it is told to."""

    def __init__(self, *middleware: Any) -> None:
        self.ran: list[str] = []
        self.fails: Exception | None = None
        self.meta: dict[str, Any] = {}
        self.server = MCPServer("weather", middleware=middleware)
        self.server.add_tool(self.forecast)
        self.server.add_tool(self.correct)

    async def forecast(self, city: str, days: int = 1) -> CallToolResult:
        """The weather to come."""
        self.ran.append(city)
        number = len(self.ran)
        if self.fails:
            raise self.fails
        return CallToolResult(content=[TextContent(text=f"{city} {number}")], _meta=self.meta)

    async def correct(self, city: str) -> str:
        """Something that makes forecasts void."""
        if self.fails:
            raise self.fails
        return city


async def said(conn: Any, city: str = "Rome", **more: Any) -> str:
    result = await conn.call("forecast", city=city, check=False, **more)
    return result.raw["content"][0]["text"]


@contextmanager
def signed_in(name: str) -> Iterator[None]:
    user = AuthenticatedUser(AccessToken(token="t", client_id="app", scopes=[], subject=name))
    token = auth_context_var.set(user)
    try:
        yield
    finally:
        auth_context_var.reset(token)


@pytest.mark.parametrize("era", ERAS)
async def test_the_same_call_is_made_once_and_the_answer_says_so(era: str) -> None:
    clock = VirtualClock()
    weather = Weather(cache := Cache({"forecast": 60}, clock=clock))
    async with await lab.connect(weather.server, era=era) as conn:
        first = await conn.call("forecast", city="Rome", days=2)
        clock.jump(20)
        second = await conn.call("forecast", days=2, city="Rome")
        other = await conn.call("forecast", city="Rome", days=3)
    assert second.raw["content"] == first.raw["content"] != other.raw["content"] and len(weather.ran) == 2
    assert META_SOURCE not in (first.raw.get("_meta") or {})
    assert second.raw["_meta"][META_SOURCE] == "cache"
    kept = {"state": "hit", "ageMs": 20_000, "ttlMs": 40_000, "cacheScope": "private"}
    assert second.raw["_meta"][META_CACHE] == kept
    assert (cache.stats().hits, cache.stats().misses, cache.stats().hit_rate) == (1, 2, 1 / 3)


async def test_an_answer_ends_with_its_time_to_live() -> None:
    clock = VirtualClock()
    weather = Weather(Cache({"forecast": 60}, clock=clock))
    async with await lab.connect(weather.server) as conn:
        assert await said(conn) == "Rome 1"
        clock.jump(59.9)
        assert await said(conn) == "Rome 1"
        clock.jump(0.1)
        assert await said(conn) == "Rome 2"


async def test_tools_without_a_policy_are_left_alone() -> None:
    weather = Weather(cache := Cache({}))
    async with await lab.connect(weather.server) as conn:
        assert [await said(conn), await said(conn)] == ["Rome 1", "Rome 2"]
    assert cache.stats().calls == 0


async def test_an_answer_of_one_era_serves_the_other() -> None:
    weather = Weather(Cache({"forecast": 60}))
    for era in ERAS:
        async with await lab.connect(weather.server, era=era) as conn:
            assert await said(conn) == "Rome 1"


@pytest.mark.parametrize(("scope", "answers"), [("private", ["1", "2", "1", "2"]), ("public", ["1"] * 4)])
async def test_each_principal_has_answers_of_its_own_unless_they_are_public(scope: Any, answers: list[str]) -> None:
    weather = Weather(Cache({"forecast": Policy(60, scope=scope)}))
    given: list[str] = []
    for name in ("ada", "ben", "ada", "ben"):
        with signed_in(name):
            async with await lab.connect(weather.server) as conn:
                given.append((await said(conn)).removeprefix("Rome "))
    assert given == answers


async def test_what_a_caller_says_about_itself_is_no_principal() -> None:
    """An argument that looks like another principal's key must not reach that principal's answers."""
    weather = Weather(Cache({"forecast": 60}))
    with signed_in("ada"):
        async with await lab.connect(weather.server) as conn:
            assert await said(conn, "secret") == "secret 1"
    async with await lab.connect(weather.server) as conn:
        assert await said(conn, "secret") == "secret 2"


async def test_errors_are_not_kept_unless_asked_for() -> None:
    weather = Weather(Cache({"forecast": 60}))
    weather.fails = ToolError("down")
    async with await lab.connect(weather.server) as conn:
        for _ in range(3):
            assert "down" in await said(conn)
        assert len(weather.ran) == 3
        weather.fails = None
        assert await said(conn) == "Rome 4"


async def test_negative_caching_spares_the_upstream_for_a_moment() -> None:
    clock = VirtualClock()
    weather = Weather(Cache({"forecast": Policy(60, error_ttl=2)}, clock=clock))
    weather.fails = ToolError("down")
    async with await lab.connect(weather.server) as conn:
        for _ in range(3):
            result = await conn.call("forecast", city="Rome", check=False)
            assert result.is_error
        assert len(weather.ran) == 1
        weather.fails = None
        clock.jump(2)
        assert await said(conn) == "Rome 2"


class Moody(CallMiddleware):
    """Refuses the first `refusals` calls."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    async def around(self, call: Call, proceed: Proceed) -> dict[str, Any]:
        if self.refusals:
            self.refusals -= 1
            await asyncio.sleep(0)
            return refusal(call, "Not now.", reason="rate-limited")
        return await proceed()


async def test_a_refusal_is_neither_kept_nor_shared() -> None:
    weather = Weather(cache := Cache({"forecast": Policy(60, error_ttl=60)}), Moody(1))
    async with await lab.connect(weather.server) as conn:
        answers = await asyncio.gather(*(said(conn) for _ in range(3)))
        assert sorted(answers)[0] == "Not now." and sorted(answers)[1].startswith("Rome ")
        assert (await said(conn)).startswith("Rome ")
    assert cache.stats().hits == 1


@pytest.mark.parametrize("era", ERAS)
async def test_a_crowd_makes_one_call(era: str) -> None:
    weather = Weather(cache := Cache({"forecast": 60}))
    entered, go = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    class Slow(CallMiddleware):
        async def around(self, call: Call, proceed: Proceed) -> dict[str, Any]:
            loop.call_soon_threadsafe(entered.set)
            while not go.is_set():
                await asyncio.sleep(0)
            return await proceed()

    weather.server.middleware.append(Slow())
    async with await lab.connect(weather.server, era=era) as conn:
        crowd = [asyncio.create_task(said(conn)) for _ in range(50)]
        await asyncio.wait_for(entered.wait(), 10)
        go.set()
        assert set(await asyncio.gather(*crowd)) == {"Rome 1"}
    stats = cache.stats()
    assert stats.misses == 1 and stats.joined + stats.hits == 49 and weather.ran == ["Rome"]


async def test_drop_by_tool_by_tag_and_all() -> None:
    city = by_argument("city")
    policy = Policy(60, tags=lambda call: ("weather", f"city:{city(call)}"))
    weather = Weather(cache := Cache({"forecast": policy}))
    async with await lab.connect(weather.server) as conn:

        async def lasts() -> list[bool]:
            """Whether the answers for Rome and Oslo are still there; afterwards they are."""
            before = len(weather.ran)
            await said(conn, "Rome")
            rome = len(weather.ran) == before
            before = len(weather.ran)
            await said(conn, "Oslo")
            return [rome, len(weather.ran) == before]

        await lasts()
        assert await lasts() == [True, True]
        await cache.drop(tag="city:Rome")
        assert await lasts() == [False, True]
        await cache.drop(tag="weather")
        assert await lasts() == [False, False]
        await cache.drop(tool="another")
        await cache.drop(tag="forecast")
        assert await lasts() == [True, True]
        await cache.drop(tool="forecast")
        assert await lasts() == [False, False]
        await cache.drop()
        assert await lasts() == [False, False]


@pytest.mark.parametrize("fails", [None, ToolError("half done")])
async def test_a_tool_that_changes_something_drops_what_it_made_void(fails: Exception | None) -> None:
    city = by_argument("city")
    weather = Weather(
        Cache(
            {
                "forecast": Policy(60, tags=lambda call: (city(call),)),
                "correct": Policy(drops=lambda call: (city(call),)),
            }
        )
    )
    async with await lab.connect(weather.server) as conn:
        await said(conn, "Rome"), await said(conn, "Oslo")
        weather.fails = fails
        await conn.call("correct", city="Rome", check=False)
        weather.fails = None
        assert [await said(conn, "Rome"), await said(conn, "Oslo")] == ["Rome 3", "Oslo 2"]


class Far(MemoryCache):
    """Takes a moment to drop, as Redis does."""

    async def drop(self, tags: tuple[str, ...]) -> None:
        await asyncio.sleep(0)
        await super().drop(tags)


async def test_a_change_whose_caller_has_left_is_a_change() -> None:
    backend = Far()
    cache = Cache({"correct": Policy(drops=("weather",))}, backend)
    before = (await backend.load(b"k", ("tag:weather",))).stamp

    class Correct:
        tool = "correct"

    async def for_ever() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    with anyio.CancelScope() as scope:
        scope.cancel()
        await cache.around(Correct(), for_ever)  # type: ignore[arg-type]
    assert (await backend.load(b"k", ("tag:weather",))).stamp != before


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("via", ["memory", "http"])
async def test_what_is_stale_is_given_at_once_and_fetched_behind(via: Any, era: str) -> None:
    clock = VirtualClock()
    weather = Weather(cache := Cache({"forecast": Policy(60, stale=30)}, clock=clock))
    async with await lab.connect(weather.server, via=via, era=era) as conn:
        await said(conn)
        clock.jump(70)
        result = await conn.call("forecast", city="Rome")
        assert result.raw["content"][0]["text"] == "Rome 1"
        assert result.raw["_meta"][META_CACHE] == {
            "state": "stale", "ageMs": 70_000, "ttlMs": 0, "cacheScope": "private",
        }  # fmt: skip
        await until(lambda: cache.stats().refreshed == 1)
        assert await said(conn) == "Rome 2"
        clock.jump(90)
        assert await said(conn) == "Rome 3"
    stats = cache.stats()
    assert (stats.stale, stats.hits, stats.misses) == (1, 1, 2)
    await cache.close()


async def until(condition: Any) -> None:
    """Wait for something that happens in the server's own thread."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_failed_refresh_leaves_what_is_stale_until_its_time_is_over() -> None:
    clock = VirtualClock()
    weather = Weather(cache := Cache({"forecast": Policy(60, stale=30, error_ttl=60)}, clock=clock))
    async with await lab.connect(weather.server) as conn:
        await said(conn)
        weather.fails = ToolError("down")
        clock.jump(70)
        for failed in (1, 2):
            assert await said(conn) == "Rome 1"
            await until(lambda failed=failed: cache.stats().refresh_failed == failed)
        clock.jump(20)
        assert "down" in await said(conn)


class Confirm(BaseModel):
    """What is asked."""

    ok: bool


def ask(path: str) -> Elicit[Confirm]:
    """A question to the user."""
    return Elicit(f"Really {path}?", Confirm)


async def test_a_question_to_one_user_is_neither_kept_nor_its_answer() -> None:
    cache = Cache({"risky": Policy(60, scope="public")})
    server = MCPServer("asks", middleware=[cache])
    replies: list[bool] = []

    @server.tool()
    async def risky(path: str, confirm: Annotated[Confirm, Resolve(ask)]) -> str:
        """Do it, or not."""
        replies.append(confirm.ok)
        return f"{path}: {confirm.ok}"

    for reply in (True, False):
        async with await lab.connect(server, era="2026-07-28", on_elicit=lambda *_, r=reply: {"ok": r}) as conn:
            assert (await conn.call("risky", path="x")).data == f"x: {reply}"
    assert replies == [True, False] and cache.stats().bypassed == 2 and cache.stats().hits == 0


async def test_a_hint_of_the_protocol_is_a_policy_and_the_other_way_round() -> None:
    hint = CacheHint(ttl_ms=1500, scope="public")
    policy = Policy.of(hint)
    assert (policy.ttl, policy.scope) == (1.5, "public") and policy.hint == hint
    assert Policy.of(CacheHint()) == Policy() and Policy.of(2) == Policy(2.0)
    clock = VirtualClock()
    weather = Weather(Cache({"forecast": CacheHint(ttl_ms=1500)}, clock=clock))
    async with await lab.connect(weather.server) as conn:
        assert [await said(conn), await said(conn)] == ["Rome 1", "Rome 1"]
        clock.jump(1.5)
        assert await said(conn) == "Rome 2"
    never = Weather(cache := Cache({"forecast": CacheHint()}))
    async with await lab.connect(never.server) as conn:
        assert [await said(conn), await said(conn)] == ["Rome 1", "Rome 2"]
    assert cache.stats().bypassed == 2


async def test_the_word_of_the_tool_holds() -> None:
    clock = VirtualClock()
    weather = Weather(Cache({"forecast": Policy(60, scope="public")}, clock=clock))
    async with await lab.connect(weather.server) as conn:
        weather.meta = {META_TTL: 0}
        assert [await said(conn), await said(conn)] == ["Rome 1", "Rome 2"]
        weather.meta = {META_SCOPE: "private"}
        assert [await said(conn), await said(conn)] == ["Rome 3", "Rome 4"]
        assert len(set(await asyncio.gather(*(said(conn) for _ in range(5))))) == 5
        weather.meta = {META_TTL: 90_000, META_SCOPE: "public"}
        kept = await said(conn)
        clock.jump(89)
        assert await said(conn) == kept
        clock.jump(1)
        assert await said(conn) != kept


async def test_what_it_depends_on_besides_is_in_the_key() -> None:
    handle = {"now": "a"}
    weather = Weather(Cache({"forecast": Policy(60, vary=lambda call: handle["now"])}))
    async with await lab.connect(weather.server) as conn:
        first = await said(conn)
        handle["now"] = "b"
        second = await said(conn)
        handle["now"] = "a"
        assert first != second and await said(conn) == first


class Scribble(CallMiddleware):
    """Writes into every answer that passes."""

    async def around(self, call: Call, proceed: Proceed) -> dict[str, Any]:
        result = await proceed()
        result["content"][0]["text"] += "!"
        return result


async def test_who_changes_an_answer_changes_only_its_own() -> None:
    weather = Weather(Scribble(), Cache({"forecast": 60}))
    async with await lab.connect(weather.server) as conn:
        crowd = await asyncio.gather(*(said(conn) for _ in range(5)))
        assert [*crowd, await said(conn)] == ["Rome 1!"] * 6


@pytest.mark.parametrize(
    "wrong",
    [{"ttl": -1}, {"stale": float("nan")}, {"scope": "shared"}, {"ttl": MAX_KEEP + 1}, {"ttl": 1, "drops": ("x",)}],
)
def test_policies_that_make_no_sense_are_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"seconds|scope|together|changes something"):
        Policy(**wrong)


async def test_arguments_that_no_key_can_hold_are_not_cached() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    cache = Cache({"t": 60})

    class Odd:
        tool, arguments, principal = "t", {"deep": deep}, ""
        ctx = type("Context", (), {"params": {}})

    async def proceed() -> dict[str, Any]:
        return {"content": []}

    assert await cache.around(Odd(), proceed) == {"content": []}  # type: ignore[arg-type]
    assert cache.stats().bypassed == 1
