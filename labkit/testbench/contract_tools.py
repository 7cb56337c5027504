"""What a server promises of each tool: schemas, arguments, annotations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any, cast

from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, check
from labkit.testbench.contract import items, named
from labkit.testbench.raw import Json
from labkit.testbench.schemas import as_object, canonical, fault


@check(
    "contract.schemas",
    "Schemas are JSON Schema, of type object",
    severity="error",
    spec="server/tools#tool",
    fix="Generate schemas from types, or check them: jsonschema.Draft202012Validator.check_schema(schema).",
)
async def schemas(bench: Bench) -> AsyncGenerator[Finding]:
    """Clients refuse tools, and whole lists, whose schemas they cannot read."""
    for tool in await items(bench, "tools"):
        for member in ("inputSchema", "outputSchema"):
            schema = tool.get(member)
            if schema is None and member == "outputSchema":
                continue
            wrong = fault(schema)
            if not wrong and member == "inputSchema" and as_object(schema).get("type") != "object":
                wrong = f"its type is {as_object(schema).get('type')!r}, and arguments are always an object"
            if wrong:
                yield Finding(f"{member}: {wrong}", received=canonical(schema), subject=f"tool {named(tool)}")
            elif any(ref.startswith(("http:", "https:", "file:")) for ref in _refs(schema)):
                said = f"{member} refers to another document, which clients must not fetch"
                yield Finding(said, received=canonical(schema), subject=f"tool {named(tool)}", severity="warning")


def _refs(schema: Any) -> Iterator[str]:
    for part in parts(schema):
        if isinstance(part.get("$ref"), str):
            yield cast(str, part["$ref"])


def parts(schema: Any) -> Iterator[Json]:
    """Every object in a schema, the schema itself first; nothing inside examples and constants."""
    todo: list[Any] = [schema]
    while todo:
        part = todo.pop()
        if isinstance(part, list):
            todo += cast("list[Any]", part)
        elif isinstance(part, dict):
            given = cast(Json, part)
            yield given
            todo += [value for key, value in given.items() if key not in ("enum", "const", "default", "examples")]


@check(
    "contract.required",
    "What is required is described",
    severity="error",
    spec="server/tools#tool",
    fix="List in `required` only members of `properties`; look for a name that was changed in one place.",
)
async def required(bench: Bench) -> AsyncGenerator[Finding]:
    """A caller cannot know what to send for an argument that has a name and nothing else."""
    for tool in await items(bench, "tools"):
        for part in parts(tool.get("inputSchema")):
            if not isinstance(part.get("properties"), dict) or "patternProperties" in part:
                continue
            needed = cast("list[Any]", part["required"]) if isinstance(part.get("required"), list) else []
            for name in (each for each in needed if each not in part["properties"]):
                closed = part.get("additionalProperties") is False
                said = f"{name!r} is required, and not among the properties"
                said += ": no call can be right, since others are not allowed" if closed else ""
                yield Finding(said, received=canonical(part), subject=f"tool {named(tool)}")


@check(
    "contract.arguments",
    "Arguments have a description",
    severity="info",
    spec="server/tools#tool",
    fix='Describe each argument: Annotated[str, Field(description="...")], with the form and unit of its value.',
)
async def arguments(bench: Bench) -> AsyncGenerator[Finding]:
    """Models guess what is not said: a date, in which form? A limit, of what?"""
    for tool in await items(bench, "tools"):
        properties = as_object(as_object(tool.get("inputSchema")).get("properties"))
        if bare := [name for name, schema in properties.items() if not as_object(schema).get("description")]:
            yield Finding(f"no description: {', '.join(bare)}", subject=f"tool {named(tool)}")


FREE = frozenset({"title", "default", "examples", "type", "additionalProperties"})
"""Keywords that do not say what a value is for, or which there are."""


@check(
    "contract.free-for-all",
    "Arguments are bounded: not everything, undescribed, is welcome",
    severity="warning",
    spec="server/tools#tool",
    fix="Give each argument a type, and objects their properties; say additionalProperties: false for no arguments.",
)
async def free_for_all(bench: Bench) -> AsyncGenerator[Finding]:
    """An argument that takes anything and says nothing is a guess for the model, and a hole for others."""
    for tool in await items(bench, "tools"):
        schema = as_object(tool.get("inputSchema"))
        subject = f"tool {named(tool)}"
        for name, part in as_object(schema.get("properties")).items():
            given = cast(Any, {} if part is True else part)
            if not isinstance(given, dict) or "description" in given or not set(cast(Json, given)) <= FREE:
                continue
            of = cast(Json, given)
            if of.get("type") in (None, "object") and of.get("additionalProperties") in (None, True, {}):
                said = f"{name!r} takes {'any object' if of.get('type') else 'anything'}, and does not say what for"
                yield Finding(said, received=canonical(of), subject=subject)
        if set(schema) <= FREE and schema.get("additionalProperties") not in (False, None):
            said = "it takes any arguments whatever, and describes none"
            yield Finding(said, received=canonical(schema), subject=subject)
        elif set(schema) <= FREE and schema.get("additionalProperties") is None:
            said = "its schema takes any arguments: say additionalProperties: false if it has none"
            yield Finding(said, received=canonical(schema), subject=subject, severity="info")


HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


@check(
    "contract.annotations",
    "Annotations are of the right type, and do not contradict each other",
    severity="warning",
    spec="server/tools#tool",
    fix="Each hint is true or false; a tool that is read-only is not destructive.",
)
async def hints(bench: Bench) -> AsyncGenerator[Finding]:
    """Hosts decide by the hints whether to ask the user first."""
    for tool in await items(bench, "tools"):
        given, subject = tool.get("annotations"), f"tool {named(tool)}"
        if given is None:
            continue  # null is no way to leave it out: protocol.schema says so
        if not isinstance(given, dict):
            yield Finding(f"annotations is {canonical(given)[:80]}, not an object", subject=subject)
            continue
        of = cast(Json, given)
        for name in HINTS:
            if not isinstance(of.get(name, False), bool):
                said = f"{name} is {of[name]!r}, neither true nor false"
                yield Finding(said, received=canonical(of), subject=subject)
        if of.get("readOnlyHint") is True and of.get("destructiveHint") is True:
            yield Finding("it says to be read-only, and destructive", received=canonical(of), subject=subject)
