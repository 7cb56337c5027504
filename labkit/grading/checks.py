"""What an exercise's checks.py imports: the decorator, the comparisons, and the ways a check can end.

    from labkit.grading.checks import check, expect
    from labkit.grading.submission import Submission

    @check("add returns the sum", points=2, reason="A tool answers with what it computed.", about="add")
    def test_add(submission: Submission, rng: random.Random) -> None:
        a, b = rng.randint(1, 99), rng.randint(1, 99)
        for session in submission.everywhere():
            expect(session.call("add", a=a, b=b).data, {"result": a + b}, f"add({a}, {b}) over {session}")

A check passes when it returns. `rng` is seeded per run and per check, so that an answer that only knows the values of
the last run fails the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from labkit.grading.spec import CheckInfo

F = TypeVar("F", bound=Callable[..., Any])


class CheckFailed(AssertionError):
    """The answer runs, and does not do what the task asks."""


class Crashed(Exception):
    """The learner's code raised or ended instead of answering. `line` is its own line, where it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class RpcFault(Exception):
    """The learner's server answered a request with a JSON-RPC error."""

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        self.method = method
        self.code: Any = error.get("code")
        self.message = str(error.get("message", ""))
        self.data: Any = error.get("data")
        super().__init__(f"{method} was answered with error {self.code}: {self.message}")


def check(title: str, *, points: int, reason: str, about: str = "") -> Callable[[F], F]:
    """Declare a pytest function as a check.

    `reason` is shown when it fails and says why the point matters. `about` names the function, class or variable of the
    answer it looks at: its line is shown, and while it is as in the starter the check counts as not attempted.
    """

    def mark(function: F) -> F:
        name = function.__name__.removeprefix("test_")
        function.__dict__["check_info"] = CheckInfo(name=name, title=title, points=points, reason=reason, about=about)
        return function

    return mark


def expect(got: object, wanted: object, what: str) -> None:
    """Fail unless `got` equals `wanted`, type included (True is not 1, and 1.0 is not "1"); say what was looked at."""
    if not _same(got, wanted):
        raise CheckFailed(f"{what}: expected {show(wanted)}, got {show(got)}")


def expect_true(condition: object, sentence: str) -> None:
    """Fail with `sentence` unless the condition holds."""
    if not condition:
        raise CheckFailed(sentence)


def expect_names(got: Iterable[str], wanted: Iterable[str], what: str) -> None:
    """Fail unless every wanted name is there; name the missing ones and show what is there."""
    have = sorted(got)
    missing = [name for name in wanted if name not in have]
    if missing:
        raise CheckFailed(f"{what}: {', '.join(missing)} missing; there are {', '.join(have) or 'none'}")


def expect_fault(code: int, what: str, act: Callable[..., object], *args: Any, **kwargs: Any) -> RpcFault:
    """Fail unless `act(*args, **kwargs)` is answered with a JSON-RPC error of this code; give the error back."""
    try:
        answer = act(*args, **kwargs)
    except RpcFault as fault:
        expect(fault.code, code, f"{what}: error code")
        return fault
    raise CheckFailed(f"{what}: expected a JSON-RPC error {code}, got the answer {show(answer)}")


def show(value: object, limit: int = 300) -> str:
    """A value for a sentence, cut where it is long."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def _same(got: object, wanted: object) -> bool:
    if isinstance(got, bool) or isinstance(wanted, bool):
        return got is wanted
    if isinstance(got, dict) and isinstance(wanted, dict):
        return got.keys() == wanted.keys() and all(_same(got[key], wanted[key]) for key in wanted)  # type: ignore[index]
    if isinstance(got, list) and isinstance(wanted, list):
        pairs = zip(got, wanted, strict=False)  # type: ignore[arg-type]
        return len(got) == len(wanted) and all(_same(a, b) for a, b in pairs)  # type: ignore[arg-type]
    return got == wanted
