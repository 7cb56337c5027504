"""Processes as data: read from processes.toml, checked when read, filled in when run. Knows nothing of MCP."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SERVERS = ("hr", "finance", "it_tickets")


class ProcessError(Exception):
    """A process cannot be read, or not be run like this; the message says why and what to do."""


class Step(BaseModel):
    """One call, and what takes it back."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    call: str = Field(pattern=f"^({'|'.join(SERVERS)})\\.[a-z_]+$")
    arguments: dict[str, Any] = Field(alias="with")
    save_as: str = Field(pattern=r"^[a-z][a-z_]*$")
    undo: str = Field(default="", pattern=f"^$|^({'|'.join(SERVERS)})\\.[a-z_]+$")
    undo_with: dict[str, Any] = {}
    reads: bool = False


class Process(BaseModel):
    """Steps in order, and what has to be given."""

    model_config = ConfigDict(extra="forbid")
    summary: str
    inputs: dict[str, str]
    steps: list[Step] = Field(min_length=1)


def read_processes(path: Path) -> dict[str, Process]:
    """The processes by name. Raises ProcessError that names what is wrong."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ProcessError(f"cannot read {path}: {error}") from error
    return {name: _process(f"{path.name} [{name}]", table) for name, table in tables.items()}


def _process(where: str, table: Any) -> Process:
    try:
        process = Process.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        raise ProcessError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    known = {"input": set(process.inputs)}
    for step in process.steps:
        _check(f"{where} {step.call}", step.arguments, known)
        if step.save_as in known:
            raise ProcessError(f"{where} {step.call}: {step.save_as!r} is taken: save it by another name")
        if not (step.undo or step.reads or step is process.steps[-1]):
            raise ProcessError(f"{where} {step.call}: it needs an undo, or reads = true, as steps come after it")
        known[step.save_as] = set()
        _check(f"{where} {step.call}", step.undo_with, known)
    return process


def _check(where: str, values: Mapping[str, Any], known: Mapping[str, set[str]]) -> None:
    for start, part in references(values):
        if start not in known or (start == "input" and part not in known["input"]):
            have = ", ".join(f"${key}" for key in known)
            raise ProcessError(f"{where}: ${start}.{part} is not known there: there are {have}")


def references(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the values refer to: ("hire", "employee_id") for "$hire.employee_id"."""
    for value in values.values():
        if isinstance(value, str) and (found := re.fullmatch(r"\$([a-z_]+)\.([a-z_]+)", value)):
            yield found[1], found[2]


def filled(values: Mapping[str, Any], answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values, with answers in place of references. Raises ProcessError for a part that an answer does not have."""
    done = dict(values)
    for name, value in values.items():
        for start, part in references({name: value}):
            if part not in answers[start]:
                there = ", ".join(answers[start]) or "nothing"
                raise ProcessError(f"${start}.{part}: the answer has no {part!r}, it has {there}")
            done[name] = answers[start][part]
    return done


def check_inputs(name: str, process: Process, inputs: Mapping[str, Any]) -> None:
    """Raises ProcessError when something is missing, or not known. What the values may be, the servers below know."""
    problems = [f"needs {key!r} ({process.inputs[key]})" for key in process.inputs if key not in inputs]
    problems += [f"takes no {key!r}" for key in inputs if key not in process.inputs]
    if problems:
        raise ProcessError(f"{name} {', '.join(problems)}: its inputs are {', '.join(process.inputs)}")
