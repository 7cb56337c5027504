"""What a `jsonschema` fault says to someone who fills in a form: a path to the field, and one sentence."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, cast

KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object with members",
    "null": "null",
}
FORMATS = {
    "date": "a date such as 2026-11-21",
    "time": "a time with its zone, such as 10:30:00Z",
    "date-time": "a date and time with its zone, such as 2026-11-21T10:30:00Z",
    "email": "an e-mail address such as ada@example.org",
    "uri": "an address such as https://example.org/",
    "uuid": "a UUID such as 123e4567-e89b-12d3-a456-426614174000",
}
NEEDED = "a value is needed"
Told = tuple[list[str | int], str]


def shown(value: Any, most: int = 60) -> str:
    """A value for a sentence: JSON, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace").decode()  # half a surrogate
    return text if len(text) <= most else f"{text[: most - 3]}..."


def say(fault: Any) -> list[Told]:
    """The path and the sentence of a fault; several for one that names several members."""
    path: list[str | int] = list(fault.absolute_path)
    return list(_members(fault, path)) or [(path, _sentence(fault))]


def _members(fault: Any, path: list[str | int]) -> Iterator[Told]:
    """What a fault says of single members, and of the alternatives of a choice; nothing for all others.

    jsonschema has the names of such members only in its text.
    """
    rule, limit, value = fault.validator, fault.validator_value, fault.instance
    if rule == "required":
        for name in cast("list[str]", limit):
            if name not in value and fault.message.startswith(repr(name)):
                yield [*path, name], NEEDED
    elif rule in ("additionalProperties", "unevaluatedProperties") and limit is False:
        known: Any = fault.schema.get("properties", {}) if rule == "additionalProperties" else {}
        for name in cast("dict[str, Any]", value):
            if name not in known and repr(name) in fault.message:
                yield [*path, name], "is not a member that is known here"
    elif rule in ("dependentRequired", "dependencies"):
        for name, needs in cast("dict[str, Any]", limit).items():
            for other in cast("list[str]", needs) if name in value and isinstance(needs, list) else []:
                if other not in value:
                    yield [*path, other], f"{NEEDED} when {name} is given"
    elif rule in ("anyOf", "oneOf") and fault.context:
        yield from _closest(fault, path)


def _sentence(fault: Any) -> str:
    limit, value = fault.validator_value, fault.instance
    is_ = f", is {shown(value)}"
    count = len(cast("str", value)) if isinstance(value, str | list | dict) else 0
    if "propertyNames" in fault.absolute_schema_path:  # then the value is the name of a member
        return f"the name {shown(value)} does not fit {fault.validator} {shown(limit)}"
    match fault.validator:
        case "type":
            return f"must be {_kinds(limit)}{is_}"
        case "minimum":
            return f"must be at least {limit}{is_}"
        case "maximum":
            return f"must be at most {limit}{is_}"
        case "exclusiveMinimum":
            return f"must be more than {limit}{is_}"
        case "exclusiveMaximum":
            return f"must be less than {limit}{is_}"
        case "multipleOf":
            return f"must be a multiple of {limit}{is_}"
        case "minLength" if not value:
            return NEEDED
        case "minLength":
            return f"must have at least {_many(limit, 'character')}, has {count}"
        case "maxLength":
            return f"must have at most {_many(limit, 'character')}, has {count}"
        case "minItems":
            return f"must have at least {_many(limit, 'item')}, has {count}"
        case "maxItems":
            return f"must have at most {_many(limit, 'item')}, has {count}"
        case "minProperties":
            return f"must have at least {_many(limit, 'member')}, has {count}"
        case "maxProperties":
            return f"must have at most {_many(limit, 'member')}, has {count}"
        case "uniqueItems":
            return "must not have the same item twice"
        case "pattern":
            return f"must match the pattern {str(limit)[:120]}{is_}"
        case "format":
            return f"must be {FORMATS.get(str(limit), f'of the format {limit}')}{is_}"
        case "enum":
            return f"must be one of {', '.join(shown(each) for each in limit[:10])}{' ...' * (len(limit) > 10)}{is_}"
        case "const":
            return f"must be {shown(limit)}{is_}"
        case "oneOf":
            return "fits more than one of the alternatives, and must fit exactly one"
        case "not":
            return f"must not fit {shown(limit)}{is_}"
        case "contains" | "minContains" | "maxContains":
            least, most = fault.schema.get("minContains", 1), fault.schema.get("maxContains", "any number")
            return f"must have {least} to {most} items that fit {shown(fault.schema.get('contains'))}"
        case "items" | "unevaluatedItems" | "additionalItems":
            return f"has more items than the {len(fault.schema.get('prefixItems', []))} that are known here"
        case None:
            return f"nothing is allowed here{is_}"
        case _:
            return f"does not fit {fault.validator} {shown(limit)}{is_}"


def _many(count: Any, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _kinds(limit: Any) -> str:
    return " or ".join(
        KINDS.get(kind, kind) for kind in cast("list[str]", limit if isinstance(limit, list) else [limit])
    )


def _closest(fault: Any, path: list[str | int]) -> Iterator[Told]:
    """What is wrong with the alternative that comes closest; what the alternatives are when none is of that kind."""
    ways: dict[Any, list[Any]] = defaultdict(list)
    for each in fault.context:
        ways[each.schema_path[0]].append(each)
    near = [way for way in ways.values() if not any(_other_kind(each) for each in way)]
    if near:
        for each in min(near, key=len):
            yield from say(each)
        return
    # Which one is meant is told by a member with a fixed value, as in {"kind": "circle", ...}.
    told = [each for way in ways.values() for each in way if each.relative_path and _other_kind(each)]
    if told and not any(not each.relative_path for each in told):
        fixed = [each.validator_value if each.validator == "enum" else [each.validator_value] for each in told]
        allowed = list(dict.fromkeys(shown(value) for values in fixed for value in values))
        yield list(told[0].absolute_path), f"must be one of {', '.join(allowed[:10])}, is {shown(told[0].instance)}"
        return
    kinds: list[str] = []
    for each in (each for way in ways.values() for each in way if not each.relative_path):
        if each.validator == "type":
            kinds.append(_kinds(each.validator_value))
        elif each.validator == "enum":
            kinds += [shown(value) for value in each.validator_value[:10]]
        elif each.validator == "const":
            kinds.append(shown(each.validator_value))
    kinds = list(dict.fromkeys(kinds))
    yield path, f"must be {' or '.join(kinds) or 'one of the alternatives'}, is {shown(fault.instance)}"


def _other_kind(fault: Any) -> bool:
    """Whether a fault says that another alternative is meant: another type, or another fixed member."""
    depth = len(fault.relative_path)
    return (fault.validator in ("type", "enum", "const") and depth == 0) or (fault.validator == "const" and depth == 1)
