"""The testbench starts an answer in the cage that every answer has: what leaves it is refused, ended, and told."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import psutil
import pytest

from labkit.grading import proof
from labkit.grading.checks import Crashed
from labkit.grading.report import Report
from labkit.grading.sandbox import Watcher, status_of
from labkit.grading.spec import Limits, load
from labkit.grading.warm import Judges, check_source

SPEC = replace(load("17_certify_and_mend"), limits=Limits(cpu=2, request=5, wall=60))
CERTIFIED = {check.name for check in SPEC.checks} - {"results"}
"""The checks that run the testbench."""
ROUND_THE_HOOK = "import ctypes\nlibc = ctypes.pythonapi\n"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="enforced by the system on Linux only")


@pytest.fixture(autouse=True)
def nothing_is_left(pool: Judges) -> Iterator[None]:
    yield
    judges = [child for child in psutil.Process().children() if "labkit.grading.judge" in " ".join(child.cmdline())]
    workers = [each for judge in judges for child in judge.children() for each in (child, *child.children())]
    living = [each for each in workers if status_of(each) not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)]
    if sys.platform == "linux":
        assert len(living) <= len(judges), living  # the clean parent of each


def hostile(top: str, pool: Judges) -> Report:
    """The solution with something before it."""
    report = check_source(SPEC, f"{top}\n{SPEC.solution}", pool=pool)
    assert not {check.name for check in report.checks if check.status == "passed"} & CERTIFIED, str(report)
    return report


def test_reading_the_exercise_is_refused(pool: Judges) -> None:
    report = hostile(f"open({str(SPEC.folder / 'solution.py')!r})", pool)
    assert "this folder is closed to answers" in str(report)


def test_the_environment_is_scrubbed(pool: Judges, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_CANARY", "seen")
    judges = Judges()  # one that was started with the canary
    try:
        report = hostile("import os; raise RuntimeError(os.environ.get('LAB_CANARY', 'scrubbed'))", judges)
    finally:
        judges.close()
    assert "RuntimeError: scrubbed" in str(report)


def test_a_server_that_deletes_its_own_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def certified(command: list[str], **_: object) -> None:
        Path(json.loads(Path(command[-1]).read_text(encoding="utf-8"))["file"]).unlink()

    monkeypatch.setattr(import_module("labkit.testbench.certifying"), "certify", certified)
    watcher = Watcher()
    with pytest.raises(Crashed, match="deleted or moved its own file"):
        proof.certify("answer", "", SPEC.limits, [], watcher, [], 5)
    watcher.close()


def test_an_endless_loop_is_ended(pool: Judges) -> None:
    assert "cannot be certified" in str(hostile("while True: pass", pool))


@LINUX
def test_too_much_memory_is_refused(pool: Judges) -> None:
    assert "MemoryError" in str(hostile("x = bytearray(3 << 30)", pool))


@LINUX
def test_too_many_processes_are_ended(pool: Judges) -> None:
    top = f"{ROUND_THE_HOOK}import time\nfor _ in range(30):\n    if libc.fork() == 0:\n        libc.close(1); libc.setsid(); time.sleep(600)\n"
    assert "processes" in str(hostile(top, pool))


def test_the_same_answer_gets_the_same_certificate(pool: Judges) -> None:
    wrong = next(answer for answer in SPEC.wrong if answer.name == "schema_only").path.read_text(encoding="utf-8")
    said = [
        [check.message for check in check_source(SPEC, wrong, pool=pool).checks if check.name == "inputs"]
        for _ in range(2)
    ]
    assert said[0] == said[1] and "the server ended" in said[0][0]
