"""The package `openai-agents` on the lab's models and servers: its loop in place of ours, and no key.

    from agents import Agent, Runner

    async with opened({"calc": "calculator"}) as servers:
        agent = Agent("sums", model=LabModel(ScriptedModel(script)), mcp_servers=[LabServer(servers)])
        told = await Runner.run(agent, "Add 2 and 3.", run_config=UNTRACED)
        told.final_output

    async with connected(MCPServerStdio({"command": ..., "args": [...]})) as (calc,):       # the package's own client
        ...

A model of the lab is a `LabModel`, one for each agent and run. The lab's connections, with their tapes, or any toolbox
such as `Injected`, are a `LabServer`. `connected` closes servers of the package whatever ends the block. Tracing is on
unless `UNTRACED` is given: it sends all that is said to OpenAI, when a key is set.

Of the packages that the lab knows this is the one with the name `agents`. Importing this module without it raises a
ModelError that says how to get it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any, TypeVar, cast
from uuid import uuid4

import anyio
import mcp_types as types

from labkit.agents import model as lab
from labkit.agents.toolbox import Connections, Toolbox
from labkit.errors import LabError
from labkit.session.connection import CLOSING, Connection

try:
    from agents import FunctionTool, Handoff, ModelResponse, RunConfig, UserError
    from agents import Model as _Model
    from agents import Tool as _Tool
    from agents import Usage as _Usage
    from agents.mcp import MCPServer
    from openai.types.responses import (
        Response,
        ResponseCompletedEvent,
        ResponseFunctionToolCall,
        ResponseOutputItem,
        ResponseOutputItemDoneEvent,
        ResponseOutputMessage,
        ResponseOutputText,
        ResponseTextDeltaEvent,
    )
except ImportError as error:
    raise lab.ModelError("The package openai-agents is not installed: python start.py setup --extras") from error

Json = dict[str, Any]
Server = TypeVar("Server", bound=MCPServer)
UNTRACED = RunConfig(tracing_disabled=True)
"""For `Runner.run(..., run_config=)`: nothing is sent anywhere but to the model."""


class LabModel(_Model):
    """A model of the lab for an agent of the package.

    It is asked with the whole conversation, as the package gives it: what other agents said in it is marked `by`. The
    package has no mark for a tool's error, so that a script does not see `is_error`.
    """

    def __init__(self, model: lab.Model) -> None:
        self.model = model
        self._mark, self._numbers = uuid4().hex[:12], count(1)

    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[Any],
        model_settings: Any,
        tools: list[_Tool],
        output_schema: Any,
        handoffs: list[Handoff[Any, Any]],
        tracing: Any,
        **_: Any,
    ) -> ModelResponse:
        """The model's reply. Handing over is a tool, to it."""
        offered = [
            lab.Tool(each.name, each.description, each.params_json_schema)
            for each in tools
            if isinstance(each, FunctionTool)
        ]
        offered += [lab.Tool(each.tool_name, each.tool_description, each.input_json_schema) for each in handoffs]
        system = [lab.Message("system", system_instructions)] if system_instructions else []
        reply = await self.model.reply([*system, *self._messages(input)], offered)
        used = _Usage(
            requests=1,
            input_tokens=reply.usage.read,
            output_tokens=reply.usage.written,
            total_tokens=reply.usage.total,
        )
        return ModelResponse(output=self._items(reply), usage=used, response_id=None)

    async def stream_response(self, *given: Any, **named: Any) -> AsyncIterator[Any]:
        """The reply as events, each item whole."""
        told = await self.get_response(*given, **named)
        numbers = count()
        for place, item in enumerate(told.output):
            if isinstance(item, ResponseOutputMessage):
                yield ResponseTextDeltaEvent(
                    type="response.output_text.delta",
                    content_index=0,
                    delta=cast(ResponseOutputText, item.content[0]).text,
                    item_id=item.id,
                    logprobs=[],
                    output_index=place,
                    sequence_number=next(numbers),
                )
            yield ResponseOutputItemDoneEvent(
                type="response.output_item.done", item=item, output_index=place, sequence_number=next(numbers)
            )
        usage = {
            "input_tokens": told.usage.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": told.usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": told.usage.total_tokens,
        }
        whole = {"id": self._id("resp"), "created_at": 0, "model": self.model.name, "object": "response"}
        whole |= {
            "output": told.output,
            "usage": usage,
            "tools": [],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
        }
        response = Response.model_validate(whole)
        yield ResponseCompletedEvent(type="response.completed", response=response, sequence_number=next(numbers))

    def _id(self, kind: str) -> str:
        return f"{kind}_{self._mark}_{next(self._numbers)}"

    def _items(self, reply: lab.Reply) -> list[ResponseOutputItem]:
        items: list[ResponseOutputItem] = []
        if reply.text or not reply.calls:
            said = ResponseOutputText(type="output_text", text=reply.text, annotations=[])
            items.append(
                ResponseOutputMessage(
                    id=self._id("msg"), type="message", role="assistant", status="completed", content=[said]
                )
            )
        # The package wants ids that are no other call's of the run: a script's own begin again for each conversation.
        items += [
            ResponseFunctionToolCall(
                type="function_call", call_id=self._id("call"), name=each.name, arguments=json.dumps(each.arguments)
            )
            for each in reply.calls
        ]
        return items

    def _messages(self, input: str | list[Any]) -> list[lab.Message]:
        if isinstance(input, str):
            return [lab.Message("user", input)]
        found: list[lab.Message] = []
        for item in cast("list[Json]", input):
            kind = item.get("type") or "message"
            if kind == "function_call_output":
                found.append(lab.Message("tool", _text(item["output"]), call_id=item["call_id"]))
            elif kind == "message" and item["role"] != "assistant":
                found.append(lab.Message("user" if item["role"] == "user" else "system", _text(item["content"])))
            elif kind in ("message", "function_call"):
                ours = f"_{self._mark}_" in str(item.get("call_id") or item.get("id") or "")
                _said(found, item, "" if ours else "another agent")
        return found


class LabServer(MCPServer):
    """Connections of the lab, or a toolbox of them, as a server of the package.

    It offers tools by the names of the toolbox, such as `db.query`; for a real model take names that its service takes:
    `LabServer(Connections(servers, "__"))`. Whoever opened the connections closes them.
    """

    def __init__(self, tools: Toolbox | Mapping[str, Connection], name: str = "lab") -> None:
        super().__init__()
        self._box = Connections(tools) if isinstance(tools, Mapping) else tools
        self._name = name

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self._name

    async def connect(self) -> None:
        """Nothing: the connections are open."""

    async def cleanup(self) -> None:
        """Nothing: they are closed by whoever opened them."""

    async def list_tools(self, run_context: Any = None, agent: Any = None) -> list[types.Tool]:
        """What the toolbox offers now."""
        return [
            types.Tool(name=each.name, description=each.description, input_schema=each.schema)
            for each in await self._box.tools()
        ]

    async def call_tool(self, tool_name: str, arguments: Json | None, meta: Json | None = None) -> types.CallToolResult:
        """Call a tool of the toolbox. A LabError is a tool error, which the model reads, as in the lab's loop."""
        try:
            result = await self._box.call(tool_name, arguments or {})
        except LabError as error:
            return _result(str(error), is_error=True)
        return _result(result.text, is_error=result.is_error)

    async def list_prompts(self) -> types.ListPromptsResult:
        """None: a toolbox has tools."""
        return types.ListPromptsResult(prompts=[])

    async def get_prompt(self, name: str, arguments: Json | None = None) -> types.GetPromptResult:
        """Raises UserError: there is none."""
        raise UserError(f"{self.name} has no prompt {name!r}: it offers tools.")


@asynccontextmanager
async def connected(*servers: Server) -> AsyncGenerator[tuple[Server, ...]]:
    """Servers of the package, connected; all are cleaned up, whatever ends the block.

    A task of their own connects them and cleans up. In a scope of anyio that is cancelled, which cancels each wait
    again and again, the package's own `async with` cancels the end of the process as often, and hangs.
    """
    ready, over = asyncio.Event(), asyncio.Event()

    async def own() -> None:
        async with AsyncExitStack() as stack:
            for server in servers:
                await stack.enter_async_context(cast(Any, server))
            ready.set()
            await over.wait()

    owner, waiting = asyncio.create_task(own()), asyncio.create_task(ready.wait())
    try:
        await asyncio.wait((owner, waiting), return_when=asyncio.FIRST_COMPLETED)
        if owner.done():
            owner.result()  # raises why
        yield servers
    finally:
        waiting.cancel()
        over.set()
        if not ready.is_set():
            owner.cancel()
        with anyio.move_on_after(CLOSING, shield=True):
            await asyncio.wait((owner,))
        if owner.done() and not owner.cancelled():
            owner.exception()  # has been raised above, or logged by the package


def _said(found: list[lab.Message], item: Json, by: str) -> None:
    """Add what an assistant said or called: to its last message, where that was the same reply."""
    last = found[-1] if found and found[-1].role == "assistant" and found[-1].by == by else None
    text, calls = (last.text, last.calls) if last else ("", ())
    if item.get("type") == "function_call":
        calls = (*calls, lab.ToolCall(item["call_id"], item["name"], json.loads(item["arguments"] or "{}")))
    else:
        text = "\n".join(filter(None, (text, _text(item["content"]))))
    found[len(found) - bool(last) :] = [lab.Message("assistant", text, calls, by=by)]


def _text(content: str | Json | Sequence[Json]) -> str:
    """The texts of what may be one, or parts of which some are."""
    if isinstance(content, str):
        return content
    parts: Iterable[Json] = [content] if isinstance(content, dict) else content
    return "\n".join(str(part["text"] if "text" in part else f"<{part.get('type')}>") for part in parts)


def _result(text: str, *, is_error: bool) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=is_error)
