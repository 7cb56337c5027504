"""Announce what changed in the notes, whoever changed it: this server, or another process with the same file."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated, SubscriptionBus

from servers.notes.store import NoteError, NoteStore

POLL_SECONDS = 0.25
"""How late a change by another process may be announced. SQLite cannot wake us up, so we look."""

logger = logging.getLogger(__name__)


class Watch:
    """Compares the notes with what they were, and publishes the differences on a bus."""

    def __init__(self, store: NoteStore, bus: SubscriptionBus, uri: Callable[[str], str]) -> None:
        self._store, self._bus, self._uri = store, bus, uri
        self._known: dict[str, tuple[str, int]] | None = None
        self._lock = anyio.Lock()

    async def look(self) -> None:
        """Announce every change since the last look. Called after a change of our own, so that it is told at once."""
        async with self._lock:
            state = await anyio.to_thread.run_sync(self._store.state)
            before, self._known = self._known, state
            if before is None or before == state:
                return
            for name in sorted(before.keys() | state.keys()):
                if before.get(name) != state.get(name):
                    await self._bus.publish(ResourceUpdated(self._uri(name)))
            await self._bus.publish(ResourceUpdated(self._uri("index")))
            if before.keys() != state.keys():
                await self._bus.publish(ResourcesListChanged())

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Watch]:
        """Look from time to time, as long as the block is open."""
        async with anyio.create_task_group() as tasks:
            await self._look_or_log()
            tasks.start_soon(self._poll)
            yield self
            tasks.cancel_scope.cancel()

    async def _poll(self) -> None:
        while True:
            await anyio.sleep(POLL_SECONDS)
            await self._look_or_log()

    async def _look_or_log(self) -> None:
        try:
            await self.look()
        except NoteError as error:  # a tool that needs the file will say so to its caller
            logger.warning("notes are not watched for now: %s", error)
