"""How far a run is, in a notebook: one line that updates itself. Elsewhere, and when nobody watches, nothing."""

from __future__ import annotations

import html
import os
from typing import Any

from labkit.session.progress import in_notebook
from labkit.testbench.check import Check, CheckResult


def notebook_listener(name: str) -> Any:
    """A listener for `certify`."""
    return _Line(name) if in_notebook() and not os.environ.get("LABKIT_SCRIPTED") else _nothing


def _nothing(check: Check, result: CheckResult | None, done: int, of: int) -> None: ...


class _Line:
    def __init__(self, name: str) -> None:
        self._name, self._handle = name, None

    def __call__(self, check: Check, result: CheckResult | None, done: int, of: int) -> None:
        if result is not None and done < of:
            return  # the next one begins at once
        from IPython.display import HTML, display  # pyright: ignore[reportUnknownVariableType]

        text = f"{self._name}: {done} of {of} checks" + ("" if result else f", {check.id}")
        bar = f"<progress max='{of}' value='{done}' aria-label='checks' style='width:220px'></progress>"
        view: Any = HTML(f"{bar} {html.escape(text)}")
        if self._handle is None:
            self._handle: Any = display(view, display_id=True)
        else:
            self._handle.update(view)
