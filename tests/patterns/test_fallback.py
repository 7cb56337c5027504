"""Fallbacks: the next best answer, and always where it is from."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

import labkit as lab
from labkit.patterns.calls import META_SOURCE, Call
from labkit.patterns.clock import VirtualClock
from labkit.patterns.deadline import within
from labkit.patterns.failures import Unavailable, is_transient
from labkit.patterns.fallback import Chain, Fallback, Instead, LastGood, Source, partial

pytestmark = pytest.mark.anyio


def source(name: str, asked: list[str], error: Exception | None = None, **settings: Any) -> Source[..., str]:
    async def ask(word: str) -> str:
        asked.append(name)
        if error:
            raise error
        return f"{word} from {name}"

    return Source(name, ask, **settings)


async def test_the_first_source_that_answers_is_named_with_the_failures_before_it() -> None:
    asked: list[str] = []
    down = OSError("down")
    chain = Chain(source("live", asked, down), source("mirror", asked), source("kept", asked))
    found = await chain("rain")
    assert (found.value, found.source, found.failures) == ("rain from mirror", "mirror", {"live": down})
    assert found.degraded and asked == ["live", "mirror"] and chain.answered == {"live": 0, "mirror": 1, "kept": 0}
    assert not (await Chain(source("live", []))("sun")).degraded


async def test_a_condition_sees_the_failure_just_before() -> None:
    asked: list[str] = []
    chain = Chain(
        source("live", asked, Unavailable("down")),
        source("mirror", asked, ValueError("no such city"), when=is_transient),
        source("other", asked, when=is_transient),
    )
    with pytest.raises(Unavailable, match="down") as caught:
        await chain("x")
    assert asked == ["live", "mirror"] and caught.value.__notes__ == ["mirror failed, too: no such city"]
    assert chain.failed == 1


async def test_cancellation_is_no_failure_to_fall_back_from() -> None:
    asked: list[str] = []

    async def stuck(word: str) -> str:
        await asyncio.Event().wait()
        return word

    task = asyncio.create_task(Chain(Source("live", stuck), source("mirror", asked))("x"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() and asked == []


async def test_without_time_there_is_no_second_source() -> None:
    clock, asked = VirtualClock(), list[str]()

    async def slow(word: str) -> str:
        clock.jump(5)
        raise OSError("down")

    with pytest.raises(OSError, match="down"):
        async with within(3, clock=clock):
            await Chain(Source("live", slow), source("mirror", asked))("x")
    assert asked == []


def test_sources_have_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="a name of its own"):
        Chain(source("a", []), source("a", []))


async def test_optional_parts_are_left_out_and_named() -> None:
    clock = VirtualClock()

    async def part(value: str, seconds: float = 0, error: Exception | None = None) -> str:
        await clock.sleep(seconds)
        if error:
            raise error
        return value

    task = asyncio.create_task(
        partial(
            {"forecast": part("sun", 1)},
            {"alerts": part("", 0, OSError("alerts are down")), "map": part("", 99), "pollen": part("low", 2)},
            seconds=3,
            clock=clock,
        )
    )
    await clock.advance(3)
    whole = await asyncio.wait_for(task, 5)
    assert whole.parts == {"forecast": "sun", "pollen": "low"}
    assert whole.missing["alerts"] == "alerts are down" and "longer than 3 s" in whole.missing["map"]


async def test_a_needed_part_that_fails_ends_the_others() -> None:
    clock, ended = VirtualClock(), list[str]()

    async def fails() -> str:
        await clock.sleep(1)
        raise OSError("no forecast")

    async def slow() -> str:
        try:
            await clock.sleep(99)
        finally:
            ended.append("slow")
        return ""

    task = asyncio.create_task(partial({"forecast": fails()}, {"map": slow()}, clock=clock))
    await clock.advance(1)
    with pytest.raises(OSError, match="no forecast"):
        await asyncio.wait_for(task, 5)
    assert ended == ["slow"]


class Weather(BaseModel):
    """Weather of a town."""

    town: str
    sky: str


def weather(fallback: Fallback) -> tuple[MCPServer, dict[str, Any]]:
    server = MCPServer("weather", middleware=[fallback], log_level="CRITICAL")
    world: dict[str, Any] = {"sky": "sun"}

    @server.tool()
    async def look(town: str) -> Weather:
        """Look out of the window."""
        if town == "Atlantis":
            raise ToolError("no such town")
        if world["sky"] is None:
            raise Unavailable("no window")
        return Weather(town=town, sky=world["sky"])

    return server, world


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_a_kept_answer_says_so_to_programs_and_to_the_model(era: str) -> None:
    clock = VirtualClock()

    async def average(call: Call) -> dict[str, Any] | None:
        return {"town": call.arguments["town"], "sky": "clouds"} if call.arguments["town"] == "Oslo" else None

    fallback = Fallback(look=[LastGood(60, clock=clock), Instead("average", average)])
    server, world = weather(fallback)
    async with await lab.connect(server, era=era) as conn:
        fresh = await conn.call("look", town="Rome")
        assert META_SOURCE not in fresh.raw.get("_meta", {})
        world["sky"] = None
        clock.jump(30)
        kept = await conn.call("look", town="Rome")
        assert kept.structured == fresh.structured and not kept.is_error
        assert kept.raw["_meta"][META_SOURCE] == "kept"
        assert "30 s old" in kept.text and "look itself does not answer" in kept.text
        again = await conn.call("look", town="Rome")
        assert again.text == kept.text, "notes do not pile up"
        average_one = await conn.call("look", town="Oslo")
        assert average_one.structured == {"town": "Oslo", "sky": "clouds"}
        assert average_one.raw["_meta"][META_SOURCE] == "average"
        clock.jump(31)
        assert (await conn.call("look", town="Rome")).is_error, "too old"
        assert (await conn.call("look", town="Atlantis")).is_error, "a refusal is an answer"
    assert fallback.answered == {"": 1, "kept": 2, "average": 1}


async def test_what_one_caller_saw_is_not_kept_for_another() -> None:
    server, world = weather(Fallback(look=[LastGood()]))

    async def ask(subject: str) -> bool:
        token = auth_context_var.set(
            AuthenticatedUser(AccessToken(token="t", client_id="app", scopes=[], subject=subject))
        )
        try:
            async with await lab.connect(server) as conn:
                return (await conn.call("look", town="Rome")).is_error
        finally:
            auth_context_var.reset(token)

    assert not await ask("ada")
    world["sky"] = None
    assert not await ask("ada") and await ask("ben")


async def test_no_more_is_kept_than_told() -> None:
    kept = LastGood(most=2)
    server, world = weather(Fallback(look=[kept]))
    async with await lab.connect(server) as conn:
        for town in ("Rome", "Oslo", "Rome", "Bern"):
            await conn.call("look", town=town)
        world["sky"] = None
        assert len(kept) == 2
        assert [(await conn.call("look", town=town)).is_error for town in ("Rome", "Oslo", "Bern")] == [
            False,
            True,
            False,
        ]


async def test_a_substitute_that_fails_is_passed_over() -> None:
    async def broken(call: Call) -> dict[str, Any]:
        raise OSError("down, too")

    server, world = weather(Fallback(look=[Instead("broken", broken)]))
    world["sky"] = None
    async with await lab.connect(server) as conn:
        result = await conn.call("look", town="Rome")
    assert result.is_error and result.text == "no window"
