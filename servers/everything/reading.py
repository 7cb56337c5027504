"""Resources, resource templates, prompts and completion."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import AssistantMessage, UserMessage
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from pydantic import Field

from servers.everything.content import SCRIPTS
from servers.everything.media import png

DEPARTMENTS = {
    "engineering": ["ada", "alan", "grace", "linus"],
    "marketing": ["amira", "bruno"],
    "finance": ["chen", "dora"],
}
FILES = {
    "readme.md": "# Read me\n\nFiles of a small, made-up project.",
    "docs/guide.md": "# Guide\n\nSlashes in a variable need {+path} in the template.",
    "src/main.py": 'print("hello")\n',
}
LANGUAGES = ["c", "go", "java", "javascript", "kotlin", "perl", "php", "python", "ruby", "rust", "swift", "typescript"]


def register(server: MCPServer[Any]) -> None:
    resources(server)
    prompts(server)
    completion(server)


def resources(server: MCPServer[Any]) -> None:
    @server.resource("everything://greeting", name="greeting", title="A greeting", mime_type="text/plain")
    def greeting() -> str:
        """A fixed text."""
        return "Hello from a resource."

    @server.resource("everything://logo", name="logo", title="A picture", mime_type="image/png")
    def logo() -> bytes:
        """A binary resource: a PNG image."""
        return png()

    @server.resource("everything://scripts", name="scripts", title="Many scripts", mime_type="application/json")
    def scripts() -> str:
        """Text in many scripts, as JSON."""
        return json.dumps(SCRIPTS, ensure_ascii=False)

    @server.resource("everything://staff/{department}/{name}", name="staff", mime_type="application/json")
    def staff(department: str, name: str) -> str:
        """A person of a department."""
        if name not in DEPARTMENTS.get(department, []):
            raise ResourceNotFoundError(f"nobody named {name!r} works in {department!r}")
        return json.dumps({"name": name, "department": department})

    @server.resource("everything://files/{+path}", name="files", mime_type="text/plain")
    def files(path: str) -> str:
        """A file; the path may contain slashes."""
        if path not in FILES:
            raise ResourceNotFoundError(f"there is no file {path!r}: there are {', '.join(FILES)}")
        return FILES[path]

    @server.resource("everything://search{?q,limit}", name="search", mime_type="application/json")
    def search(q: str = "", limit: int = 10) -> str:
        """Names of staff that contain q."""
        names = [name for people in DEPARTMENTS.values() for name in people if q in name]
        return json.dumps({"q": q, "names": names[:limit]})


def prompts(server: MCPServer[Any]) -> None:
    @server.prompt(title="Say hello")
    def hello() -> str:
        """A prompt without arguments."""
        return "Greet the user in a friendly way."

    @server.prompt(title="Review code")
    def review(
        code: Annotated[str, Field(description="The code to review.")],
        language: Annotated[str, Field(description="Programming language; completes.")] = "python",
    ) -> list[Any]:
        """A prompt with arguments and several messages."""
        return [
            UserMessage(f"Review this {language} code:\n\n{code}"),
            AssistantMessage("I will look for bugs first, then for style. Anything to pay special attention to?"),
            UserMessage("Error handling."),
        ]

    @server.prompt(title="Explain a picture")
    def explain_picture() -> list[Any]:
        """A prompt with an image and an embedded resource."""
        picture = types.ImageContent(data=base64.b64encode(png()).decode(), mime_type="image/png")
        guide = types.TextResourceContents(
            uri="everything://files/docs/guide.md", mime_type="text/markdown", text=FILES["docs/guide.md"]
        )
        return [UserMessage(picture), UserMessage(types.EmbeddedResource(resource=guide)), UserMessage("Explain both.")]


def completion(server: MCPServer[Any]) -> None:
    @server.completion()
    async def complete(
        ref: types.PromptReference | types.ResourceTemplateReference,
        argument: types.CompletionArgument,
        context: types.CompletionContext | None,
    ) -> types.Completion | None:
        """Languages for the prompt; departments, then names in the department that was chosen, for the template."""
        values: list[str] = []
        if isinstance(ref, types.PromptReference) and argument.name == "language":
            values = LANGUAGES
        elif argument.name == "department":
            values = list(DEPARTMENTS)
        elif argument.name == "name":
            chosen = ((context.arguments if context else None) or {}).get("department", "")
            values = DEPARTMENTS.get(chosen, [])
        elif argument.name == "path":
            values = list(FILES)
        matching = [value for value in values if value.startswith(argument.value)]
        return types.Completion(values=matching, total=len(matching), has_more=False)
