"""How a run ends before its answer: limits of calls, tokens and money; and a model that is busy is asked again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from labkit.agents import (
    Limits,
    Message,
    ModelBusyError,
    ModelError,
    Prices,
    Reply,
    ScriptedModel,
    Tool,
    ToolResult,
    Transcript,
    Usage,
    call,
    patience,
    run,
)
from labkit.errors import LabError
from labkit.patterns.clock import SystemClock
from labkit.patterns.retry import Backoff, Retrying

pytestmark = pytest.mark.anyio


class Box:
    """One tool, that counts how often it was used."""

    def __init__(self) -> None:
        self.calls = 0

    async def tools(self) -> list[Tool]:
        return [Tool("go")]

    async def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        self.calls += 1
        return ToolResult("done")


def twice_and_twice(talk: Any) -> Any:
    while True:
        yield [call("go"), call("go")]


PRICES = Prices(read=1.0, written=5.0)


@pytest.mark.parametrize(
    ("limits", "ended", "calls", "steps"),
    [
        (Limits(calls=4), "calls", 4, 3),
        (Limits(calls=5), "calls", 4, 3),
        (Limits(calls=0), "calls", 0, 1),
        (Limits(tokens=2200), "tokens", 2, 2),
        (Limits(tokens=2201), "tokens", 4, 3),
        (Limits(cost=0.003, prices=PRICES), "cost", 2, 2),
        (Limits(cost=0.0031, prices=PRICES), "cost", 4, 3),
        (Limits(), "steps", 12, 6),
    ],
)
async def test_a_limit_ends_the_run_before_the_calls(limits: Limits, ended: str, calls: int, steps: int) -> None:
    box = Box()
    model = ScriptedModel(twice_and_twice, usage=Usage(1000, 100))
    told = await run(model, "Go.", box, limits=limits, steps=6)
    assert (told.ended, box.calls, told.steps) == (ended, calls, steps)
    assert told.usage == Usage(1000 * steps, 100 * steps) and f"ended  {ended}, after {steps}" in repr(told)


async def test_an_answer_counts_whatever_it_took() -> None:
    def script(talk: Any) -> Any:
        return "here"
        yield

    told = await run(ScriptedModel(script, usage=Usage(10, 1)), "Go.", Box(), limits=Limits(tokens=1, calls=0))
    assert (told.ended, told.text) == ("answered", "here")


async def test_runs_with_one_transcript_have_one_limit() -> None:
    told, box = Transcript(), Box()
    for _ in range(2):
        await run(
            ScriptedModel(twice_and_twice, usage=Usage(1, 0)), "Go.", box, transcript=told, limits=Limits(calls=2)
        )
    assert box.calls == 2 and told.steps == 3


def test_money_needs_prices() -> None:
    with pytest.raises(LabError, match="needs prices"):
        Limits(cost=1)
    assert PRICES.cost(Usage(2_000_000, 1_000_000)) == 7.0


class Quick(SystemClock):
    """Does not wait, and writes down how long it would have."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


class Flaky:
    """Fails in this order, then answers."""

    name = "flaky"

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    async def reply(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        if self.failures:
            raise self.failures.pop(0)
        return Reply("here")


def busy(clock: Quick, attempts: int = 3) -> Retrying:
    usual = patience(attempts)
    return Retrying(
        attempts, backoff=Backoff(1, 10), when=usual._when, clock=clock, chance=lambda: 0.5  # pyright: ignore
    )  # fmt: skip


async def test_a_busy_model_is_asked_again() -> None:
    clock = Quick()
    model = Flaky(ModelBusyError("busy", retry_after=7), ModelBusyError("busy"))
    told = await run(model, "Go.", Box(), retrying=busy(clock))
    assert (told.text, told.steps, told.attempts, clock.waits) == ("here", 1, 3, [7.5, 1.0])
    assert [message.role for message in told.messages] == ["user", "assistant"]


@pytest.mark.parametrize(
    ("failures", "attempts"),
    [([ModelBusyError("no")] * 3, 3), ([ModelError("no")], 1), ([ZeroDivisionError("no")], 1)],
    ids=["busy for too long", "refused", "a bug"],
)
async def test_what_does_not_pass_is_not_asked_for_ever(failures: list[Exception], attempts: int) -> None:
    told = Transcript()
    with pytest.raises(type(failures[0]), match="no"):
        await run(Flaky(*failures), "Go.", Box(), retrying=busy(Quick()), transcript=told)
    assert (told.attempts, told.steps, told.ended) == (attempts, 0, "failed")
