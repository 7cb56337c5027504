"""A progress bar for long calls: in a notebook a line that updates itself, in a script nothing."""

from __future__ import annotations

import contextvars
import html
import sys
import time
from typing import Any

from mcp.shared.dispatcher import ProgressFnT

PATIENCE = 0.4
"""Seconds before a bar appears: short calls show none."""
BEAT = 0.05
"""Seconds between two drawings of a bar."""


def in_notebook() -> bool:
    """Whether this is an IPython kernel."""
    shell = sys.modules.get("IPython")
    ip = shell.get_ipython() if shell else None  # pyright: ignore[reportAttributeAccessIssue]
    return ip is not None and getattr(ip, "kernel", None) is not None


def notebook_progress(tool: str) -> ProgressFnT | None:
    """The default progress callback, or None outside a notebook."""
    return _Bar(tool).update if in_notebook() else None


class _Bar:
    def __init__(self, tool: str) -> None:
        self._tool, self._began, self._drawn = tool, time.monotonic(), 0.0
        self._handle: Any = None
        # Updates arrive in a task of the connection; they belong under the cell that made the call.
        self._cell = contextvars.copy_context()

    async def update(self, progress: float, total: float | None, message: str | None) -> None:
        done = total is not None and progress >= total
        now = time.monotonic()
        if now - self._drawn < BEAT and not done:
            return  # a server may report a thousand times a second; a page cannot follow
        if self._handle is None and (done or now - self._began < PATIENCE):
            return
        self._drawn = now
        self._cell.run(self._show, progress, total, message)

    def _show(self, progress: float, total: float | None, message: str | None) -> None:
        from IPython.display import display  # pyright: ignore[reportUnknownVariableType]

        view = _View(self._tool, progress, total, message)
        if self._handle is None:
            self._handle = display(view, display_id=True)
        else:
            self._handle.update(view)


class _View:
    def __init__(self, tool: str, progress: float, total: float | None, message: str | None) -> None:
        of = f" of {_number(total)}" if total else ""
        self.text = f"{tool}: {_number(progress)}{of}" + (f" {message}" if message else "")
        self._share = min(1.0, progress / total) if total else None

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        value = "" if self._share is None else f" value='{self._share:.3f}'"
        return (
            f"<progress max='1'{value} style='width:220px;vertical-align:middle'></progress> {html.escape(self.text)}"
        )


def _number(value: float) -> str:
    """As one reads it: `380,000,000`, `0.25`. From a thousand on without a fraction; with an exponent from 1e15 on."""
    whole = value % 1 == 0 or abs(value) >= 1000
    return f"{value:,.0f}" if whole and abs(value) < 1e15 else f"{value:.4g}"
