"""The promises of the range, for each drill: the attack succeeds against the one server and not against its twin, both
are of use, certify finds the one and has nothing against the other, and nobody but this machine can reach them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.catalog import LAB_ROOT
from labkit.grading.spec import load
from labkit.range import Drill, Target, drills
from labkit.range.running import REFUSED
from labkit.testbench import certify, security_http
from labkit.testbench.certificate import Certificate
from labkit.testbench.certifying import all_checks

RANGE = drills()
BOTH = ("vulnerable", "fixed")
each = pytest.mark.parametrize("drill", RANGE.values(), ids=[*RANGE])
twins = pytest.mark.parametrize("which", BOTH)
CLASSES = 16
"""At the least."""
WITHOUT_REPAIR = {"poisoning": 2, "rug_pull": 1}
"""By drill, what a host is used for that only the repair makes possible: it is missing in the vulnerable one."""
BUDGET = 240.0
"""Seconds: a busy machine is no defect."""


def file_of(drill: Drill, which: str) -> Path:
    return drill.vulnerable if which == "vulnerable" else drill.fixed


def test_every_class_has_a_drill() -> None:
    assert [drill.number for drill in RANGE.values()] == [*range(1, len(RANGE) + 1)]
    assert len(RANGE) >= CLASSES


@pytest.mark.anyio
@each
async def test_the_attack_succeeds_against_the_vulnerable_server_only(drill: Drill) -> None:
    fell, stood = await drill.attack(), await drill.attack("fixed")
    assert not fell.held and stood.held, f"{fell}\n{stood}"
    assert any("canary-" in line for line in fell.obtained), fell  # it got what it was after, and did not guess


@pytest.mark.anyio
@each
@twins
async def test_both_are_of_use(drill: Drill, which: str) -> None:
    outcome = await drill.legitimate(which)
    missing = WITHOUT_REPAIR.get(drill.id, 0) if which == "vulnerable" else 0
    assert len(outcome.lines) == missing, outcome


@pytest.mark.anyio
@each
async def test_the_twin_refuses_nothing_that_only_looks_like_an_attack(drill: Drill) -> None:
    outcome = await drill.near_misses("fixed")
    assert outcome.held, outcome


async def certified(drill: Drill, which: str) -> Certificate:
    """What certify says about one of the two: the security section, and what the drill names besides.

    In this kernel behind HTTP, whichever way the drill names for a learner: that is cheaper than a process each.
    """
    async with Target(file_of(drill, which)) as target:
        credentials = getattr(drill.module, "credentials", dict)
        headers, only = credentials(target) if credentials is not dict else {}, ["security", *drill.finds]
        url = await target.serve()
        return await certify(url, only=only, allow_destructive=True, headers=headers, era="2026-07-28", budget=BUDGET)


def blamed(certificate: Certificate) -> set[str]:
    """The ids of the checks with a finding of warning level or above."""
    assert [result.reason for result in certificate.results if result.status == "broken"] == []
    return {result.check.id for result, f in certificate.findings if (f.severity or result.check.severity) != "info"}


@pytest.mark.anyio
@pytest.mark.timeout(200)
@each
@twins
async def test_certify_finds_the_vulnerable_server_and_has_nothing_against_its_twin(
    drill: Drill, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security_http, "ROUNDS", 4)  # what is kept for a client is kept at the first meeting here
    certificate = await certified(drill, which)
    assert blamed(certificate) == (set(drill.finds) if which == "vulnerable" else set()), str(certificate)
    ran = {result.check.id for result in certificate.results if result.status in ("passed", "failed")}
    assert ran >= set(drill.finds) and certificate.server["name"] == f"{which}-{drill.id}"


@pytest.mark.anyio
async def test_certify_finds_one_of_them_as_a_program_too() -> None:
    drill = RANGE["poisoning"]
    for which in BOTH:
        command = [sys.executable, str(file_of(drill, which))]
        certificate = await certify(command, only=drill.finds, era="2026-07-28", budget=BUDGET)
        assert blamed(certificate) == (set(drill.finds) if which == "vulnerable" else set()), str(certificate)


@each
def test_what_a_drill_names_is_there(drill: Drill) -> None:
    assert set(drill.finds) <= set(all_checks()) and drill.finds
    assert drill.via in ("memory", "stdio", "http")
    assert all(id[:3] == "MCP" and 1 <= int(id[3:]) <= 10 for id in drill.owasp) and drill.owasp
    page, anchor = drill.spec.split("#")
    assert page and anchor and "://" not in page
    assert (LAB_ROOT / "notebooks" / "security" / f"{drill.notebook}.ipynb").is_file()


@each
def test_the_exercise_of_a_drill_grades_three_things_and_knows_wrong_repairs(drill: Drill) -> None:
    exercise = load(drill.exercise)
    assert exercise.range == drill.id and exercise.track == "security"
    assert exercise.notebook.endswith(drill.notebook)
    groups = {check.title.split(":")[0] for check in exercise.checks}
    assert groups == {"attack", "use", "near miss"}, [check.title for check in exercise.checks]
    names = [wrong.path.stem for wrong in exercise.wrong]
    assert len(names) >= 4, names
    of = {check.name: check.title.split(":")[0] for check in exercise.checks}
    failed = {wrong.path.stem: {of[name] for name in wrong.fails} for wrong in exercise.wrong}
    assert all(failed.values()) and any("attack" in groups for groups in failed.values()), failed
    # One stops the attack, and too much.
    assert any(name.startswith("over_blocks") and "attack" not in groups for name, groups in failed.items()), failed


@each
@twins
def test_a_file_of_the_range_stands_for_itself_and_starts_through_the_gate(drill: Drill, which: str) -> None:
    source = file_of(drill, which).read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert (ast.get_docstring(tree) or "").startswith(f"{which.capitalize()}: ")
    *body, last = tree.body
    assert isinstance(last, ast.If) and ast.unparse(last.test) == "__name__ == '__main__'"
    lines = [ast.unparse(statement) for statement in last.body]
    assert lines in (["from labkit.range import run", f"run({it})"] for it in ("make", "app=app")), lines
    imported = {name for statement in body for node in ast.walk(statement) for name in modules(node)}
    assert not {name for name in imported if name.split(".")[0] in ("labkit", "servers", "tests", "")}, imported
    made = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    assert ("make" in made) == ("make" in lines[1]) and ("app" in made) == ("app" in lines[1])


def modules(node: ast.AST) -> list[str]:
    """The modules that a statement imports; "" for one beside the file."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_a_process_of_the_range_does_not_listen_for_others(tmp_path: Path) -> None:
    command = [sys.executable, str(RANGE["paths"].vulnerable), "http", "--host", "0.0.0.0"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("RANGE_")}
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=60, stdin=subprocess.DEVNULL, env=env, check=False
    )
    assert done.returncode == REFUSED and done.stdout == ""
    assert "vulnerable on purpose" in done.stderr and "http://" not in done.stderr
