"""Change events as an async iterator, the same in both eras."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.subscriptions import event_from_wire

from labkit.errors import CallTimeoutError, ConnectionClosedError

if TYPE_CHECKING:
    from labkit.session.link import Link

MAX_EVENTS = 1_000


@dataclass(frozen=True)
class Event:
    """A change: `kind` is tools, prompts, resources (a list changed) or resource (content changed, at `uri`)."""

    kind: str
    uri: str | None = None


_KINDS = {
    "ToolsListChanged": "tools",
    "PromptsListChanged": "prompts",
    "ResourcesListChanged": "resources",
    "ResourceUpdated": "resource",
}


def event_of(server_event: Any) -> Event:
    """The SDK's event as ours."""
    return Event(_KINDS[type(server_event).__name__], getattr(server_event, "uri", None))


def event_of_notification(notification: Any) -> Event | None:
    """The event that a handshake-era notification stands for, or None."""
    params: dict[str, Any] = (
        notification.params.model_dump(by_alias=True, exclude_none=True) if notification.params else {}
    )
    found = event_from_wire(notification.method, params)
    return event_of(found) if found is not None else None


class Subscription:
    """An open subscription. `async for event in sub`, `await sub.next(timeout=5)`, `await sub.close()`.

    Events wait here until they are asked for (at most 1,000; `dropped` counts older ones lost). In the
    modern era this is a `subscriptions/listen` stream, in the handshake era `resources/subscribe` and
    the notifications that the server pushes. `honored` is what the server agreed to tell.
    """

    def __init__(self, link: Link, uris: tuple[str, ...], kinds: frozenset[str], keep: Any) -> None:
        self.uris, self.kinds, self.honored = uris, kinds, kinds
        self.dropped = 0
        self._link, self._keep = link, keep  # keep: the connection object, so that it is not collected meanwhile
        self._events: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()
        self._stop = asyncio.Event()
        self._error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> Subscription:
        """Subscribe; called by `Connection.subscribe`."""
        if self._link.is_modern:
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._task = self._link.spawn(self._listen(ready))
            await ready
            return self
        self._link.event_sinks.append(self._handshake_event)  # before asking: an event may come with the answer
        try:
            for uri in self.uris:
                params = types.SubscribeRequestParams(uri=uri)
                await self._link.session.send_request(types.SubscribeRequest(params=params), types.EmptyResult)
        except BaseException:
            self._link.event_sinks.remove(self._handshake_event)
            raise
        return self

    async def _listen(self, ready: asyncio.Future[None]) -> None:
        # The listen stream must be left in the task that entered it: this one.
        try:
            async with self._link.client.listen(
                tools_list_changed="tools" in self.kinds,
                prompts_list_changed="prompts" in self.kinds,
                resources_list_changed="resources" in self.kinds,
                resource_subscriptions=self.uris,
            ) as stream:
                honored = stream.honored.model_dump(by_alias=False, exclude_none=True)
                self.honored = frozenset(k.removesuffix("_list_changed") for k, on in honored.items() if on)
                ready.set_result(None)
                pump = asyncio.ensure_future(self._pump(stream))
                stop = asyncio.ensure_future(self._stop.wait())
                try:
                    await asyncio.wait((pump, stop), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in (pump, stop):
                        task.cancel()
                    await asyncio.gather(pump, stop, return_exceptions=True)
        except BaseException as error:
            self._error = error
            if not ready.done():
                ready.set_exception(error)
            elif not isinstance(error, Exception):
                raise
        finally:
            self._ended.set()
            self._wake.set()

    async def _pump(self, stream: Any) -> None:
        try:
            async for event in stream:
                self._put(event_of(event))
        except SubscriptionLost as error:
            self._error = error

    def _handshake_event(self, event: Event | None) -> None:
        if event is None:  # the connection ended
            self._ended.set()
            self._wake.set()
        elif event.kind in self.kinds or (event.kind == "resource" and event.uri in self.uris):
            self._put(event)

    def _put(self, event: Event) -> None:
        if event in self._events:
            return  # a level trigger: "it changed" waits once, however often it did
        self._events.append(event)
        if len(self._events) > MAX_EVENTS:
            self._events.popleft()
            self.dropped += 1
        self._wake.set()

    @property
    def pending(self) -> int:
        """Events waiting to be read."""
        return len(self._events)

    @property
    def closed(self) -> bool:
        """Whether the subscription has ended, here or at the server."""
        return self._ended.is_set() or self._stop.is_set()

    async def next(self, timeout: float | None = 30.0) -> Event:
        """The next event. Raises CallTimeoutError after `timeout` seconds, ConnectionClosedError at the end."""
        try:
            return await self._link.home(self._next(timeout))
        except StopAsyncIteration:
            raise ConnectionClosedError("The subscription has ended: there are no more events.") from None

    async def _next(self, timeout: float | None) -> Event:
        with self._link.pulse:
            try:
                async with asyncio.timeout(timeout):
                    while not self._events:
                        if self.closed:
                            raise StopAsyncIteration
                        self._wake.clear()
                        await self._wake.wait()
            except TimeoutError:
                what = ", ".join([*sorted(self.kinds), *self.uris])
                raise CallTimeoutError(f"No change of {what} was announced within {timeout:g} s.") from None
        return self._events.popleft()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        try:
            return await self.next(None)
        except ConnectionClosedError:
            raise StopAsyncIteration from None

    async def close(self) -> None:
        """Unsubscribe. Harmless when the subscription or the connection has ended."""
        await self._link.home(self._close())

    async def _close(self) -> None:
        if self._stop.is_set():
            return
        self._stop.set()
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task])
            return
        with suppress(ValueError):
            self._link.event_sinks.remove(self._handshake_event)
        if not self._link.closed:
            for uri in self.uris:
                params = types.UnsubscribeRequestParams(uri=uri)
                with suppress(Exception):  # the other side may be gone already
                    await self._link.session.send_request(types.UnsubscribeRequest(params=params), types.EmptyResult)

    async def __aenter__(self) -> Subscription:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<subscription to {', '.join([*sorted(self.kinds), *self.uris])}: {state}, {self.pending} pending>"
