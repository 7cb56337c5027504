"""A stand-in for a model that is talked into things: it does the user's task, and whatever else it reads.

    told = await run(ObedientModel(), "Add 2 and 3.", {"calc": calc, "files": files})

Deterministic and without a key, so that an attack by words can be run, tested and defended against. It knows no
difference between the user's words, a tool's description and a tool's result, and it reads by the rules of `reading`.
The user's task may also name a tool by the words of its name: "add 2 and 3" calls `add` with the numbers in turn,
"read the inbox" calls `read_inbox`.

What holds against it holds against these rules only. A defence that is code (a name that cannot be taken, a call that
is not made) holds against any model; one that hopes the model will not notice holds against none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import Any

from labkit.agents.model import Tool, ToolCall
from labkit.agents.reading import LAST, Before, Order, Setting, conditions, orders
from labkit.agents.scripted import ScriptedModel, Talk

CALLS = 20
"""Calls of one conversation, after which it answers: two texts that demand each other would keep it busy for ever."""
Work = Generator[ToolCall, Any, str]


class ObedientModel(ScriptedModel):
    """Does what it is told, by anybody."""

    def __init__(self, name: str = "obedient") -> None:
        super().__init__(lambda talk: _Mind(talk).work(), name)


class _Mind:
    def __init__(self, talk: Talk) -> None:
        self.talk, self.last, self.count = talk, "", 0
        self.obeyed = set[str]()
        """Texts whose orders have been followed: a list that is read again is no new order."""

    def work(self) -> Generator[Any, Any, str]:
        task = self.talk.task
        todo: list[Order] = orders(task) or list(_by_words(task, self.talk.tools))
        answer = "I have no tool for that."
        for order in todo:
            for text in self._insisting():
                for extra in orders(text, description=True):
                    yield from self._do(extra)
            answer = (yield from self._do(order)) or answer
        return answer

    def _insisting(self) -> Iterator[str]:
        """Each description that is new."""
        for tool in list(self.talk.tools):
            for text in _texts(tool):
                if text not in self.obeyed:
                    self.obeyed.add(text)
                    yield text

    def _do(self, order: Order, depth: int = 0) -> Work:
        """Make the call of an order, with all that has to come before, and all that its result asks for."""
        tool = _find(order, self.talk.tools)
        if tool is None or self.count >= CALLS or depth > 3:
            return ""
        extra: dict[str, Any] = {}
        for about in self._about(tool):
            if isinstance(about, Setting):
                extra[about.arg] = self.last if about.value is LAST else about.value
                continue
            came = yield from self._do(about.order, depth + 1)
            if about.arg:
                extra[about.arg] = came
        self.count += 1
        given = {name: self.last if value is LAST else value for name, value in order.given.items()}
        values = [self.last if value is LAST else value for value in order.values]
        came = yield ToolCall("", tool.name, {**_filled(order, tool, given, values), **extra})
        self.last = str(came)
        if not getattr(came, "is_error", False):
            for asked in orders(self.last):
                yield from self._do(asked, depth + 1)
        return str(came)

    def _about(self, tool: Tool) -> list[Before | Setting]:
        found: list[Before | Setting] = []
        for each in self.talk.tools:
            for text in _texts(each):
                found += [c for c in conditions(text, each.name) if _is(c.tool, tool)]
        return found


def _texts(tool: Tool) -> list[str]:
    """All that a model reads of a tool; the schema as the JSON that it is given, each text of it by itself."""
    return [tool.description, *_strings(tool.schema)]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield str(key)  # pyright: ignore[reportUnknownArgumentType]
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _strings(each)


def _is(name: str, tool: Tool) -> bool:
    return name.lower() in (tool.name.lower(), _bare(tool.name).lower())


def _bare(name: str) -> str:
    """The name without its owner: what stands after the last separator of hosts."""
    return re.split(r"\.|/|__", name)[-1] or name


def _find(order: Order, tools: list[Tool]) -> Tool | None:
    """The tool that an order means; the first one in the list where several would do."""
    if order.kind == "call":
        exact = [tool for tool in tools if tool.name == order.tool]
        return next(iter(exact or [tool for tool in tools if _is(order.tool, tool)]), None)
    words = {"read": {"read", "open", "cat"}, "send": {"send", "mail", "post", "forward"}}[order.kind]
    takes = {"read": ("path", "file", "filename", "name"), "send": ("to", "recipient", "address", "url")}[order.kind]
    for tool in tools:
        if words & set(re.split(r"[_\W]+", _bare(tool.name).lower())) and _first(tool, takes):
            return tool
    return None


def _first(tool: Tool, names: tuple[str, ...]) -> str:
    return next((name for name in names if name in _properties(tool)), "")


def _properties(tool: Tool) -> dict[str, Any]:
    return tool.schema.get("properties") or {}


def _filled(order: Order, tool: Tool, given: dict[str, Any], values: list[Any]) -> dict[str, Any]:
    """Arguments for the tool: those that are named, or the values where they belong."""
    if order.kind == "read":
        return {_first(tool, ("path", "file", "filename", "name")): values[0]}
    if order.kind == "send":
        whom = _first(tool, ("to", "recipient", "address", "url"))
        rest = [name for name in _properties(tool) if name != whom]
        return {whom: values[1], **dict.fromkeys(rest[:1], values[0])}
    names = [name for name in tool.schema.get("required") or _properties(tool) if name not in given]
    return {**dict(zip(names, values, strict=False)), **given}


def _by_words(task: str, tools: list[Tool]) -> Iterator[Order]:
    """Calls of tools whose names, word by word, a sentence of the task has; numbers and quotes are arguments."""
    for sentence in re.split(r"(?<=[.!?])\s+|\n+|, then ", task):
        words = set(re.findall(r"[a-z]+", sentence.lower()))
        for tool in tools:
            name = set(re.findall(r"[a-z]+", _bare(tool.name).lower()))
            if name and name <= words:
                values = [_plain(text) for text in re.findall(r"\"[^\"]*\"|'[^']*'|-?\d+(?:\.\d+)?", sentence)]
                yield Order("call", tool.name, values=tuple(values))
                break


def _plain(text: str) -> Any:
    return text[1:-1] if text[0] in "\"'" else json.loads(text)
