"""Arguments that a schema allows, as a hypothesis strategy.

`hypothesis-jsonschema` makes texts of a format or pattern. Objects, references (also to themselves) and the keywords of
2020-12 are put together here, since its own objects do not work with today's hypothesis. Text is plain ASCII:
`fuzz.strings` is about the rest of Unicode.
"""

from __future__ import annotations

import math
import re
from typing import Any, cast

from hypothesis import strategies as st

from labkit._lean import lean_jsonschema
from labkit.testbench.raw import Json
from labkit.testbench.schemas import as_object, canonical, expand, misfit
from labkit.testbench.search import nowhere
from labkit.testbench.tour import WAITS

Strategy = st.SearchStrategy[Any]
ASCII = "".join(map(chr, range(32, 127)))
MORE = 6
"""Items and characters above the least, at most: long ones find little that short ones do not."""
EDGE = 1e9
"""Numbers without limits stay below it, but for those of `fuzz.strings`."""


class Impossible(Exception):
    """No arguments can be made from this schema; the message says why."""


def right(schema: Json) -> Strategy:
    """Arguments that fit the schema. Raises Impossible."""
    try:
        with nowhere():
            made = _Maker(schema).make(expand(schema))
            empty = made.is_empty
    except Impossible:
        raise
    except Exception as error:  # limits that cross, required: 3, nesting without end: a schema may hold anything
        raise Impossible(f"nothing can be made from its schema ({type(error).__name__}: {str(error)[:100]})") from error
    if empty:
        raise Impossible("its schema allows no arguments that could be made")
    return made.filter(lambda value: isinstance(value, dict) and not misfit(schema, value))


class _Maker:
    def __init__(self, root: Json) -> None:
        self.root = root
        self._made: dict[str, Strategy] = {}

    def make(self, schema: Any, name: str = "") -> Strategy:
        """Values for this part of the schema, the argument `name`."""
        if schema is False:
            return st.nothing()
        part = as_object(schema)
        if "$ref" in part:
            return self._referred(str(part["$ref"]))
        if "const" in part:
            return st.just(part["const"])
        if isinstance(part.get("enum"), list):
            return st.sampled_from(cast("list[Any]", part["enum"])) if part["enum"] else st.nothing()
        for word in ("anyOf", "oneOf"):
            if isinstance(part.get(word), list):
                rest = {key: value for key, value in part.items() if key != word}
                return st.one_of([self.make(_both(rest, branch), name) for branch in part[word]])
        if isinstance(part.get("allOf"), list):
            whole = {key: value for key, value in part.items() if key != "allOf"}
            for branch in part["allOf"]:
                whole = _both(whole, branch)
            return self.make(whole, name)
        return st.one_of([self._typed(kind, part, name) for kind in _kinds(part)])

    def _referred(self, ref: str) -> Strategy:
        if ref not in self._made:
            found: Any = self.root
            for step in ref.removeprefix("#").strip("/").split("/") if ref != "#" else []:
                found = as_object(found).get(step.replace("~1", "/").replace("~0", "~"))
            if not ref.startswith("#") or found is None:
                raise Impossible(f"its schema refers to {ref!r}")
            self._made[ref] = st.deferred(lambda: self._made[f"made {ref}"])
            self._made[f"made {ref}"] = self.make(found)
        return self._made[ref]

    def _typed(self, kind: str, part: Json, name: str) -> Strategy:
        if kind == "string":
            return _text(part)
        if kind in ("integer", "number"):
            return _number(part, kind == "integer", any(word in name.lower() for word in WAITS))
        if kind == "array":
            return self._array(part)
        if kind == "object":
            return self._object(part)
        return st.booleans() if kind == "boolean" else st.none()

    def _array(self, part: Json) -> Strategy:
        least, most = _size(part, "minItems", "maxItems")
        first = [self.make(each) for each in cast("list[Any]", part.get("prefixItems") or [])]
        rest = self.make(part.get("items", {}))
        if first:
            return st.tuples(*first).map(list)
        unique = canonical if part.get("uniqueItems") is True else None
        return st.lists(rest, min_size=least, max_size=most, unique_by=unique)

    def _object(self, part: Json) -> Strategy:
        needed = {str(name) for name in cast("list[Any]", part.get("required") or [])}
        properties = as_object(part.get("properties"))
        fixed = {name: self.make(properties.get(name, {}), name) for name in sorted(needed)}
        free = {name: self.make(each, name) for name, each in properties.items() if name not in needed}
        known = st.fixed_dictionaries(fixed, optional=free)
        if isinstance(part.get("additionalProperties"), dict) and "propertyNames" not in part:
            others = st.dictionaries(
                st.text("abcxyz_", min_size=1), self.make(part["additionalProperties"]), max_size=3
            )
            return st.tuples(others, known).map(lambda both: both[0] | both[1])
        return known


def _both(one: Json, other: Any) -> Json:
    """Two schemas as one, as far as it goes; what it gets wrong is filtered out."""
    given = as_object(other)
    merged = one | given
    if "properties" in one and "properties" in given:
        merged["properties"] = as_object(one["properties"]) | as_object(given["properties"])
    if "required" in one and "required" in given:
        merged["required"] = [*one["required"], *given["required"]]
    return merged


def _kinds(part: Json) -> list[str]:
    kind = part.get("type")
    if isinstance(kind, list):
        return [str(each) for each in cast("list[Any]", kind)]
    if isinstance(kind, str):
        return [kind]
    for words, implied in (
        ({"properties", "required", "additionalProperties"}, "object"),
        ({"items", "prefixItems", "minItems"}, "array"),
        ({"minLength", "maxLength", "pattern", "format"}, "string"),
        ({"minimum", "maximum", "multipleOf"}, "number"),
    ):
        if words & set(part):
            return [implied]
    return ["null", "boolean", "integer", "string"]


def _size(part: Json, low: str, high: str) -> tuple[int, int]:
    least = int(part.get(low) or 0)
    if least > 10_000:
        raise Impossible(f"its schema asks for {low} {least}")
    most = part.get(high)
    return least, min(least + MORE, int(most)) if isinstance(most, int | float) else least + MORE


def _text(part: Json) -> Strategy:
    if "pattern" not in part and "format" not in part:
        least, most = _size(part, "minLength", "maxLength")
        return st.text(ASCII, min_size=least, max_size=most)
    lean_jsonschema()
    import hypothesis_jsonschema

    words = {key: part[key] for key in ("pattern", "format", "minLength", "maxLength") if key in part}
    try:
        re.compile(str(part.get("pattern", "")))
    except re.error as error:
        raise Impossible(f"its schema has a pattern that Python does not understand: {error}") from None
    make: Any = cast(Any, hypothesis_jsonschema).from_schema
    return make({"type": "string", **words}, codec=None, allow_x00=False)


def _number(part: Json, whole: bool, waits: bool) -> Strategy:
    # Exclusive limits are filtered out afterwards.
    low, high = _limit(part, "minimum", "exclusiveMinimum"), _limit(part, "maximum", "exclusiveMaximum")
    least = max(low) if low else min([-EDGE, *high])
    most = min(high) if high else max([EDGE, *low])
    if waits:
        most = min(most, max(least, 0.0) + (0 if whole else 0.01))
    step = part.get("multipleOf")
    if isinstance(step, int | float) and step > 0:
        times = st.integers(math.ceil(least / step), math.floor(most / step))
        return times.map(lambda n: n * cast(Any, step))
    integers = st.integers(math.ceil(least), math.floor(most)) if math.ceil(least) <= math.floor(most) else st.nothing()
    return integers if whole else integers | st.floats(least, most, allow_nan=False).map(lambda x: x or 0.0)


def _limit(part: Json, *words: str) -> list[float]:
    given: list[Any] = [part.get(word) for word in words]
    return [float(each) for each in given if isinstance(each, int | float) and not isinstance(each, bool)]
