"""`asyncio.run(...)` in a cell, for code copied from a tutorial. Opt-in; nothing in labkit depends on it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


def allow_nested_loops() -> None:
    """Patch asyncio (with nest-asyncio) so that `asyncio.run(...)` works in a cell of this kernel.

    The patch lasts until the kernel restarts, makes every await slower (notebook 05 measures it), and
    breaks cancel scopes that span nested calls. Prefer `await` in the cell, or `lab.sync`.
    """
    import nest_asyncio  # pyright: ignore[reportMissingTypeStubs]

    nest_asyncio.apply()  # pyright: ignore[reportUnknownMemberType]
    patched: Any = asyncio.run
    if getattr(patched, "finishes", False):
        return

    def run(main: Coroutine[Any, Any, Any], *, debug: bool | None = None) -> Any:
        try:
            return patched(main, debug=bool(debug))
        finally:
            # The patched run stops at the result. What is to happen after it, such as the end of worker
            # threads, would wait for the loop to run again: in a script for ever, and the script with it.
            loop = asyncio.get_event_loop()
            if not loop.is_running():
                loop.run_until_complete(asyncio.sleep(0))

    run.finishes = True  # pyright: ignore[reportFunctionMemberAccess]
    asyncio.run = run
