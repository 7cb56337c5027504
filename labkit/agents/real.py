"""Real models over the official SDKs, when a key is set: the same loop, tools and gates, with somebody who thinks.

    model = model_from_environment() or ObedientModel()

| variable | what it does |
|---|---|
| `ANTHROPIC_API_KEY`, `OPENAI_API_KEY` | which model there is; the first of the two that is set |
| `ANTHROPIC_BASE_URL`, `OPENAI_BASE_URL` | another address that speaks the same protocol |
| `LAB_MODEL` | which model to ask for, instead of a small one |

The packages `anthropic` and `openai` are imported when they are needed, and need not be installed without a key.
Answers are taken whole, not streamed. The SDKs' own retries are off: `run` asks again, and layers that both retry
multiply. Whoever opens a model closes it: `await model.close()`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

from labkit.agents.model import Json, Message, Model, ModelBusyError, ModelError, Reply, Tool, ToolCall, Usage

ANTHROPIC_MODEL, OPENAI_MODEL = "claude-haiku-4-5", "gpt-5.4-mini"
TOKENS = 4096
"""Of one reply."""
SECONDS = 120.0
"""For one reply."""
BUSY = {408, 409, 429}
"""Statuses, beside those from 500 on, that may be gone the next time."""


def model_from_environment(environ: Mapping[str, str] | None = None) -> Model | None:
    """The model of the first key that is set; None without one. Raises ModelError when its package is not installed."""
    env = os.environ if environ is None else environ
    for kind, word in ((AnthropicModel, "ANTHROPIC"), (OpenAIModel, "OPENAI")):
        if key := env.get(f"{word}_API_KEY"):
            return kind(key, env.get("LAB_MODEL", ""), base_url=env.get(f"{word}_BASE_URL") or None)
    return None


class AnthropicModel:
    """A model behind Anthropic's Messages API."""

    def __init__(self, key: str, name: str = "", *, base_url: str | None = None) -> None:
        self.name = name or ANTHROPIC_MODEL
        self._sdk = _package("anthropic", "ANTHROPIC_API_KEY")
        self._client: Any = self._sdk.AsyncAnthropic(api_key=key, base_url=base_url, timeout=SECONDS, max_retries=0)

    async def reply(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        """The model's reply. Raises ModelError when the service gives none."""
        names = _Names(messages, tools)
        asked: Json = {"model": self.name, "max_tokens": TOKENS, "messages": _for_anthropic(messages, names)}
        if system := "\n\n".join(m.text for m in messages if m.role == "system"):
            asked["system"] = system
        if tools:
            asked["tools"] = [
                {"name": names.out[t.name], "description": t.description, "input_schema": _object(t.schema)}
                for t in tools
            ]
        try:
            answer = await self._client.messages.create(**asked)
        except self._sdk.APIError as error:
            raise _no_answer(self.name, error) from error
        texts = [block.text for block in answer.content if block.type == "text"]
        calls = [
            ToolCall(block.id, names.back(block.name), dict(block.input or {}))
            for block in answer.content
            if block.type == "tool_use"
        ]
        return Reply("\n".join(texts), tuple(calls), Usage(answer.usage.input_tokens, answer.usage.output_tokens))

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


class OpenAIModel:
    """A model behind OpenAI's Chat Completions API, which many other services speak as well."""

    def __init__(self, key: str, name: str = "", *, base_url: str | None = None) -> None:
        self.name = name or OPENAI_MODEL
        self._sdk = _package("openai", "OPENAI_API_KEY")
        self._client: Any = self._sdk.AsyncOpenAI(api_key=key, base_url=base_url, timeout=SECONDS, max_retries=0)

    async def reply(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        """The model's reply. Raises ModelError when the service gives none."""
        names = _Names(messages, tools)
        asked: Json = {"model": self.name, "messages": [_for_openai(message, names) for message in messages]}
        if tools:
            asked["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": names.out[t.name],
                        "description": t.description,
                        "parameters": _object(t.schema),
                    },
                }
                for t in tools
            ]
        try:
            answer = await self._client.chat.completions.create(max_completion_tokens=TOKENS, **asked)
        except self._sdk.APIError as error:
            raise _no_answer(self.name, error) from error
        if not answer.choices:
            raise ModelError(f"{self.name} answered without a choice. Ask again.")
        said = answer.choices[0].message
        calls = [
            ToolCall(each.id, names.back(each.function.name), _arguments(each.function.arguments))
            for each in said.tool_calls or ()
        ]
        used = answer.usage  # some services that speak this protocol leave it out
        usage = Usage(used.prompt_tokens, used.completion_tokens) if used else Usage()
        return Reply(said.content or "", tuple(calls), usage)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


class _Names:
    """Tools' names as these services take them: letters, digits, `_` and `-`, 64 at most; and the way back."""

    def __init__(self, messages: Sequence[Message], tools: Sequence[Tool]) -> None:
        self.out: dict[str, str] = {}
        # Tools that have gone since they were called are still spoken of.
        called = (call.name for message in messages for call in message.calls)
        for name in [*(tool.name for tool in tools), *called]:
            if name not in self.out:
                self.out[name] = _free(re.sub(r"[^A-Za-z0-9_-]", "_", name)[:60] or "_", self.out.values())
        self._back = {short: name for name, short in self.out.items()}

    def back(self, short: str) -> str:
        """The name of a tool that the model calls so; what it has made up stays as it is."""
        return self._back.get(short, short)


def _free(name: str, taken: Iterable[str]) -> str:
    used, number, found = set(taken), 1, name
    while found in used:
        number += 1
        found = f"{name}_{number}"
    return found


def _for_anthropic(messages: Sequence[Message], names: _Names) -> list[Json]:
    """Turns of user and assistant, in turn. Results of tools are the user's, those of one reply together."""
    turns: list[Json] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if message.role == "tool":
            blocks: list[Json] = [
                {
                    "type": "tool_result",
                    "tool_use_id": message.call_id,
                    "content": message.text,
                    "is_error": message.is_error,
                }
            ]
        else:
            blocks = [{"type": "text", "text": message.text}] if message.text else []
            blocks += [
                {"type": "tool_use", "id": each.id, "name": names.out[each.name], "input": each.arguments}
                for each in message.calls
            ]
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _for_openai(message: Message, names: _Names) -> Json:
    if message.role == "tool":
        # This API has no mark for a result that is an error.
        text = f"Error: {message.text}" if message.is_error else message.text
        return {"role": "tool", "tool_call_id": message.call_id, "content": text}
    if not message.calls:
        return {"role": message.role, "content": message.text}
    calls = [
        {
            "id": each.id,
            "type": "function",
            "function": {"name": names.out[each.name], "arguments": json.dumps(each.arguments)},
        }
        for each in message.calls
    ]
    return {"role": "assistant", "content": message.text or None, "tool_calls": calls}


def _object(schema: Json) -> Json:
    return {"type": "object", "properties": {}, **schema}


def _arguments(text: str) -> Json:
    """What the model wrote; text that is no JSON object goes to the tool, whose refusal tells the model so."""
    try:
        found: Any = json.loads(text or "{}")
    except ValueError:
        return {"arguments": text}
    return found if isinstance(found, dict) else {"arguments": text}  # pyright: ignore[reportUnknownVariableType]


def _package(name: str, variable: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ModelError(
            f"{variable} is set, and the package {name!r} is not installed: python -m pip install {name}. Or unset"
            f" {variable} to do without a real model."
        ) from error


def _no_answer(model: str, error: Exception) -> ModelError:
    said = f"{type(error).__name__}: {error}"
    status: Any = getattr(error, "status_code", None)
    # A connection that failed has no status. A quota that is used up says 429 as well, and does not come back.
    if (status is None or status in BUSY or status >= 500) and getattr(error, "code", None) != "insufficient_quota":
        return ModelBusyError(f"{model} gave no answer: {said}. Ask again later.", _retry_after(error))
    return ModelError(f"{model} gave no answer: {said}. Check the key, the name of the model, and the network.")


def _retry_after(error: Any) -> float | None:
    """The seconds that the service asks to wait; None when it gives none, or a date."""
    try:
        seconds = float(error.response.headers["retry-after"])
    except (AttributeError, KeyError, ValueError):
        return None
    return seconds if 0 <= seconds < float("inf") else None
