"""run and doctor: what a person sees and which exit code a program gets."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import typer
from typer.testing import CliRunner

from labkit import cli
from labkit.cli import doctor


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    for name, source in (("good", "fast = False"), ("bad", "1 / 0")):
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})])
        nb.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(nb, tmp_path / f"{name}.ipynb")
    return tmp_path


def test_run_sums_up_keeps_copies_and_fails_when_one_failed(labkit, notebooks: Path) -> None:
    done = labkit("run", "good.ipynb", "bad.ipynb", "--out", "copies", "--junit", "junit.xml")
    assert done.returncode == 1
    assert "1 of 2 passed" in done.stdout
    assert "bad.ipynb failed in cell" in done.stderr
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert {path.name for path in (notebooks / "copies").glob("*.html")} == {"good.html", "bad.html", "index.html"}
    assert ET.parse(notebooks / "junit.xml").getroot().get("failures") == "1"


def test_run_of_notebooks_that_pass_is_0_and_full_means_not_fast(labkit, notebooks: Path) -> None:
    done = labkit("run", "good.ipynb", "--full", "--no-html", "--out", "copies")
    assert done.returncode == 0, done.stderr
    executed = nbformat.read(notebooks / "copies" / "good.ipynb", as_version=4)
    assert [cell.source for cell in executed.cells][-1].splitlines()[-1] == "fast = False"
    assert len(executed.cells) == 2
    assert not list((notebooks / "copies").glob("*.html"))


def test_run_of_a_notebook_that_names_no_kernel_and_has_brackets_in_its_name(labkit, tmp_path: Path) -> None:
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    nbformat.write(nb, tmp_path / "odd [x].ipynb")
    done = labkit("run", "odd [x].ipynb", "--no-html", "--out", "copies")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "odd [x].ipynb" in done.stdout and "failed odd [x].ipynb" in done.stderr


def test_run_of_what_is_not_there_says_so_without_a_traceback(labkit) -> None:
    done = labkit("run", "no_such_notebook")
    assert done.returncode == 2
    assert "no notebook matches 'no_such_notebook'" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_runs_a_cell_and_a_tool_call(labkit) -> None:
    done = labkit("doctor", "--json")
    report = json.loads(done.stdout)
    required = {check["name"]: check for check in report["checks"] if check["required"]}
    assert (done.returncode, report["ok"]) == (0, True)
    assert {"python", "labkit", "mcp", "jupyterlab", "kernel", "tool call"} <= set(required)
    assert "2 + 3 = 5" in required["tool call"]["found"]
    assert all(check["ok"] or check["fix"] for check in report["checks"]), "what is missing tells how to get it"


def test_doctor_fails_on_a_package_outside_its_range_and_tells_the_repair(monkeypatch, capsys) -> None:
    import importlib.metadata

    import typer

    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.9.0" if name == "mcp" else real(name))
    with pytest.raises(typer.Exit) as exit:
        doctor.doctor(as_json=False, quick=True)
    assert exit.value.exit_code == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "The lab cannot run: mcp" in told
    assert "python start.py setup" in told


def test_doctor_does_not_fail_without_optional_programs(monkeypatch) -> None:
    import shutil

    import typer

    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(typer.Exit) as exit:
        doctor.doctor(as_json=True, quick=True)
    assert exit.value.exit_code == 0


def every_command(group: Any = None, *before: str) -> Iterator[tuple[str, ...]]:
    group = group or typer.main.get_command(cli.app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from every_command(command, *before, name)
        elif not command.hidden:
            yield (*before, name)


@pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(words)) for words in every_command()])
def test_every_command_has_help_with_an_example(words: tuple[str, ...]) -> None:
    told = CliRunner().invoke(cli.app, [*words, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    head, colon, examples = told.partition("Example")
    assert colon and f"labkit {' '.join(words)}" in examples
    assert len(head.strip().splitlines()) > 1, "what it does comes first"


def test_the_parts_of_the_lab_have_brought_their_commands() -> None:
    assert {("watch",), ("services", "url"), ("gateway", "run"), ("certify",), ("test",)} <= set(every_command())


def test_help_imports_neither_the_sdk_nor_jupyter(labkit) -> None:
    import subprocess
    import sys

    heavy = ["mcp", "jupyterlab", "papermill", "pandas", "IPython"]
    program = f"import sys, labkit.cli; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_unknown_command_is_wrong_usage(labkit) -> None:
    done = labkit("servres")
    assert done.returncode == 2
    assert "servers" in done.stderr
