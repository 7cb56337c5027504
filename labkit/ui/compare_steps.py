"""What to do with a server that nobody knows yet: a few requests that only read, with example values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from labkit.errors import LabError
from labkit.session.connection import Connection
from labkit.session.listing import properties_of, required_of
from labkit.ui.panel import said

Steps = Callable[[Connection], Awaitable[Any]]

_PLAIN: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": False, "null": None}
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "ada@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_DEEPEST = 8


async def first_steps(conn: Connection) -> list[str]:
    """The first tool that says it only reads, the first resource, the first prompt. Returns what was done."""
    done: list[str] = []

    async def attempt(doing: str, work: Awaitable[Any]) -> None:
        try:
            await work
        except LabError as error:
            doing = f"{doing}: {said(error)}"
        done.append(doing)

    for tool in conn.tools:
        if tool.annotations and tool.annotations.read_only_hint:
            await attempt(f"call {tool.name}", conn.call(tool.name, example_arguments(tool.input_schema)))
            break
    if names := conn.resources.names:
        await attempt(f"read {names[0]}", conn.read(names[0]))
    for prompt in conn.prompts:
        wanted = {argument.name: "example" for argument in prompt.arguments or () if argument.required}
        await attempt(f"get {prompt.name}", conn.prompt(prompt.name, wanted))
        break
    return done


def example_arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An object with the members that `schema` requires. What it cannot satisfy, the server will say."""
    made = _example(schema, schema, 0)
    return cast("dict[str, Any]", made) if isinstance(made, dict) else {}


def _example(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    part = cast("Mapping[str, Any]", schema)
    for name, first in (("const", False), ("default", False), ("examples", True), ("enum", True)):
        value: Any = part.get(name)
        if first and isinstance(value, list) and value:
            return cast("list[Any]", value)[0]
        if not first and name in part:
            return cast(Any, value)
    if isinstance(reference := part.get("$ref"), str):
        return _example(_resolve(reference, root), root, depth + 1)
    for name in ("anyOf", "oneOf", "allOf"):
        choices: Any = part.get(name)
        if isinstance(choices, list) and choices:
            return _example(cast("list[Any]", choices)[0], root, depth + 1)
    kind = part.get("type")
    if isinstance(kind, list):
        kind = cast("list[Any]", kind)[0] if kind else None
    if kind == "object" or (kind is None and "properties" in part):
        members = properties_of(part)
        return {name: _example(members.get(name), root, depth + 1) for name in required_of(part)}
    if kind == "array":
        return [_example(part.get("items"), root, depth + 1) for _ in range(_whole(part.get("minItems"), 0, 20))]
    if kind in ("integer", "number"):
        return _number(part, _PLAIN[kind])
    return _PLAIN.get(str(kind)) if kind in ("boolean", "null") else _string(part)


def _number(part: Mapping[str, Any], value: float) -> float:
    low, high = part.get("minimum", part.get("exclusiveMinimum")), part.get("maximum", part.get("exclusiveMaximum"))
    if isinstance(low, int | float) and value <= low:
        value = low if "minimum" in part else low + 1
    if isinstance(high, int | float) and value >= high:
        value = high if "maximum" in part else high - 1
    return value


def _string(part: Mapping[str, Any]) -> str:
    text = _FORMATS.get(str(part.get("format")), "example")
    return text.ljust(_whole(part.get("minLength"), 0, 1000), "x")[: _whole(part.get("maxLength"), 1000, 1000)]


def _whole(value: Any, otherwise: int, most: int) -> int:
    return min(value, most) if isinstance(value, int) and value >= 0 else otherwise


def _resolve(reference: str, root: Mapping[str, Any]) -> Any:
    place: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if not isinstance(place, Mapping):
            return None
        place = cast("Mapping[str, Any]", place).get(step.replace("~1", "/").replace("~0", "~"))
    return place
