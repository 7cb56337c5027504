"""Calculator: a first server. Seven arithmetic tools, and one that takes long enough to show progress.

Run it by itself (it speaks MCP on stdin and stdout): python servers/calculator/server.py

Worth noticing:
- a tool is a function: its types become the input and the output schema, its docstring becomes the description;
- errors that the caller can do something about are raised as `ToolError`. The text of any other exception is withheld
  from the caller, because it may hold secrets;
- `evaluate` parses, it never runs what it is given: see arithmetic.py.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import anyio.lowlevel
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field, StrictFloat, StrictInt, WithJsonSchema

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.calculator import arithmetic
from servers.calculator.arithmetic import CalculationError, Number

server = MCPServer(
    "calculator",
    title="Calculator",
    version="1.0.0",
    instructions="Arithmetic on real numbers. Use evaluate for whole expressions, the other tools for single steps.",
    log_level="WARNING",
)

PURE = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
"""What every tool here promises: it changes nothing, repeats safely and touches nothing outside."""

# Whole numbers stay whole, so both kinds of Python; JSON has only one, so one word in the schema.
# Strict: the text "3" and the truth value true are not numbers, although Python would accept both.
Real = Annotated[StrictInt | StrictFloat, WithJsonSchema({"type": "number"})]
A = Annotated[Real, Field(description="First number.")]
B = Annotated[Real, Field(description="Second number.")]


def answer(function: Callable[..., Number], *args: Number | str) -> Number:
    """Call `function`; turn its refusal into an error that reaches the caller."""
    try:
        return function(*args)
    except CalculationError as error:
        raise ToolError(str(error)) from error


@server.tool(title="Add", annotations=PURE)
def add(a: A, b: B) -> Real:
    """Add two numbers."""
    return answer(arithmetic.add, a, b)


@server.tool(title="Subtract", annotations=PURE)
def subtract(a: A, b: B) -> Real:
    """Subtract the second number from the first."""
    return answer(arithmetic.subtract, a, b)


@server.tool(title="Multiply", annotations=PURE)
def multiply(a: A, b: B) -> Real:
    """Multiply two numbers."""
    return answer(arithmetic.multiply, a, b)


@server.tool(title="Divide", annotations=PURE)
def divide(a: A, b: B) -> Real:
    """Divide the first number by the second. Dividing by zero is an error."""
    return answer(arithmetic.divide, a, b)


@server.tool(title="Power", annotations=PURE)
def power(
    base: Annotated[Real, Field(description="Number to raise.")],
    exponent: Annotated[Real, Field(description="Power to raise it to.")],
) -> Real:
    """Raise a number to a power. Results beyond about 308 digits are refused."""
    return answer(arithmetic.power, base, exponent)


@server.tool(title="Square root", annotations=PURE)
def sqrt(x: Annotated[Real, Field(description="Number, 0 or more.")]) -> Real:
    """Take the square root of a number."""
    return answer(arithmetic.sqrt, x)


@server.tool(title="Evaluate", annotations=PURE)
def evaluate(
    expression: Annotated[str, Field(description="For example 2 * (3 + 4) ** 2", max_length=arithmetic.MAX_LENGTH)],
) -> Real:
    """Compute an expression of numbers, + - * / // % **, parentheses, pi, e, tau, sqrt, abs, round, min and max."""
    return answer(arithmetic.evaluate, expression)


class PrimeCount(BaseModel):
    """How many primes there are up to a limit."""

    limit: int = Field(description="Upper end, included.")
    count: int = Field(description="Number of primes up to the limit.")
    largest: int | None = Field(description="Largest prime found, null if there is none.")


@server.tool(title="Count primes", annotations=PURE)
async def primes(
    limit: Annotated[StrictInt, Field(description="Count up to here.", ge=0, le=arithmetic.MAX_PRIME_LIMIT)],
    ctx: Context,
) -> PrimeCount:
    """Count the prime numbers up to a limit. Reports progress, and stops at once when the call is cancelled."""
    so_far = arithmetic.Primes(0, 0, None)
    for so_far in arithmetic.prime_segments(limit):
        await ctx.report_progress(so_far.limit, limit, f"{so_far.count} primes up to {so_far.limit}")
        await anyio.lowlevel.checkpoint()  # computing never gives way by itself; here others run, here we can stop
    return PrimeCount(limit=limit, count=so_far.count, largest=so_far.largest)


if __name__ == "__main__":
    server.run()
