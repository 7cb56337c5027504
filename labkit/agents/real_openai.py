"""Models of OpenAI, over the package `openai`: the Chat Completions API, whole or streamed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from labkit.agents.model import Json, Message, ModelError, Reply, Tool, ToolCall, Usage
from labkit.agents.service import (
    SECONDS,
    TOKENS,
    Names,
    OnText,
    arguments,
    broken,
    cut_off,
    no_answer,
    object_schema,
    package,
    pieces,
    tell,
)

OPENAI_MODEL = "gpt-5.4-mini"


class OpenAIModel:
    """A model behind OpenAI's Chat Completions API, which many other services speak as well.

    With `on_text` replies are streamed, see `labkit.agents.real`.
    """

    def __init__(self, key: str, name: str = "", *, base_url: str | None = None, on_text: OnText | None = None) -> None:
        self.name, self.on_text = name or OPENAI_MODEL, on_text
        self._sdk = package("openai", "OPENAI_API_KEY")
        self._client: Any = self._sdk.AsyncOpenAI(api_key=key, base_url=base_url, timeout=SECONDS, max_retries=0)

    async def reply(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        """The model's reply. Raises ModelError when the service gives none, or not all of it."""
        names = Names(messages, tools)
        asked: Json = {
            "model": self.name,
            "messages": [_message(each, names) for each in messages],
            "max_completion_tokens": TOKENS,
        }
        if tools:
            asked["tools"] = [_function(each, names) for each in tools]
        try:
            answer = await (self._streamed(asked, self.on_text) if self.on_text else self._whole(asked))
        except self._sdk.APIError as error:
            raise no_answer(self.name, error) from error
        if not answer.choices:
            raise ModelError(f"{self.name} answered without a choice. Ask again.")
        said = answer.choices[0].message
        if said.tool_calls and answer.choices[0].finish_reason == "length":
            raise cut_off(self.name)
        calls = [
            ToolCall(each.id, names.back(each.function.name), arguments(each.function.arguments))
            for each in said.tool_calls or ()
        ]
        used = answer.usage  # some services that speak this protocol leave it out
        usage = Usage(used.prompt_tokens, used.completion_tokens) if used else Usage()
        return Reply(said.content or "", tuple(calls), usage)

    async def _whole(self, asked: Json) -> Any:
        return await self._client.chat.completions.create(**asked)

    async def _streamed(self, asked: Json, on_text: OnText) -> Any:
        begun = False
        counted = {"include_usage": True}
        async with (
            self._client.chat.completions.stream(**asked, stream_options=counted) as stream,
            aclosing(pieces(stream, self.name, self._sdk)) as events,
        ):
            async for event in events:
                begun = True
                if event.type == "content.delta":
                    await tell(on_text, event.delta)
        answer = stream.current_completion_snapshot if begun else None
        if answer is None or not all(each.finish_reason for each in answer.choices):
            raise broken(self.name, "its stream ended before its end")
        return answer

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


def _function(tool: Tool, names: Names) -> Json:
    about = {
        "name": names.out[tool.name],
        "description": tool.description,
        "parameters": object_schema(tool.schema),
    }
    return {"type": "function", "function": about}


def _message(message: Message, names: Names) -> Json:
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
