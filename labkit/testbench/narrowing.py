"""What a change of a JSON Schema means: does it allow less, more, or only say something else?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

from labkit.testbench.raw import Json
from labkit.testbench.schemas import WORDS, canonical, expand

Direction = Literal["narrower", "wider", "added", "removed", "unclear", "text"]
"""What a change does to the values that fit: fewer, more, a member more or less, either; or it only says something."""

LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
LIMITS = ("multipleOf", "pattern", "format", "const", "uniqueItems")
"""Keywords that allow less by being there."""
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


@dataclass(frozen=True)
class Step:
    """One difference between two schemas."""

    direction: Direction
    path: str
    message: str


def compare(old: Any, new: Any) -> list[Step]:
    """The differences between two schemas, references expanded; [] only when they are equal.

    Members that neither schema names are left out of account: whoever calls by the schema does not send them.
    """
    return list(_compare(expand(old), expand(new), ""))


def _compare(old: Any, new: Any, path: str) -> Iterator[Step]:
    before, after = (cast(Any, {} if each is True else each) for each in (old, new))  # true allows all, as {} does
    if canonical(before) == canonical(after):
        return
    if before is False or after is False:
        yield Step("wider", path, "is now allowed") if before is False else Step("narrower", path, "is not allowed now")
    elif isinstance(before, dict) and isinstance(after, dict):
        olds, news = cast(Json, before), cast(Json, after)
        for key in sorted({*olds, *news}):
            if (key in olds) != (key in news) or canonical(olds[key]) != canonical(news[key]):
                yield from _keyword(key, olds, news, path)
    else:
        yield Step("unclear", path, f"was {_short(old)}, is {_short(new)}")


def _keyword(key: str, before: Json, after: Json, path: str) -> Iterator[Step]:
    old, new = cast(Any, before.get(key)), cast(Any, after.get(key))
    here = f"{path}.{key}".lstrip(".")
    said = f"{key} was {_short(old)}, is {_short(new)}"
    if key in WORDS or key.startswith("x-"):
        yield Step("text", here, said)
    elif key == "type":
        yield from _sets(_types(old), _types(new), path, "type")
    elif key == "enum" and isinstance(old, list) and isinstance(new, list):
        yield from _sets(_texts(old), _texts(new), path, "enum")
    elif key == "required":
        yield from _required(_names(old), _names(new), path)
    elif key in ("properties", "$defs", "definitions") and isinstance(old or {}, dict) and isinstance(new or {}, dict):
        yield from _members(
            cast(Json, old or {}), cast(Json, new or {}), here, key == "properties", _hides(before, after)
        )
    elif key in ("items", "additionalProperties", "propertyNames"):
        yield from _compare(before.get(key, {}), after.get(key, {}), here)
    elif key in ("anyOf", "allOf") and isinstance(old, list) and isinstance(new, list):
        yield from _branches(cast("list[Any]", old), cast("list[Any]", new), here, key == "anyOf")
    elif key in (*LOWER, *UPPER) and _is_number(old) and _is_number(new):
        tighter = new > old if key in LOWER else new < old
        yield Step("narrower" if tighter else "wider" if new != old else "text", path, said)
    elif key not in before and key in (*LOWER, *UPPER, *LIMITS, "enum", "anyOf", "allOf", "oneOf"):
        yield Step("narrower", path, f"{key} {_short(new)} is new") if new is not False else Step("text", path, said)
    elif key not in after and key in (*LOWER, *UPPER, *LIMITS, "enum", "anyOf", "allOf", "oneOf"):
        yield Step("wider", path, f"{key} {_short(old)} is gone") if old is not False else Step("text", path, said)
    else:
        yield Step("unclear", path, said)


def _short(value: Any) -> str:
    text = "nothing" if value is None else canonical(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texts(values: Any) -> set[str]:
    return {canonical(each) for each in cast("list[Any]", values)}


def _names(value: Any) -> set[str]:
    return {str(each) for each in cast("list[Any]", value)} if isinstance(value, list) else set()


def _types(value: Any) -> set[str]:
    if value is None:
        return set(TYPES)
    given = _names(value) or {str(value)}
    return given | {"integer"} if "number" in given else given


def _sets(old: set[str], new: set[str], path: str, what: str) -> Iterator[Step]:
    if gone := sorted(old - new):
        yield Step("narrower", path, f"{what}: {', '.join(gone)} no longer allowed")
    if come := sorted(new - old):
        yield Step("wider", path, f"{what}: {', '.join(come)} allowed as well")
    if old == new:
        yield Step("text", path, f"{what} is written in another way")


def _required(old: set[str], new: set[str], path: str) -> Iterator[Step]:
    for name in sorted(new - old):
        yield Step("narrower", f"{path}.required".lstrip("."), f"{name!r} is now required")
    for name in sorted(old - new):
        yield Step("wider", f"{path}.required".lstrip("."), f"{name!r} is no longer required")
    if old == new:
        yield Step("text", path, "required is written in another way")


def _hides(before: Json, after: Json) -> bool:
    """Whether a change inside a definition could mean its opposite: below `not`, `oneOf` or `if`."""
    return any(f'"{word}":' in canonical(schema) for schema in (before, after) for word in ("not", "oneOf", "if"))


def _members(old: Json, new: Json, path: str, argument: bool, hidden: bool) -> Iterator[Step]:
    for name in sorted({*old, *new}):
        here = f"{path}.{name}"
        if name not in old or name not in new:
            if argument:
                yield Step("added", here, "is new") if name in new else Step("removed", here, "is gone")
            else:
                yield Step("unclear", here, "definition is new" if name in new else "definition is gone")
        elif not argument and hidden and canonical(old[name]) != canonical(new[name]):
            yield Step("unclear", here, "definition has changed")
        else:
            yield from _compare(old[name], new[name], here)


def _branches(old: list[Any], new: list[Any], path: str, any_of: bool) -> Iterator[Step]:
    news = [canonical(each) for each in new]
    olds = [canonical(each) for each in old]
    gone = [each for each, text in zip(old, olds, strict=True) if text not in news]
    come = [each for each, text in zip(new, news, strict=True) if text not in olds]
    if len(gone) == len(come) and gone:
        for number, (before, after) in enumerate(zip(gone, come, strict=True)):
            yield from _compare(before, after, f"{path}.{number}")
        return
    for branches, direction, what in (
        (gone, "narrower" if any_of else "wider", "is gone"),
        (come, "wider" if any_of else "narrower", "is new"),
    ):
        for each in branches:
            yield Step(cast(Direction, direction), path, f"{_short(each)} {what}")
    if not gone and not come:
        yield Step("text", path, "is written in another order")
