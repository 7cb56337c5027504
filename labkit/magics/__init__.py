"""What labkit adds to a notebook: `%mcp`, tab completion, elicitation forms, exercise cells."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any

from labkit.magics.completion import add_matcher, complete_names
from labkit.magics.completion import names_for as names_for
from labkit.magics.outputs import let_go as let_go
from labkit.magics.views import offer_views


def prepare(ip: Any = None) -> None:
    """Set up the running IPython shell. Harmless when there is none, or when it is done already."""
    if ip is None:
        from IPython.core.getipython import get_ipython

        ip = get_ipython()
    if ip is None or getattr(ip, "_labkit_ready", False):
        return
    ip._labkit_ready = True
    offer(ip)
    complete_names(ip)
    ip.events.register("post_run_cell", partial(_after_cell, ip))
    if getattr(ip, "kernel", None) is not None and not os.environ.get("LABKIT_SCRIPTED"):
        from labkit.session.handlers import DEFAULTS
        from labkit.ui.form import ask

        DEFAULTS.elicit = ask
        offer_views()
    try:
        from labkit.grading import magic
    except ImportError:
        return
    magic.register(ip)


def offer(ip: Any) -> None:
    """Make `%mcp` known to a shell, once. Costs nothing until it is used, so importing labkit does it."""
    if getattr(ip, "_labkit_mcp", None) is None:
        from labkit.magics import mcp, suggest
        from labkit.magics.awaiting import await_magics

        ip._labkit_mcp = desk = mcp.register(ip)
        add_matcher(ip, suggest.IDENTIFIER, lambda text: suggest.words_for(desk, text))
        await_magics(ip, desk)


def _after_cell(ip: Any, result: Any) -> None:
    let_go(ip, result.result)
    if "labkit.ui.panel" in sys.modules:
        sys.modules["labkit.ui.panel"].redraw_stills()
