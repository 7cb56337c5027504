"""Agents that hand over: who is asked, with what, and what they cannot reach any more."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

import labkit as lab
from labkit.agents import Agent, ScriptedModel, ToolCall, Transcript, call, run_agent
from labkit.agents.stage import Prop, tool
from labkit.errors import LabError

pytestmark = pytest.mark.anyio


class Office:
    """A router, and two who each have a server."""

    def __init__(self, db: Any, web: Any) -> None:
        self.seen: dict[str, list[Any]] = {}
        self.db = Agent("db", self.model("db", self.count), "You count.", {"db": db}, about="orders")
        self.web = Agent("web", self.model("web", self.fetch), tools={"web": web}, about="weather")
        self.router = Agent("router", self.model("router", self.route), "You route.", handoffs=[self.db, self.web])

    def model(self, name: str, script: Any) -> ScriptedModel:
        def seeing(talk: Any) -> Any:
            self.seen[name] = [(m.role, m.text) for m in talk.messages]
            return script(talk)

        return ScriptedModel(seeing, name)

    def route(self, talk: Any) -> Any:
        assert {each.name: each.description for each in talk.tools} == {
            "hand_to_db": "Hand over to db: orders",
            "hand_to_web": "Hand over to web: weather",
        }
        yield call("hand_to_db" if "order" in talk.task else "hand_to_web", note="in short")
        return "never"

    def count(self, talk: Any) -> Any:
        found = yield call("db.count")
        return f"There are {found}."

    def fetch(self, talk: Any) -> Any:
        wrong = yield call("db.count")
        return f"{wrong.is_error}"


@pytest.fixture
async def office() -> AsyncGenerator[tuple[Office, Prop]]:
    db = Prop("db", [tool("count", "Count.")], lambda name, given: "7")
    web = Prop("web", [tool("fetch", "Fetch.")], lambda name, given: "sun")
    async with await lab.connect(db.server) as first, await lab.connect(web.server) as second:
        yield Office(first, second), db


async def test_the_one_who_can_answers(office: tuple[Office, Prop]) -> None:
    told = await run_agent(office[0].router, "How many orders?")
    assert (told.text, told.ended, told.steps) == ("There are 7.", "answered", 3)
    assert [m.by for m in told.messages if m.role == "assistant"] == ["router", "db", "db"]
    assert repr(told).splitlines()[1].strip() == 'router calls  hand_to_db(note="in short")'
    assert office[0].seen["db"] == [
        ("system", "You count."),
        ("user", "How many orders?\n\n(Handed over with this note: in short)"),
    ]


async def test_tools_of_others_cannot_be_called(office: tuple[Office, Prop]) -> None:
    told = await run_agent(office[0].router, "How is the weather?")
    assert told.text == "True" and office[1].calls == []


async def test_it_can_be_handed_back_and_ends_at_the_limit(office: tuple[Office, Prop]) -> None:
    def on(name: str) -> Any:
        def script(talk: Any) -> Any:
            yield call(f"hand_to_{name}")

        return script

    ping, pong = Agent("ping", ScriptedModel(on("pong"))), Agent("pong", ScriptedModel(on("ping")))
    ping.handoffs, pong.handoffs = [pong], [ping]
    told = await run_agent(ping, "Play.", steps=5)
    assert told.ended == "steps"
    assert [m.by for m in told.messages if m.role == "assistant"] == ["ping", "pong", "ping", "pong", "ping"]
    assert "ScriptedModel" in repr(ping)


async def test_one_conversation_has_one_owner(office: tuple[Office, Prop]) -> None:
    def both(talk: Any) -> Any:
        yield [call("hand_to_db"), call("hand_to_web")]

    router = Agent("router", ScriptedModel(both), handoffs=[office[0].db, office[0].web])
    told = await run_agent(router, "orders")
    assert told.text == "There are 7."
    assert [(done.text, done.is_error) for done in told.calls[:2]] == [
        ("db goes on.", False),
        ("This conversation goes to db already.", True),
    ]


async def test_the_gate_sees_handovers_too(office: tuple[Office, Prop]) -> None:
    class Gate:
        async def before(self, wanted: ToolCall) -> str:
            return "nobody hands over" if wanted.name.startswith("hand_to_") else ""

        async def after(self, wanted: ToolCall, result: Any) -> Any:
            return result

    told = Transcript()
    await run_agent(office[0].router, "orders", gate=Gate(), transcript=told)
    assert told.text == "never" and told.calls[0].refused and "db" not in office[0].seen


async def test_a_tool_that_is_called_like_a_handover() -> None:
    prop = Prop("p", [tool("db", "x")], lambda name, given: "x")
    async with await lab.connect(prop.server) as connection:
        clash = lab.agents.Connections({"hand_to": connection}, separator="_")
        other = Agent("db", ScriptedModel(lambda talk: (yield call("x"))))
        with pytest.raises(LabError, match="has a tool 'hand_to_db'"):
            await run_agent(Agent("router", other.model, tools=clash, handoffs=[other]), "Go.")
