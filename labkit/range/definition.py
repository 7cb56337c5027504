"""A drill as it lies in `servers/vulnerable/<id>/`, and how it is run against a server."""

from __future__ import annotations

import html
import tomllib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from labkit.catalog import SERVERS
from labkit.errors import CatalogError, did_you_mean
from labkit.range.outcome import GROUPS, HIDDEN, Grade, Group, Outcome
from labkit.range.target import Target
from labkit.session.loading import load_module

RANGE = SERVERS / "vulnerable"
_FUNCTIONS: dict[Group, str] = {"attack": "attack", "use": "legitimate", "near miss": "near_misses"}


@dataclass(frozen=True)
class Drill:
    """One class of attack. The fields are those of `drill.toml`."""

    id: str
    folder: Path
    number: int
    title: str
    happened: str
    """The real case, with its source."""
    owasp: tuple[str, ...]
    """Of the OWASP MCP Top 10, such as MCP05."""
    spec: str
    """The page of the specification, and its section."""
    finds: tuple[str, ...]
    """The checks of `labkit certify` that find the vulnerable server."""
    via: str
    """How certify reaches it: "memory", "stdio" or "http"."""
    exercise: str
    notebook: str
    summary: str
    """What is wrong."""
    repair: str
    """What mends it."""

    @property
    def vulnerable(self) -> Path:
        """The server, or the host, that falls."""
        return self.folder / "vulnerable.py"

    @property
    def fixed(self) -> Path:
        """Its twin that does not."""
        return self.folder / "fixed.py"

    @cached_property
    def module(self) -> ModuleType:
        """`drill.py`: the attack, the use, the near misses, and their inputs."""
        module, forget = load_module(self.folder / "drill.py")
        forget()  # nobody imports it
        return module

    async def attack(self, target: str | Path = "vulnerable") -> Outcome:
        """Attack a server: "vulnerable", "fixed", or the path of a file with `make` or `app`. Raises CatalogError."""
        return await self._run("attack", target)

    async def legitimate(self, target: str | Path = "vulnerable") -> Outcome:
        """Use a server as it is meant to be used."""
        return await self._run("use", target)

    async def near_misses(self, target: str | Path = "vulnerable") -> Outcome:
        """Try what looks like the attack and is none."""
        return await self._run("near miss", target)

    async def grade(self, target: str | Path = "vulnerable") -> Grade:
        """All three groups."""
        return Grade(tuple([await self._run(group, target) for group in GROUPS]))

    async def _run(self, group: Group, target: str | Path) -> Outcome:
        path = {"vulnerable": self.vulnerable, "fixed": self.fixed}.get(str(target), Path(target))
        async with Target(path.resolve()) as running:
            seen = [str(line) for line in await getattr(self.module, _FUNCTIONS[group])(running)]
            shown = tuple(line.replace(running.canary, HIDDEN) for line in seen)
        name = path.stem if path.parent == self.folder else path.name
        return Outcome(self.id, name, group, shown, tuple(seen))

    def __repr__(self) -> str:
        return f"{self.number:>2}  {self.id:<13} {self.title}: {self.summary}"


class Drills(dict[str, Drill]):
    """The drills by id, in the order of their numbers; shows itself as a table."""

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.values()))

    def _repr_html_(self) -> str:
        left = " style='text-align:left'"
        head = "".join(f"<th{left}>{name}</th>" for name in ("", "drill", "what is wrong", "what happened", "OWASP"))
        rows: list[str] = []
        for drill in self.values():
            texts = [drill.id, drill.summary, drill.happened, ", ".join(drill.owasp)]
            cells = "".join(f"<td{left}>{html.escape(text)}</td>" for text in texts)
            rows.append(f"<tr><td>{drill.number}</td>{cells}</tr>")
        return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def drills(folder: Path = RANGE) -> Drills:
    """All drills of the range. Raises CatalogError for a `drill.toml` that cannot be used."""
    found = [_read(path) for path in folder.glob("*/drill.toml")]
    return Drills({drill.id: drill for drill in sorted(found, key=lambda each: each.number)})


def drill(id: str, folder: Path = RANGE) -> Drill:
    """One drill. Raises CatalogError, naming the nearest ones."""
    path = folder / id / "drill.toml"
    if not id.isidentifier() or not path.is_file():
        known = [each.parent.name for each in sorted(folder.glob("*/drill.toml"))]
        raise CatalogError(f"The range has no drill {id!r}. {did_you_mean(id, known)}")
    return _read(path)


def _read(path: Path) -> Drill:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise CatalogError(f"Cannot read {path}: {error}.") from error
    wanted = [field.name for field in fields(Drill) if field.name not in ("id", "folder")]
    for key in wanted:
        kind = int if key == "number" else list if key in ("owasp", "finds") else str
        if not isinstance(table.get(key), kind):
            raise CatalogError(f"{path}: {key!r} is missing, or is no {kind.__name__}.")
    if unknown := sorted(set(table) - set(wanted)):
        raise CatalogError(f"{path}: unknown key {unknown[0]!r}. {did_you_mean(unknown[0], wanted)}")
    values: dict[str, Any] = {
        key: tuple(cast("list[str]", table[key])) if isinstance(table[key], list) else table[key] for key in wanted
    }
    return Drill(id=path.parent.name, folder=path.parent, **values)
