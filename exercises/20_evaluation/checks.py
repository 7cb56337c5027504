"""Checks of 20_evaluation. Formulas are made from the seed."""

import json
import math
import random
import string
from typing import Any

from labkit.grading.checks import check, expect_true
from labkit.grading.submission import Submission

CLASSES = "().__class__.__base__.__subclasses__()"
OPEN = f"[c for c in {CLASSES} if c.__name__ == '_wrap_close'][0].__init__.__globals__['__builtins__']['open']"
FUNCTIONS = {"sqrt": math.sqrt, "round": round, "min": min, "max": max}


class Desk:
    """A server that computes."""

    def __init__(self, submission: Submission, rng: random.Random) -> None:
        self._rng = rng
        self.canary = self.word(12)
        secret = submission.folder / "secret.txt"
        secret.write_text(self.canary, encoding="utf-8")
        self.path = json.dumps(secret.as_posix())
        self._session = submission.made({"RANGE_CANARY": self.canary, "RANGE_ROOT": submission.folder.as_posix()})

    def word(self, length: int = 6) -> str:
        return "".join(self._rng.choices(string.ascii_lowercase, k=length))

    def refused(self, formula: str, words: str, **values: float) -> None:
        shown = formula if len(formula) < 70 else f"{formula[:60]}... ({len(formula)} characters)"
        reply = self._session.call("compute", formula=formula, values=values)
        expect_true(self.canary not in reply.text, f"{shown} reads a file: {reply.text!r}")
        expect_true(reply.is_error, f"{shown} is no error, it answers {reply.text[:60]!r}")
        expect_true(words in reply.text, f"the error of {shown} lacks the words {words!r}: {reply.text!r}")

    def comes_to(self, formula: str, **values: float) -> None:
        """The answer is what Python makes of it."""
        wanted = eval(formula.strip(), {"__builtins__": {}}, FUNCTIONS | values)
        arguments: dict[str, Any] = {"formula": formula} | ({"values": values} if values else {})
        reply = self._session.call("compute", **arguments)
        expect_true(not reply.is_error, f"{formula!r} is refused: {reply.text!r}")
        try:
            got = float(reply.text)
        except ValueError:
            got = math.nan
        expect_true(math.isclose(got, wanted), f"{formula!r} with {values} is {wanted}, not {reply.text!r}")


@check(
    "attack: a formula reaches no object and no file",
    points=5,
    reason="Every object leads to its class, and that to all there are. What is not taken cannot lead anywhere.",
    about="make",
)
def test_objects(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    for formula in (
        f"{OPEN}({desk.path}).read()",
        f"[f({desk.path}).read() for f in [{OPEN}]][0]",
        f"(lambda f: f({desk.path}).read())({OPEN})",
        f"{OPEN.replace('()', '(1)', 1)}({desk.path}).read()",
        f"{OPEN.replace('__class__', '__claſſ__')}({desk.path}).read()",
        CLASSES,
    ):
        desk.refused(formula, "not arithmetic")
    for thing in ("()", "[]", "''", "1.5", "{}", "sqrt", "x", "max(1, 2)", "(lambda: 0)"):
        desk.refused(f"{thing}.__class__", "not arithmetic", x=1)
    for formula in ("x.real", "x.as_integer_ratio()", "sqrt.__call__(4)", "'{0.__class__}'.format(1)", "f'{x.real}'"):
        desk.refused(formula, "not arithmetic", x=1)


@check(
    "attack: a formula is no program",
    points=3,
    reason="What computes more than arithmetic is a language, and somebody will write in it.",
    about="make",
)
def test_program(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    n, word = rng.randint(2, 9), desk.word()
    for formula in (
        f"'{word}'",
        f"'{word}' * {n}",
        f"b'{word}'",
        f"[{n}][0]",
        f"({n}, {n})",
        f"{{'{word}': {n}}}['{word}']",
        f"(lambda: {n})()",
        f"[x for x in [{n}]][0]",
        f"({word} := {n})",
        f"{n} if {n} else 1",
        f"{n} < {n + 1}",
        f"not {n}",
        f"{n} and {n}",
        f"{n} % 2",
        f"{n} // 2",
        f"{n} << 2",
        f"{n} | 1",
        f"~{n}",
        f"{n}j",
        f"True + {n}",
        "None",
        "sqrt",
        "max",
        f"abs({n})",
        f"sum([{n}])",
        f"sqrt({n}, {n})",
        "sqrt()",
        f"max({n})",
        f"max({n}, {n}, {n})",
        f"max(*[{n}, {n}])",
        f"round({n}.5, ndigits=1)",
        f"round({n}.55, 1)",
        f"max('{word}', 'b')",
        f"sqrt({n})({n})",
        f"{n}({n})",
        f"x({n})",
        f"{n}; {n}",
        f"{n} = {n}",
        "import os",
        "...",
        "",
    ):
        desk.refused(formula, "not arithmetic", x=1.0)


@check(
    "attack: nothing large is computed",
    points=3,
    reason="One operation cannot be interrupted. Its size has to be known before.",
    about="make",
)
def test_large(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    n = rng.randint(3, 9)
    for formula in (
        "2 ** 5000",
        "2 ** 1000",
        f"{n} ** {rng.randint(1001, 4000)}",
        f"(-{n}) ** 1001",
        "2 ** 600 * 2 ** 600",
        "2 ** 990 * 1024",
        "(2 ** 900) ** 2",
        f"{n} ** {n} ** 7",
        "2 ** 999 + 2 ** 999",
        "0 - 2 ** 999 - 2 ** 999",
        "9" * 302,
        f"{n}" * 400,
        f"{n}.5 ** 9999",
        "1e300 * 1e300",
        "1e999",
        "0 - 1e999",
        "1e999 - 1e999",
    ):
        desk.refused(formula, "too large")
    for formula in (" + ".join([str(n)] * 130), "(" * 300 + "1" + ")" * 300, "1" + " " * 500):
        desk.refused(formula, "too long")
    desk.refused("(" * 240 + "1" + ")" * 240, "not arithmetic")
    desk.refused(f"{n} ** 9 ** 9 ** 9", "too large")
    desk.refused(f"{n} ** 9 ** 9", "too large")


@check(
    "use: arithmetic is computed as Python does it",
    points=3,
    reason="A repair keeps what worked. The tree has Python's precedence already.",
    about="make",
)
def test_use(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    a, b, c = (rng.randint(2, 99) for _ in range(3))
    x, y = rng.randint(2, 9), rng.uniform(0.1, 0.9)
    for formula in (
        f"{a} * ({b} + {c})",
        f"{a} - {b} - {c}",
        f"{a} + {b} * {c} / 8",
        f"-{a} ** 2",
        f"+{a} - -{b}",
        "2 ** 3 ** 2",
        f"  1e3 * .5 + {a}.25 ",
        f"sqrt({a})",
        f"round({a}.7)",
        f"min({a}, {b}) + max({b}, {c})",
        f"max(sqrt({a}), round({b} / 3))",
    ):
        desk.comes_to(formula)
    for formula in ("x * (1 + y)", "-x ** 2 + y", "sqrt(x ** 2 + y ** 2)", "min(x, y) / max(x, y)", "x"):
        desk.comes_to(formula, x=x, y=y)


@check(
    "use: what has no answer is an error",
    points=1,
    reason="A model that reads an error can write another formula; what crashes or answers nonsense tells it nothing.",
    about="make",
)
def test_none(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    n = rng.randint(2, 99)
    for formula in (f"{n} / 0", f"0 ** -{n % 9 + 1}", f"sqrt(0 - {n})", f"({n} - {2 * n}) ** 0.5"):
        desk.refused(formula, "no answer")
    for formula in ("unknown + 1", f"{n} +", f"({n}", f"{n} {n}"):
        desk.refused(formula, "not arithmetic")


@check(
    "near miss: names are names",
    points=2,
    reason="A list of forbidden words refuses whatever has one of them in it.",
    about="make",
)
def test_names(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    a, b, word = rng.randint(2, 9), rng.randint(2, 9), desk.word()
    names = ("import_tax", "eval_fee", "os", "class_size", "open", "exec", "getattr", "__", "_", "lambda_", "breite_ü")
    for one, two in zip(names, (*names[1:], f"{word}__{word}"), strict=True):
        desk.comes_to(f"{one} * {two} - {one}", **{one: a, two: b})
    desk.comes_to(f"{word}_{word}_{word}_{word} + 1", **{f"{word}_{word}_{word}_{word}": a})


@check(
    "near miss: large is not too large",
    points=1,
    reason="Interest over thirty years and the number of addresses there are need large numbers.",
    about="make",
)
def test_sizes(submission: Submission, rng: random.Random) -> None:
    desk = Desk(submission, rng)
    n = rng.randint(2, 9)
    for formula in (
        "2 ** 64",
        "2 ** 999",
        "2 ** 499 * 2 ** 500",
        "0 - 2 ** 999",
        f"{n} ** 200",
        f"10 ** 30 / 10 ** {n}",
        f"(1 + 0.00{n}) ** 360",
        f"1.5e300 * {n}",
        "2 ** -3",
        f"{n} ** 0.5",
        "(-1) ** 999",
        "9" * 300,
        "((((((((1))))))))",
        "+".join(["1"] * 250) + " ",
        f"1e10 ** {n}",
    ):
        desk.comes_to(formula)
