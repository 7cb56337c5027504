"""fails: arithmetic, large, none
why: Without builtins nothing dangerous has a name. But every object knows its class, and numbers grow all the same.
"""

import math

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("calculator")


@server.tool()
def calculate(expression: str) -> float:
    """Compute an expression such as 2 * (3 + 4)."""
    if len(expression) > 200:
        raise ToolError("too long: use at most 200 characters")
    try:
        return eval(expression.strip(), {"__builtins__": {}, "sqrt": math.sqrt})
    except OverflowError:
        raise ToolError("too large: the number does not fit") from None
    except ZeroDivisionError:
        raise ToolError("no answer: this divides by zero") from None
    except Exception as error:
        raise ToolError(f"not arithmetic: {error}") from None


if __name__ == "__main__":
    server.run()
