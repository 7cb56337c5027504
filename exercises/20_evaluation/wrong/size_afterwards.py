"""fails: large
why: The size is looked at once the number is there. 9 ** 9 ** 9 does not get there for hours.
"""

import ast
import math
import operator
from collections.abc import Mapping
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

FUNCTIONS = {("sqrt", 1): math.sqrt, ("round", 1): round, ("min", 2): min, ("max", 2): max}
"""By name and number of arguments."""
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
LONGEST, BITS = 500, 1000


def make(env: Mapping[str, str]) -> MCPServer:
    """A server without settings."""
    server = MCPServer("fixed-evaluation", log_level="ERROR")

    @server.tool()
    def compute(formula: str, values: dict[str, float] = {}) -> str:  # noqa: B006
        """Compute a formula such as `price * (1 + vat)` with the values of its names.

        It knows numbers, + - * / **, a sign, brackets, sqrt(x), round(x), min(a, b), max(a, b). Answers with a number.
        """
        if len(formula) > LONGEST:
            raise ToolError("too long: use at most 500 characters")
        try:
            return str(value(ast.parse(formula.strip(), mode="eval").body, values))
        except OverflowError:
            raise ToolError("too large: the number does not fit") from None
        except (ArithmeticError, ValueError):
            raise ToolError("no answer: it is no real number") from None
        except (SyntaxError, RecursionError, MemoryError):
            raise ToolError("not arithmetic: this cannot be read") from None

    return server


def value(node: Any, values: Mapping[str, float]) -> Any:
    """What one node of the tree comes to."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return checked(number)
        case ast.Name(id=name) if name in values:
            return checked(values[name])
        case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
            return OPERATORS[type(op)](value(operand, values))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            a, b = value(left, values), value(right, values)
            return checked(OPERATORS[type(op)](a, b))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if (name, len(args)) in FUNCTIONS:
            return checked(FUNCTIONS[name, len(args)](*(value(each, values) for each in args)))
        case _:
            raise ToolError("not arithmetic: use numbers, + - * / **, brackets, the functions and the names of values")


def checked(number: Any) -> Any:
    """The number, if it is one that people compute with."""
    if isinstance(number, complex):
        raise ValueError
    if (isinstance(number, int) and number.bit_length() > BITS) or not math.isfinite(number):
        raise OverflowError
    return number


if __name__ == "__main__":
    from labkit.range import run

    run(make)
