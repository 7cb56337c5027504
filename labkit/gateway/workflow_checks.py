"""What is wrong with a workflow, before anything is called: references, order, and what the tools say they take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, cast

from labkit.errors import did_you_mean
from labkit.gateway.capability import may_repeat
from labkit.gateway.exchange import Json
from labkit.gateway.workflow import Action, Step, Workflow
from labkit.gateway.workflow_values import Reference, condition_faults, is_reference, references, strays

PARTS = ("result", "outcome")
"""What there is to know of a step."""
LOCAL = "#/$defs/"


def structure(workflow: Workflow) -> list[str]:
    """What is wrong whatever tools there are."""
    return list(_structure(workflow))


def _structure(workflow: Workflow) -> Iterator[str]:
    if not workflow.steps:
        yield "steps: there is none; write [[steps]] with id and tool."
    ids = Counter(step.id for step in workflow.steps if step.id)
    yield from (
        f"step {id!r}: {times} steps have this id; give each its own." for id, times in ids.items() if times > 1
    )
    cycle = _cycle(workflow)
    if cycle:
        yield f"steps: {' -> '.join(cycle)} wait for each other; take one of these needs or references out."
    above = {} if cycle else ancestors(workflow)
    for step in workflow.steps:
        at = f"step {step.id!r}"
        named = {each.step for each in references([step.arguments, step.when])}
        for need in step.needs:
            if need == step.id:
                yield f"{at}: it waits for itself."
            elif need not in ids and need not in named:
                yield f"{at}, needs: there is no step {need!r}. {did_you_mean(need, [i for i in ids if i != step.id])}"
        yield from (f"{at}, when: {fault}." for fault in condition_faults(step.when))
        yield from _values(f"{at}, arguments", step.arguments, workflow, ids)
        yield from _values(f"{at}, when", step.when, workflow, ids, tests=True)
        if step.compensate is None:
            continue
        arguments = step.compensate.arguments
        yield from _values(f"{at}, compensate", arguments, workflow, ids)
        for reference in references(arguments):
            known = {step.id, *above.get(step.id, ())}
            if not cycle and reference.step in ids and reference.step not in known:
                yield (
                    f"{at}, compensate: {reference} may not be there when {step.id!r} is taken back: add"
                    f" {reference.step!r} to its needs."
                )
    yield from _values("output", workflow.output, workflow, ids)


def _values(at: str, value: Any, workflow: Workflow, ids: Mapping[str, int], *, tests: bool = False) -> Iterator[str]:
    yield from (f"{at}: {_wrong(each, workflow, ids)}" for each in references(value) if _wrong(each, workflow, ids))
    if not tests:
        yield from (f"{at}: {text} means nothing." for text in strays(value))


def _wrong(reference: Reference, workflow: Workflow, ids: Mapping[str, int]) -> str:
    root, *rest = reference.parts or ("",)
    if root == "inputs":
        if not rest:
            return f"{reference}: which of them? Write inputs.NAME."
        return (
            ""
            if rest[0] in workflow.inputs
            else f"{reference}: no input {rest[0]!r}. {did_you_mean(rest[0], workflow.inputs)}"
        )
    if root != "steps":
        return f"{str(reference) or 'it'}: a reference begins with 'inputs.NAME' or 'steps.ID.result'."
    if not rest or rest[0] not in ids:
        return f"{reference}: no step {rest[0] if rest else ''!r}. {did_you_mean(rest[0] if rest else '', ids)}"
    if len(rest) < 2 or rest[1] not in PARTS:
        return f"{reference}: of a step there are 'result' and 'outcome'; write steps.{rest[0]}.result."
    return ""


def _graph(workflow: Workflow) -> dict[str, set[str]]:
    ids = {step.id for step in workflow.steps}
    return {step.id: {need for need in step.needs if need in ids and need != step.id} for step in workflow.steps}


def _cycle(workflow: Workflow) -> list[str]:
    try:
        TopologicalSorter(_graph(workflow)).prepare()
    except CycleError as error:
        return cast("list[str]", error.args[1])
    return []


def ancestors(workflow: Workflow) -> dict[str, set[str]]:
    """Step -> all that are over when it begins."""
    graph, found = _graph(workflow), dict[str, set[str]]()
    for id in TopologicalSorter(graph).static_order():
        found[id] = graph[id].union(*(found[need] for need in graph[id]))
    return found


# what the tools say ------------------------------------------------------------------------------


def against(workflow: Workflow, tools: Sequence[Mapping[str, Any]]) -> list[str]:
    """What does not fit the tools that there are."""
    known = {str(tool["name"]): tool for tool in tools}
    mistakes: list[str] = []
    for step in workflow.steps:
        mistakes += _action(f"step {step.id!r}", step, known)
        if step.compensate is not None:
            mistakes += _action(f"step {step.id!r}, compensate", step.compensate, known)
    places: list[tuple[str, Any]] = [("output", workflow.output)]
    for step in workflow.steps:
        places.append((f"step {step.id!r}", [step.arguments, step.when]))
        places.append((f"step {step.id!r}, compensate", step.compensate.arguments if step.compensate else None))
    by_id = {step.id: step for step in workflow.steps}
    for at, value in places:
        mistakes += [f"{at}: {text}" for each in references(value) if (text := _leads(each, by_id, known))]
    return mistakes


def _action(at: str, action: Action, known: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if not action.tool:
        return  # that was said when it was read
    tool = known.get(action.tool)
    if tool is None:
        yield f"{at}: there is no tool {action.tool!r}. {did_you_mean(action.tool, known, has='There are')}"
        return
    if action.retry and not may_repeat(tool):
        yield (
            f"{at}, retry: {action.tool!r} does not say that it may be called twice (readOnlyHint, idempotentHint);"
            " take 'retry' out, or it could be done twice."
        )
    schema = _table(tool.get("inputSchema"))
    properties = _table(schema.get("properties"))
    closed = schema.get("additionalProperties", False) is False and "patternProperties" not in schema
    for name, value in action.arguments.items():
        if name not in properties:
            hint = did_you_mean(name, properties, has="It takes")
            if closed:
                yield f"{at}, arguments: {action.tool!r} takes no {name!r}. {hint}"
        elif not any(True for _ in references(value)) and (
            text := misfit(_with_definitions(schema, properties[name]), value)
        ):
            yield f"{at}, arguments.{name}: {text}."
    required: list[str] = schema.get("required") or []
    yield from (
        f"{at}, arguments: {action.tool!r} needs {name!r}." for name in required if name not in action.arguments
    )


def _leads(reference: Reference, steps: Mapping[str, Step], known: Mapping[str, Mapping[str, Any]]) -> str:
    """Why a part of a result cannot be there, as far as the tool's output schema tells."""
    step = steps.get(reference.step)
    tool = known.get(step.tool) if step else None
    if tool is None or reference.parts[2:3] != ("result",):
        return ""
    whole = here = _table(tool.get("outputSchema"))
    if list(_table(here.get("properties"))) == ["result"]:
        here = _table(_table(here.get("properties")).get("result"))  # it is unwrapped
    for part in reference.parts[3:]:
        here = _resolved(here, whole)
        properties = _table(here.get("properties"))
        if here.get("type") == "array" or "items" in here:
            if not part.isdigit():
                return f"{reference}: there is a list, in which only numbers lead on, not {part!r}."
            here = _table(here.get("items"))
        elif properties and here.get("additionalProperties", False) is False and "patternProperties" not in here:
            if part not in properties:
                return f"{reference}: {tool['name']!r} answers with no {part!r}. {did_you_mean(part, properties)}"
            here = _table(properties[part])
        else:
            return ""  # nobody can tell
    return ""


def _resolved(schema: Json, whole: Json) -> Json:
    for _ in range(10):
        target = schema.get("$ref")
        if not isinstance(target, str) or not target.startswith(LOCAL):
            return schema
        schema = _table(_table(whole.get("$defs")).get(target.removeprefix(LOCAL)))
    return {}


def _with_definitions(whole: Json, part: Any) -> Any:
    return {**_table(part), "$defs": whole["$defs"]} if _table(part) and "$defs" in whole else part


def inputs_faults(workflow: Workflow, inputs: Mapping[str, Any]) -> list[str]:
    """What is wrong with what a run is given."""
    mistakes = [
        f"inputs: {name!r} is missing" + (f" ({each.description})" if each.description else "") + "."
        for name, each in workflow.inputs.items()
        if each.needed and name not in inputs
    ]
    for name, value in inputs.items():
        if name not in workflow.inputs:
            mistakes.append(f"inputs: there is no {name!r}. {did_you_mean(name, workflow.inputs, has='There are')}")
        elif text := misfit(dict(workflow.inputs[name].schema), value):
            mistakes.append(f"inputs.{name}: {text}.")
    return mistakes


def misfit(schema: Any, value: Any) -> str:
    """Why a value does not fit a schema; "" when it does, or when nobody can tell."""
    from jsonschema import Draft202012Validator
    from referencing.jsonschema import EMPTY_REGISTRY

    if is_reference(value):
        return ""
    try:
        # A registry of our own: the default one would fetch a `$ref` to another host, on the server's say-so.
        validator: Any = Draft202012Validator(_without_patterns(schema), registry=EMPTY_REGISTRY)
        error: Any = next(iter(validator.iter_errors(value)), None)
    except Exception:  # the schema is no use
        return ""
    return "" if error is None else str(error.message)[:200]


def _without_patterns(schema: Any) -> Any:
    """Patterns are others' programs, and some of them take for ever."""
    if isinstance(schema, dict):
        table = cast(Json, schema)
        return {
            name: _without_patterns(each)
            for name, each in table.items()
            if name not in ("pattern", "patternProperties")
        }
    if isinstance(schema, list):
        return [_without_patterns(each) for each in cast("list[Any]", schema)]
    return schema


def _table(value: Any) -> Json:
    return cast(Json, value) if isinstance(value, dict) else {}
