"""The ways in agree with each other, and nothing of one machine is in git."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = ["requirements.lock", "requirements-extras.lock"]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def ranges(lines: list[str]) -> dict[str, str]:
    return {canonicalize_name(r.name): str(r.specifier) for r in map(Requirement, lines)}


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return {canonicalize_name(n): v for n, v in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", text, re.M)}


def conda() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def tracked_files() -> list[Path]:
    """Files in git; in a tree without git (an unpacked archive), nothing can be said."""
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if run.returncode:
        pytest.skip("not a git work tree: which files are committed cannot be told")
    return [path for name in run.stdout.decode("utf-8").split("\0") if name and (path := ROOT / name).is_file()]


def tracked_texts() -> list[tuple[Path, str]]:
    texts: list[tuple[Path, str]] = []
    for path in tracked_files():
        try:
            texts.append((path, path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return texts


def found(pattern: str) -> list[str]:
    """Every place in git that matches, as `path:line: text`."""
    return [
        f"{path.relative_to(ROOT).as_posix()}:{number}: {line.strip()[:160]}"
        for path, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if re.search(pattern, line)
    ]


@pytest.mark.parametrize(("lock", "extras"), [("requirements.lock", False), ("requirements-extras.lock", True)])
def test_the_lock_pins_every_dependency_inside_its_range(lock: str, extras: bool) -> None:
    lines = list(project()["dependencies"])
    if extras:
        lines += [line for each in project()["optional-dependencies"].values() for line in each]
    locked = pins(lock)
    for requirement in map(Requirement, lines):
        pin = locked.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{lock} does not pin {requirement.name}: run `make lock`"
        assert requirement.specifier.contains(pin), (
            f"{lock}: {requirement.name} {pin} is outside {requirement.specifier}: run `make lock`"
        )


def test_the_extras_add_to_the_lock_and_change_nothing_in_it() -> None:
    base, extras = (pins(lock) for lock in LOCKS)
    assert base.items() <= extras.items()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_no_address(lock: str) -> None:
    blocks = re.split(r"^(?=\S)", (ROOT / lock).read_text(encoding="utf-8"), flags=re.M)
    assert len(blocks) > 100
    assert [block.splitlines()[0] for block in blocks if block and "--hash=sha256:" not in block] == []
    assert "://" not in "".join(blocks)


def test_environment_yml_agrees_with_pyproject() -> None:
    env = conda()
    assert set(env) <= {"name", "channels", "dependencies", "variables"}
    from_conda = [line for line in env["dependencies"] if isinstance(line, str)]
    from_pip = next(line["pip"] for line in env["dependencies"] if isinstance(line, dict))
    assert "-e ." in from_pip
    assert "pip" in from_conda
    theirs = ranges([line for line in from_conda + from_pip if line not in ("-e .", "pip")])
    assert theirs.pop("python") == project()["requires-python"]
    assert theirs == ranges(project()["dependencies"])


def test_start_py_and_pyproject_ask_for_the_same_python() -> None:
    low = re.search(r"version_info < \((\d+), (\d+)\)", (ROOT / "start.py").read_text(encoding="utf-8"))
    assert low is not None
    assert project()["requires-python"] == f">={low[1]}.{low[2]}"


def test_no_file_names_a_package_registry() -> None:
    # Written in pieces, or this file would be the one that it finds.
    hosts = ["pypi" + ".org", "files.python" + "hosted.org", "registry.npm" + "js.org", "registry.yarn" + "pkg.com"]
    assert found("|".join(map(re.escape, hosts))) == []
    assert found(r"(--extra-index" + r"-url|--find" + r"-links)[ =](?!-)") == []


def test_no_file_names_a_folder_of_one_machine() -> None:
    folders = [
        "/" + "home/[a-z]",
        "/" + "root/",
        "/" + "work/(main|shared)",
        "/" + "Users/[A-Za-z]",
        r"[A-Z]:\\+" + "Users",
    ]
    assert found(r"(?<![\w.:}-])(" + "|".join(folders) + ")") == []


def test_notebooks_are_committed_without_outputs() -> None:
    stale: list[str] = []
    for path in tracked_files():
        if path.suffix == ".ipynb":
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            stale += [
                f"{path.relative_to(ROOT).as_posix()}: cell {number}"
                for number, cell in enumerate(cells, start=1)
                if cell.get("outputs") or cell.get("execution_count") is not None
            ]
    assert stale == []


def test_top_level_folders_are_those_of_the_plan() -> None:
    folders = {name.parts[0] for path in tracked_files() if len((name := path.relative_to(ROOT)).parts) > 1}
    planned = {"notebooks", "exercises", "interview", "servers", "labkit", "tests", "deploy", "benchmarks", ".ci"}
    planned |= {".binder", ".devcontainer"}
    assert folders <= planned
    assert {"labkit", "tests", ".ci"} <= folders


def test_what_is_imported_is_declared() -> None:
    """A package that comes along with another today may be gone tomorrow."""
    given = packages_distributions()
    declared = set(
        ranges(project()["dependencies"] + [d for e in project()["optional-dependencies"].values() for d in e])
    )
    declared |= {"mcp-types", "pydantic-core"}  # pinned by the SDK and by pydantic to the version that fits
    undeclared: set[str] = set()
    for path in tracked_files():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ("labkit", "servers", "tests", "benchmarks"):
            for module in imported(path):
                names = {canonicalize_name(name) for name in given.get(module, [])}
                if names and not names & declared and names != {"labkit"}:
                    undeclared.add(f"{path.relative_to(ROOT).as_posix()} imports {module}: declare {sorted(names)}")
    assert undeclared == set()


def imported(path: Path) -> set[str]:
    """Top-level names of the modules that a file imports, without those of the standard library."""
    found: set[str] = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names)


def statements(node: ast.AST, closed: Callable[[ast.AST], bool] = lambda _: False) -> Iterator[ast.AST]:
    """The statements below a node, at any depth, but for those that are `closed` and what is in them.

    Most of a file are expressions, in which no statement stands: to go through them, too, takes ten times as long.
    """
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for each in getattr(node, name, ()):
            if not closed(each):
                yield each
                yield from statements(each, closed)


def test_the_files_that_are_slow_exist() -> None:
    listed = (ROOT / "tests" / "slow.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert listed == sorted(set(listed))
    assert [name for name in listed if not (ROOT / "tests" / name).is_file()] == []
