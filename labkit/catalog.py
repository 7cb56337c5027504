"""What the lab contains: the example servers of `servers/catalog.toml`."""

from __future__ import annotations

import html
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from labkit.errors import CatalogError, did_you_mean

LAB_ROOT = Path(__file__).resolve().parents[1]
SERVERS = LAB_ROOT / "servers"
WORK = Path(os.environ.get("LABKIT_WORK") or LAB_ROOT / "work").absolute()
"""What a person makes: `work/` of the lab, or $LABKIT_WORK, for a lab that several people share."""


@dataclass(frozen=True)
class CatalogEntry:
    """One example server: `path` is its file, `object` the module-level server in it, where it is a Python file."""

    name: str
    path: Path
    summary: str
    object: str = "server"
    teaches: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def is_python(self) -> bool:
        """Whether it can run in this kernel; any other is a program of its own, and speaks stdio and HTTP."""
        return self.path.suffix == ".py"


class Catalog(dict[str, CatalogEntry]):
    """The entries by name; shows itself as a table."""

    def find(self, name: str) -> CatalogEntry:
        """The entry of that name. Raises CatalogError, naming the nearest ones."""
        if name in self:
            if not self[name].path.is_file():
                raise CatalogError(f"The catalog's server {name!r} is not there: {self[name].path} is missing.")
            return self[name]
        raise CatalogError(f"The catalog has no server {name!r}. {did_you_mean(name, self)}")

    def __repr__(self) -> str:
        width = max((len(n) for n in self), default=0)
        return "\n".join(f"{e.name:<{width}}  {e.summary}" for e in self.values())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'><code>{html.escape(e.name)}</code></td><td style='text-align:left'>{html.escape(e.summary)}</td>"
            f"<td style='text-align:left'>{html.escape(', '.join(e.teaches))}</td></tr>"
            for e in self.values()
        )
        return f"<table><tr><th>server</th><th style='text-align:left'>what it is</th><th style='text-align:left'>teaches</th></tr>{rows}</table>"


def load_catalog(path: Path | None = None) -> Catalog:
    """Read the catalog file. Raises CatalogError when it cannot be used, naming the entry at fault."""
    path = path or SERVERS / "catalog.toml"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise CatalogError(
            f"Cannot read the server catalog {path}: {error}. Restore it from the repository."
        ) from error
    catalog = Catalog()
    for name, table in tables.items():
        catalog[name] = _entry(path, name, table)
    return catalog


def _entry(path: Path, name: str, table: Any) -> CatalogEntry:
    if not isinstance(table, dict):
        raise CatalogError(f"{path}: [{name}] must be a table with path and summary.")
    entry = cast("dict[str, Any]", table)
    for key in ("path", "summary"):
        if not isinstance(entry.get(key), str):
            raise CatalogError(f"{path}: [{name}] needs a string {key!r}.")
    file = (path.parent / entry["path"]).resolve()
    return CatalogEntry(
        name=name,
        path=file,
        summary=entry["summary"],
        object=str(entry.get("object", "server")),
        teaches=tuple(str(t) for t in entry.get("teaches", ())),
        env={str(k): str(v) for k, v in entry.get("env", {}).items()},
    )
