"""The shape of every message, as the published schema of its revision gives it.

The SDK carries one model for each result, notification and request, generated from `schema/REVISION/schema.json` of the
specification; `mcp_types.methods` says which belongs to which method. They are used strictly here: no text for a
number, and no null, which the published schema allows in one place only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast, get_args

from mcp_types.methods import SERVER_NOTIFICATIONS, SERVER_REQUESTS, SERVER_RESULTS
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS
from pydantic import BaseModel, TypeAdapter, ValidationError

from labkit.testbench.raw import HANDSHAKE, MODERN, PREFIX, Json, RawWire, parsed

SHOWN = 3
"""Problems of one message that are told."""


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def _whole(text: str) -> float | int:
    number = float(text)  # 1.0 is an integer in JSON Schema
    return int(number) if number.is_integer() else number


def problems(model: Any, value: Any) -> list[str]:
    """What the schema says against `value`: a path and a sentence for each; [] when it is of this shape."""
    again: Any = json.loads(json.dumps(value), parse_float=_whole)
    try:
        made = _adapter(model).validate_python(again, strict=True, by_name=False)
    except ValidationError as error:
        return list(dict.fromkeys(_said(each) for each in error.errors(include_url=False)))[:SHOWN]
    return [f"{path}: null, where the member should be left out" for path in _nulls(made, "")][:SHOWN]


def _said(error: Any) -> str:
    # The names of models are steps of the path where a value may be one of several.
    path = ".".join(str(step) for step in error["loc"] if not (isinstance(step, str) and step[:1].isupper()))
    return f"{path or 'the whole'}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _nulls(value: Any, path: str) -> Iterator[str]:
    """Members that are null and typed otherwise. A member that may be anything, or that must be there, may be null."""
    if isinstance(value, BaseModel):
        for name in value.model_fields_set:
            field = type(value).model_fields.get(name)
            if field is None:
                continue
            inner = getattr(value, name)
            here = f"{path}.{field.alias or name}".lstrip(".")
            if inner is None and not field.is_required() and not _anything(field.annotation):
                yield here
            elif inner is not None:
                yield from _nulls(inner, here)
    elif isinstance(value, list):
        for number, each in enumerate(cast("list[Any]", value)):
            yield from _nulls(each, f"{path}.{number}")


def _anything(annotation: Any) -> bool:
    return annotation is Any or Any in get_args(annotation)


def revision(wire: RawWire) -> str:
    """The revision spoken on this wire."""
    agreed = wire.hello.get("protocolVersion")
    return MODERN if wire.modern else agreed if agreed in KNOWN_PROTOCOL_VERSIONS else HANDSHAKE


def shape_problems(wire: RawWire, message: Json, methods: Mapping[Any, str]) -> tuple[str, list[str]]:
    """What kind of message it is, and what is wrong with its shape; `methods` has the method of each request's id."""
    version, method = revision(wire), message.get("method")
    if "result" in message:
        asked = methods.get(_key(message.get("id")), "")
        return f"the result of {asked}", _result(asked, version, message["result"])
    if not isinstance(method, str):
        return "", []
    known = SERVER_REQUESTS if "id" in message else SERVER_NOTIFICATIONS
    model = known.get((method, version))
    return method, problems(model, message) if model is not None else []


def _result(method: str, version: str, result: Any) -> list[str]:
    model: Any = SERVER_RESULTS.get((method, version))
    if model is None:
        return []
    if isinstance(result, dict) and version == MODERN:
        given = cast(Json, result)
        # One model of the two: taken as one of several, a wrong result would pass as the other.
        choices = get_args(model) or (model,)
        model = choices[-1] if given.get("resultType") == "input_required" else choices[0]
        if given.get("resultType") not in (None, "complete", "input_required"):
            return []  # an extension's own
        # protocol.result-type and protocol.cache-hints speak of these.
        result = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} | given
        result |= {} if _is_hint(given.get("ttlMs")) else {"ttlMs": 0}
        result |= {} if given.get("cacheScope") in ("public", "private") else {"cacheScope": "private"}
    return (problems(model, result) + _about(result))[:SHOWN]


def _about(result: Any) -> list[str]:
    """What is wrong with the serverInfo in `_meta`, which the SDK's model leaves open."""
    meta = cast(Json, result).get("_meta") if isinstance(result, dict) else None
    key = f"{PREFIX}serverInfo"
    if not isinstance(meta, dict) or key not in meta:
        return []
    model = cast(Any, SERVER_RESULTS["initialize", HANDSHAKE]).model_fields["server_info"].annotation
    return [f"_meta.{key}: {problem}" for problem in problems(model, cast(Json, meta)[key])]


def _is_hint(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _key(id: Any) -> Any:
    return (type(id).__name__, id) if isinstance(id, int | str) else None


def methods_of(wire: RawWire) -> dict[Any, str]:
    """By id, the method of every request that was sent on this wire."""
    found: dict[Any, str] = {}
    for way, text in wire.transcript:
        message = parsed(text) if way == "sent" else {}
        if isinstance(message.get("method"), str) and _key(message.get("id")) is not None:
            found[_key(message["id"])] = message["method"]
    return found
