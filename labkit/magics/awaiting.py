"""`%mcp` lines wait without blocking, though a magic cannot be awaited.

IPython makes `get_ipython().run_line_magic('mcp', '...')` of a line `%mcp ...` before it runs a cell. Here that call
is put into an `await`, where Python allows one, so that a line can work with connections of `await lab.connect(...)`,
and the kernel goes on meanwhile: forms, progress, an interrupt. Inside a function, or below `%%time` and its like, a
line stays as it is.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import Any

from labkit.magics.desk import Desk, Unfinished

AWAIT = "labkit_await"


def await_magics(ip: Any, desk: Desk) -> None:
    """Teach a shell to await what `%mcp` returns."""

    async def awaiting(run: Callable[..., Any], *words: str) -> Any:
        desk.awaiting = True
        try:
            value = run(*words)
        finally:
            desk.awaiting = False
        return await value if isinstance(value, Unfinished) else value

    setattr(ip, AWAIT, awaiting)
    ip.input_transformers_post.append(rewrite)


def rewrite(lines: list[str]) -> list[str]:
    """The lines of a cell, calls of the magic awaited."""
    text = "".join(lines)
    if "_magic('mcp'" not in text or _in_magic():
        return lines
    try:
        calls = sorted(_calls(ast.parse(text)), key=lambda call: (call.lineno, call.col_offset), reverse=True)
    except SyntaxError:  # Python will say so when the cell runs
        return lines
    rows = [line.encode() for line in text.splitlines(keepends=True)]  # ast counts bytes
    for call in calls:
        _edit(rows, call.end_lineno, call.end_col_offset, 0, b")")
        _edit(rows, call.func.end_lineno, call.func.end_col_offset, 1, b", ")
        _edit(rows, call.lineno, call.col_offset, 0, f"(await get_ipython().{AWAIT}(".encode())
    return [row.decode() for row in rows]


def _in_magic() -> bool:
    """Whether another magic is at work, such as `%%time`: those run the code they are given without a loop."""
    frame = sys._getframe()  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code.co_name not in ("run_line_magic", "run_cell_magic"):
        frame = frame.f_back
    return frame is not None


def _edit(rows: list[bytes], line: int | None, column: int | None, cut: int, text: bytes) -> None:
    assert line is not None and column is not None
    row = rows[line - 1]
    rows[line - 1] = row[:column] + text + row[column + cut :]


def _calls(node: ast.AST) -> list[ast.Call]:
    """Where the magic is called outside of functions."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
        return []
    found = [node] if isinstance(node, ast.Call) and _is_magic(node) else []
    return found + [call for child in ast.iter_child_nodes(node) for call in _calls(child)]


def _is_magic(call: ast.Call) -> bool:
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in ("run_line_magic", "run_cell_magic")
        and ast.unparse(call.func.value) == "get_ipython()"
        and bool(call.args)
        and isinstance(call.args[0], ast.Constant)
        and call.args[0].value == "mcp"
    )
