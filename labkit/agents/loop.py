"""The loop of every agent: ask the model, make the calls that it wants, tell it what came, until it answers.

    told = await run(model, "How much leave has E001?", {"leave": leave, "mail": mail})

Calls of one reply are made at the same time. A call that fails, or that the gate refuses, is told to the model as a
tool error: it may correct itself. Being cancelled cancels the calls on their way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from labkit.agents.model import Message, Model, Reply, ToolCall
from labkit.agents.toolbox import Connections, Toolbox, ToolResult
from labkit.agents.transcript import Done, Transcript
from labkit.errors import LabError
from labkit.session.connection import Connection

STEPS = 12
"""Replies of the model in one run, unless the caller says otherwise."""


class Gate(Protocol):
    """What stands between the model and its tools: code that decides, where a model can be talked into anything."""

    async def before(self, call: ToolCall) -> str:
        """Why the call is not made, in a sentence that the model is told; empty when it is made.

        The calls of one reply are asked about one after the other, before any of them is made.
        """
        ...

    async def after(self, call: ToolCall, result: ToolResult) -> ToolResult:
        """What the model is told of the result."""
        ...


async def run(
    model: Model,
    task: str,
    tools: Toolbox | Mapping[str, Connection],
    *,
    system: str = "",
    steps: int = STEPS,
    gate: Gate | None = None,
    transcript: Transcript | None = None,
) -> Transcript:
    """Let `model` do `task` with `tools`: connections by name, or a toolbox.

    Returns what was said and done; `ended` is "answered", or "steps" when the model still wanted to call tools after so
    many replies. Whoever wants to keep what was done before a failure or a cancellation passes a `transcript` in.
    Raises ModelError, and LabError when the tools cannot be listed.
    """
    box = Connections(tools) if isinstance(tools, Mapping) else tools
    told = transcript if transcript is not None else Transcript()
    told.model = model.name
    told.messages += [Message("system", system)] * bool(system) + [Message("user", task)]
    try:
        for _ in range(steps):
            reply = await model.reply(tuple(told.messages), await box.tools())
            told.steps += 1
            told.messages.append(Message("assistant", reply.text, reply.calls))
            if not reply.calls:
                told.ended = "answered"
                return told
            await _make(reply, box, gate, told)
    except asyncio.CancelledError:
        told.ended = "cancelled"
        raise
    except BaseException:
        told.ended = "failed"
        raise
    told.ended = "steps"
    return told


async def _make(reply: Reply, box: Toolbox, gate: Gate | None, told: Transcript) -> None:
    """Make the calls of one reply, and write down what came, in the order in which the model asked."""
    refused: dict[int, str] = {}
    for place, call in enumerate(reply.calls):
        if gate and (why := await gate.before(call)):
            refused[place] = why
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {
                place: group.create_task(_one(box, call))
                for place, call in enumerate(reply.calls)
                if place not in refused
            }
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None  # a toolbox that is broken: the first failure says how
    for place, call in enumerate(reply.calls):
        if place in refused:
            result = ToolResult(refused[place], is_error=True)
        else:
            result = tasks[place].result()
            result = await gate.after(call, result) if gate else result
        told.calls.append(Done(call, result.text, result.is_error, refused=place in refused))
        told.messages.append(Message("tool", result.text, call_id=call.id, is_error=result.is_error))


async def _one(box: Toolbox, call: ToolCall) -> ToolResult:
    try:
        return await box.call(call.name, call.arguments)
    except LabError as error:
        return ToolResult(str(error), is_error=True)
