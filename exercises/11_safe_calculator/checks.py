"""Checks of 11_safe_calculator."""

import math
import random

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

ERAS = ("2025-11-25", "2026-07-28")


def result(session: object, expression: str) -> float:
    reply = session.call("calculate", expression=expression)  # type: ignore[attr-defined]
    expect_true(not reply.is_error, f"calculate({expression!r}) failed: {reply.text!r}")
    structured = reply.data
    number = structured.get("result") if isinstance(structured, dict) else None
    wrong = f"calculate({expression!r}) answers {structured!r}, without a number as `result`"
    expect_true(isinstance(number, int | float) and not isinstance(number, bool), wrong)
    return number


def refused(session: object, expression: str, words: str) -> None:
    shown = expression if len(expression) <= 40 else expression[:37] + "..."
    reply = session.call("calculate", expression=expression)  # type: ignore[attr-defined]
    expect_true(reply.is_error, f"calculate({shown!r}) is no error, it answers {reply.text[:60]!r}")
    expect_true(words in reply.text.lower(), f"the error of calculate({shown!r}) lacks {words!r}: {reply.text!r}")


@check(
    "what is arithmetic is computed",
    points=3,
    reason="A repair keeps what worked, with Python's own precedence: the tree already has it.",
    about="value",
)
def test_value(submission: Submission, rng: random.Random) -> None:
    session = submission.session("memory", rng.choice(ERAS))
    a, b, c = (rng.randint(2, 99) for _ in range(3))
    for expression in (
        f"{a} * ({b} + {c})",
        f"{a} - {b} - {c}",
        f"{a} + {b} * {c}",
        f"{a} / {b} / {c}",
        f"-{a} ** 2",
        f"+{a} - -{b}",
        f"2 ** 3 ** 2 + {c}",
        f"2 ** -{a % 9 + 1}",
        f"  {a}.5 * .5  ",
        f"1e3 + {a}",
    ):
        wanted = eval(expression.strip())
        got = result(session, expression)
        expect_true(math.isclose(got, wanted), f"calculate({expression!r}) answers {got}, not {wanted}")
    expect_true(math.isclose(result(session, f"sqrt({a}) * 2"), math.sqrt(a) * 2), f"sqrt({a}) * 2 is wrong")


@check(
    "the answer is a number",
    points=2,
    reason="A program reads structuredContent, and knows from the output schema what will be in it.",
    about="calculate",
)
def test_number(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        properties = session.tools()["calculate"].get("outputSchema", {}).get("properties", {})
        kind = properties.get("result", {}).get("type")
        expect_true(
            kind in ("number", "integer"), f"the output schema says {kind!r} of `result`, not 'number' ({session})"
        )
        number = rng.randint(10, 99)
        expect(result(session, f"{number} + 1"), number + 1, f"{number} + 1 ({session})")


@check(
    "what is not arithmetic is refused",
    points=3,
    reason="There are more ways to write an attack than you can forbid: compute what you know, refuse the rest.",
    about="value",
)
def test_arithmetic(submission: Submission, rng: random.Random) -> None:
    session = submission.session("memory", rng.choice(ERAS))
    n = rng.randint(2, 99)
    for expression in (
        "().__class__.__base__.__subclasses__()",
        "sqrt.__class__",
        f"sqrt({n}).real",
        "__import__('os').getcwd()",
        "calculate",
        f"'a' * {n}",
        f"[1] * {n}",
        f"True + {n}",
        f"abs(-{n})",
        f"sqrt({n}, 2)",
        f"{n}j",
        f"{n} % 2",
        f"{n} // 2",
        f"{n} << 2",
        f"~{n}",
        f"not {n}",
        f"{n} < 2",
        f"{n} if {n} else 2",
        f"(lambda: {n})()",
        f"{n} +",
        "",
    ):
        refused(session, expression, "not arithmetic")


@check(
    "what is too large is refused, at once",
    points=3,
    reason="Nothing can interrupt one operation on a huge number: the size has to be known before.",
    about="value",
)
def test_large(submission: Submission, rng: random.Random) -> None:
    session = submission.fresh("process", rng.choice(ERAS))
    n = rng.randint(3, 9)
    for expression in (
        "2 ** 1000",
        f"{n} ** 1001",
        f"(-{n}) ** 1001",
        "2 ** 600 * 2 ** 600",
        "2 ** 999 + 2 ** 999",
        "0 - 2 ** 999 - 2 ** 999",
        "1e999",
        "2.5 ** 9999",
        "1e300 * 1e300",
    ):
        refused(session, expression, "too large")
    expect_true(result(session, "2 ** 999") == 2**999, "2 ** 999 has 1000 bits and is allowed")
    expect_true(result(session, "(-1) ** 99999") == -1, "(-1) ** 99999 is -1")
    refused(session, f"{n} ** 9 ** 9 ** 9", "too large")
    refused(session, f"{n} ** 9 ** 9", "too large")


@check(
    "what has no answer says so",
    points=2,
    reason="The model can only choose another number if it reads what was wrong with this one.",
    about="value",
)
def test_none(submission: Submission, rng: random.Random) -> None:
    session = submission.session("memory", rng.choice(ERAS))
    n = rng.randint(2, 99)
    for expression in (f"{n} / 0", f"{n} / ({n} - {n})", f"0 ** -{n}", f"sqrt(-{n})", f"(-{n}) ** 0.5"):
        refused(session, expression, "no answer")


@check(
    "what is too long is not even read",
    points=1,
    reason="Parsing costs time and memory as well; a limit on the input is the first wall.",
    about="calculate",
)
def test_long(submission: Submission, rng: random.Random) -> None:
    session = submission.session("memory", rng.choice(ERAS))
    expect(result(session, "1" + "+1" * 99 + " "), 100, "the sum of a hundred ones, in 200 characters")
    for expression in ("1" + "+1" * 100, "(" * 500 + "1" + ")" * 500, " " * 200 + "1"):
        refused(session, expression, "too long")
