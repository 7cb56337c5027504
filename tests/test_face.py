"""The face of labkit: the names of the first minute, imported only when used; and the floors beneath."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import labkit as lab
from labkit.catalog import LAB_ROOT
from tests.test_packaging import statements

FLOORS = [
    {"wire", "catalog", "hosts", "errors", "files", "locks", "stage", "_lean"},
    {"session", "patterns", "services", "cluster"},
    {"defences"},
    {"gateway", "testbench", "agents"},
    {"range", "scaling", "deploy"},
    {"course", "grading", "clinic"},
    {"interview"},
    {"ui", "site"},
    {"cli", "magics", "__init__"},
    {"__main__"},
]


def test_every_name_of_the_face_can_be_had() -> None:
    for name in lab.__all__:
        assert getattr(lab, name) is not None, name
    assert set(lab.__all__) <= set(dir(lab))
    with pytest.raises(AttributeError, match="labkit has no 'conect'"):
        lab.conect  # noqa: B018


def test_no_module_takes_the_place_of_a_name_of_the_face() -> None:
    """Importing a module sets it in its package, over a name that was to be looked up there."""
    hidden = [name for name, home in lab._WHERE.items() if find_spec(f"labkit.{name}") or _inside(home, name)]
    assert hidden == []


def _inside(home: str, name: str) -> bool:
    spec = find_spec(home)
    return bool(spec and spec.submodule_search_locations and find_spec(f"{home}.{name}"))


def test_importing_labkit_imports_nothing_heavy() -> None:
    script = "import sys, labkit; print([m for m in ('mcp', 'pandas', 'jsonschema', 'IPython', 'typer', 'papermill') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert out.stdout.strip() == "[]", out.stderr


def test_a_connection_does_not_pay_for_the_uri_grammar() -> None:
    script = (
        "import sys, asyncio, labkit as lab\n"
        "async def main():\n  async with await lab.connect('calculator') as c: await c.call('add', a=1, b=1)\n"
        "asyncio.run(main())\nprint('jsonschema' in sys.modules, 'rfc3987_syntax' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert out.stdout.strip() == "True False", out.stderr


def rooms() -> list[tuple[str, Path]]:
    root = LAB_ROOT / "labkit"
    return [(path.relative_to(root).parts[0].removesuffix(".py"), path) for path in sorted(root.rglob("*.py"))]


def is_late(node: ast.AST) -> bool:
    """Whether what stands in a statement is done later than the import of its module, or never."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.dump(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def imported(path: Path) -> set[str]:
    """The rooms of labkit that a module imports when it is loaded (imports inside functions are late by design)."""
    found: set[str] = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8")), is_late):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("labkit."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("labkit.")}
    return found


@pytest.mark.parametrize(("room", "path"), rooms(), ids=lambda value: value.name if isinstance(value, Path) else value)
def test_a_room_imports_only_from_floors_below(room: str, path: Path) -> None:
    floor = next((number for number, names in enumerate(FLOORS) if room in names), None)
    assert floor is not None, f"labkit/{room} has no floor: add it to house.md and to this test"
    for other in imported(path) - {room}:
        below = next(number for number, names in enumerate(FLOORS) if other in names)
        assert below < floor or floor == 0, f"{path.name} (floor {floor}) imports labkit.{other} (floor {below})"


def test_docstrings_on_everything_public() -> None:
    missing: list[str] = []
    for _, path in rooms():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not ast.get_docstring(tree) and path.read_text(encoding="utf-8").strip():
            missing.append(path.name)
        for node in tree.body:
            named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            # The overloads of a function have its docstring.
            stub = named and any(getattr(each, "id", "") == "overload" for each in node.decorator_list)
            if named and not stub and not node.name.startswith("_") and not ast.get_docstring(node):
                missing.append(f"{path.name}: {node.name}")
    assert missing == []
