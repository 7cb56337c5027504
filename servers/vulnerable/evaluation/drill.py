"""The drill of class 5: a formula that reads a file, formulas that are programs, and numbers without end.

Nothing here runs for long or takes much memory: what a limit would have refused is shown by its size. `9**9**9` is left
to the notebook, in a process with a time limit.
"""

import json

from labkit.range import Target

CLASSES = "().__class__.__base__.__subclasses__()"
OPEN = f"[c for c in {CLASSES} if c.__name__ == '_wrap_close'][0].__init__.__globals__['__builtins__']['open']"
ROOTS = ("()", "[]", "''", "1.0", "{}", "sqrt", "(lambda: 0)", "(x for x in ())")
"""Objects that a formula has at hand: each leads to all classes."""
READING = (
    f"{OPEN}(PATH).read()",
    f"[f(PATH).read() for f in [{OPEN}]][0]",
    f"(lambda f: f(PATH).read())({OPEN})",
    f"{OPEN.replace('().__class__.__base__', 'sqrt.__class__.__base__')}(PATH).read()",
    f"{OPEN.replace('().__class__.__base__', '(1).__class__.__mro__[-1]')}(PATH).read()",
    f"{OPEN.replace('__class__', '__cla' + chr(0x17F) + chr(0x17F) + '__')}(PATH).read()",
    f"[t := {CLASSES}, [c for c in t if c.__name__ == '_wrap_close'][0].__init__.__globals__['__builtins__']"
    "['open'](PATH).read()][1]",
)
"""PATH is a file of somebody else's. One writes `__class__` with the long s, which Python reads as s."""
PROGRAMS = (
    *(f"{root}.__class__" for root in ROOTS),
    "'{0.__class__}'.format(1)",
    "f'{sqrt.__name__}'",
    "'a' + 'b'",
    "[1, 2][0]",
    "{'a': 1}['a']",
    "(lambda: 42)()",
    "sum",
    "sqrt",
    "True + 1",
    "1 if 1 else 2",
    "1 < 2",
    "not 0",
    "'ab' * 3",
    "max('a', 'b')",
    "min([1], [2])",
    "(1, 2)",
    "(price := 3)",
    "price.real",
    "round(price, ndigits=1)",
    "price.as_integer_ratio()",
)
"""What is no arithmetic, and is answered."""
LARGE = (
    "2 ** 5000",
    "10 ** 4000",
    "(-3) ** 3001",
    "7 ** 7 ** 4",
    "2 ** 600 * 2 ** 600",
    "(2 ** 900) ** 2",
    "2 ** 900 * 2 ** 900 * 2 ** 900",
    "9" * 400,
    "1" + " + 1" * 500,
)
"""Larger than anybody computes with, and yet quickly computed here. The next exponent is not."""
ATTACKS = (*READING, *PROGRAMS, *LARGE)
LEGITIMATE = (
    ("2 * (3 + 4)", {}, 14),
    ("price * (1 + vat)", {"price": 100, "vat": 0.25}, 125),
    ("a - b - c", {"a": 10, "b": 3, "c": 2}, 5),
    ("2 + 3 * 4 ** 2 / 8", {}, 8),
    ("-x ** 2", {"x": 3}, -9),
    ("+x - -x", {"x": 3}, 6),
    ("2 ** 3 ** 2", {}, 512),
    ("sqrt(a ** 2 + b ** 2)", {"a": 3, "b": 4}, 5),
    ("max(a, min(b, 7))", {"a": 2, "b": 9}, 7),
    ("round(total / 3)", {"total": 10}, 3),
    ("  1e3 * .5 ", {}, 500),
)
"""Formula, values, and what it comes to."""
REFUSED = ("1 / 0", "unknown + 1", "2 +", "", "sqrt(0 - 1)", "sqrt(1, 2)")
"""What has no answer, and has to be an error."""
NEAR_MISSES = (
    ("import_tax + eval_fee", {"import_tax": 3, "eval_fee": 4}, 7),
    ("os * class_size", {"os": 2, "class_size": 30}, 60),
    ("_ + __", {"_": 1, "__": 2}, 3),
    ("open - exec", {"open": 5, "exec": 1}, 4),
    ("getattr / globals", {"getattr": 8, "globals": 2}, 4),
    ("(1 + rate) ** 360", {"rate": 0.005}, 1.005**360),
    ("2 ** 64", {}, 2**64),
    ("2 ** 0.5 * 2 ** 0.5", {}, 2),
    ("2 ** -3", {}, 0.125),
    ("(-1) ** 999", {}, -1),
    ("10 ** 30 / 10 ** 29", {}, 10),
    ("1.5e300 * 2", {}, 3e300),
    ("((((((((1))))))))", {}, 1),
    (" + ".join(["1"] * 100), {}, 100),
    ("breite_ü * länge", {"breite_ü": 2, "länge": 3}, 6),
)
"""Names and numbers that look like trouble to a list of words."""


async def attack(target: Target) -> list[str]:
    """The text of a file, and answers to what is no arithmetic or has no end."""
    secret = target.folder / "secret.txt"
    secret.write_text(target.canary, encoding="utf-8")
    conn = await target.connect()
    obtained: list[str] = []
    for formula in ATTACKS:
        asked = formula.replace("PATH", json.dumps(str(secret)))
        result = await conn.call("compute", formula=asked, values={"price": 3.0})
        shown = formula if len(formula) <= 60 else f"{formula[:57]}..."
        if target.canary in result.text:
            obtained.append(f"{shown} gave {target.canary}")
        elif not result.is_error:
            obtained.append(f"{shown} was computed: {len(result.text)} characters ({target.canary})")
    return obtained


async def legitimate(target: Target) -> list[str]:
    """Arithmetic is computed; what has no answer is an error."""
    failed = await computed(target, LEGITIMATE)
    conn = await target.connect()
    for formula in REFUSED:
        result = await conn.call("compute", formula=formula)
        if not result.is_error:
            failed.append(f"{formula!r} is no error, it answers {result.text!r}")
    return failed


async def near_misses(target: Target) -> list[str]:
    """Names are names, and large numbers have their uses."""
    return await computed(target, NEAR_MISSES)


async def computed(target: Target, cases: tuple[tuple[str, dict[str, float], float], ...]) -> list[str]:
    """A sentence for each formula that does not come to what it has to."""
    conn = await target.connect()
    failed: list[str] = []
    for formula, values, wanted in cases:
        result = await conn.call("compute", formula=formula, values=values)
        try:
            right = not result.is_error and abs(float(result.text) - wanted) <= 1e-9 * max(1, abs(wanted))
        except ValueError:
            right = False
        if not right:
            failed.append(f"{formula!r} is not {wanted}: {result.text!r}")
    return failed
