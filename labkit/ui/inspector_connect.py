"""The inspector's connection: opened by its form or handed in, watched, opened again, and closed if it is its own."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from labkit.catalog import load_catalog
from labkit.errors import LabError
from labkit.session.client import ERAS
from labkit.session.connection import Connection, connect
from labkit.session.targets import TRANSPORTS
from labkit.ui.panel import Panel, said
from labkit.wire import mask_url
from labkit.wire.views import showable

KINDS = {
    "catalog": "an example server",
    "command": "a command line",
    "url": "an address",
    "file": "a server's .py file",
    "config": "a server of a host configuration",
}
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")


def options_of(form: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `connect` that a filled-in form stands for. Raises LabError naming what is missing."""
    kind = str(form.get("kind") or "catalog")
    target = str(form.get("target") or "").strip()
    if kind not in KINDS:
        raise LabError(f"{kind!r} is not a kind of server. There are {', '.join(KINDS)}.")
    if not target:
        raise LabError(f"Connect to what? Give {KINDS[kind]}.")
    if kind == "url" and not target.lower().startswith(("http://", "https://")):
        raise LabError(f"{target!r} is not an address: it begins with http:// or https://.")
    options: dict[str, Any] = {
        "target": Path(target) if kind in ("file", "config") else target,
        "era": str(form.get("era") or "auto"),
    }
    for name in ("via", "server", "log_level"):
        if value := str(form.get(name) or "").strip():
            options[name] = value
    for name in ("env", "headers"):
        rows = cast("list[list[Any]]", form.get(name) or [])
        if pairs := {str(key).strip(): str(value) for key, value in rows if str(key).strip()}:
            options[name] = pairs
    return options


def form_of(options: dict[str, Any]) -> dict[str, Any]:
    """The connect form filled in with what `connect` would get, as far as a form can say it."""
    target = options.get("target")
    text = str(target) if isinstance(target, str | Path) else ""
    kind = "command"
    if text.lower().startswith(("http://", "https://")):
        kind = "url"
    elif text.endswith((".py", ".json")) and (isinstance(target, Path) or len(text.split()) == 1):
        kind = "file" if text.endswith(".py") else "config"
    elif text in load_catalog():
        kind = "catalog"
    form: dict[str, Any] = {"kind": kind, "target": text}
    form |= {name: str(options[name]) for name in ("era", "via", "server", "log_level") if options.get(name)}
    return form


class Connecting(Panel):
    """The half of the inspector that knows what it is connected to. `conn` is None before and after."""

    def __init__(self, label: str, conn: Connection | None) -> None:
        super().__init__(label)
        self.conn = conn
        self.owned = False
        """Whether this panel opened the connection, and so closes it."""
        self.failure = ""
        """Why connecting did not work, in the lab's words."""
        self._form: dict[str, Any] = {}
        self._opening: asyncio.Future[Connection] | None = None
        self._first: asyncio.Future[None] | None = None

    # opening -----------------------------------------------------------------------------------

    async def answer_connect(self, **form: Any) -> None:
        """Open what the form says. Raises LabError; a cancelled attempt leaves nothing behind."""
        self._form = form
        await self._open(options_of(form))

    def open_soon(self, options: dict[str, Any]) -> None:
        """Open what `labkit.inspect` was given; what goes wrong stands at the form. Needs a running loop."""
        self._form = form_of(options)

        async def opening() -> None:
            with suppress(Exception):  # kept in `failure`
                await self._open(options)

        if self._home is None:
            raise LabError("lab.inspect() opens a target in a notebook only. Here, give it a connection.")
        self._first = asyncio.ensure_future(opening())

    async def answer_reconnect(self) -> None:
        """Open again what has ended, with the arguments it was opened with."""
        if self.conn is None:
            raise LabError("There was no connection yet: use the form.")
        await self._open(dict(self.conn._link.made_with))  # pyright: ignore[reportPrivateUsage]

    async def _open(self, options: dict[str, Any]) -> None:
        if self._opening is not None:
            raise LabError("A connection is being opened: cancel that first.")
        await self.answer_disconnect()
        self.failure = ""
        self._opening = asyncio.ensure_future(connect(**options))
        self._tell_connection()
        try:
            self.conn, self.owned = await self._opening, True
        except asyncio.CancelledError:
            self.failure = "Connecting was cancelled; nothing was left behind."
            raise
        except Exception as error:
            self.failure = showable(said(error))
            raise
        finally:
            self._opening = None
            if self.conn is not None and not self.conn.closed:
                self.connected()
            self._tell_connection()

    async def answer_stop_connecting(self) -> None:
        """Cancel the attempt that is under way."""
        if self._opening is not None:
            self._opening.cancel()

    async def answer_disconnect(self) -> None:
        """Close the connection, if this panel opened it; else let it be."""
        if self.conn is not None and self.owned and not self.conn.closed:
            await self.conn.close()
            self._tell_connection()

    async def answer_form(self) -> None:
        """Go back to the connect form; an own connection is closed."""
        await self.answer_disconnect()
        self.conn, self.owned = None, False
        self._tell_connection()

    def connected(self) -> None:
        """Called when a connection is there; other halves begin to watch it."""

    def close(self) -> None:
        """Close the panel, and the connection that it opened."""
        for opening in (self._opening, self._first):
            if opening is not None:
                opening.cancel()
        if self.conn is not None and self.owned:
            self.conn._link.close_soon()  # pyright: ignore[reportPrivateUsage]
        super().close()

    # saying ------------------------------------------------------------------------------------

    def live(self) -> Connection:
        """The open connection. Raises LabError in words when there is none."""
        if self.conn is None:
            raise LabError("There is no connection: open one with the form.")
        _ = self.conn.session  # raises when it is over, saying why
        return self.conn

    def facts(self) -> dict[str, Any]:
        """What the page needs to know about the connection."""
        conn = self.conn
        head: dict[str, Any] = {"connecting": self._opening is not None, "failure": self.failure, "form": self._form}
        if conn is None:
            return {**head, "there": False}
        link = conn._link  # pyright: ignore[reportPrivateUsage]
        closed = conn.closed
        info = None if closed else conn.server_info
        return {
            **head,
            "there": True,
            "name": showable(conn.name),
            "server": showable(f"{info.title or info.name} {info.version}")[:200] if info else "",
            "transport": conn.transport,
            "era": conn.era,
            "pid": conn.pid,
            "url": mask_url(conn.url) if conn.url else "",
            "instructions": "" if closed else showable(conn.instructions or "")[:20_000],
            "closed": closed,
            "why": showable(str(link.died)) if link.died else f"The connection to {conn.name!r} is closed.",
            "owned": self.owned,
            "can": self._can(conn),
        }

    def _can(self, conn: Connection) -> list[str]:
        if conn.closed or conn.capabilities is None:
            return []
        can = conn.capabilities.model_dump(exclude_none=True)
        watched = (conn.capabilities.resources and conn.capabilities.resources.subscribe) or False
        return [*can, *(["subscribe"] if watched else [])]

    def choices(self) -> dict[str, Any]:
        """What the connect form offers."""
        return {
            "kinds": KINDS,
            "catalog": [{"name": e.name, "summary": e.summary} for e in load_catalog().values()],
            "eras": list(ERAS),
            "transports": list(TRANSPORTS),
            "levels": list(LEVELS),
        }

    def _tell_connection(self) -> None:
        self.tell("connection", **self.facts())
        self.redraw()
