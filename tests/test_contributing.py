"""CONTRIBUTING.md can be followed: what it names is there, and what it gives to copy does what it says."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import textwrap
import tomllib
from pathlib import Path

import pytest
import typer.main

import labkit as lab
from labkit.catalog import load_catalog
from labkit.cli import app
from labkit.clinic.brief import load_brief
from labkit.course.find import find_notebooks
from labkit.grading.report import PASSED
from labkit.grading.scaffold import new_exercise
from labkit.grading.spec import exercise_ids, load
from labkit.grading.warm import check_source
from labkit.interview.bank import load_bank
from labkit.interview.proofs import broken_links
from labkit.range import drills
from tests.test_packaging import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = ("dice", "34_batching", "02_double", "zip_slip", "tide_tables", "still-there")
"""What the page makes; none of them is there before."""
BLOCKS = [
    (language, textwrap.dedent(text)) for language, text in re.findall(r"(?ms)^ {0,3}```(\w+)\n(.*?)^ {0,3}```$", PAGE)
]


def block(words: str) -> str:
    """The one block that has these words in it."""
    (found,) = [text for _, text in BLOCKS if words in text]
    return found


def commands() -> list[str]:
    """Lines that are indented as code outside of a block, and code within a line that begins with a program."""
    outside = re.sub(r"(?ms)^ {0,3}```.*?^ {0,3}```$", "", PAGE)
    lines = [line.strip() for line in re.findall(r"(?m)^ {4,}(.+)$", outside)]
    inline = re.findall(r"`((?:labkit|python|make|ruff|cp) [^`]+)`", outside)
    return [part.strip() for line in [*lines, *inline] for part in re.split(r"\||&&|\s#", line)]


def test_the_paths_that_it_names_are_there() -> None:
    named = set(re.findall(r"`((?:\.?[\w.-]+/)[\w./-]*|[\w-]+\.(?:py|md|toml))`", PAGE)) | set(
        re.findall(r"\]\(([^)#]+)", PAGE)
    )
    named |= {word for line in commands() for word in line.split() if re.match(r"(tests|servers|interview)/", word)}
    told = {"checks.py", "exercise.toml", "solution.py", "task.md", "drill.toml", "wrong/", "wrong/whole_numbers.py"}
    missing = [
        each
        for each in named - told
        if not (ROOT / each.partition("::")[0]).exists() and not any(example in each for example in EXAMPLES)
    ]
    assert missing == [] and len(named) > 20


def test_the_examples_are_not_there_before() -> None:
    there = {*load_catalog(), *exercise_ids(), *drills(), *load_bank()} | {path.stem for path in find_notebooks()}
    assert there.isdisjoint(EXAMPLES) and not (ROOT / "interview" / "briefs" / "tide_tables.toml").exists()


def test_the_commands_that_it_names_are_there() -> None:
    root = typer.main.get_command(app)
    targets = re.findall(r"(?m)^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"))
    seen: list[str] = []
    for line in commands():
        words = line.split()
        if words[0] == "labkit":
            command = getattr(root, "commands")[words[1]]  # noqa: B009
            if hasattr(command, "commands"):
                assert words[2] in command.commands, line
        elif words[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(words[2]), line
        elif words[0] == "make":
            assert words[1] in targets, line
        elif words[0] == "python" and words[1] != "-c":
            assert (ROOT / words[1]).is_file(), line
        else:
            continue
        seen.append(words[0])
    assert len(seen) > 20 and set(seen) == {"labkit", "python", "make"}


@pytest.mark.anyio
async def test_the_server_works_and_its_entry_and_its_test_are_in_form(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(block("MCPServer("), encoding="utf-8")
    async with await lab.connect(tmp_path / "server.py", via="memory") as dice:
        assert (await dice.call("throw", dice=2, seed=7)).data == (await dice.call("throw", dice=2, seed=7)).data
        assert (await dice.call("throw", dice=101)).is_error
    assert set(tomllib.loads(block("[dice]"))["dice"]) == {"path", "summary", "teaches"}
    tests = ast.parse(block("mcp_server("))
    assert sum(isinstance(each, ast.AsyncFunctionDef) for each in tests.body) == 2


def test_the_exercise_is_proven(tmp_path: Path) -> None:
    folder = new_exercise("02_double", tmp_path)
    checks = folder / "checks.py"
    checks.write_text(f"{checks.read_text(encoding='utf-8')}\n\n{block('@check(')}", encoding="utf-8")
    toml = folder / "exercise.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("points = 3", "points = 5"), encoding="utf-8")
    for path in (folder / "wrong").glob("*.py"):
        path.write_text(path.read_text(encoding="utf-8").replace("fails: double", "fails: double, fractions"), "utf-8")
    (folder / "wrong" / "whole_numbers.py").write_text(block("fails: fractions"), encoding="utf-8")
    made = load("02_double", tmp_path)
    assert check_source(made, made.solution, seed=1).passed
    assert len(made.wrong) == 4
    for wrong in made.wrong:
        report = check_source(made, wrong.path.read_text(encoding="utf-8"), seed=1)
        assert {check.name for check in report.checks if check.status != PASSED} == wrong.fails, report


def test_the_question_is_one_of_a_bank_and_its_proofs_are_there(tmp_path: Path) -> None:
    (tmp_path / "protocol.toml").write_text(block("[[question]]"), encoding="utf-8")
    bank = load_bank(tmp_path)
    assert [*bank] == ["still-there"] and broken_links(bank) == []


def test_a_copy_of_a_brief_is_a_brief(tmp_path: Path) -> None:
    (source,) = re.findall(r"cp (interview/briefs/\w+\.toml) ", PAGE)
    shutil.copy(ROOT / source, tmp_path / "tide_tables.toml")
    assert load_brief("tide_tables", tmp_path).families


def test_licence_and_changelog_say_what_pyproject_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "MIT" and project["license-files"] == ["LICENSE"]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License\n")
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "\n## [Unreleased]\n" in log and f"\n## [{project['version']}] - " in log
