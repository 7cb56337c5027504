"""What the tests of the inspector share: waiting, and a call with its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio

from labkit.ui.inspector import Inspector


async def until(condition: Callable[[], Any]) -> Any:
    """Wait until it is so, thirty seconds at most."""
    with anyio.fail_after(30):
        while not (found := condition()):
            await anyio.sleep(0.01)
    return found


async def call(panel: Inspector, tool: str, /, *, kind: str = "tool", anyway: bool = False, **arguments: Any) -> Any:
    """Call, wait for the end, and return the entry of the history."""
    reply = await panel.respond("call", {"kind": kind, "name": tool, "arguments": arguments, "anyway": anyway})
    entry = panel.entry(reply["id"])
    await until(lambda: entry.state != "running")
    return entry
