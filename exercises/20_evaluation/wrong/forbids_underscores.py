"""fails: objects, program, large, names, none
why: Two underscores are the way to the classes, so they are forbidden. `format` needs none, and names have them.
"""

import ast
import math
import operator
from collections.abc import Mapping

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
            if "__" in formula:
                raise ToolError("not arithmetic: two underscores")
            names = {name: function for (name, _), function in FUNCTIONS.items()}
            return str(eval(formula.strip(), {"__builtins__": {}}, {**names, **values}))
        except (NameError, TypeError, AttributeError, LookupError):
            raise ToolError("not arithmetic: nothing to compute") from None
        except OverflowError:
            raise ToolError("too large: the number does not fit") from None
        except (ArithmeticError, ValueError):
            raise ToolError("no answer: it is no real number") from None
        except (SyntaxError, RecursionError, MemoryError):
            raise ToolError("not arithmetic: this cannot be read") from None

    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
