"""Change notifications that reach clients of both protocol eras.

In the modern era a client opens `subscriptions/listen`, and MCPServer serves it from a `SubscriptionBus`. In the
handshake era it sends `resources/subscribe`, which MCPServer (mcp 2.3) leaves unanswered. `EveryEraBus` is the bus
for the first, and adds the second:

    bus = EveryEraBus()
    server = MCPServer("name", subscriptions=bus)
    bus.serve_handshake_era(server, lists=["resources"])

From then on `ctx.notify_resource_updated(uri)`, or `bus.publish(...)` from anywhere, is all a server has to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

import anyio
import mcp_types as types
from mcp.server import MCPServer, ServerRequestContext
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)

LIST_CHANGED = {
    ToolsListChanged: "notifications/tools/list_changed",
    PromptsListChanged: "notifications/prompts/list_changed",
    ResourcesListChanged: "notifications/resources/list_changed",
}

SLOW_CLIENT = 1.0
"""Seconds that one client may take to accept a notification before it is skipped, so that it cannot stop the others."""


class EveryEraBus(InMemorySubscriptionBus):
    """A subscription bus that also tells the clients which came through `initialize`."""

    def __init__(self) -> None:
        super().__init__()
        # Keyed weakly: a connection that is gone takes its subscriptions with it.
        self._watched: WeakKeyDictionary[Connection, set[str]] = WeakKeyDictionary()

    def serve_handshake_era(self, server: MCPServer[Any], lists: Iterable[str]) -> None:
        """Answer resources/subscribe and resources/unsubscribe, and say so in the answer to `initialize`.

        `lists` names the lists whose changes the server announces: "tools", "prompts", "resources".
        """
        announced = list(lists)

        async def advertise(ctx: ServerRequestContext[Any], call_next: CallNext) -> HandlerResult:
            result = await call_next(ctx)
            if ctx.method == "initialize" and isinstance(result, dict):
                self._watched[_connection(ctx)] = set()
                for name in announced:
                    result["capabilities"][name]["listChanged"] = True
            return result

        server.middleware.append(advertise)
        # MCPServer has no public way to add these two, and their presence is what advertises `subscribe: true`.
        lowlevel = server._lowlevel_server  # pyright: ignore[reportPrivateUsage]
        lowlevel.add_request_handler("resources/subscribe", types.SubscribeRequestParams, self._subscribe)
        lowlevel.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, self._unsubscribe)

    async def publish(self, event: ServerEvent) -> None:
        await super().publish(event)
        for connection, uris in list(self._watched.items()):
            with anyio.move_on_after(SLOW_CLIENT):
                if not isinstance(event, ResourceUpdated):
                    await connection.notify(LIST_CHANGED[type(event)], None)
                elif event.uri in uris:
                    await connection.notify("notifications/resources/updated", {"uri": event.uri})

    async def _subscribe(
        self, ctx: ServerRequestContext[Any], params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        self._watched.setdefault(_connection(ctx), set()).add(str(params.uri))
        return types.EmptyResult()

    async def _unsubscribe(
        self, ctx: ServerRequestContext[Any], params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        self._watched.setdefault(_connection(ctx), set()).discard(str(params.uri))
        return types.EmptyResult()


def _connection(ctx: ServerRequestContext[Any]) -> Connection:
    return ctx.session._connection  # pyright: ignore[reportPrivateUsage]  # the session itself lasts one request only
