"""fails: long
why: The tree is safe, so any text may be parsed.
"""

import ast
import math
import operator

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("calculator")
BITS = 1000
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


@server.tool()
def calculate(expression: str) -> float:
    """Compute an expression of numbers, + - * / **, brackets and sqrt(x), such as 2 * (3 + 4)."""
    try:
        return value(ast.parse(expression.strip(), mode="eval").body)
    except OverflowError:
        raise ToolError("too large: the number does not fit") from None
    except ArithmeticError:
        raise ToolError("no answer: this divides by zero") from None
    except (SyntaxError, MemoryError, RecursionError):
        raise ToolError("not arithmetic: this cannot be read") from None
    except ValueError:
        raise ToolError("no answer: it is not a real number") from None


def value(node):
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return checked(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return value(operand)
        case ast.Call(func=ast.Name(id="sqrt"), args=[operand], keywords=[]):
            return math.sqrt(value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            a, b = value(left), value(right)
            if isinstance(op, ast.Pow) and bits_of_power(a, b) > BITS:
                raise ToolError("too large: the power has too many digits")
            return checked(OPERATORS[type(op)](a, b))
        case _:
            raise ToolError("not arithmetic: use numbers, + - * / **, brackets and sqrt(x)")


def bits_of_power(base, exponent):
    """How many bits the power of two whole numbers has at least."""
    if isinstance(base, int) and isinstance(exponent, int):
        return (abs(base).bit_length() - 1) * exponent + 1
    return 0


def checked(number):
    if isinstance(number, complex):
        raise ValueError
    if abs(number) == math.inf or (isinstance(number, int) and number.bit_length() > BITS):
        raise ToolError("too large: the number has too many digits")
    return number


if __name__ == "__main__":
    server.run()
