"""The roles a mock interview can be for: interview/roles.toml, checked against interview/roles.schema.json."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from labkit.errors import did_you_mean
from labkit.interview.bank import INTERVIEW, InterviewError

ROLES = INTERVIEW / "roles.toml"
SCHEMA = INTERVIEW / "roles.schema.json"


@dataclass(frozen=True)
class Role:
    """What a mock interview for a role is mixed from. Weights are relative to each other."""

    id: str
    title: str
    about: str
    topics: Mapping[str, int]
    levels: Mapping[str, int]
    parts: Mapping[str, int]
    """From how many minutes on a session has a kata, a tape, a design case."""
    katas: tuple[str, ...]
    tapes: tuple[str, ...]
    briefs: tuple[str, ...]


def load_roles(path: Path = ROLES) -> dict[str, Role]:
    """The roles by id, in the order of the file. Raises InterviewError that names the file and what is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InterviewError(f"{path} cannot be read: {error}") from None
    for error in sorted(_validator().iter_errors(data), key=lambda error: list(map(str, error.path))):
        raise InterviewError(f"{path}: {'.'.join(map(str, error.path))}: {error.message[:300]}")
    return {id: _role(id, entry) for id, entry in data.items()}


def find_role(id: str) -> Role:
    """The role of that name. Raises InterviewError, naming the nearest ones."""
    roles = load_roles()
    if id not in roles:
        raise InterviewError(f"There is no role {id!r}. {did_you_mean(id, roles, has='The roles are')}")
    return roles[id]


def _role(id: str, entry: Mapping[str, Any]) -> Role:
    fields: dict[str, Any] = dict(entry)
    for key in ("katas", "tapes", "briefs"):
        fields[key] = tuple(entry[key])
    return Role(id=id, **fields)


@cache
def _validator() -> Any:
    from labkit._lean import lean_jsonschema

    lean_jsonschema()
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
