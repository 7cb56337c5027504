"""A model's script in a TOML file: for cases that are data, such as a table of what an agent must do right.

    answer = "Each gets {share}, of {total}."           # what it says in the end
    name = "sharing"                                    # in transcripts; without it, the name of the file
    usage = { read = 100, written = 20 }                # tokens that each reply says to have taken

    [[steps]]                                           # a reply each, in order
    call = "calc.add"                                   # a tool, by the name that the model is offered
    arguments = { a = 17, b = 25 }
    as = "total"                                        # a name for what comes

    [[steps]]
    call = "calc.divide"
    arguments = { a = "{total}", b = 0 }
    fails = "zero"                                      # it must fail, with this in the text; `true` for any error

    [[steps]]
    together = [{ call = "..." }, { call = "..." }]     # calls of one reply

In texts, of arguments and of the answer, `{total}` is what came under this name, `{orders.rows.0.id}` a part of it,
where it is JSON, and `{task}` what the user asked. An argument that is nothing but one of these becomes what that is as
JSON: `{total}` a number, where a number came. `{{` and `}}` are braces.

A call that fails without `fails`, or does not with it, ends the conversation with a ModelError: the script is wrong, or
what it tests.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from labkit.agents.model import Json, ModelError, Usage
from labkit.agents.scripted import Script, Step, Talk, Text, call
from labkit.errors import LabError, did_you_mean

Place = tuple[str | int, ...]
TASK = "task"
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_TEXT: Json = {"type": "string", "minLength": 1}
_TOKENS: Json = {"type": "integer", "minimum": 0}
_CALL: Json = {
    "type": "object",
    "properties": {
        "call": _TEXT,
        "arguments": {"type": "object"},
        "as": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$", "not": {"const": TASK}},
        "fails": {"type": ["boolean", "string"]},
    },
    "required": ["call"],
    "additionalProperties": False,
}
_TOGETHER: Json = {
    "properties": {"together": {"type": "array", "items": _CALL, "minItems": 1}},
    "additionalProperties": False,
}
_STEP: Json = {"type": "object", "if": {"required": ["together"]}, "then": _TOGETHER, "else": _CALL}
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "answer": {"type": "string"},
        "name": _TEXT,
        "usage": {
            "type": "object",
            "properties": {"read": _TOKENS, "written": _TOKENS},
            "additionalProperties": False,
        },
        "steps": {"type": "array", "items": _STEP},
    },
    "required": ["answer"],
    "additionalProperties": False,
}
"""What a script is."""


class ScriptError(LabError):
    """A script that cannot be read. Says the file, the line, and what is wrong there."""


def read(path: str | Path) -> tuple[str, Script, Usage]:
    """The name of a script, the script, and what each of its replies takes. Raises ScriptError with all mistakes."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"The script {path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(f"The script {path} is not TOML: {error}.") from error
    faults = list(_misshapen(table)) or [*_no_json(table, ()), *_lost(table)]
    if faults:
        told = sorted((_line(text, place), _where(place), what) for place, what in faults)
        raise ScriptError("\n".join(f"{path}, line {line}: {where}{what}" for line, where, what in told))

    def script(talk: Talk) -> Generator[Step, Any, str]:
        known: dict[str, str] = {TASK: talk.task}
        for number, step in enumerate(table.get("steps", ())):
            place = ("steps", number)
            here = f"{path.name}, line {_line(text, place)}: {_where(place)}"
            yield from _step(step, known, here)
        return str(_filled(table["answer"], known, f"{path.name}: answer: ", as_text=True))

    usage = table.get("usage", {})
    return table.get("name", path.stem), script, Usage(usage.get("read", 0), usage.get("written", 0))


def _step(step: Json, known: dict[str, str], here: str) -> Generator[Step, Any, None]:
    parts: list[Json] = step.get("together") or [step]
    wanted = [call(part["call"], **_filled(part.get("arguments", {}), known, here)) for part in parts]
    came: Any = yield wanted
    for part, each in zip(parts, cast("list[Text]", came), strict=True):
        fails = part.get("fails", False)
        if each.is_error and fails is False:
            raise ModelError(f"{here}{part['call']} failed: {each}. Mend what it calls, or write `fails = true`.")
        if fails is not False and not each.is_error:
            raise ModelError(f"{here}{part['call']} was to fail, and gave: {each}")
        if isinstance(fails, str) and fails not in each:
            raise ModelError(f"{here}{part['call']} was to fail with {fails!r}, and did with: {each}")
        if "as" in part:
            known[part["as"]] = str(each)


def _filled(value: Any, known: Mapping[str, str], here: str, *, as_text: bool = False) -> Any:
    """The value with all references replaced. Raises ModelError for one that leads to nothing."""
    if isinstance(value, dict):
        return {name: _filled(each, known, here) for name, each in cast(Json, value).items()}
    if isinstance(value, list):
        return [_filled(each, known, here) for each in cast("list[Any]", value)]
    if not isinstance(value, str):
        return value
    whole = _PART.fullmatch(value)
    if whole and whole[1] is not None and not as_text:
        return _looked_up(whole[1], known, here)

    def put(part: re.Match[str]) -> str:
        if part[1] is None:
            return part[0][0]
        found = known[part[1]] if part[1] in known else _looked_up(part[1], known, here)
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

    return _PART.sub(put, value)


def _looked_up(reference: str, known: Mapping[str, str], here: str) -> Any:
    name, *parts = reference.split(".")
    value: Any = known[name]
    with suppress(ValueError):  # it may be no JSON, but a text
        value = json.loads(value)
    for part in parts:
        try:
            value = cast("list[Any]", value)[int(part)] if isinstance(value, list) else cast(Json, value)[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ModelError(f"{here}{{{reference}}}: there is no {part!r} in {_short(value)}") from None
    return value


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _misshapen(table: Json) -> Iterator[tuple[Place, str]]:
    """Where the file is no script, and how."""
    import jsonschema  # here, for whoever has a script that is Python

    errors: Iterable[Any] = jsonschema.Draft202012Validator(SCHEMA).iter_errors(table)  # pyright: ignore[reportUnknownMemberType]
    for error in errors:
        place: Place = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            has = list(error.schema["properties"])
            for name in sorted(set(cast(Json, error.instance)) - set(has)):
                yield (*place, name), f"this means nothing here. {did_you_mean(name, has, has='It may have')}"
        elif error.validator == "not":
            yield place, f"{{{TASK}}} is what the user asked: choose another name."
        else:
            yield place, f"{error.message}."


def _no_json(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    for name, each in _inside(value):
        yield from _no_json(each, (*place, name))
    if not isinstance(value, (dict, list, str, int, float)) or value != value or value in (math.inf, -math.inf):
        yield place, f"{value} is nothing that JSON has. Write a text."


def _lost(table: Json) -> Iterator[tuple[Place, str]]:
    """References to what has not come yet, braces that are none, and names that are given twice."""
    known: list[str] = [TASK]
    for number, step in enumerate(cast("list[Json]", table.get("steps", []))):
        place: Place = ("steps", number)
        parts = [(place, step)]
        if "together" in step:
            parts = [((*place, "together", n), part) for n, part in enumerate(step["together"])]
        for at, part in parts:
            yield from _astray(part.get("arguments", {}), known, (*at, "arguments"))
        for at, part in parts:
            name: str = part.get("as", "")
            if name in known:
                yield (*at, "as"), f"{name!r} is the name of an earlier result: choose another one."
            known += [name] * bool(name)
    yield from _astray(table["answer"], known, ("answer",))


def _astray(value: Any, known: list[str], place: Place) -> Iterator[tuple[Place, str]]:
    for name, each in _inside(value):
        yield from _astray(each, known, (*place, name))
    if isinstance(value, str):
        for part in _PART.finditer(value):
            if part[0] in "{}":
                yield place, f"a {part[0]!r} alone: write {part[0] * 2!r} for a brace."
            elif part[1] is not None and (name := part[1].split(".")[0]) not in known:
                yield place, f"nothing called {name!r} has come by then. {did_you_mean(name, known, has='There is')}"


def _inside(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from cast(Json, value).items()
    elif isinstance(value, list):
        yield from enumerate(cast("list[Any]", value))


def _where(place: Place) -> str:
    """`steps[2].arguments: ` for the second step's; steps are counted from one."""
    shown = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    return f"{shown}: " if shown else ""


def _line(text: str, place: Place) -> int:
    """The line of what stands at a place, or of the step that it belongs to; 1 when it cannot be told.

    TOML's reader keeps no lines: this looks for the headers of steps and for the names behind them.
    """
    lines, first = text.splitlines(), 0
    heads = [number for number, line in enumerate(lines) if re.match(r"\s*\[\[\s*steps\s*\]\]", line)]
    last = heads[0] if heads else len(lines)
    if place[:1] == ("steps",) and len(place) > 1 and isinstance(place[1], int) and place[1] < len(heads):
        first = heads[place[1]]
        last = heads[place[1] + 1] if place[1] + 1 < len(heads) else len(lines)
        calls = [number for number in range(first, last) if re.search(r"\bcall\s*=", lines[number])]
        if place[2:3] == ("together",) and len(place) > 3 and isinstance(place[3], int) and place[3] < len(calls):
            first = calls[place[3]]
    for part in reversed(place):
        if isinstance(part, str):
            name = re.compile(rf"""(^|[\s{{,.\[])["']?{re.escape(part)}["']?\s*[=.\]]""")
            for number in range(first, last):
                if name.search(lines[number].split("#")[0]):
                    return number + 1
    return first + 1
