"""The connections that `%mcp` can talk to, and which of them it talks to now."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Mapping
from typing import Any

from IPython.core.error import UsageError

from labkit.errors import did_you_mean, show_as


class Desk:
    """Connections by name: those in the notebook's variables, and those that `%mcp connect` opened without one.

    A variable is looked up each time, so it may be assigned anew; nothing here keeps its connection open.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._kept: dict[str, Any] = {}
        self.used = ""
        self.awaiting = False
        """Whether the line at work stands in an `await`: then nothing may block the cell."""

    def keep(self, name: str, conn: Any) -> None:
        """Hold a connection that has no variable. One held before under the name goes, and so ends if unused."""
        self._kept[name] = conn

    @property
    def all(self) -> dict[str, Any]:
        """The connections by name, the closed ones left out."""
        named = {n: v for n, v in self._names.items() if not n.startswith("_") and is_connection(v)}
        held = {n: v for n, v in self._kept.items() if v not in named.values()}
        return {n: v for n, v in {**held, **named}.items() if not v.closed}

    def find(self, name: str = "") -> tuple[str, Any]:
        """The connection of that name, or the one in use; a closed one too, for its tape. Raises UsageError."""
        known = self.all
        wanted = name or self.used
        if wanted in known:
            return wanted, known[wanted]
        for names in (self._names, self._kept):
            if wanted and is_connection(names.get(wanted)):
                return wanted, names[wanted]
        if name:
            raise UsageError(f"There is no connection {name!r}. {did_you_mean(name, known, has='Open are')}")
        if len(known) == 1:
            return next(iter(known.items()))
        if known:
            raise UsageError(f"Which connection? Say %mcp use NAME: {', '.join(known)}.")
        raise UsageError(
            "There is no connection. Open one with %mcp connect calculator; %mcp servers lists the servers."
        )

    def forget(self, name: str) -> None:
        """Let go of what was held under this name."""
        self._kept.pop(name, None)
        if self.used == name:
            self.used = ""

    def settle(self, conns: list[Any], work: Coroutine[Any, Any, Any]) -> Any:
        """Do `work` on these connections: at once if all are of `lab.sync`, else when the result is awaited."""
        from labkit.session import sync

        if not all(isinstance(conn, sync.Connection) for conn in conns):
            return Unfinished(work)
        return Unfinished(_elsewhere(work)) if self.awaiting else sync.run(work)


async def _elsewhere(work: Coroutine[Any, Any, Any]) -> Any:
    """Await work on the background loop. An interrupt cancels it there, and the connection lives on."""
    from labkit.session import sync
    from labkit.session.pulse import pulse_of

    try:
        with pulse_of(asyncio.get_running_loop()):
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, sync.background_loop()))
    except asyncio.CancelledError as error:
        show_as(error, "CancelledError: the call was interrupted; the connection is still open.")
        raise


def is_connection(value: Any) -> bool:
    """Whether it is a connection, of `lab.connect` or of `lab.sync`. Imports nothing."""
    return type(value).__name__ == "Connection" and type(value).__module__.startswith("labkit.session.")


class Unfinished:
    """Work that waits to be awaited. A `%mcp` line of a notebook does so itself."""

    def __init__(self, work: Coroutine[Any, Any, Any]) -> None:
        self._work = work

    def __await__(self) -> Generator[Any, None, Any]:
        return (yield from self._work.__await__())  # a generator: it keeps this object while the work goes on

    def __del__(self) -> None:
        self._work.close()

    def __repr__(self) -> str:
        return "(nothing was sent: this connection is one of `await lab.connect(...)`, so await this line's value)"


def awaited(conn: Any) -> Any:
    """The connection with the methods to await, behind one of `lab.sync` or as it is."""
    return getattr(conn, "_inner", conn)
