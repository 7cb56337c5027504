"""Agents that hand a conversation over: a router that knows who can do what, and specialists with tools of their own.

    shop = Agent("shop", model, "You answer questions about orders.", {"db": db}, about="orders and customers")
    mail = Agent("mail", model, "You write mails.", {"mail": post}, about="mails")
    router = Agent("router", model, "Hand over to whoever can do it.", handoffs=[shop, mail])
    told = await run_agent(router, "How many orders came today?")

Handing over is a tool, `hand_to_shop`, which the loop calls like any other. From then on the other agent is asked, with
its own instructions and tools. It is given what the user has said and the note of whoever handed over - not what that
one has read, and none of its tools. The note is a model's words, and worth as much as what that model has read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labkit.agents.loop import run
from labkit.agents.model import Json, Message, Model, Reply, Tool
from labkit.agents.toolbox import Connections, Toolbox, ToolResult
from labkit.agents.transcript import Transcript
from labkit.errors import LabError
from labkit.session.connection import Connection

PREFIX = "hand_to_"
NOTE: Json = {
    "type": "object",
    "properties": {"note": {"type": "string", "description": "What the other one has to know, beside the task."}},
}


@dataclass(eq=False)
class Agent:
    """A model with instructions and tools. `about` tells others what it is for; `handoffs` are whom it may hand to."""

    name: str
    model: Model
    system: str = ""
    tools: Toolbox | Mapping[str, Connection] = field(default_factory=dict[str, Connection])
    about: str = ""
    handoffs: list[Agent] = field(default_factory=list["Agent"], repr=False)


async def run_agent(agent: Agent, task: str, **options: Any) -> Transcript:
    """Let an agent do a task, itself or by handing it over. `options` are those of `run`, without `system`.

    In the transcript `by` says whose each reply is. Agents that hand to and fro end at the limit of steps.
    """
    team = _Team(agent)
    return await run(team, task, team, **options)


class _Team:
    """One conversation of several agents, which to the loop is one model and one toolbox."""

    def __init__(self, first: Agent) -> None:
        self.name = first.name
        self._take_over(first)

    def _take_over(self, agent: Agent, note: str = "") -> None:
        self._agent, self._note = agent, note
        self._box = Connections(agent.tools) if isinstance(agent.tools, Mapping) else agent.tools
        self._next: tuple[Agent, str] | None = None
        self._since: int | None = None
        """How many messages there were when the agent began."""

    async def tools(self) -> list[Tool]:
        if self._next:
            self._take_over(*self._next)
        own = await self._box.tools()
        hands = [Tool(PREFIX + each.name, f"Hand over to {each.name}: {each.about}", NOTE) for each in self._others()]
        if taken := {tool.name for tool in own} & {tool.name for tool in hands}:
            raise LabError(f"{self._agent.name} has a tool {min(taken)!r}, which is how it hands over: rename one.")
        return own + hands

    async def call(self, name: str, arguments: Json) -> ToolResult:
        found = next((each for each in self._others() if PREFIX + each.name == name), None)
        if found is None:
            return await self._box.call(name, arguments)
        if self._next:
            return ToolResult(f"This conversation goes to {self._next[0].name} already.", is_error=True)
        self._next = found, str(arguments.get("note") or "")
        return ToolResult(f"{found.name} goes on.")

    async def reply(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        if self._since is None:
            self._since = len(messages)
        heard = [message for message in messages[: self._since] if message.role == "user"]
        if self._note:
            heard[-1] = replace(heard[-1], text=f"{heard[-1].text}\n\n(Handed over with this note: {self._note})")
        system = [Message("system", self._agent.system)] * bool(self._agent.system)
        own = [replace(message, by="") for message in messages[self._since :]]  # `by` is for what others said
        reply = await self._agent.model.reply((*system, *heard, *own), tools)
        return replace(reply, by=self._agent.name)

    def _others(self) -> list[Agent]:
        return self._agent.handoffs
