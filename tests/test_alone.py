"""`python -m tests.alone` finds the test that leans on an earlier one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.catalog import LAB_ROOT

TESTS = """
import os
import pytest

seen = []

def test_first():
    seen.append(1)

def test_leans_on_it():
    assert seen

@pytest.mark.parametrize("number", [1, 2])
def test_stands(number):
    assert number == 1

def test_ends_its_process():
    os._exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it forks, and Windows cannot")
def test_what_leans_on_an_earlier_test_fails_and_all_others_run(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "tests.alone", str(tmp_path), "--rootdir", str(tmp_path)]
    run = subprocess.run(
        command, capture_output=True, encoding="utf-8", cwd=LAB_ROOT, env=dict(os.environ), timeout=60, check=False
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "2 failed, 2 passed" in run.stdout
    assert "::test_leans_on_it" in run.stdout and "its process ended early: 7" in run.stdout
