"""What happens at the inspector's connection by itself: announcements, log messages, stderr, changed lists, its end."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

from labkit.errors import LabError
from labkit.session.connection import Connection
from labkit.session.subscription import Subscription
from labkit.ui.inspector_connect import Connecting
from labkit.ui.inspector_content import cut, offered, plain
from labkit.ui.panel import said
from labkit.wire import Frame
from labkit.wire.views import showable

BEAT = 0.2
"""Seconds between two looks at a live connection; each costs some microseconds when nothing has happened."""
KEPT = 500
"""Events, and lines of stderr, that the page gets at most."""
LISTS = "the lists"
"""The subscription to changes of the lists of tools, resources and prompts."""


class Listening(Connecting):
    """The half of the inspector that looks at the connection and tells the page what is new."""

    def __init__(self, label: str, conn: Connection | None) -> None:
        super().__init__(label, conn)
        self.events: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.subscriptions: dict[str, Subscription] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._seen_frames = self._seen_lines = 0
        self._seen_lists: list[Any] = []
        self._seen_end = False

    def connected(self) -> None:
        """A new connection: what was seen of the last one counts no more."""
        super().connected()
        self.events.clear()
        self.subscriptions.clear()
        self._seen_frames = self._seen_lines = 0
        self._seen_end = False
        self._look()
        self.tell("lists", **self.lists())
        self.tell("events", rows=[*self.events], fresh=True)
        self.tell("stderr", **self.stderr(all_of_it=True))

    def begin_watching(self) -> None:
        """Look at the connection from now on, until the panel is closed. Without a page there is no need."""
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        # A server's stderr and a connection's end call nobody: looking now and then also batches what is busy.
        while True:
            await asyncio.sleep(BEAT)
            if self.conn is None or self._seen_end:
                continue
            try:
                await self._look_and_tell(self.conn)
            except Exception as error:  # a task's exception would be lost: it belongs on the screen
                self.tell("trouble", message=f"The panel no longer watches the connection: {said(error)}")
                return

    async def _look_and_tell(self, conn: Connection) -> None:
        news, relist = self._look()
        if news:
            self.tell("events", rows=news[-KEPT:], fresh=False)
        if relist and not conn.closed:
            with suppress(LabError):  # it may end just now; the next look says so
                await conn.refresh()
        if self._lists_of(conn) != self._seen_lists:
            self.tell("lists", **self.lists())
        if (lines := self.stderr())["lines"]:
            self.tell("stderr", **lines)
        for key in [key for key, subscription in self.subscriptions.items() if subscription.closed]:
            del self.subscriptions[key]
            self.tell("subscriptions", keys=[*self.subscriptions])
        if conn.closed:
            self._seen_end = True
            self._tell_connection()

    def _look(self) -> tuple[list[dict[str, Any]], bool]:
        """The notifications received since the last look, and whether one says that a list has changed."""
        conn = self.conn
        if conn is None or conn.tape.count == self._seen_frames:
            return [], False
        new: list[Frame] = []
        for frame in reversed(conn.tape.frames):
            if frame.n <= self._seen_frames:
                break
            new.append(frame)
        self._seen_frames = max(self._seen_frames, new[0].n if new else 0)
        news = [_event(f) for f in reversed(new) if f.direction == "received" and f.kind == "notification"]
        news = [event for event in news if event["method"] != "notifications/progress"]  # shown at the call
        self.events.extend(news)
        return news, any(event["method"].endswith("list_changed") for event in news)

    def lists(self) -> dict[str, Any]:
        """What the server offers, for the page."""
        if self.conn is None:
            return {"tools": [], "resources": [], "templates": [], "prompts": []}
        self._seen_lists = self._lists_of(self.conn)
        return offered(self.conn)

    def _lists_of(self, conn: Connection) -> list[Any]:
        link = conn._link  # pyright: ignore[reportPrivateUsage]
        return [link.tools_list, link.resources_list, link.templates_list, link.prompts_list]

    def stderr(self, *, all_of_it: bool = False) -> dict[str, Any]:
        """Lines of stderr that the page has not had, and how many there were in all."""
        if self.conn is None:
            return {"lines": [], "total": 0, "fresh": all_of_it}
        log = self.conn.stderr
        total = log.dropped + len(log)
        count = min(KEPT, total if all_of_it else total - self._seen_lines)
        self._seen_lines = total
        lines = [cut(showable(line), 2_000) for line in log.lines[-count:]] if count > 0 else []
        return {"lines": lines, "total": total, "fresh": all_of_it}

    # what the page asks ------------------------------------------------------------------------

    async def answer_refresh(self) -> None:
        """List everything again."""
        await self.live().refresh()
        self.tell("lists", **self.lists())

    async def answer_subscribe(self, what: str) -> None:
        """Hear of changes: of a resource by its URI, or of `LISTS`."""
        conn = self.live()
        if what in self.subscriptions:
            return
        if what == LISTS:
            self.subscriptions[what] = await conn.subscribe(tools=True, prompts=True, resources=True)
        else:
            self.subscriptions[what] = await conn.subscribe(what)
        self.tell("subscriptions", keys=[*self.subscriptions])

    async def answer_unsubscribe(self, what: str) -> None:
        """Hear of them no more."""
        if subscription := self.subscriptions.pop(what, None):
            await subscription.close()
        self.tell("subscriptions", keys=[*self.subscriptions])

    async def answer_log_level(self, level: str) -> None:
        """Ask a handshake-era server for log messages from this level up. Modern servers are asked when connecting."""
        await self.live().send("logging/setLevel", {"level": level})

    def close(self) -> None:
        """Stop looking."""
        if self._watcher is not None:
            self._watcher.cancel()
        super().close()


def _event(frame: Frame) -> dict[str, Any]:
    message = frame.message or {}
    params: Any = message.get("params") or {}
    method = str(message.get("method", ""))
    event: dict[str, Any] = {"n": frame.n, "at": round(frame.at, 3), "method": cut(method, 200)}
    if not isinstance(params, dict):
        return event
    if method == "notifications/message":
        data: Any = params.get("data")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        event["level"] = cut(str(params.get("level", "")), 40)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        event["text"] = cut(data if isinstance(data, str) else str(plain(data)), 2_000)
    elif uri := params.get("uri"):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        event["uri"] = event["text"] = cut(str(uri), 2_000)  # pyright: ignore[reportUnknownArgumentType]
    return event
