"""Run what proves the claims of a model answer, claim by claim: notebooks, tests and commands."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labkit.catalog import LAB_ROOT
from labkit.course.run import ANSI
from labkit.interview.bank import Claim, Question
from labkit.interview.proofs import fault, outputs_text, shows

SECONDS = 300.0
"""For one command, one test or one notebook."""


@dataclass(frozen=True)
class Proved:
    """A claim, and what came of running its proof. `held` is None for a judgement, which nothing can refute."""

    claim: Claim
    held: bool | None
    told: str = ""
    """What was seen, or why it did not hold."""

    def __str__(self) -> str:
        sign = {True: "✓", False: "✗", None: "·"}[self.held]
        lines = [f"{sign} {self.claim.says}"]
        if self.claim.shown:
            lines.append(f"    {self.claim.shown}" + (f": {self.claim.shows}" if self.claim.shows else ""))
        return "\n".join([*lines, *(f"    {line}" for line in self.told.splitlines())])


def prove(question: Question, *, on_claim: Callable[[Proved], None] | None = None) -> list[Proved]:
    """Run the proof of each claim of a question, each notebook once; told one by one as they come."""
    ran: dict[str, Any] = {}
    found: list[Proved] = []
    for claim in question.answer:
        proved = _prove(claim, ran)
        found.append(proved)
        if on_claim:
            on_claim(proved)
    return found


def _prove(claim: Claim, ran: dict[str, Any]) -> Proved:
    if not claim.shown:
        return Proved(claim, None, "a judgement: nothing that a run could refute")
    if why := fault(claim):
        return Proved(claim, False, why)
    if claim.shown.startswith("labkit "):
        code, text = run_command(claim.shown)
        held = shows(claim.shows, text)
        return Proved(claim, held, "" if held else f"it ended with {code} and printed:\n{_end(text)}")
    if claim.shown.startswith("tests/"):
        return _test(claim)
    return _cell(claim, ran)


def run_command(line: str) -> tuple[int, str]:
    """Run `labkit ...` and give back its exit code and all that it printed."""
    return _run([sys.executable, "-m", "labkit", *shlex.split(line)[1:]])


def _test(claim: Claim) -> Proved:
    code, text = _run([sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", claim.shown])
    if code == 0 and "skipped" not in text:
        return Proved(claim, True)
    return Proved(claim, False, f"pytest ended with {code}:\n{_end(text)}")


def _cell(claim: Claim, ran: dict[str, Any]) -> Proved:
    from labkit.course import find_notebooks, run_notebooks

    name, _, cell = claim.shown.partition("#")
    if name not in ran:
        (result,) = run_notebooks(find_notebooks([name]), jobs=1, timeout=SECONDS, html=False).results
        ran[name] = result
    result = ran[name]
    cells: list[Any] = result.nb.cells if result.nb else []
    text = next((outputs_text(each.get("outputs", [])) for each in cells if each["id"] == cell), "")
    if shows(claim.shows, text):
        return Proved(claim, True)
    return Proved(claim, False, str(result.failure) if result.failure else f"the cell put out:\n{_end(text)}")


def _run(command: list[str]) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONUTF8": "1", "NO_COLOR": "1", "COLUMNS": "160"}
    try:
        ended = subprocess.run(
            command,
            cwd=LAB_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return -1, f"it took longer than {SECONDS:g} s and was stopped. {error.stdout or ''}"
    return ended.returncode, ANSI.sub("", ended.stdout)


def _end(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-12:])
