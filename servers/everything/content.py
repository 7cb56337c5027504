"""Tools that show every kind of argument and every kind of result."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import mcp_types as types
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Audio, Image
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from servers.everything.media import png, wav

READ = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

SCRIPTS = {
    "Latin": "Grüße aus Zürich, naïve café",
    "Greek": "Καλημέρα κόσμε",
    "Cyrillic": "Привет, мир",
    "Arabic": "مرحبا بالعالم",
    "Hebrew": "שלום עולם",
    "Devanagari": "नमस्ते दुनिया",
    "Chinese": "你好，世界",
    "Japanese": "こんにちは世界",
    "Korean": "안녕하세요 세계",
    "Emoji": "👋🏽🌍👩‍🔬🇪🇺",
    "Combining": "e\u0301 is not \u00e9",
    "Beyond 16 bits": "𝄞 𝔐𝔠𝔭",
}


class Point(BaseModel):
    """A place on a plane."""

    x: float
    y: float


class Received(BaseModel):
    """What arrived."""

    text: str
    number: int
    choice: str
    flag: bool
    tags: list[str]
    point: Point | None


def register(server: MCPServer[Any]) -> None:
    @server.tool(title="Echo", annotations=READ)
    def echo(text: Annotated[str, Field(description="Any text, in any script.")]) -> str:
        """Answer with the text that was sent."""
        return text

    @server.tool(title="All kinds of arguments", annotations=READ)
    def arguments(
        text: Annotated[str, Field(description="Two to twenty characters.", min_length=2, max_length=20)],
        number: Annotated[int, Field(description="From 1 to 10.", ge=1, le=10)] = 1,
        choice: Annotated[Literal["red", "green", "blue"], Field(description="A colour.")] = "red",
        flag: Annotated[bool, Field(description="Yes or no.")] = False,
        tags: Annotated[list[str], Field(description="Up to five words.", max_length=5)] = [],  # noqa: B006
        point: Annotated[Point | None, Field(description="A nested object.")] = None,
    ) -> Received:
        """Take every common kind of argument, and answer with what arrived."""
        return Received(text=text, number=number, choice=choice, flag=flag, tags=tags, point=point)

    @server.tool(title="Picture", annotations=READ)
    def image() -> Image:
        """Answer with a PNG image of 64 by 64 pixels."""
        return Image(data=png(), format="png")

    @server.tool(title="Sound", annotations=READ)
    def audio() -> Audio:
        """Answer with a WAV sound of 0.3 seconds."""
        return Audio(data=wav(), format="wav")

    @server.tool(title="Link to a resource", annotations=READ)
    def resource_link() -> types.ResourceLink:
        """Answer with the address of a resource, to be read when it is needed."""
        return types.ResourceLink(
            uri="everything://greeting", name="greeting", title="A greeting", mime_type="text/plain"
        )

    @server.tool(title="Embedded resource", annotations=READ)
    def embedded_resource() -> types.EmbeddedResource:
        """Answer with a resource and its content."""
        return types.EmbeddedResource(
            resource=types.TextResourceContents(
                uri="everything://greeting", mime_type="text/plain", text="Hello from an embedded resource."
            )
        )

    @server.tool(title="Mixed content", annotations=READ, structured_output=False)
    def mixed_content() -> list[Any]:
        """Answer with text, an image, a sound and a link in one result; parts say for whom they are."""
        caption = types.TextContent(
            text="A picture, a sound and a link.", annotations=types.Annotations(audience=["user"], priority=1.0)
        )
        return [caption, Image(data=png(), format="png"), Audio(data=wav(), format="wav"), resource_link()]

    @server.tool(title="Result with metadata", annotations=READ)
    def with_meta() -> types.CallToolResult:
        """Answer with text for the model, structure for programs, and _meta that only the application sees."""
        return types.CallToolResult(
            content=[types.TextContent(text="Seven rows.")],
            structured_content={"rows": 7},
            _meta={"lab.example/query-plan": "index scan"},
        )

    @server.tool(title="Big result", annotations=READ)
    def big_result(
        kilobytes: Annotated[int, Field(description="Size of the text, up to 4 MiB.", ge=1, le=4096)] = 100,
    ) -> str:
        """Answer with a text of exactly that size."""
        line = "The quick brown fox jumps over the lazy dog; 64 characters each\n"
        return line * (kilobytes * 16)

    @server.tool(title="Unicode", annotations=READ)
    def unicode() -> dict[str, str]:
        """Answer with text in many scripts."""
        return SCRIPTS

    @server.tool(title="Region", annotations=READ)
    def region(
        name: Annotated[
            str, Field(description="Sent as header Mcp-Param-Region too.", json_schema_extra={"x-mcp-header": "Region"})
        ],
    ) -> str:
        """Take an argument that HTTP clients of the modern era repeat in a header, so that a proxy can route by it."""
        return f"region {name}"

    @server.tool(title="Fail", annotations=READ)
    def fail(
        how: Annotated[
            Literal["tool", "crash", "protocol"],
            Field(description="tool: an error for the model; crash: an exception; protocol: a JSON-RPC error."),
        ] = "tool",
    ) -> str:
        """Fail in one of three ways."""
        if how == "tool":
            raise ToolError("the quota is used up: try again tomorrow")
        if how == "protocol":
            raise MCPError(types.INVALID_PARAMS, "this call is refused as a whole", {"how": how})
        raise RuntimeError("internal detail that the caller must not see")
