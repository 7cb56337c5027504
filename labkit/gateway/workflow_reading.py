"""From a table, as it stands in a TOML file, to a Workflow, with every mistake on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from labkit.gateway.exchange import Json
from labkit.gateway.tables import Table
from labkit.gateway.workflow import TIMEOUT, Action, Input, Step, Workflow

ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
TYPES = ("string", "number", "integer", "boolean", "array", "object")


def read(raw: Mapping[str, Any]) -> tuple[Workflow, list[str]]:
    """The workflow as far as it can be read, and what is wrong with how it is written."""
    notes: list[str] = []
    table = Table(dict(raw), "", notes)
    workflow = Workflow(
        name=table.text("name", "workflow"),
        summary=table.text("summary"),
        inputs=_inputs(table),
        steps=tuple(_step(row) for row in table.rows("steps")),
        output=_raw(table, "output", None),
        timeout=table.seconds("timeout", None),
        parallel=table.whole("parallel", 8, 1, 100),
    )
    table.close()
    return workflow, notes


def _raw(table: Table, key: str, default: Any) -> Any:
    # Not by `take`: nothing of the environment is to be filled in.
    table.known(key)
    return table.raw.get(key, default)


def _inputs(outer: Table) -> dict[str, Input]:
    if (table := outer.table("inputs")) is None:
        return {}
    found: dict[str, Input] = {}
    for name, given in table.raw.items():
        if isinstance(given, str):
            found[name] = Input(name, given)
            continue
        if not isinstance(given, dict):
            table.note(name, 'write what it is, as a text, or a schema, such as {type = "integer", default = 1}.')
            continue
        schema = cast(Json, given)
        if "type" in schema and schema["type"] not in TYPES:
            table.note(name, f"found type {schema['type']!r}; write one of {', '.join(TYPES)}.")
            schema = {key: value for key, value in schema.items() if key != "type"}
        known = {key: value for key, value in schema.items() if key not in ("description", "optional")}
        needed = "default" not in schema and schema.get("optional") is not True
        found[name] = Input(name, str(schema.get("description", "")), known, needed)
    return found


def _step(row: Table) -> Step:
    id = row.text(
        "id", "", "letters, digits, '_' and '-', a letter first", lambda v: bool(ID.fullmatch(v)), needed=True
    )
    action = _action(row)
    when = _raw(row, "when", True)
    compensate = row.table("compensate")
    undo = _action(compensate) if compensate is not None else None
    if compensate is not None:
        compensate.close()
    needs = row.texts("needs", (), 'a list of ids of steps, such as ["find"]')
    row.close()
    return Step(action.tool, action.arguments, action.timeout, action.retry, id, needs, when, undo)


def _action(table: Table) -> Action:
    arguments = _raw(table, "arguments", {})
    if not isinstance(arguments, dict):
        table.note("arguments", 'write an object, such as { query = { "$ref" = "inputs.name" } }.')
        arguments = {}
    return Action(
        tool=table.text("tool", wanted="the name of a tool", needed=True),
        arguments=cast(Json, arguments),
        timeout=table.seconds("timeout", TIMEOUT) or TIMEOUT,
        retry=table.whole("retry", 0, 0, 10),
    )
