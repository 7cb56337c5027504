"""Tools that need something from the client: an answer of the user, words of its model, its roots.

The two eras do this in opposite ways. A handshake server sends the client a request of its own, in the middle of the
call. A modern server may not: it ends the call with `input_required`, and the client repeats the call with answers.
A parameter marked `Resolve` hides the difference; `ask_pushed` and `ask_by_rounds` show each way bare.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import mcp_types as types
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import (
    AcceptedElicitation,
    Context,
    Elicit,
    ElicitationResult,
    ListRoots,
    Resolve,
    Sample,
)
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field


class Booking(BaseModel):
    """A form may hold text, numbers, yes-or-no and choices; nothing nested."""

    name: str = Field(description="Your name.", min_length=1)
    guests: int = Field(description="How many people.", ge=1, le=12, default=2)
    time: Literal["18:00", "19:30", "21:00"] = Field(description="When.", default="19:30")
    window: bool = Field(description="A table at the window?", default=False)


class Confirmation(BaseModel):
    sure: bool = Field(description="Really?")


class Name(BaseModel):
    name: str = Field(description="What to call you.")


def booking_form(restaurant: str) -> Elicit[Booking]:
    return Elicit(f"Please complete your booking at {restaurant}.", Booking)


def confirmation_form(path: str) -> Elicit[Confirmation]:
    return Elicit(f"Really delete {path}?", Confirmation)


def question(prompt: str, max_tokens: int) -> Sample:
    message = types.SamplingMessage(role="user", content=types.TextContent(text=prompt))
    return Sample([message], max_tokens=max_tokens, system_prompt="Answer in one sentence.")


def roots() -> ListRoots:
    return ListRoots()


def register(server: MCPServer[Any]) -> None:
    either_era(server)
    one_era(server)


def either_era(server: MCPServer[Any]) -> None:
    @server.tool(title="Book a table")
    async def book_table(
        restaurant: Annotated[str, Field(description="Where.")],
        answer: Annotated[ElicitationResult[Booking], Resolve(booking_form)],
    ) -> str:
        """Ask the user to fill in a form, and tell what came of it."""
        if not isinstance(answer, AcceptedElicitation):
            return f"No booking: the user chose to {answer.action}."
        booking = answer.data
        where = "at the window" if booking.window else "inside"
        return f"Booked at {restaurant} for {booking.name}: {booking.guests} guests, {booking.time}, {where}."

    @server.tool(title="Delete after asking", annotations=types.ToolAnnotations(destructive_hint=True))
    async def delete_path(
        path: Annotated[str, Field(description="What to delete. Nothing is really deleted.")],
        answer: Annotated[Confirmation, Resolve(confirmation_form)],
    ) -> str:
        """Ask the user before doing something dangerous. Without an answer the call fails."""
        return f"Deleted {path}." if answer.sure else f"Kept {path}."

    @server.tool(title="Ask the model of the client")
    async def ask_model(
        prompt: Annotated[str, Field(description="What to ask.")],
        answer: Annotated[types.CreateMessageResult, Resolve(question)],
        max_tokens: Annotated[int, Field(description="Longest answer.", ge=1, le=1000)] = 100,
    ) -> str:
        """Ask the language model of the client (sampling)."""
        content = answer.content
        said = content.text if isinstance(content, types.TextContent) else f"[{content.type}]"
        return f"{answer.model} says: {said}"

    @server.tool(title="List the roots of the client")
    async def list_roots(answer: Annotated[types.ListRootsResult, Resolve(roots)]) -> list[str]:
        """Tell which folders the client lets this server work in (roots)."""
        return [str(root.uri) for root in answer.roots]


def one_era(server: MCPServer[Any]) -> None:
    @server.tool(title="Ask by request (handshake era)")
    async def ask_pushed(ctx: Context) -> str:
        """Ask the user with a request from server to client, as only the handshake era can."""
        if not ctx.session.can_send_request:
            raise ToolError("this connection carries no requests from server to client: use a handshake-era revision")
        answer = await ctx.elicit("What is your name?", Name)
        return f"Hello, {answer.data.name}!" if isinstance(answer, AcceptedElicitation) else f"({answer.action})"

    @server.tool(title="Ask by rounds (modern era)")
    async def ask_by_rounds(ctx: Context) -> str | types.InputRequiredResult:
        """Ask the user two questions, one after the other, as only the modern era can: by ending the call."""
        if ctx.protocol_version != "2026-07-28":
            raise ToolError("results of type input_required exist since 2026-07-28: use the modern revision")
        answers = ctx.input_responses or {}
        # The state comes back sealed with the answers: nothing has to be remembered between the rounds.
        if ctx.request_state is None:
            return round_of("name", "What is your name?", state="asked for the name")
        if "name" in answers:
            return round_of("color", "Which color do you like?", state=text_of(answers["name"], "name"))
        if "color" in answers:
            return f"{ctx.request_state} likes {text_of(answers['color'], 'color')}."
        raise MCPError(types.INVALID_PARAMS, "the answer to the question is missing", {"expected": ["name", "color"]})


def round_of(key: str, message: str, state: str) -> types.InputRequiredResult:
    schema = {"type": "object", "properties": {key: {"type": "string"}}, "required": [key]}
    form = types.ElicitRequestFormParams(message=message, requested_schema=schema)
    return types.InputRequiredResult(input_requests={key: types.ElicitRequest(params=form)}, request_state=state)


def text_of(answer: Any, key: str) -> str:
    """What the user wrote, or that nothing was written."""
    if isinstance(answer, types.ElicitResult) and answer.action == "accept" and answer.content:
        return str(answer.content.get(key, ""))
    return "somebody"
