"""Models of Anthropic, over the package `anthropic`: the Messages API, whole or streamed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from labkit.agents.model import Json, Message, Reply, Tool, ToolCall, Usage
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

ANTHROPIC_MODEL = "claude-haiku-4-5"


class AnthropicModel:
    """A model behind Anthropic's Messages API. With `on_text` replies are streamed, see `labkit.agents.real`."""

    def __init__(self, key: str, name: str = "", *, base_url: str | None = None, on_text: OnText | None = None) -> None:
        self.name, self.on_text = name or ANTHROPIC_MODEL, on_text
        self._sdk = package("anthropic", "ANTHROPIC_API_KEY")
        self._client: Any = self._sdk.AsyncAnthropic(api_key=key, base_url=base_url, timeout=SECONDS, max_retries=0)

    async def reply(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        """The model's reply. Raises ModelError when the service gives none, or not all of it."""
        names = Names(messages, tools)
        asked: Json = {"model": self.name, "max_tokens": TOKENS, "messages": _turns(messages, names)}
        if system := "\n\n".join(m.text for m in messages if m.role == "system"):
            asked["system"] = system
        if tools:
            asked["tools"] = [
                {"name": names.out[t.name], "description": t.description, "input_schema": object_schema(t.schema)}
                for t in tools
            ]
        try:
            answer = await (self._streamed(asked, self.on_text) if self.on_text else self._whole(asked))
        except self._sdk.APIError as error:
            raise no_answer(self.name, error) from error
        texts = [block.text for block in answer.content if block.type == "text"]
        calls = [
            ToolCall(block.id, names.back(block.name), dict(block.input or {}))
            for block in answer.content
            if block.type == "tool_use"
        ]
        if calls and answer.stop_reason == "max_tokens":
            raise cut_off(self.name)
        return Reply("\n".join(texts), tuple(calls), Usage(answer.usage.input_tokens, answer.usage.output_tokens))

    async def _whole(self, asked: Json) -> Any:
        return await self._client.messages.create(**asked)

    async def _streamed(self, asked: Json, on_text: OnText) -> Any:
        written: dict[int, str] = defaultdict(str)
        answer: Any = None
        async with (
            self._client.messages.stream(**asked) as stream,
            aclosing(pieces(stream, self.name, self._sdk)) as events,
        ):
            async for event in events:
                if event.type == "text":
                    await tell(on_text, event.text)
                elif event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                    written[event.index] += event.delta.partial_json
                elif event.type == "message_stop":
                    answer = event.message
        if answer is None:
            raise broken(self.name, "its stream ended before its end")
        # The SDK completes what is half a JSON object. Arguments are what was written, or none.
        for place, text in written.items():
            answer.content[place].input = arguments(text)
        return answer

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


def _turns(messages: Sequence[Message], names: Names) -> list[Json]:
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
