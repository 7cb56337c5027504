"""Replies that come in pieces, over real HTTP: put together, handed on as they come, and dropped where they break."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

import labkit as lab
from labkit.agents import Message, ModelBusyError, ModelError, ToolCall, Usage, model_from_environment, patience, run
from labkit.agents.real import AnthropicModel, OpenAIModel
from labkit.agents.stage import Prop, tool

from .model_service import (
    BREAK,
    HOLD,
    WAIT,
    Service,
    anthropic_answer,
    anthropic_event,
    anthropic_events,
    openai_answer,
    openai_event,
    openai_events,
)

pytestmark = pytest.mark.anyio
HI = [Message("user", "Hi")]
ADD = ("t1", "calc_add", ['{"a": ', "2, ", '"b": 3}'])


class Kind:
    """One of the two services: its adapter, and its wire format."""

    reason = "the package is an extra: python start.py setup --extras"

    def __init__(self, name: str, model: Any, way: str, events: Any, event: Any, answer: Any) -> None:
        self.name, self.model, self.way, self.events, self.event, self.answer = name, model, way, events, event, answer

    def open(self, service: Service, on_text: Any) -> Any:
        """The adapter, at the local service."""
        pytest.importorskip(self.name, reason=self.reason)
        return self.model("key", "m-1", base_url=service.url + self.way, on_text=on_text)


ANTHROPIC = Kind("anthropic", AnthropicModel, "", anthropic_events, anthropic_event, anthropic_answer)
OPENAI = Kind("openai", OpenAIModel, "/v1", openai_events, openai_event, openai_answer)


@pytest.fixture(params=[ANTHROPIC, OPENAI], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.close()


async def test_text_comes_early_and_calls_are_put_together(service: Service, kind: Kind) -> None:
    heard: list[str] = []

    def on_text(text: str) -> None:
        heard.append(text)
        service.go.set()  # the service sends the rest when the first piece is here

    two = ("t2", "calc_sub", [])
    events = kind.events(["I ", "add ünd", " wait."], ADD, two)
    first = next(place for place, each in enumerate(events) if b"I " in each) + 1
    service.answers = [(200, [*events[:first], WAIT, *events[first:]])]
    model = kind.open(service, on_text)
    reply = await model.reply(HI, [lab.agents.Tool("calc.add"), lab.agents.Tool("calc.sub")])
    await model.close()
    assert heard == ["I ", "add ünd", " wait."] and reply.text == "I add ünd wait."
    assert reply.calls == (ToolCall("t1", "calc.add", {"a": 2, "b": 3}), ToolCall("t2", "calc.sub", {}))
    assert reply.usage == Usage(7, 5)
    asked = service.asked[0][2]
    assert asked["stream"] is True and (kind is ANTHROPIC or asked["stream_options"] == {"include_usage": True})


async def test_a_whole_run_with_a_hook_that_is_awaited(service: Service, kind: Kind) -> None:
    heard: list[str] = []

    async def on_text(text: str) -> None:
        await asyncio.sleep(0)
        heard.append(text)

    service.answers = [(200, kind.events(["Adding. "], ADD)), (200, kind.events(["It is ", "5."]))]
    pytest.importorskip(kind.name, reason=kind.reason)
    word = kind.name.upper()
    env = {f"{word}_API_KEY": "key", f"{word}_BASE_URL": service.url + kind.way}
    model = model_from_environment(env, on_text=on_text)
    prop = Prop("calc", [tool("add", "Add.", a="integer", b="integer")], lambda name, given: str(sum(given.values())))
    async with await lab.connect(prop.server) as calc:
        told = await run(model, "Add.", {"calc": calc})
    await model.close()
    assert (told.text, told.usage, prop.calls) == ("It is 5.", Usage(14, 10), [("add", {"a": 2, "b": 3})])
    assert heard == ["Adding. ", "It is ", "5."]


async def test_a_stream_that_breaks_makes_no_call_and_is_asked_again(service: Service, kind: Kind) -> None:
    prop = Prop("calc", [tool("add", "Add.", a="integer", b="integer")], lambda name, given: "5")
    events = kind.events(["Adding. "], ADD)
    half = next(place for place, each in enumerate(events) if b"2, " in each) + 1
    # The line breaks; the service ends its answer properly, but too early; a line of it is cut in two.
    service.answers = [(200, [*events[:half], BREAK]), (200, events[:half]), (200, [*events[:half], events[half][:30]])]
    service.answers += [(200, events), (200, kind.events(["Done."]))]
    heard: list[str] = []
    model = kind.open(service, heard.append)
    async with await lab.connect(prop.server) as calc:
        told = await run(model, "Add.", {"calc": calc}, retrying=patience(4, base=0.001))
    assert (told.text, told.attempts, len(prop.calls)) == ("Done.", 5, 1)
    assert heard == ["Adding. "] * 4 + ["Done."], "who asks again hears it again"
    for answer in ([*events[:half], BREAK], events[:half], []):
        service.answers = [(200, answer)]
        with pytest.raises(ModelBusyError, match=r"(broke off|gave no answer).*Ask again later"):
            await model.reply(HI, [])
    await model.close()


async def test_an_error_in_mid_stream(service: Service, kind: Kind) -> None:
    model = kind.open(service, lambda text: None)
    events = kind.events(["Well, ", "..."])[:3]
    for type, error in [("overloaded_error", ModelBusyError), ("invalid_request_error", ModelError)]:
        told = {"type": "error", "error": {"type": type, "message": "no room"}}
        service.answers = [(200, [*events, kind.event(told)])]
        with pytest.raises(ModelError, match=r"m-1 gave no answer.*no room") as caught:
            await model.reply(HI, [])
        assert caught.type is error
    service.answers = [(429, {"error": {"type": "rate_limit_error", "message": "slowly"}})]
    with pytest.raises(ModelBusyError, match="slowly"):
        await model.reply(HI, [])
    await model.close()


async def test_arguments_that_are_no_json_are_never_completed(service: Service, kind: Kind) -> None:
    model = kind.open(service, lambda text: None)
    half = ("t1", "pay", ['{"to": "ada", "amount": 10'])  # it may have been going to say 100
    service.answers = [(200, kind.events([], half))]
    reply = await model.reply(HI, [])
    assert reply.calls == (ToolCall("t1", "pay", {"arguments": half[2][0]}),)
    await model.close()


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_calls_that_were_cut_off_are_not_made(service: Service, kind: Kind, streamed: bool) -> None:
    model = kind.open(service, (lambda text: None) if streamed else None)
    stop = "max_tokens" if kind is ANTHROPIC else "length"
    if streamed:
        answers = [(200, kind.events(["x"], ADD, stop=stop)), (200, kind.events(["long"], stop=stop))]
    elif kind is ANTHROPIC:
        use = {"type": "tool_use", "id": "t1", "name": "pay", "input": {"to": "ada"}}
        answers = [kind.answer(use, stop=stop), kind.answer({"type": "text", "text": "long"}, stop=stop)]
    else:
        answers = [kind.answer("x", ("t1", "pay", '{"to": "ada"'), stop=stop), kind.answer("long", stop=stop)]
    service.answers = answers
    with pytest.raises(ModelError, match=r"cut off after 4096 tokens.*None of them was made") as caught:
        await model.reply(HI, [])
    assert not isinstance(caught.value, ModelBusyError), "it would be cut off again"
    assert (await model.reply(HI, [])).text == "long", "a text is worth having, as far as it goes"
    await model.close()


@pytest.mark.parametrize("how", ["task", "scope", "hook"])
async def test_whoever_gives_up_closes_the_stream(service: Service, kind: Kind, how: str) -> None:
    begun = anyio.Event()

    def on_text(text: str) -> None:
        if how == "hook":
            raise ZeroDivisionError("the screen is gone")
        begun.set()

    events = kind.events(["Once ", "upon"])
    first = next(place for place, each in enumerate(events) if b"Once" in each) + 1
    service.answers = [(200, [*events[:first], HOLD])]
    model = kind.open(service, on_text)
    if how == "hook":
        with pytest.raises(ZeroDivisionError):
            await model.reply(HI, [])
    elif how == "scope":
        async with anyio.create_task_group() as group:
            group.start_soon(model.reply, HI, [])
            await begun.wait()
            group.cancel_scope.cancel()
    else:
        asking = asyncio.create_task(model.reply(HI, []))
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    # The model is open still: it is the stream that has been closed.
    assert await anyio.to_thread.run_sync(service.left.wait, 20), "the service is still sending"
    service.answers = [(200, kind.events(["Again."]))]
    model.on_text = lambda text: None
    assert (await model.reply(HI, [])).text == "Again."
    await model.close()
