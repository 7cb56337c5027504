"""The fixtures that the official conformance suite asks a server for, by the names it expects.

They repeat, in the suite's words, what the other modules show. What each scenario checks is written in the package
`@modelcontextprotocol/conformance`; tests/conformance runs it.
"""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

import mcp_types as types
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Audio, Context, Image, UserMessage
from mcp.server.mcpserver.prompts.base import Prompt
from mcp.server.mcpserver.tools import Tool
from pydantic import BaseModel, Field

from servers.everything.media import png, wav
from servers.everything.work import log


def register(server: MCPServer[Any]) -> None:
    content(server)
    notifying(server)
    pushing(server)
    resources(server)
    prompts(server)


def content(server: MCPServer[Any]) -> None:
    @server.tool()
    def test_simple_text() -> str:
        """Fixture: text."""
        return "This is a simple text response for testing."

    @server.tool()
    def test_image_content() -> Image:
        """Fixture: an image."""
        return Image(data=png(1, 1), format="png")

    @server.tool()
    def test_audio_content() -> Audio:
        """Fixture: a sound."""
        return Audio(data=wav(), format="wav")

    @server.tool()
    def test_embedded_resource() -> types.EmbeddedResource:
        """Fixture: an embedded resource."""
        return embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")

    @server.tool(structured_output=False)
    def test_multiple_content_types() -> list[Any]:
        """Fixture: text, image and embedded resource in one result."""
        return [
            "Multiple content types test:",
            Image(data=png(1, 1), format="png"),
            embedded("test://mixed-content-resource", "application/json", json.dumps({"test": "data", "value": 123})),
        ]

    @server.tool()
    def test_error_handling() -> str:
        """Fixture: a tool that fails."""
        raise RuntimeError("This tool intentionally returns an error for testing")

    @server.tool()
    def test_x_mcp_header(
        region: Annotated[str, Field(description="A region.", json_schema_extra={"x-mcp-header": "Region"})] = "none",
    ) -> str:
        """Fixture: an argument that is mirrored in a header."""
        return f"region={region}"

    @server.tool()
    async def test_missing_capability(ctx: Context) -> str:
        """Fixture: refuses clients that did not declare sampling."""
        capabilities = ctx.client_capabilities
        if capabilities is None or capabilities.sampling is None:
            raise MCPError(
                types.MISSING_REQUIRED_CLIENT_CAPABILITY,
                "This tool needs a client that offers sampling",
                {"requiredCapabilities": {"sampling": {}}},
            )
        return "The client offers sampling."


def notifying(server: MCPServer[Any]) -> None:
    @server.tool()
    async def test_tool_with_logging(ctx: Context) -> str:
        """Fixture: three log messages."""
        for step in ("started", "processing data", "completed"):
            await log(ctx, "info", f"Tool execution {step}")
        return "Tool with logging executed successfully"

    @server.tool()
    async def test_logging_tool(ctx: Context) -> str:
        """Fixture: log messages, which a stateless client hears only when it asks for them."""
        await log(ctx, "info", "A message that nobody asked for must not be sent")
        return "Logged"

    @server.tool()
    async def test_tool_with_progress(ctx: Context) -> str:
        """Fixture: three progress reports."""
        for progress in (0, 50, 100):
            await ctx.report_progress(progress, 100, f"Completed step {progress} of 100")
        return "Tool with progress executed successfully"

    @server.tool()
    async def test_reconnection(ctx: Context) -> str:
        """Fixture: closes the response stream in mid-call; with an event store the client can come back."""
        await ctx.close_sse_stream()
        return "Reconnection test completed"

    @server.tool()
    async def test_trigger_tool_change(ctx: Context) -> str:
        """Fixture: changes the list of tools."""
        server.add_tool(lambda: "dynamic", name="test_dynamic_tool")
        server.remove_tool("test_dynamic_tool")
        await ctx.notify_tools_changed()
        return "tool list changed"

    @server.tool()
    async def test_trigger_prompt_change(ctx: Context) -> str:
        """Fixture: changes the list of prompts."""
        server.add_prompt(Prompt.from_function(lambda: "dynamic", name="test_dynamic_prompt"))
        server.remove_prompt("test_dynamic_prompt")
        await ctx.notify_prompts_changed()
        return "prompt list changed"


class Account(BaseModel):
    username: str = Field(description="User's name")
    email: str = Field(description="User's address")


class Defaults(BaseModel):
    """A default for every primitive type (SEP-1034)."""

    name: str = Field(default="John Doe", description="User name")
    age: int = Field(default=30, description="User age")
    score: float = Field(default=95.5, description="User score")
    status: str = Field(
        default="active", description="User status", json_schema_extra={"enum": ["active", "inactive", "pending"]}
    )
    verified: bool = Field(default=True, description="Verification status")


def titled(**titles: str) -> Any:
    return [{"const": value, "title": title} for value, title in titles.items()]


class Choices(BaseModel):
    """Every way to write a choice (SEP-1330)."""

    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})
    titledSingle: str = Field(
        json_schema_extra={"oneOf": titled(value1="First Option", value2="Second Option", value3="Third Option")}
    )
    legacyEnum: str = Field(
        json_schema_extra={
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        }
    )
    untitledMulti: list[str] = Field(
        json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2", "option3"]}}
    )
    titledMulti: list[str] = Field(
        json_schema_extra={"items": {"anyOf": titled(value1="First Choice", value2="Second Choice")}}
    )


def pushing(server: MCPServer[Any]) -> None:
    """Requests from server to client, as in the handshake era."""

    @server.tool()
    async def test_sampling(prompt: str, ctx: Context) -> str:
        """Fixture: asks the model of the client."""
        message = types.SamplingMessage(role="user", content=types.TextContent(text=prompt))
        answer = await ctx.session.create_message(  # pyright: ignore[reportDeprecated]
            messages=[message],
            max_tokens=100,
            # On the stream of this call: the other one may not be open.
            related_request_id=ctx.request_id,
        )
        return f"LLM response: {getattr(answer.content, 'text', '')}"

    @server.tool()
    async def test_elicitation(message: str, ctx: Context) -> str:
        """Fixture: asks the user."""
        return await elicited(ctx, message, Account)

    @server.tool()
    async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
        """Fixture: a form with defaults."""
        return await elicited(ctx, "Please review and update the form fields with defaults", Defaults)

    @server.tool()
    async def test_elicitation_sep1330_enums(ctx: Context) -> str:
        """Fixture: a form with choices."""
        return await elicited(ctx, "Please select options from the enum fields", Choices)


async def elicited(ctx: Context, message: str, form: type[BaseModel]) -> str:
    answer = await ctx.elicit(message, form)
    content = answer.data.model_dump_json() if answer.action == "accept" else "{}"
    return f"Elicitation completed: action={answer.action}, content={content}"


def resources(server: MCPServer[Any]) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """Fixture: text."""
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """Fixture: bytes."""
        return png(1, 1)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:
        """Fixture: a template."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        """Fixture: can be subscribed to."""
        return "Watched resource content"


def prompts(server: MCPServer[Any]) -> None:
    @server.prompt()
    def test_simple_prompt() -> str:
        """Fixture: no arguments."""
        return "This is a simple prompt for testing."

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """Fixture: two arguments."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
        """Fixture: an embedded resource."""
        return [
            UserMessage(embedded(resourceUri, "text/plain", "Embedded resource content for testing.")),
            UserMessage("Please process the embedded resource above."),
        ]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        """Fixture: an image."""
        data = base64.b64encode(png(1, 1)).decode()
        return [
            UserMessage(types.ImageContent(data=data, mime_type="image/png")),
            UserMessage("Please analyze the image above."),
        ]


def embedded(uri: str, mime_type: str, text: str) -> types.EmbeddedResource:
    return types.EmbeddedResource(resource=types.TextResourceContents(uri=uri, mime_type=mime_type, text=text))


SCHEMA_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def schema_tool() -> Tool:
    """A tool whose input schema was written by hand, with keywords that no Python signature can express."""

    def json_schema_2020_12_tool() -> str:
        """Fixture: all of JSON Schema 2020-12."""
        return "json_schema_2020_12_tool"

    return Tool.from_function(json_schema_2020_12_tool).model_copy(update={"parameters": SCHEMA_2020_12})
