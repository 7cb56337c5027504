"""The figures of the lab's guards on their corpora, counted by the tests that own them.

python -m tests.range.guards     write both tables of servers/vulnerable/README.md
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from labkit.catalog import LAB_ROOT
from labkit.range import drills, table

WHERE = LAB_ROOT / "tests" / "defences"
GUARDS = {
    "paths": "labkit/defences/paths.py",
    "sql": "labkit/defences/sql.py",
    "sql engine": "labkit/defences/sql_engine.py",
    "commands": "labkit/defences/commands.py",
    "expressions": "servers/calculator/arithmetic.py",
    "urls": "labkit/defences/urls.py",
    "descriptions": "labkit/defences/descriptions.py",
    "redaction": "labkit/defences/redaction.py",
    "requests": "labkit/defences/requests.py",
    "isolation": "labkit/defences/isolation.py",
}
"""By the tests that attack it - `numbers` in `test_NAME.py`, `engine_numbers` for `sql engine` - what stands guard."""


def module(name: str) -> Any:
    """The tests of a guard, as a module of their own."""
    path = WHERE / f"test_{name}.py"
    spec = importlib.util.spec_from_file_location(f"guard_numbers_{name}", path)
    assert spec and spec.loader, path
    made = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def numbers() -> list[tuple[str, tuple[int, int, int, int]]]:
    """By guard: attacks, how many passed, legitimate inputs, how many were refused."""
    found: list[tuple[str, tuple[int, int, int, int]]] = []
    for name, where in GUARDS.items():
        file, _, part = name.partition(" ")
        counted = getattr(module(file), f"{part}_numbers".lstrip("_"))()
        attacks, passed, legitimate, refused = counted.values() if isinstance(counted, dict) else counted
        link = f"{name} [`{where}`](../../{where})"
        found.append((link, (attacks, passed, legitimate, refused)))
    return found


def with_numbers() -> list[str]:
    """The names of all that tests of defences count: functions `numbers` and `PART_numbers` in `test_NAME.py`."""
    found: list[str] = []
    for path in WHERE.glob("test_*.py"):
        for part in re.findall(r"^def (?!test_)((?:\w+_)?)numbers\(\)", path.read_text(encoding="utf-8"), re.MULTILINE):
            found.append(f"{path.stem.removeprefix('test_')} {part.strip('_')}".strip())
    return sorted(found)


if __name__ == "__main__":
    print(f"{Path(table.PAGE).relative_to(LAB_ROOT)}:", file=sys.stderr)
    for mark, text in (("classes", table.classes(drills().values())), ("guards", table.guards(numbers()))):
        print(f"  {mark} {'written' if table.write(mark, text) else 'as they were'}", file=sys.stderr)
