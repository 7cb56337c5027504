"""One way to write a schema: what is left of a snapshot when it no longer matters which SDK has written it.

    diff(plain(await snapshot.take(python)), plain(await snapshot.take(typescript)))     # what differs in substance

pydantic gives every member a title and keeps its models under `$defs`; zod names the dialect in `$schema` and closes
its objects. A value that may be null is `anyOf` for one, a list of types for the other. None of it changes which
values fit, but for `additionalProperties`, which is kept.
"""

from __future__ import annotations

from typing import Any, cast

from labkit.testbench.raw import Json
from labkit.testbench.schemas import as_object, expand
from labkit.testbench.snapshot import PINNED

SPELLING = ("title", "$schema")
"""Keywords that say who wrote a schema, and nothing about values."""
_MAPS = ("properties", "patternProperties", "dependentSchemas")
_AS_THEY_ARE = ("enum", "const", "default", "examples", "required", "type")


def plain(snapshot: Json) -> Json:
    """The snapshot with its schemas written in one way, and without hashes. The one given is left as it is."""
    made = dict(snapshot)
    for part in PINNED:
        made[part] = {name: _row(as_object(row)) for name, row in as_object(snapshot.get(part)).items()}
    return made


def _row(row: Json) -> Json:
    kept = {member: value for member, value in row.items() if member != "hash"}
    return {k: plain_schema(v) if k in ("inputSchema", "outputSchema") else v for k, v in kept.items()}


def plain_schema(schema: Any) -> Any:
    """One schema: references expanded, titles and dialect left out, `anyOf` of bare types as a list of types."""
    return _plain(expand(schema))


def _plain(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    made: Json = {}
    for key, value in cast(Json, schema).items():
        if key in SPELLING:
            continue
        if key in _MAPS:
            made[key] = {name: _plain(each) for name, each in as_object(value).items()}
        elif key in _AS_THEY_ARE:
            made[key] = value
        else:
            made[key] = (
                [_plain(each) for each in cast("list[Any]", value)] if isinstance(value, list) else _plain(value)
            )
    branches = cast(Any, made.get("anyOf"))
    if isinstance(branches, list) and "type" not in made:
        types = [each.get("type") if _is_bare(each) else None for each in cast("list[Any]", branches)]
        if all(isinstance(each, str) for each in types):
            made = {key: value for key, value in made.items() if key != "anyOf"} | {"type": types}
    if isinstance(made.get("type"), list):
        made["type"] = sorted(made["type"])
    return made


def _is_bare(schema: Any) -> bool:
    return isinstance(schema, dict) and set(cast(Json, schema)) == {"type"}
