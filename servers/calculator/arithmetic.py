"""Arithmetic that is safe to offer to strangers: nothing here can run code, hang, or fill the memory.

`eval` guarded by a list of allowed characters is not safe: `9**9**9` is made of digits and stars and keeps a
processor busy for days. Here an expression is parsed to a syntax tree, and only the kinds of node named below are
computed, each under a limit that is checked *before* the work is done.

This module knows nothing of MCP, so both calculators share it. Every refusal is a `CalculationError` whose message
is written for the model or person who sent the expression.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Number = int | float

MAX_LENGTH = 500
"""Longest expression, in characters."""
MAX_DEPTH = 40
"""Deepest nesting of operations."""
MAX_BITS = 1024
"""Largest integer, in bits: about 308 digits, the range of a float."""
MAX_PRIME_LIMIT = 500_000_000
"""How far `prime_segments` counts."""
MAX_SEGMENT = 2_000_000
"""The most numbers that `prime_segments` looks at between two reports."""


class CalculationError(ValueError):
    """The calculation was refused or has no answer; the message says why and what to change."""


def add(a: Number, b: Number) -> Number:
    return _checked(_real(lambda: a + b))


def subtract(a: Number, b: Number) -> Number:
    return _checked(_real(lambda: a - b))


def multiply(a: Number, b: Number) -> Number:
    return _checked(_real(lambda: a * b))


def divide(a: Number, b: Number) -> Number:
    """`a / b`, as an integer when both are integers and nothing remains (6 / 3 is 2, not 2.0)."""
    if b == 0:
        raise CalculationError(f"cannot divide {_short(a)} by zero: use a divisor other than 0")
    if isinstance(a, int) and isinstance(b, int) and a % b == 0:
        return _checked(a // b)
    return _checked(_real(lambda: a / b))


def floor_divide(a: Number, b: Number) -> Number:
    if b == 0:
        raise CalculationError(f"cannot divide {_short(a)} by zero: use a divisor other than 0")
    return _checked(_real(lambda: a // b))


def remainder(a: Number, b: Number) -> Number:
    if b == 0:
        raise CalculationError(f"cannot take {_short(a)} modulo zero: use a divisor other than 0")
    return _checked(_real(lambda: a % b))


def power(base: Number, exponent: Number) -> Number:
    """`base ** exponent`; the size of an integer result is known, and refused, before it is computed."""
    if base == 0 and exponent < 0:
        raise CalculationError("cannot raise 0 to a negative power: use an exponent of 0 or more")
    whole = isinstance(base, int) and isinstance(exponent, int) and exponent > 0
    # |base| >= 2**(bits-1), so the result has more than (bits-1)*exponent bits. 0, 1 and -1 never grow.
    if whole and (abs(int(base)).bit_length() - 1) * exponent > MAX_BITS:
        raise CalculationError(f"{_short(base)} ** {_short(exponent)} is too large: {_SIZE_HINT}")
    return _checked(_real(lambda: base**exponent))


def sqrt(x: Number) -> Number:
    if x < 0:
        raise CalculationError(f"cannot take the square root of {_short(x)}: use a number that is 0 or more")
    if isinstance(x, int) and math.isqrt(x) ** 2 == x:
        return math.isqrt(x)
    return _checked(_real(lambda: math.sqrt(x)))


def evaluate(expression: str) -> Number:
    """The value of an expression such as `2 * (3 + 4) ** 2`.

    Known are `+ - * / // % **`, parentheses, the constants in `CONSTANTS` and the functions in `FUNCTIONS`.
    """
    if len(expression) > MAX_LENGTH:
        raise CalculationError(
            f"the expression has {len(expression)} characters, at most {MAX_LENGTH} are allowed: split it up"
        )
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = getattr(error, "msg", None) or "it is nested too deeply or holds unusual characters"
        raise CalculationError(f"cannot read {_quoted(expression)}: {reason}") from None
    return _value(tree.body, MAX_DEPTH)


CONSTANTS: dict[str, Number] = {"pi": math.pi, "e": math.e, "tau": math.tau}

FUNCTIONS: dict[str, tuple[int, Any]] = {
    "sqrt": (1, sqrt),
    "abs": (1, abs),
    "round": (1, round),
    "min": (2, min),
    "max": (2, max),
}
"""Name -> (number of arguments, function)."""

_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: add,
    ast.Sub: subtract,
    ast.Mult: multiply,
    ast.Div: divide,
    ast.FloorDiv: floor_divide,
    ast.Mod: remainder,
    ast.Pow: power,
}
_UNARY: dict[type[ast.unaryop], Callable[[Number], Number]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}

_SIZE_HINT = f"results are limited to about {MAX_BITS} bits (308 digits)"


def _value(node: ast.expr, depth: int) -> Number:
    """Compute one node of the tree. What is not listed here is refused: no attributes, no calls of objects."""
    if depth == 0:
        raise CalculationError(f"the expression is nested deeper than {MAX_DEPTH} levels: split it up")
    match node:
        # bool is an int to Python, but True is not a number to anybody else.
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _checked(number)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left, depth - 1), _value(right, depth - 1))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand, depth - 1))
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            wanted, function = FUNCTIONS[name]
            if len(args) != wanted:
                raise CalculationError(f"{name} takes {wanted} argument(s), not {len(args)}")
            return _checked(function(*(_value(arg, depth - 1) for arg in args)))
        case ast.BinOp(op=ast.BitXor()):
            raise CalculationError("^ is not a power here: write ** instead")
        case _:
            raise CalculationError(
                f"{_written(node)} is not arithmetic: use numbers, + - * / // % **, parentheses, "
                f"{', '.join(CONSTANTS)} and {', '.join(FUNCTIONS)}"
            )


@dataclass(frozen=True)
class Primes:
    """What `prime_segments` has found so far."""

    limit: int
    count: int
    largest: int | None


def prime_segments(limit: int) -> Iterator[Primes]:
    """Count the primes up to `limit` piece by piece, and yield the state after each piece; the last is the answer.

    A generator, so that a caller can report progress, and stop, between the pieces. A piece is a twentieth of the
    work, or less: no longer than a few milliseconds and no larger than `MAX_SEGMENT` bytes.
    """
    if not 0 <= limit <= MAX_PRIME_LIMIT:
        raise CalculationError(f"limit must be between 0 and {MAX_PRIME_LIMIT}, not {_short(limit)}")
    small = _sieve(math.isqrt(limit))
    count, largest = 0, None
    step = min(limit // 20 + 1, MAX_SEGMENT)
    for low in range(0, limit + 1, step):
        high = min(low + step, limit + 1)
        flags = bytearray([1]) * (high - low)
        for p in (0, 1):
            if low <= p < high:
                flags[p - low] = 0
        for p in small:
            first = max(p * p, -(-low // p) * p)
            flags[first - low :: p] = bytes(len(range(first, high, p)))
        count += flags.count(1)
        last = flags.rfind(1)
        largest = low + last if last >= 0 else largest
        yield Primes(high - 1, count, largest)


def _sieve(limit: int) -> list[int]:
    flags = bytearray([1]) * (limit + 1)
    flags[0:2] = bytes(len(flags[0:2]))
    for p in range(2, math.isqrt(limit) + 1):
        if flags[p]:
            flags[p * p :: p] = bytes(len(range(p * p, limit + 1, p)))
    return [n for n, flag in enumerate(flags) if flag]


def _real(compute: Callable[[], Any]) -> Number:
    """Compute; what overflows a float or leaves the real numbers becomes a `CalculationError`."""
    try:
        result = compute()
    except OverflowError:
        raise CalculationError(f"the result is too large: {_SIZE_HINT}") from None
    if isinstance(result, complex):
        raise CalculationError("the result is not a real number: a negative base needs a whole exponent")
    return result


def _checked(number: Number) -> Number:
    """`number`, if it is within the limits; JSON has no infinity and no "not a number"."""
    if isinstance(number, int) and abs(number).bit_length() > MAX_BITS:
        raise CalculationError(f"the number is too large: {_SIZE_HINT}")
    if isinstance(number, float) and not math.isfinite(number):
        raise CalculationError(f"the number is too large: {_SIZE_HINT}")
    return number


def _written(node: ast.expr) -> str:
    """A part of the expression, as Python would write it; writing goes as deep as the tree."""
    try:
        return _quoted(ast.unparse(node))
    except RecursionError:
        return "this"


def _short(number: Number) -> str:
    text = repr(number) if isinstance(number, float) or abs(number).bit_length() <= MAX_BITS else "a huge number"
    return text if len(text) <= 30 else f"{text[:12]}...{text[-6:]}"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
