"""Run the command as a person does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def labkit(tmp_path) -> Run:
    """labkit("call", "calculator", ...) -> the finished process; run from a folder that is not the lab's."""

    def run(*arguments: str, timeout: float = 90.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "labkit", *arguments],
            capture_output=True,
            encoding="utf-8",
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )

    return run


def environment() -> dict[str, str]:
    """A wide terminal without colours, so that no sentence is wrapped."""
    return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb", "PYTHONUTF8": "1"}
