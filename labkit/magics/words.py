"""The words of a `%mcp` line: where they end, and what a value means, as the tool's schema has it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from IPython.core.error import UsageError

from labkit.errors import did_you_mean

QUOTES = "\"'"
SPELLED = {"True": True, "False": False, "None": None}
KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a JSON list such as [1, 2]",
    "object": 'a JSON object such as {"a": 1}',
    "null": "null",
}
ANYTHING = "To send what the schema does not allow, give the arguments as JSON: %%mcp call."


def split(line: str) -> list[str]:
    """Words between spaces, up to a comment. What stands in quotes, or is JSON in brackets, is one word."""
    words, word, quote, depth, escaped = list[str](), "", "", 0, False
    for char in line:
        begins = not word or word.endswith("=")
        if quote:
            word += char
            if char == quote and not escaped:
                quote = ""
            escaped = char == "\\" and not escaped
        elif char.isspace() and not depth:
            words += [word] if word else []
            word = ""
        elif char == "#" and not word and not depth:
            break
        else:
            word += char
            if (char in QUOTES and begins and not depth) or (char == '"' and depth):
                quote = char
            elif char in "[{" and (begins or depth):
                depth += 1
            elif char in "]}" and depth:
                depth -= 1
    if quote or depth:
        raise UsageError(f"{word!r} has no end: {'the quote' if quote else 'a bracket'} is not closed.")
    return words + ([word] if word else [])


def plain(text: str) -> str:
    """The text without the quotes around it."""
    if is_quoted(text):
        return text[1:-1].replace("\\" + text[0], text[0])
    return text


def is_quoted(text: str) -> bool:
    """Whether quotes stand around it."""
    return len(text) > 1 and text[0] in QUOTES and text[-1] == text[0]


def pairs(words: list[str], takes: list[str], what: str) -> dict[str, str]:
    """`NAME=VALUE` words by name, the values as typed. `takes` and `what` are for messages."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            names = f" {what} takes {', '.join(takes)}." if takes else ""
            raise UsageError(f"{word!r}: write NAME=VALUE, without spaces around the =.{names}")
        if name in found:
            raise UsageError(f"{name!r} is given twice.")
        found[name] = value
    return found


def variable(text: str, names: Mapping[str, Any]) -> Any:
    """What `$name` stands for. Raises UsageError when there is no such variable."""
    if (name := text[1:]) not in names:
        raise UsageError(f"{text}: there is no variable {name!r}. For a text that begins with $, use quotes: '{text}'.")
    return names[name]


def is_variable(text: str) -> bool:
    """Whether it is `$` and a name."""
    return text[:1] == "$" and text[1:].isidentifier()


def typed(name: str, text: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """The value of argument `name`: `2` is a number where the schema wants one, and text where it wants text.

    `root` is the whole input schema, for references within it. Raises UsageError when no kind that the schema
    allows can be read from `text`.
    """
    forms = list(alternatives(schema, root))
    bare, kinds, options = plain(text), kinds_of(forms), choices(forms)
    for option in options:
        if bare in (spelled(option), str(option)):
            return option
    if options and all(listed(form) for form in forms):
        near = did_you_mean(bare, [spelled(option) for option in options], has="It is one of")
        raise UsageError(f"{name}={text}: that is no value of {name!r}. {near} {ANYTHING}")
    known, value = (False, None) if is_quoted(text) and "string" in kinds else read(bare)
    if known and (not kinds or fits(value, kinds)):
        return int(value) if isinstance(value, float) and kinds and "number" not in kinds else value
    if not kinds or "string" in kinds:
        return bare
    wanted = " or ".join(KINDS[kind] for kind in KINDS if kind in kinds)
    raise UsageError(f"{name}={text}: {name!r} takes {wanted}. {ANYTHING}")


def read(text: str) -> tuple[bool, Any]:
    """JSON, or True, False and None as Python spells them: (whether it is that, the value)."""
    if text in SPELLED:
        return True, SPELLED[text]
    try:
        return True, json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return False, None


def _finite(text: str) -> float:
    return float(text) if math.isfinite(float(text)) else _refuse(text)


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def spelled(value: Any) -> str:
    """How a value is written on a line: text as it is, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def fits(value: Any, kinds: set[str]) -> bool:
    """Whether a JSON value is of one of these kinds."""
    if isinstance(value, bool) or value is None:
        return ("null" if value is None else "boolean") in kinds
    if isinstance(value, int | float):
        return "number" in kinds or ("integer" in kinds and float(value).is_integer())
    return {str: "string", list: "array", dict: "object"}[type(value)] in kinds


def resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow `$ref` within the schema; what leads elsewhere allows anything."""
    for _ in range(20):
        ref = schema.get("$ref")
        if not isinstance(ref, str):
            return schema
        found: Any = root
        for step in ref.removeprefix("#").strip("/").split("/"):
            found = cast("dict[str, Any]", found).get(step) if isinstance(found, dict) else None
        if not ref.startswith("#") or not isinstance(found, dict):
            return {}
        schema = cast("dict[str, Any]", found)
    return {}


def alternatives(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The schemas that a value may follow: those of `anyOf`, `oneOf` and `allOf`, or the schema alone."""
    schema = resolve(schema, root)
    inner = [each for key in ("anyOf", "oneOf", "allOf") for each in _schemas(schema.get(key))]
    if not inner or depth > 5:
        yield schema
    for each in inner[:50]:
        yield from alternatives(each, root, depth + 1)


def kinds_of(forms: Iterable[Mapping[str, Any]]) -> set[str]:
    """The JSON types that these schemas allow; empty when one of them allows any."""
    found: set[str] = set()
    for form in forms:
        kind: Any = form.get("type")
        names = {str(each) for each in cast("list[Any]", kind)} if isinstance(kind, list) else {str(kind)}
        if kind is None and not listed(form):
            return set()
        found |= names & {*KINDS, "string"}
    return found


def choices(forms: Iterable[Mapping[str, Any]]) -> list[Any]:
    """The values that these schemas list."""
    return [value for form in forms for value in listed(form)]


def listed(schema: Mapping[str, Any]) -> list[Any]:
    """The values of `enum` or `const`."""
    values: Any = schema.get("enum")
    if "const" in schema:
        return [schema["const"]]
    return list(cast("list[Any]", values)) if isinstance(values, list) else []


def _schemas(value: Any) -> list[Mapping[str, Any]]:
    given = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("Mapping[str, Any]", each) for each in given if isinstance(each, dict)]
