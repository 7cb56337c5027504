"""Workflows: checked before they start, run in the order of their needs, taken back when a step fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

from labkit.errors import ConnectError, RpcError, WorkflowError
from labkit.gateway import Gateway
from labkit.gateway.workflow import Workflow
from labkit.gateway.workflow_trace import StepTrace, Trace
from labkit.gateway.workflow_values import Missing, at, data_of, filled, holds
from labkit.patterns.clock import VirtualClock
from labkit.session.connection import connect

from .conftest import LONG, until
from .front_case import Json

READ: Json = {"readOnlyHint": True}
AGAIN: Json = {"idempotentHint": True}
ANY: Json = {"type": "object", "additionalProperties": True}


def tool(name: str, annotations: Json | None = None, schema: Json = ANY, **more: Any) -> Json:
    return {"name": name, "inputSchema": schema, **({"annotations": annotations} if annotations else {}), **more}


TOOLS = [tool("do"), tool("undo"), tool("look", READ), tool("put", AGAIN)]


def ref(path: str, **more: Any) -> Json:
    return {"$ref": path, **more}


def step(id: str, tool: str = "do", arguments: Json | None = None, **more: Any) -> Json:
    return {"id": id, "tool": tool, "arguments": {"step": id, **(arguments or {})}, **more}


def undoing(id: str, *needs: str, **more: Any) -> Json:
    return step(id, needs=list(needs), compensate={"tool": "undo", "arguments": {"step": id}}, **more)


Answer = Callable[[str, Json], Awaitable[Any]]


class World:
    """What a workflow runs over: it notes each call, and answers as the test says."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.calls = answers, list[tuple[str, str]]()
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.running = self.most = 0

    async def call(self, tool: str, arguments: Json) -> Any:
        id = arguments.get("step", "")
        self.calls.append((tool, id))
        if tool == "undo":
            answer = self.answers.get(f"undo_{id}", {})
        else:
            self.begun.append(id)
            answer = self.answers.get(id, {"id": id})
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0)
            if callable(answer):
                answer = await answer(arguments)
            if isinstance(answer, list):
                answer = answer.pop(0)
            if isinstance(answer, Exception):
                raise answer
        finally:
            self.running -= 1
        if tool != "undo":
            self.ended.append(id)
        return answer

    @property
    def undone(self) -> list[str]:
        return [id for tool, id in self.calls if tool == "undo"]


def error(text: str, **meta: Any) -> Json:
    return {"content": [{"type": "text", "text": text}], "isError": True, "_meta": meta}


def of(*steps: Json, **more: Any) -> Workflow:
    return Workflow.of({"name": "test", "steps": list(steps), **more}, TOOLS)


async def run(workflow: Workflow, world: World, inputs: Json | None = None, **more: Any) -> Trace:
    async with asyncio.timeout(LONG):
        return await workflow.run(world, inputs, tools=TOOLS, **more)


# references --------------------------------------------------------------------------------------

KNOWN = {
    "inputs": {"x": 1, "none": None},
    "steps": {"a": {"outcome": "done", "result": {"items": [{"id": 7}], "a.b": 2}}},
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (ref("inputs.x"), 1),
        (ref("inputs.none"), None),
        (ref("inputs.none", default=3), None),
        (ref("steps.a.result.items.0.id"), 7),
        (ref("steps.a.outcome"), "done"),
        ({"$ref": ["steps", "a", "result", "a.b"]}, 2),
        ({"$ref": ["steps", "a", "result", "items", 0]}, {"id": 7}),
        (ref("steps.a.result.items.1.id", default=0), 0),
        (ref("steps.b.result", default=ref("inputs.x")), 1),
        ({"deep": [1, {"er": ref("inputs.x")}]}, {"deep": [1, {"er": 1}]}),
        ({"$value": ref("inputs.x")}, ref("inputs.x")),
        ("inputs.x", "inputs.x"),
    ],
)
def test_references_are_replaced(value: Any, found: Any) -> None:
    assert filled(value, KNOWN) == found


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("inputs.y", "inputs has no 'y', it has x, none"),
        ("steps.a.result.items.1", "steps.a.result.items has no '1', it has 1 items"),
        ("steps.a.result.items.-1", "has no '-1'"),
        ("steps.a.result.items.first", "has no 'first'"),
        ("inputs.x.y", "inputs.x has no 'y', it is 1"),
    ],
)
def test_a_reference_to_nothing_says_how_far_it_comes(path: str, said: str) -> None:
    with pytest.raises(Missing) as caught:
        at(tuple(path.split(".")), KNOWN)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        (ref("inputs.x"), True),
        (ref("inputs.none"), False),
        (ref("steps.b.result"), False),
        (ref("inputs.x", **{"is": 1}), True),
        (ref("inputs.x", **{"is": 1.0}), True),
        (ref("inputs.x", **{"is": True}), False),
        (ref("inputs.x", **{"is": "1"}), False),
        (ref("inputs.none", **{"is": None}), True),
        (ref("inputs.x", **{"in": [3, 1]}), True),
        (ref("inputs.x", **{"in": "1"}), False),
        (ref("inputs.x", above=0), True),
        (ref("inputs.x", above=1), False),
        (ref("inputs.x", below=ref("steps.a.result.items.0.id")), True),
        (ref("inputs.none", below=1), False),
        ({"not": ref("inputs.x")}, False),
        ({"all": [ref("inputs.x"), True]}, True),
        ({"all": []}, True),
        ({"any": [ref("inputs.none"), {"not": False}]}, True),
        ({"any": []}, False),
        (False, False),
    ],
)
def test_conditions(condition: Any, met: bool) -> None:
    assert holds(condition, KNOWN) is met


def test_what_a_tool_answers_is_read_as_data() -> None:
    wrapped = {"outputSchema": {"properties": {"result": {"type": "array"}}}}
    assert data_of({"content": [], "structuredContent": {"result": [1]}}, wrapped) == [1]
    assert data_of({"content": [], "structuredContent": {"result": [1]}}, {}) == {"result": [1]}
    assert data_of({"content": [{"type": "text", "text": '{"a": 1}'}]}, {}) == {"a": 1}
    assert data_of({"content": [{"type": "text", "text": "{no"}, {"type": "image"}]}, {}) == "{no"
    assert data_of({"content": [{"type": "text", "text": "12"}]}, {}) == "12"
    assert data_of({"plain": 1}, {}) == {"plain": 1}


# mistakes ----------------------------------------------------------------------------------------

NARROW = tool(
    "narrow",
    schema={
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1}, "who": {"$ref": "#/$defs/Who"}},
        "required": ["n"],
        "$defs": {"Who": {"enum": ["ada", "bob"]}},
    },
    outputSchema={
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/Item"}}, "open": {"type": "object"}},
        "$defs": {"Item": {"type": "object", "properties": {"id": {"type": "integer"}}}},
    },
)


def mistakes(*steps: Any, tools: list[Json] | None = None, **more: Any) -> list[str]:
    table = {"name": "wrong", "steps": list(steps), **more}
    with pytest.raises(WorkflowError) as caught:
        Workflow.of(table, [*TOOLS, NARROW] if tools is None else tools)
    return list(caught.value.mistakes)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([step("a", "dp")], "step 'a': there is no tool 'dp'. Did you mean 'do'?"),
        ([step("a", arguments={"x": ref("inputs.naem")})], "step 'a', arguments: inputs.naem: no input 'naem'"),
        ([step("a", arguments={"x": ref("steps.b.result")})], "step 'a', arguments: steps.b.result: no step 'b'"),
        ([step("a"), step("b", arguments={"x": ref("steps.a.id")})], "write steps.a.result"),
        ([step("a"), step("b", arguments={"x": ref("steps.a")})], "write steps.a.result"),
        ([step("a", arguments={"x": ref("env.HOME")})], "a reference begins with"),
        ([step("a", arguments={"x": ref("")})], "a reference begins with"),
        ([step("a", arguments={"x": {"$ref": 5}})], "a reference begins with"),
        ([step("a", arguments={"x": ref("inputs.name", defualt=1)})], "'defualt' beside '$ref' means nothing"),
        ([step("a", arguments={"x": ref("steps.a.result")})], "step 'a': it waits for itself"),
        ([step("a", needs=["b"])], "step 'a', needs: there is no step 'b'"),
        ([step("a"), step("a")], "step 'a': 2 steps have this id"),
        ([step("a", needs=["b"]), step("b", needs=["a"])], "wait for each other"),
        ([step("a", retry=1)], "step 'a', retry: 'do' does not say that it may be called twice"),
        ([{"id": "a", "tool": "narrow", "arguments": {"n": 1, "m": 2}}], "'narrow' takes no 'm'"),
        ([{"id": "a", "tool": "narrow", "arguments": {}}], "'narrow' needs 'n'"),
        (
            [{"id": "a", "tool": "narrow", "arguments": {"n": "1"}}],
            "step 'a', arguments.n: '1' is not of type 'integer'",
        ),
        ([{"id": "a", "tool": "narrow", "arguments": {"n": 1, "who": "eve"}}], "arguments.who: 'eve' is not one of"),
        (
            [
                {"id": "a", "tool": "narrow", "arguments": {"n": 1}},
                step("b", arguments={"x": ref("steps.a.result.itmes")}),
            ],
            "step 'b': steps.a.result.itmes: 'narrow' answers with no 'itmes'. Did you mean 'items'?",
        ),
        (
            [
                {"id": "a", "tool": "narrow", "arguments": {"n": 1}},
                step("b", arguments={"x": ref("steps.a.result.items.first")}),
            ],
            "only numbers lead on, not 'first'",
        ),
        (
            [
                {"id": "a", "tool": "narrow", "arguments": {"n": 1}},
                step("b", arguments={"x": ref("steps.a.result.items.0.di")}),
            ],
            "answers with no 'di'",
        ),
        ([step("a", compensate={"tool": "unod"})], "step 'a', compensate: there is no tool 'unod'"),
        (
            [step("a", compensate={"tool": "undo", "arguments": {"x": ref("steps.b.result")}}), step("b")],
            "step 'a', compensate: steps.b.result may not be there",
        ),
        ([step("a", when="yes")], "step 'a', when: found \"yes\""),
        ([step("a", when={"is": 1})], "write exactly one of"),
        ([step("a", when=ref("inputs.name", **{"is": 1, "in": []}))], "it has is and in"),
        ([step("a", when={"all": ref("inputs.name")})], "'all' wants a list"),
        ([step("a", when=ref("inputs.nmae"))], "step 'a', when: inputs.nmae: no input 'nmae'"),
        ([step("a", timeuot=1)], "steps[0].timeuot: there is no such key. Did you mean 'timeout'?"),
        ([step("a", timeout=-1)], "steps[0].timeout: found -1"),
        ([step("1a")], "steps[0].id"),
        ([{"id": "a"}], "steps[0].tool: it is missing"),
        ([{"tool": "do"}], "steps[0].id: it is missing"),
        ([{"id": "a", "tool": "do", "arguments": []}], "steps[0].arguments: write an object"),
        (["a"], "steps[0]: found"),
        ([], "steps: there is none"),
    ],
)
def test_a_mistake_is_named(steps: list[Any], said: str) -> None:
    found = mistakes(*steps, inputs={"name": "A name."})
    assert any(said in each for each in found), found


def test_all_mistakes_are_named_at_once() -> None:
    found = mistakes(
        step("a", "nope", {"x": ref("inputs.nothing")}),
        step("b", "narrow", {"n": 0}, needs=["c"]),
        step("c", needs=["b"], retry=2),
        inputs={"bad": 5},
        output=ref("steps.d.result"),
        paralel=2,
    )
    wanted = [
        "inputs.bad: write what it is",
        "paralel: there is no such key",
        "c -> b -> c",
        "no input 'nothing'",
        "output: steps.d.result: no step 'd'",
        "no tool 'nope'",
        "'narrow' takes no 'step'",
        "0 is less than the minimum of 1",
        "retry: 'do' does not say",
    ]
    text = "\n".join(found).replace("b -> c -> b", "c -> b -> c")
    assert [each for each in wanted if each not in text] == []
    assert len(found) == len(wanted)


def test_what_nobody_can_tell_is_no_mistake() -> None:
    open_part = {"x": ref("steps.a.result.open.whatever.0")}
    Workflow.of(
        {"steps": [{"id": "a", "tool": "narrow", "arguments": {"n": ref("inputs.n")}}, step("b", arguments=open_part)],
         "inputs": {"n": "A number."}},
        [*TOOLS, NARROW],
    )  # fmt: skip


def test_a_hostile_pattern_in_a_schema_costs_nothing() -> None:
    evil = tool("evil", schema={"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}})
    Workflow.of({"steps": [{"id": "a", "tool": "evil", "arguments": {"x": "a" * 60 + "!"}}]}, [evil])


def test_nothing_of_the_environment_gets_into_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    made = of(step("a", arguments={"x": "${SECRET}"}))
    assert made.steps[0].arguments["x"] == "${SECRET}"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "'name' is missing (A name.)"),
        ({"name": "x", "nmae": "y"}, "there is no 'nmae'. Did you mean 'name'"),
        ({"name": "x", "age": "old"}, "inputs.age: 'old' is not of type 'integer'"),
    ],
)
async def test_inputs_are_checked_before_anything_is_called(inputs: Json, said: str) -> None:
    world = World()
    declared = {"name": "A name.", "age": {"type": "integer", "default": 3}}
    with pytest.raises(WorkflowError) as caught:
        await run(of(step("a"), inputs=declared), world, inputs)
    assert said in str(caught.value)
    assert world.calls == []


@pytest.mark.anyio
async def test_a_tool_that_has_gone_is_found_before_anything_is_called() -> None:
    world = World()
    with pytest.raises(WorkflowError, match="no tool 'look'"):
        await of(step("a"), step("b", "look")).run(world, tools=TOOLS[:2])
    assert world.calls == []


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hire.toml"
    path.write_text(
        'inputs = { name = "Who." }\n[[steps]]\nid = "a"\ntool = "do"\narguments = { n = { "$ref" = "inputs.name" } }\n'
        'compensate = { tool = "undo" }\n[[steps]]\nid = "b"\ntool = "look"\nneeds = ["a"]\nretry = 2\n',
        encoding="utf-8",
    )
    made = Workflow.read(path)
    assert (made.name, [each.id for each in made.steps], made.steps[1].needs) == ("hire", ["a", "b"], ("a",))
    assert made.check(TOOLS) == []
    path.write_text("steps = [", encoding="utf-8")
    with pytest.raises(WorkflowError, match="cannot be read"):
        Workflow.read(path)


# running -----------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_results_and_inputs_go_on_to_the_steps_that_name_them() -> None:
    seen: list[Json] = []

    async def noted(arguments: Json) -> Json:
        seen.append(arguments)
        return {"got": arguments["x"]}

    world = World(a={"content": [], "structuredContent": {"items": [{"id": 5}]}}, b=noted)
    workflow = of(
        step("a"),
        step("b", arguments={"x": ref("steps.a.result.items.0.id"), "who": ref("inputs.who")}),
        inputs={"who": {"type": "string", "default": "ada"}},
        output={"b": ref("steps.b.result.got")},
    )
    trace = await run(workflow, world)
    assert (trace.outcome, trace.output) == ("done", {"b": 5})
    assert seen == [{"step": "b", "x": 5, "who": "ada"}]


@pytest.mark.anyio
async def test_branches_run_at_the_same_time() -> None:
    both = asyncio.Barrier(2)

    async def meet(arguments: Json) -> Json:
        await both.wait()  # each alone would wait for ever
        return {}

    trace = await run(
        of(step("a"), step("b", needs=["a"]), step("c", needs=["a"]), step("d", needs=["b", "c"])),
        World(b=meet, c=meet),
    )
    assert trace.outcome == "done"


@pytest.mark.anyio
async def test_no_more_than_so_many_at_the_same_time() -> None:
    world = World()
    await run(of(*(step(f"s{n}") for n in range(12)), parallel=3), world)
    assert (len(world.ended), world.most) == (12, 3)


@pytest.mark.anyio
async def test_a_step_whose_condition_does_not_hold_is_skipped_with_those_that_need_its_result() -> None:
    world = World()
    workflow = of(
        step("a", when=ref("inputs.really")),
        step("b", needs=["a"]),
        step("c", arguments={"x": ref("steps.a.result")}),
        step("d", arguments={"x": ref("steps.a.result", default=0)}),
        step("e", when=ref("steps.a.outcome", **{"is": "skipped"})),
        inputs={"really": {"type": "boolean", "default": False}},
    )
    trace = await run(workflow, world)
    assert trace.outcome == "done"
    assert [each.outcome for each in trace.steps] == ["skipped", "done", "skipped", "done", "done"]
    assert "a was skipped" in trace["c"].error
    assert sorted(world.begun) == ["b", "d", "e"]


@pytest.mark.anyio
async def test_a_failure_ends_it_and_what_was_done_is_taken_back_last_first() -> None:
    world = World(c=error("no money"))
    trace = await run(of(undoing("a"), undoing("b", "a"), undoing("c", "b"), undoing("d", "c")), world)
    assert (trace.outcome, trace.error) == ("failed", "c: no money")
    assert world.undone == trace.undone == ["b", "a"]
    assert [each.outcome for each in trace.steps] == ["done", "done", "failed", "not run"]
    assert [each.undo for each in trace.steps] == ["undone", "undone", "", ""]


@pytest.mark.anyio
async def test_a_branch_on_its_way_comes_to_its_end_and_is_taken_back() -> None:
    world = World()

    async def late(arguments: Json) -> Json:
        await until(lambda: "bad" in world.begun)
        for _ in range(20):
            await asyncio.sleep(0)
        return {}

    world.answers |= {"slow": late, "bad": error("no")}
    trace = await run(of(undoing("slow"), step("bad"), undoing("after", "slow")), world)
    assert (trace["slow"].outcome, trace["after"].outcome) == ("done", "not run")
    assert world.undone == ["slow"]


@pytest.mark.anyio
async def test_one_that_cannot_be_taken_back_leaves_the_others_and_is_told() -> None:
    world = World(d=error("no"), undo_b=error("too late"), undo_c=RpcError(-32603, "crashed"))
    trace = await run(of(undoing("a"), undoing("b", "a"), undoing("c", "b"), step("d", needs=["c"])), world)
    assert trace.outcome == "stuck"
    assert world.undone == ["c", "b", "a"]
    assert trace.undone == ["a"]
    assert (trace["b"].undo, trace["b"].undo_error) == ("not undone", "too late")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "outcome", "run_ends"),
    [
        (error("no"), "failed", "failed"),
        (error("later", **{"labkit/reason": "rate-limited"}), "failed", "failed"),
        (error("lost", **{"labkit/reason": "unavailable"}), "unknown", "stuck"),
        (RpcError(-32602, "wrong"), "failed", "failed"),
        (ConnectError("nobody there"), "failed", "failed"),
        (ConnectionResetError("gone"), "unknown", "stuck"),
        (TimeoutError("theirs"), "unknown", "stuck"),
    ],
)
async def test_what_may_have_been_done_is_told_from_what_was_not(answer: Any, outcome: str, run_ends: str) -> None:
    world = World(b=answer)
    trace = await run(of(undoing("a"), undoing("b", "a")), world)
    assert (trace["b"].outcome, trace.outcome) == (outcome, run_ends)
    assert world.undone == ["a"]


@pytest.mark.anyio
async def test_what_only_looks_is_never_unknown() -> None:
    trace = await run(of(step("a", "look")), World(a=ConnectionResetError("gone")))
    assert (trace["a"].outcome, trace.outcome) == ("failed", "failed")


async def never(arguments: Json) -> Json:
    await asyncio.Event().wait()
    return {}


@pytest.mark.anyio
async def test_a_step_that_takes_too_long_is_given_up() -> None:
    world = World(b=never)
    trace = await run(of(undoing("a"), undoing("b", "a", timeout=0.05)), world)
    assert (trace["b"].outcome, trace["b"].error) == ("unknown", "no answer within 0.05 s")
    assert world.undone == ["a"]


@pytest.mark.anyio
async def test_a_run_that_takes_too_long_is_taken_back() -> None:
    world = World(b=never)
    trace = await run(of(undoing("a"), undoing("b", "a"), timeout=0.2), world)
    assert "not done after 0.2 s" in trace.error
    assert (trace["b"].outcome, trace.outcome) == ("unknown", "stuck")
    assert world.undone == ["a"]


@pytest.mark.anyio
async def test_a_run_that_is_cancelled_is_taken_back_before_it_ends() -> None:
    gate = asyncio.Event()

    async def slowly(arguments: Json) -> Json:
        await gate.wait()
        return {}

    world = World(b=never, undo_a=slowly)
    task = asyncio.create_task(of(undoing("a"), undoing("b", "a")).run(world, tools=TOOLS))
    await until(lambda: "b" in world.begun)
    task.cancel()
    await until(lambda: world.undone == ["a"])
    task.cancel()  # an impatient caller does not cut it in half
    await asyncio.sleep(0)
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(LONG):
            await task
    assert world.undone == ["a"]
    assert world.running == 0


async def advancing(clock: VirtualClock, task: asyncio.Task[Trace]) -> Trace:
    async with asyncio.timeout(LONG):
        while not task.done():
            await clock.advance(0.1)
            await asyncio.sleep(0)
    return task.result()


@pytest.mark.anyio
@pytest.mark.parametrize("tool", ["look", "put"])
async def test_a_call_that_does_no_harm_twice_is_made_again(tool: str) -> None:
    clock = VirtualClock()
    world = World(a=[ConnectionResetError("gone"), error("busy", **{"labkit/retryAfter": 1}), {"id": 1}])
    task = asyncio.create_task(run(of(step("a", tool, retry=2)), world, clock=clock))
    trace = await advancing(clock, task)
    assert (trace.outcome, trace["a"].attempts, trace["a"].result) == ("done", 3, {"id": 1})
    assert 1.2 <= (trace["a"].seconds or 0) < 2


@pytest.mark.anyio
async def test_it_is_made_again_only_so_often_and_not_when_the_answer_was_no() -> None:
    clock = VirtualClock()
    world = World(a=[ConnectionResetError("gone")] * 3)
    task = asyncio.create_task(run(of(step("a", "put", retry=2)), world, clock=clock))
    assert (await advancing(clock, task))["a"].attempts == 3
    trace = await run(of(step("b", "put", retry=2)), World(b=error("no such thing")))
    assert (trace["b"].outcome, trace["b"].attempts) == ("failed", 1)


@pytest.mark.anyio
async def test_a_result_without_the_part_that_is_needed_fails_the_step_that_needs_it() -> None:
    world = World(a={"items": []})
    trace = await run(of(undoing("a"), step("b", arguments={"x": ref("steps.a.result.items.0.id")})), world)
    assert "steps.a.result.items has no '0', it has 0 items" in trace["b"].error
    assert (trace.outcome, trace["b"].outcome, world.undone) == ("failed", "failed", ["a"])


# any workflow ------------------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, list[str]], set[str], list[str]]:
    """Needs by step (earlier ones only, so there is no cycle), those that fail, and an order in which they are written."""
    ids = [f"s{n}" for n in range(draw(st.integers(1, 9)))]
    needs = {id: draw(st.lists(st.sampled_from(ids[:n]), unique=True)) if n else [] for n, id in enumerate(ids)}
    failing = draw(st.sets(st.sampled_from(ids), max_size=2))
    return needs, failing, draw(st.permutations(ids))


@settings(max_examples=150, deadline=None)
@given(graphs(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_any_graph_runs_each_step_after_its_needs_and_takes_back_exactly_what_was_done(
    graph: tuple[dict[str, list[str]], set[str], list[str]], parallel: int, chance: Any
) -> None:
    needs, failing, order = graph
    world = World()

    def answer(id: str) -> Callable[[Json], Awaitable[Any]]:
        turns = chance.randrange(6)

        async def later(arguments: Json) -> Any:
            for need in needs[id]:
                assert need in world.ended, f"{id} began before {need} was over"
            for _ in range(turns):
                await asyncio.sleep(0)
            return error("no") if id in failing else {"id": id}

        return later

    world.answers = {id: answer(id) for id in needs}
    # Half of the needs are references: the order has to follow from them as well.
    steps = [
        undoing(
            id,
            *(need for n, need in enumerate(needs[id]) if n % 2),
            arguments={f"x{n}": ref(f"steps.{need}.result.id") for n, need in enumerate(needs[id]) if not n % 2},
        )
        for id in order
    ]
    trace = asyncio.run(run(of(*steps, parallel=parallel), world))
    done = [id for id in world.ended if id not in failing]
    failed = [id for id in world.ended if id in failing]
    assert sorted(id for id in needs if trace[id].outcome == "done") == sorted(done)
    assert len(world.begun) == len(set(world.begun)) == len(world.ended)
    assert world.most <= parallel
    if failed:
        assert trace.outcome == "failed"
        assert world.undone == trace.undone == done[::-1]
        assert [id for id in needs if trace[id].outcome == "not run"] == [id for id in needs if id not in world.begun]
    else:
        assert (trace.outcome, world.undone, sorted(done)) == ("done", [], sorted(needs))


# the trace ---------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_trace_is_text_table_and_diagram() -> None:
    pytest.importorskip("pandas")
    heard: list[tuple[str, str]] = []
    workflow = of(undoing("a"), step("b", when=False), step("c", "look", needs=["a"]), step("d", needs=["c"]))
    world = World(c=error('no "x"; <b>\n# y'))
    trace = await run(workflow, world, on_change=lambda each: heard.append((each.id, each.outcome)))
    text = trace.text()
    assert text.startswith("test: failed after ")
    assert [line.split()[:3] for line in text.splitlines()[1:] if line.startswith("  + ")] == [["+", "a", "do"]]
    assert "undone by undo" in text
    table = trace.table()
    assert list(table.index) == ["a", "b", "c", "d"]
    assert list(table.outcome) == ["done", "skipped", "failed", "not run"]
    assert list(table.attempts) == [1, 0, 1, 0]
    assert (table.start[:1] <= table.end[:1]).all()
    chart = trace.mermaid()
    assert chart.startswith("flowchart LR\n")
    assert "    s0 --> s2" in chart.splitlines()
    assert "    s0 -.-> s0u" in chart.splitlines()
    assert [(id, outcome) for id, outcome in heard if id == "a"][:2] == [("a", "running"), ("a", "done")]
    assert "<pre>" in trace._repr_html_() and "<b>" not in trace._repr_html_()
    with pytest.raises(KeyError, match="no step 'z'"):
        trace["z"]


def test_a_label_cannot_leave_its_box() -> None:
    trace = Trace("w", {}, [StepTrace("a", 'x"] --> evil["<script>`#;\n')])
    lines = trace.mermaid().splitlines()
    assert len([line for line in lines if line.lstrip().startswith("s0[")]) == 1
    assert "<script>" not in trace.mermaid()
    assert lines[1].count('"') == 2


@pytest.mark.anyio
async def test_who_looks_on_does_not_decide() -> None:
    def broken(_: StepTrace) -> None:
        raise RuntimeError("no")

    assert (await run(of(step("a")), World(), on_change=broken)).outcome == "done"


# over servers ------------------------------------------------------------------------------------


class Employee(BaseModel):
    id: int
    name: str


def hr(staff: dict[int, str]) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("hr", log_level="CRITICAL")

    @server.tool()
    def hire(name: str) -> Employee:
        """Hire."""
        staff[len(staff) + 1] = name
        return Employee(id=len(staff), name=name)

    @server.tool()
    def withdraw(id: int) -> str:
        """Withdraw."""
        return staff.pop(id)

    @server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
    def names() -> list[str]:
        """Names."""
        return list(staff.values())

    return server


def it(stock: list[str]) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("it", log_level="CRITICAL")

    @server.tool()
    def assign(employee: int) -> str:
        """Assign."""
        if not stock:
            raise ToolError("there is no laptop left")
        return f"{stock.pop()} for {employee}"

    return server


ONBOARDING = {
    "name": "onboarding",
    "inputs": {"name": {"type": "string"}},
    "steps": [
        {
            "id": "hire",
            "tool": "hr.hire",
            "arguments": {"name": ref("inputs.name")},
            "compensate": {"tool": "hr.withdraw", "arguments": {"id": ref("steps.hire.result.id")}},
        },
        {"id": "laptop", "tool": "it.assign", "arguments": {"employee": ref("steps.hire.result.id")}},
        {"id": "all", "tool": "hr.names", "needs": ["laptop"], "retry": 1},
    ],
    "output": {"laptop": ref("steps.laptop.result"), "first": ref("steps.all.result.0")},
}


@pytest.mark.anyio
@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_a_workflow_over_two_servers_behind_a_gateway(era: str) -> None:
    staff: dict[int, str] = {}
    workflow = Workflow.of(ONBOARDING)
    async with Gateway.of({"hr": hr(staff), "it": it(["L1"])}) as gateway:
        async with await connect(gateway.server, era=era) as conn:
            trace = await workflow.run(conn, {"name": "Ada"})
            assert (trace.outcome, trace.output) == ("done", {"laptop": "L1 for 1", "first": "Ada"}), trace
            trace = await workflow.run(conn, {"name": "Bob"})
            assert trace.outcome == "failed"
            assert "there is no laptop left" in trace.error
            assert staff == {1: "Ada"}


@pytest.mark.anyio
async def test_its_mistakes_are_found_from_what_the_servers_list() -> None:
    table = {**ONBOARDING, "output": ref("steps.hire.result.nmae")}
    async with Gateway.of({"hr": hr({})}) as gateway, await connect(gateway.server) as conn:
        with pytest.raises(WorkflowError) as caught:
            await Workflow.of(table).run(conn, {"name": "Ada"})
    said = list(caught.value.mistakes)
    assert len(said) == 2
    assert "no tool 'it.assign'" in said[0]
    assert "'hr.hire' answers with no 'nmae'. Did you mean 'name'?" in said[1]


@pytest.mark.anyio
async def test_what_cannot_be_asked_for_its_tools_has_to_bring_them() -> None:
    with pytest.raises(WorkflowError, match=r"World cannot be asked for its tools: give them, as in run\(..., tools"):
        await of(step("a")).run(World())
