"""The pytest plugin behind every run of checks, in the judge and for an author at the terminal:

    pytest -p labkit.grading.plugin --answer work/p1_mcp_basics.py exercises/p1_mcp_basics/checks.py

Runs where no learner code runs: fixtures hand out a `Submission`, and the outcome is what pytest saw here.
"""

from __future__ import annotations

import ast
import random
import secrets
from collections.abc import Generator, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pytest

from labkit.grading.checks import CheckFailed, Crashed, RpcFault
from labkit.grading.nursery import Subjects
from labkit.grading.report import CRASHED, FAILED, NOT_ATTEMPTED, PASSED, CheckResult
from labkit.grading.sandbox import Watcher
from labkit.grading.spec import CheckInfo, Limits, load
from labkit.grading.submission import Submission


class CheckRun:
    """One run of one exercise's checks on one answer; `results` fills as pytest goes on."""

    def __init__(self, submission: Submission, starter: str, seed: int) -> None:
        self.results: list[CheckResult] = []
        self._submission, self._seed = submission, seed
        self._starter_text = starter
        self._syntax: Crashed | None = None
        self._untouched = False
        try:
            self._untouched = ast.dump(ast.parse(submission.source)) == _dumped(starter)
        except SyntaxError as error:
            self._syntax = Crashed(f"Not valid Python, line {error.lineno}: {error.msg}.", error.lineno)
        except (RecursionError, MemoryError, ValueError) as error:
            self._syntax = Crashed(f"Python cannot read this file: {type(error).__name__}.")

    @cached_property
    def _starter(self) -> dict[str, tuple[int, str]]:
        # Only what does not pass is compared with it: most answers are never taken apart.
        return _definitions(self._starter_text)

    @cached_property
    def _answer(self) -> dict[str, tuple[int, str]]:
        try:
            return {} if self._syntax else _definitions(self._submission.source)
        except RecursionError:  # deeper here than where the answer was read first
            return {}

    @pytest.fixture
    def submission(self) -> Iterator[Submission]:
        """The answer under check."""
        if self._untouched:
            pytest.skip("not attempted")
        if self._syntax:
            raise self._syntax
        self._submission.begin_check()
        yield self._submission

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> random.Random:
        """Random values that differ between runs and repeat with the seed."""
        return random.Random(f"{self._seed}:{request.node.name}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        report = yield
        info: CheckInfo | None = getattr(getattr(item, "function", None), "check_info", None)
        if info and (call.when == "call" or (call.when == "setup" and call.excinfo)):
            self.results.append(self._result(info, call.excinfo.value if call.excinfo else None))
        return report

    def _result(self, info: CheckInfo, error: BaseException | None) -> CheckResult:
        result = CheckResult(info.name, info.title, info.points, PASSED)
        if self._submission.deletion and not isinstance(error, pytest.skip.Exception):
            error = Crashed(self._submission.deletion)
        if error is None:
            return result
        result.reason = info.reason
        line, cause = (None, "")
        if isinstance(error, pytest.skip.Exception):
            result.status = NOT_ATTEMPTED
            return result
        if isinstance(error, Crashed):
            result.status, result.message, line = CRASHED, str(error), error.line
        elif isinstance(error, AssertionError | RpcFault):
            result.status, result.message = FAILED, _sentence(error)
        else:
            # The shape of an answer surprised the check: that is the answer's doing more often than the check's.
            result.status = FAILED
            result.message = f"the answer has an unexpected shape ({type(error).__name__}: {str(error)[:200]})"
        if result.status == FAILED:
            line, cause = self._submission.after_failure()
            if cause:
                result.status, result.message = CRASHED, f"{cause} ({result.message})"
        result.printed = self._submission.printed()
        whole_file = self._syntax is not None
        if info.about and not whole_file and self._same_as_starter(info.about):
            return CheckResult(info.name, info.title, info.points, NOT_ATTEMPTED)
        result.line = line or self._answer.get(info.about, (None, ""))[0]
        if result.line:
            lines = self._submission.source.splitlines()
            result.code = lines[result.line - 1].strip()[:160] if 0 < result.line <= len(lines) else ""
        return result

    def _same_as_starter(self, name: str) -> bool:
        return name in self._starter and self._answer.get(name, (0, ""))[1] == self._starter[name][1]


def _sentence(error: Exception) -> str:
    text = str(error)
    if isinstance(error, AssertionError) and not isinstance(error, CheckFailed):
        text = text.splitlines()[0] if text else "the check's condition does not hold"
    return text


@lru_cache(maxsize=64)
def _dumped(starter: str) -> str:
    return ast.dump(ast.parse(starter))


def _definitions(source: str) -> dict[str, tuple[int, str]]:
    """Line and canonical text of every function, class, method (`Class.method`) and assigned name.

    As in Python, the last at the top counts.
    """
    tree = ast.parse(source)
    found: dict[str, tuple[int, str]] = {}
    for owner in tree.body:
        members = owner.body if isinstance(owner, ast.ClassDef) else []
        for each in members:
            if isinstance(owner, ast.ClassDef) and isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                found[f"{owner.name}.{each.name}"] = (each.lineno, ast.dump(each))
    for node in [*ast.walk(tree), *tree.body]:
        names: list[str] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        for name in names:
            found[name] = (node.lineno, ast.dump(node))  # type: ignore[attr-defined]
    return found


# -- for authors: the same checks under a bare pytest ------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--answer FILE` and `--seed N`."""
    parser.addoption("--answer", default=None, help="the answer to check")
    parser.addoption("--seed", default=None, type=int, help="repeat the values of an earlier run")


def pytest_configure(config: pytest.Config) -> None:
    """Set up a run when the plugin is used by hand; the judge registers its own."""
    answer: str | None = config.getoption("--answer", default=None)
    if answer is None:
        return
    checks = Path(next(arg for arg in config.args if arg.endswith("checks.py"))).resolve()
    spec = load(checks.parent.name, checks.parent.parent)
    seed: int | None = config.getoption("--seed")
    source = Path(answer).read_text(encoding="utf-8-sig")
    subjects, watcher = Subjects(), Watcher()
    submission = Submission(spec.id, source, subjects, watcher, spec.limits, [str(checks.parent.parent)])
    run = CheckRun(submission, spec.starter, secrets.randbits(32) if seed is None else seed)
    config.pluginmanager.register(run, "labkit-check-run")
    config.add_cleanup(submission.close)
    config.add_cleanup(watcher.close)
    config.add_cleanup(subjects.close)


__all__ = ["CheckRun", "Limits"]
