"""What stands in the arguments of a workflow's steps: values, references to other values, and conditions on them.

    {"$ref": "inputs.name"}                              an input
    {"$ref": "steps.find.result.items.0.id"}             a part of what a step has answered
    {"$ref": "steps.find.result.note", "default": ""}    ... or something else, where there is no such part
    {"$ref": ["steps", "find", "result", "a.b"]}         for names with dots in them
    {"$ref": "steps.find.outcome"}                       "done" or "skipped"
    {"$value": {"$ref": "#/defs"}}                       what looks like a reference and is none

A condition is a reference (true unless what it leads to is absent, null, false, 0 or empty), one with `is`, `in`,
`above` or `below`, or {"not": ...}, {"all": [...]}, {"any": [...]} of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from labkit.gateway.exchange import Json

REF, VALUE, DEFAULT = "$ref", "$value", "default"
TESTS = ("is", "in", "above", "below")
COMBINED = ("not", "all", "any")
ABSENT: Any = object()


class Missing(Exception):
    """A reference leads to nothing; `skipped` when that is because a step was skipped."""

    def __init__(self, reason: str, *, skipped: bool = False) -> None:
        super().__init__(reason)
        self.skipped = skipped


@dataclass(frozen=True)
class Reference:
    """Where a value comes from."""

    parts: tuple[str, ...]
    has_default: bool = False

    @property
    def step(self) -> str:
        """The id of the step, or ""."""
        return self.parts[1] if len(self.parts) > 1 and self.parts[0] == "steps" else ""

    def __str__(self) -> str:
        return ".".join(self.parts)


def parts_of(raw: Any) -> tuple[str, ...]:
    """The parts of what stands behind `$ref`; () when it is no reference."""
    if isinstance(raw, str):
        return tuple(raw.split(".")) if raw else ()
    if isinstance(raw, list) and all(isinstance(part, (str, int)) for part in cast("list[Any]", raw)):
        return tuple(str(part) for part in cast("list[Any]", raw))
    return ()


def is_reference(value: Any) -> bool:
    """Whether a value is one."""
    return isinstance(value, Mapping) and REF in value


def references(value: Any) -> Iterator[Reference]:
    """All references in a value or a condition."""
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        if VALUE in table:
            return
        if REF in table:
            yield Reference(parts_of(table[REF]), DEFAULT in table)
        for name, each in table.items():
            if name != REF:
                yield from references(each)
    elif isinstance(value, (list, tuple)):
        for each in cast("list[Any]", value):
            yield from references(each)


def strays(value: Any) -> Iterator[str]:
    """Members beside `$ref` and `$value` that mean nothing there."""
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        for mark, others in ((REF, {REF, DEFAULT}), (VALUE, {VALUE})):
            if mark in table:
                yield from (f"{name!r} beside {mark!r}" for name in table if name not in others)
                return
        for each in table.values():
            yield from strays(each)
    elif isinstance(value, (list, tuple)):
        for each in cast("list[Any]", value):
            yield from strays(each)


def filled(value: Any, known: Mapping[str, Any]) -> Any:
    """The value with all references replaced. Raises Missing."""
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        if VALUE in table:
            return table[VALUE]
        if REF in table:
            return _looked_up(table, known)
        return {name: filled(each, known) for name, each in table.items()}
    if isinstance(value, (list, tuple)):
        return [filled(each, known) for each in cast("list[Any]", value)]
    return value


def _looked_up(table: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    try:
        return at(parts_of(table[REF]), known)
    except Missing:
        if DEFAULT not in table:
            raise
        return filled(table[DEFAULT], known)


def at(parts: tuple[str, ...], known: Any) -> Any:
    """What is there. Raises Missing that says how far one comes."""
    here = known
    for number, part in enumerate(parts):
        found = _member(here, part)
        if found is ABSENT:
            place = ".".join(parts[:number]) or "the run"
            if number == 2 and part == "result" and isinstance(here, Mapping):
                raise Missing(f"{place} was skipped and has no result", skipped=True)
            raise Missing(f"{'.'.join(parts)}: {place} has no {part!r}, it {_has(here)}")
        here = found
    return here


def _member(value: Any, part: str) -> Any:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value).get(part, ABSENT)
    if isinstance(value, (list, tuple)) and part.isascii() and part.isdigit():
        items = cast("list[Any]", value)
        return items[int(part)] if int(part) < len(items) else ABSENT
    return ABSENT


def _has(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"has {', '.join(map(str, list(cast('Mapping[str, Any]', value))[:10])) or 'nothing'}"
    if isinstance(value, (list, tuple)):
        return f"has {len(cast('list[Any]', value))} items"
    return f"is {json.dumps(value, ensure_ascii=False, default=repr)[:60]}"


def holds(condition: Any, known: Mapping[str, Any]) -> bool:
    """Whether a condition is met. What is absent is like null."""
    if isinstance(condition, bool):
        return condition
    table = cast("Mapping[str, Any]", condition)
    if "not" in table:
        return not holds(table["not"], known)
    if "all" in table:
        return all(holds(each, known) for each in table["all"])
    if "any" in table:
        return any(holds(each, known) for each in table["any"])
    value = _or_none(table, known)
    test = next((name for name in TESTS if name in table), "")
    if not test:
        return bool(value)
    try:
        other = filled(table[test], known)
    except Missing:
        other = None
    if test == "is":
        return (type(value) is type(other) or _numbers(value, other)) and value == other
    if test == "in":
        return isinstance(other, (list, tuple)) and value in other
    return _numbers(value, other) and (value > other if test == "above" else value < other)


def _or_none(table: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    try:
        return _looked_up(table, known)
    except Missing:
        return None


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def condition_faults(condition: Any) -> Iterator[str]:
    """What is wrong with how a condition is written."""
    if isinstance(condition, bool):
        return
    if not isinstance(condition, Mapping):
        found = json.dumps(condition, default=repr)[:60]
        yield f'found {found}; write a reference, such as {{"$ref": "inputs.really"}}'
        return
    table = cast("Mapping[str, Any]", condition)
    marks = [name for name in (*COMBINED, REF) if name in table]
    if len(marks) != 1:
        yield f"write exactly one of {', '.join((*COMBINED, REF))} in it, not {' and '.join(marks) or 'none of them'}"
        return
    allowed = {REF, DEFAULT, *TESTS} if marks == [REF] else set(marks)
    yield from (f"{name!r} means nothing beside {marks[0]!r}" for name in table if name not in allowed)
    if len(tests := [name for name in TESTS if name in table]) > 1:
        yield f"it has {' and '.join(tests)}: write one of them, or combine two with 'all'"
    if marks == ["not"]:
        yield from condition_faults(table["not"])
    elif marks != [REF]:
        several = table[marks[0]]
        if not isinstance(several, (list, tuple)):
            yield f"{marks[0]!r} wants a list of conditions"
            return
        for each in cast("list[Any]", several):
            yield from condition_faults(each)


def data_of(result: Any, tool: Mapping[str, Any]) -> Any:
    """What a tool has answered, as data: its structured content, or its text, read as JSON where it is an object or
    a list. `result` is one of the lab's, or as on the wire."""
    raw = raw_of(result)
    structured = raw.get("structuredContent")
    if structured is not None:
        schema = tool.get("outputSchema")
        wrapped = isinstance(schema, Mapping) and list(cast(Json, schema).get("properties") or ()) == ["result"]
        return cast(Json, structured).get("result") if wrapped and isinstance(structured, dict) else structured
    text = text_of(raw)
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def raw_of(result: Any) -> Json:
    """A result as on the wire: the lab's and the SDK's are understood, and any other value is taken for the data."""
    dump = getattr(result, "model_dump", None)
    raw = dump(mode="json", by_alias=True, exclude_none=True) if dump else getattr(result, "raw", result)
    is_wire = isinstance(raw, dict) and ("content" in raw or "structuredContent" in raw)
    return cast(Json, raw) if is_wire else {"structuredContent": raw}


def text_of(raw: Mapping[str, Any]) -> str:
    """Its text blocks, one after the other."""
    blocks = cast("list[Json]", raw.get("content") or [])
    return "\n".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")
