"""A model that is plain Python: what it wants to call it yields, and what came it is sent.

    def script(talk):
        total = yield call("calc.add", a=2, b=3)
        both = yield [call("calc.add", a=1, b=1), call("calc.multiply", a=2, b=2)]      # at the same time
        return f"The sum is {total}, and then came {both}."

    told = await run(ScriptedModel(script), "Add 2 and 3.", {"calc": calc})

`talk` is the conversation so far: `talk.task`, and `talk.tools`, the tools that are offered now. What is sent is a
`str`, with `is_error`. `ScriptedModel.from_toml("script.toml")` reads a script from a file, see `script_file`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from labkit.agents.model import Message, ModelError, Reply, Tool, ToolCall, Usage


class Text(str):
    """The text of a tool's result. `is_error` says that the call failed."""

    is_error: bool = False

    @classmethod
    def of(cls, message: Message) -> Text:
        """The text of a message of role "tool"."""
        text = cls(message.text)
        text.is_error = message.is_error
        return text


class Talk:
    """What a script can look at while it runs."""

    def __init__(self, messages: Sequence[Message], tools: Sequence[Tool]) -> None:
        self.messages, self.tools = list(messages), list(tools)

    @property
    def task(self) -> str:
        """What the user asked last."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")


Step = ToolCall | Sequence[ToolCall]
Script = Callable[[Talk], Generator[Step, Any, str]]


def call(name: str, /, **arguments: Any) -> ToolCall:
    """A call to yield. The model gives it its id."""
    return ToolCall("", name, arguments)


class ScriptedModel:
    """Runs a script, from its beginning for each new conversation. One conversation at a time.

    `usage` is what each reply says to have taken, to try limits with.
    """

    def __init__(self, script: Script, name: str = "scripted", *, usage: Usage | None = None) -> None:
        self.name, self.usage = name, usage or Usage()
        self._script = script
        self._running: Generator[Step, Any, str] | None = None
        self._talk = Talk((), ())
        self._count = 0
        self._single = True

    @classmethod
    def from_toml(cls, path: str | Path) -> ScriptedModel:
        """A model whose script is a file, see `labkit.agents.script_file`. Raises ScriptError for a faulty one."""
        from labkit.agents.script_file import read

        name, script, usage = read(path)
        return ScriptedModel(script, name, usage=usage)

    async def reply(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        """The next calls of the script, or its answer. Raises ModelError when the conversation is not its own."""
        last = _last_reply(messages)
        if last is None:
            self._talk, self._count = Talk(messages, tools), 0
            self._running = self._script(self._talk)
            return self._next(None)
        if self._running is None:
            raise ModelError(f"The model {self.name!r} has ended this conversation: begin another one.")
        self._talk.messages, self._talk.tools = list(messages), list(tools)
        since = messages[last + 1 :]
        others = {each.id for message in since for each in message.calls}
        came = [Text.of(message) for message in since if message.role == "tool" and message.call_id not in others]
        return self._next(came[0] if self._single and came else came)

    def _next(self, came: Any) -> Reply:
        assert self._running is not None
        try:
            wanted = self._running.send(came)
        except StopIteration as end:
            self._running = None
            return Reply("" if end.value is None else str(end.value), usage=self.usage)
        self._single = isinstance(wanted, ToolCall)
        calls = (wanted,) if isinstance(wanted, ToolCall) else tuple(wanted)
        self._count += len(calls)
        first = self._count - len(calls) + 1
        numbered = tuple(ToolCall(f"call-{n}", c.name, c.arguments) for n, c in enumerate(calls, first))
        return Reply(calls=numbered, usage=self.usage)


def _last_reply(messages: Sequence[Message]) -> int | None:
    """The place of the model's last reply; None when it has not replied since the user asked. Replies of others do not
    count, where several agents are in one conversation."""
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].role == "assistant" and not messages[place].by:
            return place
        if messages[place].role == "user":
            return None
    return None
