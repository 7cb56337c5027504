"""Pipelines: calls of tools, one after the other, in which a step uses what earlier ones have answered.

A step is {"tool": "filter_rows", "args": {"rows": "$sales.rows", ...}, "save_as": "winter"}. The text "$sales.rows"
stands for that part of the answer that was saved as "sales"; "$$5" stands for the text "$5". All is checked before
anything runs: that the tools exist, that their arguments are there, known, and of the right kind, and that references
point to earlier steps and to something that their tool answers.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

MAX_STEPS = 20


class PipelineError(Exception):
    """The pipeline is wrong, or has stopped; the message names the step, and says why and what to do."""


class Step(BaseModel):
    """One call of a tool."""

    tool: str = Field(description="Name of a tool of this server.")
    args: dict[str, Any] = Field(default={}, description='Arguments; "$name.part" stands for an earlier answer.')
    save_as: str = Field(default="", description="Name for the answer; step1, step2, ... if left out.")


@dataclass(frozen=True)
class Ingredient:
    """A tool that pipelines may use: its function, and the names of what it answers (none if that is free)."""

    function: Callable[..., Any]
    answers: frozenset[str]
    _parameters: dict[str, inspect.Parameter] = field(init=False)

    def __post_init__(self) -> None:
        signature = inspect.signature(self.function, eval_str=True)
        known = {name: p for name, p in signature.parameters.items() if name != "ctx"}
        object.__setattr__(self, "_parameters", known)

    def problems(self, args: dict[str, Any]) -> Iterator[str]:
        """What is wrong with these arguments. References are taken to be right."""
        for name in sorted(args.keys() - self._parameters.keys()):
            yield f"takes no argument {name!r}: it takes {', '.join(self._parameters) or 'none'}"
        for name, parameter in self._parameters.items():
            if name not in args:
                if parameter.default is parameter.empty:
                    yield f"needs the argument {name!r}"
            elif not list(references(args[name])):
                try:
                    TypeAdapter[Any](parameter.annotation).validate_python(resolved(args[name], {}))
                except ValidationError as error:
                    first = error.errors()[0]
                    place = ".".join(map(str, (name, *first["loc"])))
                    yield f"cannot take {place} = {first['input']!r}: {first['msg']}"


def check(steps: list[Step], tools: dict[str, Ingredient]) -> list[str]:
    """The names under which the answers of the steps are saved. Raises PipelineError with all that is wrong."""
    if not 1 <= len(steps) <= MAX_STEPS:
        raise PipelineError(f"a pipeline has 1 to {MAX_STEPS} steps, not {len(steps)}")
    saved: dict[str, Step] = {}
    problems: list[str] = []
    for number, step in enumerate(steps, start=1):
        name = step.save_as or f"step{number}"
        found = list(_problems(step, name, saved, tools))
        problems += [f"step {number} ({step.tool}) {problem}" for problem in found]
        saved.setdefault(name, step)
    if problems:
        raise PipelineError("; ".join(problems))
    return list(saved)


def _problems(step: Step, name: str, saved: dict[str, Step], tools: dict[str, Ingredient]) -> Iterator[str]:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", name):
        yield f"cannot be saved as {name!r}: use a letter, then letters, digits and _"
    elif name in saved:
        yield f"is saved as {name!r}, like an earlier step: choose another name"
    if step.tool not in tools:
        yield f"is no tool for pipelines: there are {', '.join(tools)}"
        return
    yield from tools[step.tool].problems(step.args)
    for reference in references(step.args):
        start, *path = reference.removeprefix("$").split(".")
        if start not in saved:
            known = f"earlier steps are {', '.join(saved)}" if saved else "it is the first step"
            yield f"refers to {reference!r}, and no earlier step is saved so: {known}"
        elif path and saved[start].tool in tools:
            answers = tools[saved[start].tool].answers
            if answers and path[0] not in answers:
                yield f"refers to {reference!r}, but {saved[start].tool} answers {', '.join(sorted(answers))}"


def references(value: Any) -> Iterator[str]:
    """The references in a value, at any depth."""
    if isinstance(value, str) and value.startswith("$") and not value.startswith("$$"):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(value: Any, saved: dict[str, Any]) -> Any:
    """The value with answers in place of references. Raises PipelineError for a part that an answer does not have."""
    if isinstance(value, dict):
        return {key: resolved(inner, saved) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, saved) for inner in value]
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    if value.startswith("$$"):
        return value[1:]
    start, *path = value[1:].split(".")
    found = saved[start]
    for part in path:
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            there = ", ".join(map(str, found)) if isinstance(found, dict) else type(found).__name__
            raise PipelineError(f"{value!r} has no part {part!r}: there is {there[:200]}") from error
    return found
