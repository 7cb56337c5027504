"""JSON Schemas of a server: are they sound, and does a value fit?

Schemas come from servers that may be careless or hostile: nothing is fetched, and patterns that could keep Python's
`re` busy for ever are not run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from labkit._lean import lean_jsonschema
from labkit.testbench.raw import Json

WORDS = ("title", "description", "examples", "default", "$comment", "deprecated", "readOnly", "writeOnly")
"""Keywords that say something and allow anything."""
MOST = 5_000
"""Parts of one schema that are looked at: references can make a small text an endless one."""
_DANGEROUS = re.compile(r"[+*}]\??\)+\??[+*{]|\\[1-9]|\(\?[=!<]")
"""A repetition of a repetition, and what else makes `re` go back and forth."""


def canonical(value: Any) -> str:
    """The one text for a JSON value: sorted members, no spaces. 1, 1.0 and true differ."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def as_object(value: Any) -> Json:
    """An object as it is, and {} for anything else."""
    return cast(Json, value) if isinstance(value, dict) else {}


def fault(schema: Any) -> str:
    """Why this is no usable schema; '' when it is one."""
    lean_jsonschema()
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    if not isinstance(schema, dict):
        return f"it is {canonical(schema)[:40]}, not an object"
    try:
        cast(Any, validator_for(cast(Any, schema), default=Draft202012Validator)).check_schema(schema)
    except SchemaError as error:
        return f"{'.'.join(map(str, error.absolute_path)) or 'the schema'}: {error.message[:200]}"
    except RecursionError:
        return "it is nested too deeply"
    except Exception as error:  # the checker stumbles over some nonsense instead of naming it
        return f"{type(error).__name__}: {str(error)[:200]}"
    return next(
        (f"the reference {ref!r} leads nowhere" for ref in _references(schema) if not _leads(cast(Json, schema), ref)),
        "",
    )


def misfit(schema: Any, value: Any) -> str:
    """Where and why a value does not fit a sound schema; '' when it does, or when it cannot be told."""
    lean_jsonschema()
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for
    from referencing.jsonschema import EMPTY_REGISTRY

    try:
        kind: Any = validator_for(schema, default=Draft202012Validator)
        # A registry of our own: the default one would fetch a `$ref` to another host, on the server's say-so.
        validator = kind(without_dangers(schema), registry=EMPTY_REGISTRY)
        error: Any = next(iter(validator.iter_errors(value)), None)
    except Exception:  # a `$ref` to nowhere, endless recursion: told by `fault`, and nothing is known about the value
        return ""
    return "" if error is None else f"{'.'.join(map(str, error.absolute_path)) or 'the whole'}: {error.message[:300]}"


def without_dangers(schema: Any) -> Any:
    """A copy without the patterns that may take `re` for ever."""
    if isinstance(schema, list):
        return [without_dangers(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_dangers(value)
        for key, value in cast(Json, schema).items()
        if not (key == "pattern" and isinstance(value, str) and _DANGEROUS.search(value))
        and not (key == "patternProperties" and isinstance(value, dict) and _DANGEROUS.search(canonical(value)))
    }


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for each in cast("list[Any]", schema):
            yield from _references(each)
    elif isinstance(schema, dict):
        for key, value in cast(Json, schema).items():
            if key == "$ref" and isinstance(value, str):
                yield value
            elif key not in ("enum", "const", "default", "examples"):
                yield from _references(value)


def _leads(schema: Json, ref: str) -> bool:
    # An anchor or another document cannot be told without resolving as a whole.
    return not ref.startswith("#/") or _pointed(schema, ref) is not None


def _pointed(schema: Json, ref: str) -> Any:
    found: Any = schema
    for part in ref.removeprefix("#").strip("/").split("/") if ref != "#" else []:
        key = part.replace("~1", "/").replace("~0", "~")
        found = cast(Json, found).get(key) if isinstance(found, dict) else None
    return found


def expand(schema: Any) -> Any:
    """The schema with its own references put in their place; those in a circle stay, with `$defs`."""
    left = [MOST]

    def within(part: Any, seen: tuple[str, ...]) -> Any:
        left[0] -= 1
        if isinstance(part, list):
            return [within(each, seen) for each in cast("list[Any]", part)]
        if not isinstance(part, dict):
            return part
        given = cast(Json, part)
        ref = given.get("$ref")
        if isinstance(ref, str) and ref.startswith("#/") and ref not in seen and left[0] > 0:
            target = _pointed(cast(Json, schema), ref)
            others = {key: within(value, seen) for key, value in given.items() if key != "$ref"}
            if isinstance(target, dict):
                put = cast(Json, within(target, (*seen, ref)))
                only_words = set(others) <= set(WORDS)
                more = cast("list[Any]", others["allOf"]) if isinstance(others.get("allOf"), list) else []
                return put | others if only_words else {**others, "allOf": [put, *more]}
        return {k: v if k in ("enum", "const", "default", "examples") else within(v, seen) for k, v in given.items()}

    whole: Any = within(schema, ())
    if isinstance(whole, dict) and not any(_references(plain := _undefined(cast(Json, whole)))):
        return plain
    return cast(Any, whole)


def _undefined(schema: Json) -> Json:
    return {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
