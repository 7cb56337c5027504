"""The loop between a model and tools: what each of them is told, in which order, and how it ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import anyio
import pytest

import labkit as lab
from labkit.agents import (
    Connections,
    Message,
    ModelError,
    Reply,
    ScriptedModel,
    Tool,
    ToolCall,
    ToolResult,
    Transcript,
    call,
    run,
)
from labkit.agents.stage import Prop, tool
from labkit.agents.toolbox import result_of
from labkit.errors import LabError

pytestmark = pytest.mark.anyio
NUMBERS = {"a": "integer", "b": "integer"}


def added(name: str, given: dict[str, Any]) -> str:
    return str(given["a"] + given["b"])


@pytest.fixture
async def calc() -> AsyncGenerator[tuple[Prop, Any]]:
    prop = Prop("calc", [tool("add", "Add.", **NUMBERS)], added)
    async with await lab.connect(prop.server) as connection:
        yield prop, connection


async def test_it_calls_and_answers(calc: tuple[Prop, Any]) -> None:
    def script(talk: Any) -> Any:
        assert [each.name for each in talk.tools] == ["calc.add"] and talk.task == "Add."
        total = yield call("calc.add", a=2, b=3)
        return f"it is {total}"

    prop, connection = calc
    told = await run(ScriptedModel(script), "Add.", {"calc": connection}, system="Be short.")
    assert (told.text, told.ended, told.steps) == ("it is 5", "answered", 2)
    assert prop.calls == [("add", {"a": 2, "b": 3})] and told.called("calc.add") == [{"a": 2, "b": 3}]
    assert [m.role for m in told.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert told.messages[3] == Message("tool", "5", call_id="call-1")


async def test_names_are_kept_apart_and_looked_up() -> None:
    one, two = (
        Prop(name, [tool(each, "x")], lambda n, g, name=name: name) for name, each in [("a", "b.c"), ("d", "c")]
    )

    def script(talk: Any) -> Any:
        first = yield call("x.b.c")
        second = yield call("x.b_.c")
        return f"{first} {second}"

    async with await lab.connect(one.server) as first, await lab.connect(two.server) as second:
        told = await run(ScriptedModel(script), "Go.", {"x": first, "x.b_": second})
        assert told.text == "a d"
        with pytest.raises(LabError, match=r"x\.b\.c would be a tool of x and of x\.b"):
            await run(ScriptedModel(script), "Go.", {"x": first, "x.b": second})


async def test_errors_are_told_to_the_model(calc: tuple[Prop, Any]) -> None:
    def script(talk: Any) -> Any:
        wrong = yield call("calc.ad", a=1)
        lame = yield call("calc.add", a=1)
        fine = yield call("calc.add", a=1, b=1)
        return f"{wrong.is_error} {lame.is_error} {fine.is_error} {wrong}"

    told = await run(ScriptedModel(script), "Go.", {"calc": calc[1]})
    assert told.text == "True True False There is no tool 'calc.ad'. Did you mean 'calc.add'?"
    assert [done.is_error for done in told.calls] == [True, True, False]


class Slow:
    """A toolbox whose calls end when all of them have begun."""

    def __init__(self, together: int) -> None:
        self.together, self.begun, self.ended = together, 0, 0
        self.all = anyio.Event()

    async def tools(self) -> list[Tool]:
        return [Tool("wait")]

    async def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        self.begun += 1
        if self.begun == self.together:
            self.all.set()
        try:
            await self.all.wait()
        finally:
            self.ended += 1
        return ToolResult(str(arguments["n"]))


async def test_calls_of_one_reply_are_made_together_and_told_in_order() -> None:
    def script(talk: Any) -> Any:
        came = yield [call("wait", n=n) for n in range(4)]
        return " ".join(came)

    told = await run(ScriptedModel(script), "Go.", Slow(4))
    assert told.text == "0 1 2 3" and [m.call_id for m in told.messages if m.role == "tool"] == [
        f"call-{n}" for n in range(1, 5)
    ]


async def test_being_cancelled_ends_the_calls_and_keeps_what_was_done() -> None:
    def script(talk: Any) -> Any:
        yield [call("wait", n=1), call("wait", n=2)]
        return "never"

    box, told = Slow(3), Transcript()
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: run(ScriptedModel(script), "Go.", box, transcript=told))
        with anyio.fail_after(20):
            while box.begun < 2:
                await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert (told.ended, box.ended, len(told.messages)) == ("cancelled", 2, 2)


async def test_a_toolbox_that_is_broken_is_told_as_it_is() -> None:
    class Broken(Slow):
        async def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
            if arguments["n"]:
                raise ZeroDivisionError("of the toolbox")
            return await super().call(name, arguments)

    def script(talk: Any) -> Any:
        yield [call("wait", n=0), call("wait", n=1)]
        return "never"

    box, told = Broken(2), Transcript()
    with pytest.raises(ZeroDivisionError, match="of the toolbox"):
        await run(ScriptedModel(script), "Go.", box, transcript=told)
    assert (told.ended, box.ended) == ("failed", box.begun)


async def test_it_stops_at_the_limit_and_a_failing_model_fails(calc: tuple[Prop, Any]) -> None:
    def forever(talk: Any) -> Any:
        while True:
            yield call("calc.add", a=1, b=1)

    told = await run(ScriptedModel(forever), "Go.", {"calc": calc[1]}, steps=3)
    assert (told.ended, told.steps, len(told.calls)) == ("steps", 3, 3)

    class Broken:
        name = "broken"

        async def reply(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
            raise ModelError("no answer")

    told = Transcript()
    with pytest.raises(ModelError, match="no answer"):
        await run(Broken(), "Go.", {"calc": calc[1]}, transcript=told)
    assert told.ended == "failed" and "not yet" not in repr(told)


async def test_the_list_is_read_anew_before_each_reply(calc: tuple[Prop, Any]) -> None:
    prop, connection = calc
    seen: list[list[str]] = []

    def script(talk: Any) -> Any:
        seen.append([each.description for each in talk.tools])
        yield call("calc.add", a=1, b=1)
        seen.append([each.description for each in talk.tools])
        return "done"

    def later(name: str, given: dict[str, Any]) -> str:
        prop.definitions = [tool("add", "Add, and more.", **NUMBERS)]
        return "2"

    prop.answer = later
    await run(ScriptedModel(script), "Go.", {"calc": connection})
    assert seen == [["Add."], ["Add, and more."]]


class Gate:
    """Refuses what has a 13 in it, and reads aloud what comes."""

    async def before(self, wanted: ToolCall) -> str:
        return "thirteen" if 13 in wanted.arguments.values() else ""

    async def after(self, wanted: ToolCall, result: ToolResult) -> ToolResult:
        return ToolResult(f"<{result.text}>")


async def test_a_gate_refuses_and_changes_what_is_told(calc: tuple[Prop, Any]) -> None:
    def script(talk: Any) -> Any:
        came = yield [call("calc.add", a=1, b=1), call("calc.add", a=13, b=1)]
        return " ".join(came)

    prop, connection = calc
    told = await run(ScriptedModel(script), "Go.", {"calc": connection}, gate=Gate())
    assert told.text == "<2> thirteen" and prop.calls == [("add", {"a": 1, "b": 1})]
    assert [done.refused for done in told.calls] == [False, True] and told.called("calc.add") == [{"a": 1, "b": 1}]


async def test_a_transcript_can_be_read(calc: tuple[Prop, Any]) -> None:
    def script(talk: Any) -> Any:
        yield call("calc.add", a=1, b=1, note="\U000e0041<b>")
        return "done"

    told = await run(ScriptedModel(script), "Add\u202e.", {"calc": calc[1]})
    assert repr(told).splitlines() == [
        r"     user  Add\u202e.",
        r'    calls  calc.add(a=1, b=1, note="\udb40\udc41<b>")',
        "     tool  2",
        "assistant  done",
        "    ended  answered, after 2 replies",
    ]
    assert "&lt;b&gt;" in told._repr_html_() and "<b>" not in told._repr_html_()


async def test_a_script_that_has_ended_does_not_go_on() -> None:
    def script(talk: Any) -> Any:
        return "done"
        yield

    model = ScriptedModel(script)
    assert (await model.reply([Message("user", "Go.")], [])).text == "done"
    with pytest.raises(ModelError, match="has ended this conversation"):
        await model.reply([Message("user", "Go."), Message("assistant", "done")], [])


def test_what_a_model_reads_of_a_result() -> None:
    blocks = [
        {"type": "text", "text": "a"},
        {"type": "image", "data": "", "mimeType": "image/png"},
        {"type": "resource", "resource": {"uri": "x://y", "text": "b"}},
    ]
    assert result_of({"content": blocks, "isError": True}) == ToolResult("a\n<image>\nb", is_error=True)
    assert result_of({"content": [], "structuredContent": {"x": 1}}).text == "{'x': 1}"
    assert result_of({}).text == ""
    assert Tool.of({"name": "x", "title": "X", "description": "does", "inputSchema": {"a": 1}}, "s.x") == Tool(
        "s.x", "X\ndoes", {"a": 1}
    )


async def test_connections_call_only_what_was_listed(calc: tuple[Prop, Any]) -> None:
    box = Connections({"calc": calc[1]})
    with pytest.raises(LabError, match=r"no tool 'calc\.add'"):
        await box.call("calc.add", {"a": 1, "b": 1})
    await box.tools()
    assert await box.call("calc.add", {"a": 1, "b": 1}) == ToolResult("2")
