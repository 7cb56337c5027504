"""The evaluator shared by both calculators: right answers, and refusals that come at once."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest

from servers.calculator import arithmetic
from servers.calculator.arithmetic import CalculationError, evaluate


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 * (3 + 4) ** 2", 98),
        ("-2 ** 2", -4),
        ("7 // 2 + 7 % 2", 4),
        ("6 / 3", 2),
        ("1 / 4", 0.25),
        ("sqrt(16) + abs(-3)", 7),
        ("max(1, min(2, 3))", 2),
        ("2 * pi", math.tau),
        ("10 ** 308", 10**308),
        ("(-1) ** (10 ** 300)", 1),
        ("  1 + 1  ", 2),
    ],
)
def test_evaluate_computes(expression: str, value: float) -> None:
    result = evaluate(expression)
    assert result == value and type(result) is type(value)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("9 ** 9 ** 9", "too large"),
        ("2 ** (10 ** 300)", "too large"),
        ("10 ** 200 * 10 ** 200", "too large"),
        ("2.0 ** 5000", "too large"),
        ("1e999", "too large"),
        ("10 ** 308 * 17 + 0.5", "too large"),
        ("1 / 0", "by zero"),
        ("5 % 0.0", "modulo zero"),
        ("0 ** -1", "negative power"),
        ("(-8) ** 0.5", "not a real number"),
        ("sqrt(-1)", "square root of -1"),
        ("2 ^ 3", "write **"),
        ("__import__('os').system('true')", "not arithmetic"),
        ("().__class__", "not arithmetic"),
        ("[1] * 9", "not arithmetic"),
        ("'a' * 9", "not arithmetic"),
        ("True + 1", "not arithmetic"),
        ("1j", "not arithmetic"),
        ("max(1)", "2 argument"),
        ("1 +", "cannot read"),
        ("", "cannot read"),
        ("1\0", "cannot read"),
        ("(" * 400 + "1" + ")" * 400, "at most 500"),
        ("(" * 240 + "1" + ")" * 240, "cannot read"),
        ("-" * 400 + "1", "nested deeper"),
    ],
)
def test_evaluate_refuses(expression: str, reason: str) -> None:
    with pytest.raises(CalculationError, match="(?i)" + reason.replace("*", r"\*")):
        evaluate(expression)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power", "remainder", "floor_divide"])
@pytest.mark.parametrize("huge", [2**1024 - 1, -(10**4000)])
def test_integers_beyond_a_float_never_crash(name: str, huge: int) -> None:
    function: Any = getattr(arithmetic, name)
    for args in ((huge, 0.5), (0.5, huge), (huge, huge)):
        with contextlib.suppress(CalculationError):
            assert math.isfinite(function(*args))


def test_primes_are_counted_right() -> None:
    known = {0: 0, 1: 0, 2: 1, 3: 2, 10: 4, 100: 25, 1_000: 168, 1_000_000: 78_498}
    for limit, count in known.items():
        last = list(arithmetic.prime_segments(limit))[-1]
        assert (last.limit, last.count) == (limit, count)
