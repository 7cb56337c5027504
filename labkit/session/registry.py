"""What is open in this process, and closing all of it."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Generator
from typing import Any

from labkit.session.link import OPEN, Link

COLUMNS = ("id", "server", "transport", "era", "pid", "frames", "opened")


class Connections(list[dict[str, Any]]):
    """The open connections as rows; a table in a notebook. Holds no reference to them."""

    def __repr__(self) -> str:
        if not self:
            return "(no open connections)"
        return "\n".join("  ".join(f"{key}={row[key]}" for key in COLUMNS) for row in self)

    def _repr_html_(self) -> str:
        if not self:
            return "<i>no open connections</i>"
        head = "".join(f"<th style='text-align:left'>{c}</th>" for c in COLUMNS)
        rows = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(str(row[c]))}</td>" for c in COLUMNS) + "</tr>"
            for row in self
        )
        return f"<table><tr>{head}</tr>{rows}</table>"


def connections() -> Connections:
    """The open connections of this process."""
    return Connections(_row(link) for link in list(OPEN.values()) if not link.closing)


def _row(link: Link) -> dict[str, Any]:
    return {
        "id": link.number,
        "server": link.plan.name,
        "transport": link.plan.via,
        "era": link.tape.era,
        "pid": link.pid or "",
        "frames": len(link.tape),
        "opened": link.opened_at.strftime("%H:%M:%S"),
    }


class Closing:
    """All connections are on their way out: `await` it to wait until they are gone."""

    def __init__(self, links: list[Link]) -> None:
        self._links = links
        for link in links:
            link.close_soon()

    def __await__(self) -> Generator[Any, None, int]:
        return self._wait().__await__()

    async def _wait(self) -> int:
        async def close(link: Link) -> None:
            if link.loop.is_running() and not link.closed:
                await link.home(link.close())

        await asyncio.gather(*(close(link) for link in self._links))
        return len(self._links)

    def __repr__(self) -> str:
        return f"closing {len(self._links)} connections"


def close_all() -> Closing:
    """Close every open connection. Begins at once; `await lab.close_all()` waits and returns how many there were."""
    return Closing(list(OPEN.values()))
