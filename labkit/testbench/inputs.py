"""Arguments for tools that are wrong or extreme, made from their schemas, and calls as a line to copy.

Right ones are made by `labkit.testbench.strategies`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from labkit.testbench.raw import Json
from labkit.testbench.schemas import as_object, expand, misfit
from labkit.testbench.tour import WAITS, sample


def call_line(tool: str, arguments: Any) -> str:
    """A Python line that makes the call again."""
    return f"await conn.call({tool!r}, {literal(arguments)}, check=False)"


def literal(value: Any) -> str:
    """A JSON value as a Python expression that makes it again; long texts that repeat are short: `'a' * 100000`."""
    if isinstance(value, str) and len(value) > 200:
        for size in range(1, 9):
            if value == value[:size] * (len(value) // size):
                return f"{value[:size]!a} * {len(value) // size}"
    if isinstance(value, str):
        return ascii(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!a}: {literal(each)}" for key, each in cast(Json, value).items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(literal(each) for each in cast("list[Any]", value)) + "]"
    return repr(value)


def wrong(schema: Json, base: Json) -> Iterator[tuple[str, Json]]:
    """Arguments that the schema forbids, each with what is wrong: one member changed, left out or added.

    Values that a lenient server may well convert ("5" or true for 5, null for nothing) are not among them.
    """
    whole: Json = expand(schema)
    properties = as_object(whole.get("properties"))
    candidates: list[tuple[str, Json]] = []
    needed: Any = whole.get("required")
    for name in map(str, cast("list[Any]", needed)) if isinstance(needed, list) else ():
        without = {key: value for key, value in base.items() if key != name}
        candidates.append((f"{name!r} is left out", without))
    for name, part in properties.items():
        candidates += [(f"{name!r} {what}", {**base, name: value}) for what, value in _unfit(as_object(part))]
    candidates.append(("there is an argument of another name", {**base, "testbenchUnknown": 1}))
    for what, arguments in candidates:
        if misfit(schema, arguments):
            yield what, arguments


def _unfit(part: Json) -> Iterator[tuple[str, Any]]:
    """Values that one argument may not have; some may fit all the same: the caller sorts them out."""
    for value in ("testbench", {"testbench": [1]}, [["testbench"]], 987654321.5):
        yield f"is {json.dumps(value)}", value
    if isinstance(part.get("enum"), list):
        yield "is none of its choices", "testbench-none-of-these"
    for word, by in (("minimum", -1), ("exclusiveMinimum", -1), ("maximum", 1), ("exclusiveMaximum", 1)):
        if isinstance(limit := part.get(word), int | float):
            yield f"is beyond its {word}", limit + by
    if isinstance(least := part.get("minLength"), int) and 0 < least < 1_000:
        yield "is too short", "x" * (least - 1)
    if isinstance(most := part.get("maxLength"), int) and most < 1_000_000:
        yield "is too long", "x" * (most + 1)
    if isinstance(most := part.get("maxItems"), int) and most < 1_000:
        yield "has too many items", [sample(part.get("items"))] * (most + 1)
    if isinstance(least := part.get("minItems"), int) and 0 < least < 1_000:
        yield "has too few items", [sample(part.get("items"))] * (least - 1)


LONG = 100_000
"""Characters of a long text."""
TEXTS = (
    "\u00e9\u00df \u6f22\u5b57 \u05e9\u05dc\u05d5\u05dd \U0001f642\U0001d11e",
    "e\u0301\u0301\u0301\u200d\ufeff",
    "\u202eabc\u2066\U000e0041",
    "a\x00b",
    "\r\n\t\x1b[31m\x7f",
    "\ufdd0\uffff\U0010ffff",
    "%s%n {0} ${x} \\",
    "x" * LONG,
)
"""Texts that any server that takes text must bear, and answer."""
HARSH = ("\ud800", "a\udfffb")
"""Texts of which JSON allows what Unicode does not: a server may refuse to read them, but must live on."""
NUMBERS = (2**31, 2**53 + 1, 2**64, -(2**64), 10**400, 1e308, -1e308, 5e-324)


def extremes(schema: Json, base: Json) -> Iterator[tuple[str, Any, bool]]:
    """Members of the arguments with values at the edge that the schema allows: name, value, must it be answered."""
    for name, part in as_object(as_object(expand(schema)).get("properties")).items():
        if any(word in name.lower() for word in WAITS):
            continue  # a large one is a long wait
        fitting: list[tuple[Any, bool]] = [(_cut(text, part), True) for text in TEXTS]
        fitting += [(text, False) for text in HARSH]
        fitting += [(number, True) for number in NUMBERS]
        fitting += [(nested(50), True), (nested(400), False)]
        for value, must in fitting:
            if not misfit(schema, {**base, name: value}):
                yield name, value, must


def _cut(text: str, part: Any) -> str:
    most = as_object(part).get("maxLength")
    return text[:most] if isinstance(most, int) and not isinstance(most, bool) and most > 0 else text


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value
