"""Vulnerable: a formula is run by `eval`, with the builtins taken away.

What is taken away is a table of names. Every object still leads to its class, a class to its base, the base to all
classes there are, and one of those to a module that has everything. And arithmetic has no end of its own.
"""

import math
from collections.abc import Mapping

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

FUNCTIONS = {"sqrt": math.sqrt, "min": min, "max": max, "round": round}


def make(env: Mapping[str, str]) -> MCPServer:
    """A server without settings."""
    server = MCPServer("vulnerable-evaluation", log_level="ERROR")

    @server.tool()
    def compute(formula: str, values: dict[str, float] = {}) -> str:  # noqa: B006
        """Compute a formula such as `price * (1 + vat)` with the values of its names.

        It knows numbers, + - * / **, a sign, brackets, sqrt(x), round(x), min(a, b), max(a, b). Answers with a number.
        """
        try:
            return str(eval(formula, {"__builtins__": {}}, {**FUNCTIONS, **values}))
        except Exception as error:
            raise ToolError(f"{formula[:80]!r} cannot be computed: {error}") from error

    return server


if __name__ == "__main__":
    from labkit.range import run

    run(make)
