"""The loop of every agent: ask the model, make the calls that it wants, tell it what came, until it answers.

    told = await run(model, "How much leave has E001?", {"leave": leave, "mail": mail})

Calls of one reply are made at the same time. A call that fails, or that the gate refuses, is told to the model as a
tool error: it may correct itself. Being cancelled cancels the calls on their way. A model that is busy is asked again,
after a while; a run ends at its limits.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from typing import Protocol

from labkit.agents.limits import UNLIMITED, Limits
from labkit.agents.model import Message, Model, ModelBusyError, Reply, Tool, ToolCall
from labkit.agents.toolbox import Connections, Toolbox, ToolResult
from labkit.agents.transcript import Done, Transcript
from labkit.errors import LabError
from labkit.patterns.retry import Backoff, Retrying
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
    limits: Limits = UNLIMITED,
    retrying: Retrying | None = None,
    gate: Gate | None = None,
    transcript: Transcript | None = None,
) -> Transcript:
    """Let `model` do `task` with `tools`: connections by name, or a toolbox.

    Returns what was said and done; `ended` is "answered", or "steps" when so many replies called tools: the calls of
    the last are made, and the model is not asked again; or the limit that its next calls would pass: those are not
    made. `retrying` says how often a model that is busy is asked, and how long is waited; by default three times,
    within seconds. Whoever wants to keep what was done before a failure or a cancellation passes a `transcript` in.
    Raises ModelError, and LabError when the tools cannot be listed.
    """
    box = Connections(tools) if isinstance(tools, Mapping) else tools
    told = transcript if transcript is not None else Transcript()
    patient = retrying or patience()
    told.model = model.name
    told.messages += [Message("system", system)] * bool(system) + [Message("user", task)]
    try:
        for _ in range(steps):
            reply = await patient.run(functools.partial(_ask, model, await box.tools(), told))
            told.steps += 1
            told.usage += reply.usage
            told.messages.append(Message("assistant", reply.text, reply.calls, by=reply.by))
            if not reply.calls:
                told.ended = "answered"
                return told
            if over := limits.over(len(told.calls) + len(reply.calls), told.usage):
                told.ended = over
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


def patience(attempts: int = 3, *, base: float = 0.5, cap: float = 20.0) -> Retrying:
    """Ask a model that is busy so many times, after waits at random that may double, and as long as it says itself."""
    return Retrying(attempts, backoff=Backoff(base, cap), when=lambda error: isinstance(error, ModelBusyError))


async def _ask(model: Model, tools: list[Tool], told: Transcript) -> Reply:
    told.attempts += 1
    return await model.reply(tuple(told.messages), tools)


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
