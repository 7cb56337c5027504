"""What a model is given and what it returns, whoever's model it is.

A model is a function of a conversation and of the tools that are offered: it answers with text, with calls of tools, or
with both. It does nothing by itself; the loop makes the calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from labkit.errors import LabError

Json = dict[str, Any]
Role = Literal["system", "user", "assistant", "tool"]


class ModelError(LabError):
    """A model that cannot be used, or that gave no answer."""


class ModelBusyError(ModelError):
    """No answer now: too many requests, a service that is down, a line that broke. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Usage:
    """Tokens: what a model was given to read, and what it wrote."""

    read: int = 0
    written: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.read + other.read, self.written + other.written)

    @property
    def total(self) -> int:
        """Both together."""
        return self.read + self.written


@dataclass(frozen=True)
class Tool:
    """A tool as a model sees it. `name` is what it calls it by; `schema` is the JSON Schema of its arguments."""

    name: str
    description: str = ""
    schema: Json = field(default_factory=lambda: {"type": "object"})

    @classmethod
    def of(cls, definition: Json, name: str = "") -> Tool:
        """A tool from its MCP definition, under another name if one is given. A title goes before the description."""
        parts = [str(definition[key]) for key in ("title", "description") if definition.get(key)]
        return cls(name or definition["name"], "\n".join(parts), definition.get("inputSchema") or {"type": "object"})


@dataclass(frozen=True)
class ToolCall:
    """A call that a model wants made. Its `id` binds the result to it."""

    id: str
    name: str
    arguments: Json = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Message:
    """One entry of a conversation.

    `calls` are an assistant's. A message of role "tool" answers the call `call_id`, and `is_error` says that it failed.
    `by` is the agent that said it, where there are several: to a model that is asked, another one than itself.
    """

    role: Role
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    is_error: bool = False
    by: str = ""


@dataclass(frozen=True)
class Reply:
    """What a model returned. Without calls the conversation is over, and `text` is its answer."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default=Usage(), compare=False)
    """What it took; nothing when the service does not say."""
    by: str = ""


class Model(Protocol):
    """A model: anything with a name that replies."""

    @property
    def name(self) -> str:
        """What it is called in transcripts."""
        ...

    async def reply(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        """The next reply. Raises ModelError when there is none; ModelBusyError when there may be later."""
        ...
