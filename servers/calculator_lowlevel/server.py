"""Calculator, low level: the twin of ../calculator, with everything that MCPServer does for you written out.

Run it by itself (it speaks MCP on stdin and stdout): python servers/calculator_lowlevel/server.py

Read the two side by side. Here
- the JSON Schemas are data that we write, not derived from function signatures;
- nothing checks the arguments against those schemas unless we do: `check` below;
- one handler receives the call of every tool and decides what to do;
- the result is a complete `CallToolResult`: content for the model, structured content for programs, the error flag.

Tools, schemas and answers are the same; a test compares the two on the wire. One difference is deliberate: an unknown
tool is a protocol error here, as the specification wants it, while MCPServer answers with a tool error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import mcp_types as types
from mcp import MCPError
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from pydantic_core import to_json

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.calculator import arithmetic
from servers.calculator.arithmetic import CalculationError, Number

PURE = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)


def number(title: str, description: str) -> dict[str, Any]:
    return {"type": "number", "title": title, "description": description}


def tool(name: str, title: str, description: str, parameters: dict[str, Any], output: dict[str, Any]) -> types.Tool:
    """One entry of tools/list. Every parameter is required."""
    return types.Tool(
        name=name,
        title=title,
        description=description,
        input_schema={
            "type": "object",
            "title": f"{name}Arguments",
            "properties": parameters,
            "required": list(parameters),
        },
        output_schema=output,
        annotations=PURE,
    )


def arithmetic_tool(name: str, title: str, description: str, **parameters: dict[str, Any]) -> types.Tool:
    """A tool that answers with one number. Structured content must be an object, so it is wrapped as `result`."""
    output = {
        "type": "object",
        "title": f"{name}Output",
        "properties": {"result": {"type": "number", "title": "Result"}},
        "required": ["result"],
    }
    return tool(name, title, description, parameters, output)


AB = {"a": number("A", "First number."), "b": number("B", "Second number.")}

PRIME_COUNT = {
    "type": "object",
    "title": "PrimeCount",
    "description": "How many primes there are up to a limit.",
    "properties": {
        "limit": {"type": "integer", "title": "Limit", "description": "Upper end, included."},
        "count": {"type": "integer", "title": "Count", "description": "Number of primes up to the limit."},
        "largest": {
            "anyOf": [{"type": "integer"}, {"type": "null"}],
            "title": "Largest",
            "description": "Largest prime found, null if there is none.",
        },
    },
    "required": ["limit", "count", "largest"],
}

TOOLS = [
    arithmetic_tool("add", "Add", "Add two numbers.", **AB),
    arithmetic_tool("subtract", "Subtract", "Subtract the second number from the first.", **AB),
    arithmetic_tool("multiply", "Multiply", "Multiply two numbers.", **AB),
    arithmetic_tool("divide", "Divide", "Divide the first number by the second. Dividing by zero is an error.", **AB),
    arithmetic_tool(
        "power",
        "Power",
        "Raise a number to a power. Results beyond about 308 digits are refused.",
        base=number("Base", "Number to raise."),
        exponent=number("Exponent", "Power to raise it to."),
    ),
    arithmetic_tool("sqrt", "Square root", "Take the square root of a number.", x=number("X", "Number, 0 or more.")),
    arithmetic_tool(
        "evaluate",
        "Evaluate",
        "Compute an expression of numbers, + - * / // % **, parentheses, pi, e, tau, sqrt, abs, round, min and max.",
        expression={
            "type": "string",
            "title": "Expression",
            "description": "For example 2 * (3 + 4) ** 2",
            "maxLength": arithmetic.MAX_LENGTH,
        },
    ),
    tool(
        "primes",
        "Count primes",
        "Count the prime numbers up to a limit. Reports progress, and stops at once when the call is cancelled.",
        {
            "limit": {
                "type": "integer",
                "title": "Limit",
                "description": "Count up to here.",
                "minimum": 0,
                "maximum": arithmetic.MAX_PRIME_LIMIT,
            }
        },
        PRIME_COUNT,
    ),
]
INPUT_SCHEMAS: dict[str, dict[str, Any]] = {tool.name: tool.input_schema for tool in TOOLS}

OPERATIONS: dict[str, Callable[..., Number]] = {
    "add": arithmetic.add,
    "subtract": arithmetic.subtract,
    "multiply": arithmetic.multiply,
    "divide": arithmetic.divide,
    "power": arithmetic.power,
    "sqrt": arithmetic.sqrt,
    "evaluate": arithmetic.evaluate,
}


async def list_tools(
    ctx: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    return types.ListToolsResult(tools=TOOLS)


async def call_tool(ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> types.CallToolResult:
    if params.name not in INPUT_SCHEMAS:
        raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name}. There are {', '.join(INPUT_SCHEMAS)}.")
    try:
        arguments = check(params.name, params.arguments or {})
        if params.name == "primes":
            return success(await primes(ctx, **arguments))
        result = OPERATIONS[params.name](**arguments)
        return success({"result": result}, text=to_json(result).decode())
    except CalculationError as error:
        text = f"Error executing tool {params.name}: {error}"
        return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)


async def primes(ctx: ServerRequestContext[Any], limit: int) -> dict[str, Any]:
    so_far = arithmetic.Primes(0, 0, None)
    for so_far in arithmetic.prime_segments(limit):
        await ctx.session.report_progress(so_far.limit, limit, f"{so_far.count} primes up to {so_far.limit}")
        await anyio.lowlevel.checkpoint()  # computing never gives way by itself; here others run, here we can stop
    return asdict(so_far)


def check(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The declared arguments of a call, or a `CalculationError` that names each one that is missing or wrong.

    Written out for the few keywords used above. The `jsonschema` package knows them all, for a slower start.
    """
    schema = INPUT_SCHEMAS[name]
    missing = [f"{key}: required" for key in schema["required"] if key not in arguments]
    known = {key: value for key, value in arguments.items() if key in schema["properties"]}
    wrong = [
        f"{key}: {problem}" for key, value in known.items() for problem in violations(value, schema["properties"][key])
    ]
    if missing or wrong:
        raise CalculationError("; ".join(missing + wrong))
    return known


def violations(value: Any, schema: dict[str, Any]) -> list[str]:
    """What is wrong with one argument."""
    wanted: Any = {"number": (int, float), "integer": int, "string": str}[schema["type"]]
    if isinstance(value, bool) or not isinstance(value, wanted):
        return [f"must be of type {schema['type']}, not {value!r}"]
    if "minimum" in schema and value < schema["minimum"]:
        return [f"must be at least {schema['minimum']}, not {value}"]
    if "maximum" in schema and value > schema["maximum"]:
        return [f"must be at most {schema['maximum']}, not {value}"]
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        return [f"must have at most {schema['maxLength']} characters, not {len(value)}"]
    return []


def success(structured: dict[str, Any], text: str | None = None) -> types.CallToolResult:
    """A result for programs, and the same as text for models and older clients."""
    shown = to_json(structured, indent=2).decode() if text is None else text
    return types.CallToolResult(content=[types.TextContent(text=shown)], structured_content=structured)


server = Server(
    "calculator_lowlevel",
    title="Calculator, low level",
    version="1.0.0",
    instructions="Arithmetic on real numbers. Use evaluate for whole expressions, the other tools for single steps.",
    on_list_tools=list_tools,
    on_call_tool=call_tool,
    # Lets HTTP requests be checked without running tools/list before each call.
    get_tool_input_schema=INPUT_SCHEMAS.get,
)


async def main() -> None:
    async with stdio_server() as (read_stream, write_stream):
        await server.run(read_stream, write_stream, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
