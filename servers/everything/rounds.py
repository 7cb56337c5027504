"""Conformance fixtures for calls of several rounds (2026-07-28): results of type `input_required`."""

from __future__ import annotations

import json
from typing import Any

import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, UserMessage

Result = str | types.InputRequiredResult


def register(server: MCPServer[Any]) -> None:
    one_round(server)
    with_state(server)

    @server.prompt()
    async def test_input_required_result_prompt(ctx: Context) -> list[UserMessage] | types.InputRequiredResult:
        """Fixture: a prompt that asks first."""
        if answer := answers(ctx).get("user_context"):
            return [UserMessage(f"Use the following context: {content(answer, 'context')}")]
        return ask(user_context=form("What context should the prompt use?", "context"))


def one_round(server: MCPServer[Any]) -> None:
    @server.tool()
    async def test_input_required_result_elicitation(ctx: Context) -> Result:
        """Fixture: asks the user."""
        if answer := answers(ctx).get("user_name"):
            return f"Hello, {content(answer, 'name')}!"
        return ask(user_name=form("What is your name?", "name"))

    @server.tool()
    async def test_streaming_elicitation(ctx: Context) -> Result:
        """Fixture: reports progress, so that the answer is a stream, and then asks the user."""
        await ctx.report_progress(1, 2, "about to ask")
        if answer := answers(ctx).get("user_name"):
            return f"Hello, {content(answer, 'name')}!"
        return ask(user_name=form("What is your name?", "name"))

    @server.tool()
    async def test_input_required_result_sampling(ctx: Context) -> Result:
        """Fixture: asks the model."""
        answer = answers(ctx).get("capital_question")
        if isinstance(answer, types.CreateMessageResult):
            return f"Model said: {getattr(answer.content, 'text', '')}"
        return ask(capital_question=sample("What is the capital of France?"))

    @server.tool()
    async def test_input_required_result_list_roots(ctx: Context) -> Result:
        """Fixture: asks for the roots."""
        answer = answers(ctx).get("client_roots")
        if isinstance(answer, types.ListRootsResult):
            return f"Client exposed {len(answer.roots)} root(s)."
        return ask(client_roots=types.ListRootsRequest())

    @server.tool()
    async def test_input_required_result_capabilities(ctx: Context) -> types.InputRequiredResult:
        """Fixture: asks only for what the client can do."""
        can = ctx.client_capabilities
        wanted: dict[str, types.InputRequest] = {}
        if can is None or can.sampling is not None:
            wanted["sample"] = sample("Say hello")
        if can is None or can.elicitation is not None:
            wanted["ask"] = form("What is your name?", "name")
        return ask("capability-gated", **wanted)


def with_state(server: MCPServer[Any]) -> None:
    """The state is plain text here. On the wire the SDK seals it, and refuses what was tampered with."""

    @server.tool()
    async def test_input_required_result_request_state(ctx: Context) -> Result:
        """Fixture: the state comes back."""
        if "confirm" in answers(ctx) and ctx.request_state == "asked":
            return "state-ok: confirmation received"
        return ask("asked", confirm=form("Please confirm", "ok", "boolean"))

    @server.tool()
    async def test_input_required_result_tampered_state(ctx: Context) -> Result:
        """Fixture: the state comes back changed, and is refused."""
        if ctx.request_state is not None:
            return f"state-ok: {ctx.request_state}"
        return ask("asked", confirm=form("Please confirm", "ok", "boolean"))

    @server.tool()
    async def test_input_required_result_multiple_inputs(ctx: Context) -> Result:
        """Fixture: asks for three things at once."""
        wanted: dict[str, types.InputRequest] = {
            "user_name": form("What is your name?", "name"),
            "greeting": sample("Generate a greeting"),
            "client_roots": types.ListRootsRequest(),
        }
        return "All inputs received." if wanted.keys() <= answers(ctx).keys() else ask("three things", **wanted)

    @server.tool()
    async def test_input_required_result_multi_round(ctx: Context) -> Result:
        """Fixture: two questions, one after the other."""
        state = json.loads(ctx.request_state) if ctx.request_state else {"round": 0}
        given = answers(ctx)
        if state["round"] == 1 and "step1" in given:
            name = content(given["step1"], "name")
            return ask(
                json.dumps({"round": 2, "name": name}), step2=form("Step 2: What is your favorite color?", "color")
            )
        if state["round"] == 2 and "step2" in given:
            return f"{state['name']} likes {content(given['step2'], 'color')}."
        # First round, or an answer that is missing: ask from the start.
        return ask(json.dumps({"round": 1}), step1=form("Step 1: What is your name?", "name"))


def answers(ctx: Context) -> dict[str, Any]:
    return dict(ctx.input_responses or {})


def content(answer: Any, key: str) -> str:
    return str((answer.content or {}).get(key, "?")) if isinstance(answer, types.ElicitResult) else "?"


def ask(state: str | None = None, **requests: types.InputRequest) -> types.InputRequiredResult:
    return types.InputRequiredResult(input_requests=requests, request_state=state)


def form(message: str, key: str, kind: str = "string") -> types.ElicitRequest:
    schema = {"type": "object", "properties": {key: {"type": kind}}, "required": [key]}
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(text: str) -> types.CreateMessageRequest:
    message = types.SamplingMessage(role="user", content=types.TextContent(text=text))
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=100))
