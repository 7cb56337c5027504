"""Taps for connections inside this process, where no bytes travel.

In the modern era the SDK calls an in-process server directly: there is no JSON, so the tape gets the
frames that any other transport would have carried. In the handshake era message objects pass through
a queue; the tape gets the text that they stand for.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from itertools import count
from types import TracebackType
from typing import Any, cast

import anyio
import anyio.abc
from anyio import TASK_STATUS_IGNORED
from mcp import MCPError
from mcp.shared.dispatcher import (
    CallOptions,
    DispatchContext,
    Dispatcher,
    OnNotify,
    OnNotifyIntercept,
    OnRequest,
    ProgressFnT,
)
from mcp.shared.transport_context import TransportContext
from mcp_types import CONNECTION_CLOSED
from pydantic_core import to_json

from labkit.session.sdk import SessionMessage, TransportStreams
from labkit.wire import Direction, Tape


class DirectTap:
    """A dispatcher that notes the equivalent frames of what passes through another."""

    def __init__(self, inner: Dispatcher[Any], tape: Tape) -> None:
        self._inner, self._tape = inner, tape
        self._ids = count(1)
        self._calls: set[anyio.CancelScope] = set()

    def close(self) -> None:
        """End the calls in flight."""
        for scope in tuple(self._calls):
            scope.cancel()

    def _note(self, direction: Direction, message: dict[str, Any]) -> None:
        text = to_json({"jsonrpc": "2.0", **message}, serialize_unknown=True).decode()
        self._tape.record(direction, text, framed=False)

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        options: CallOptions = opts if opts is not None else {}
        request_id = options.get("request_id")
        if request_id is None:
            request_id = options["request_id"] = next(self._ids)
        shown: Mapping[str, Any] = params or {}
        if on_progress := options.get("on_progress"):
            options["on_progress"] = self._watched(on_progress, request_id)
            shown = {**shown, "_meta": {**(shown.get("_meta") or {}), "progressToken": request_id}}
        self._note("sent", {"id": request_id, "method": method, **({"params": shown} if shown else {})})
        # The handler runs in the caller's own task: closing the connection must reach it there.
        result: dict[str, Any] = {}
        with anyio.CancelScope() as scope:
            self._calls.add(scope)
            try:
                result = await self._inner.send_raw_request(method, params, options)
            except MCPError as error:
                self._note("received", {"id": request_id, "error": error.error.model_dump(exclude_none=True)})
                raise
            except anyio.get_cancelled_exc_class():
                if not scope.cancel_called:
                    cancelled = {"requestId": request_id, "reason": "caller cancelled"}
                    self._note("sent", {"method": "notifications/cancelled", "params": cancelled})
                raise
            finally:
                self._calls.discard(scope)
        if scope.cancelled_caught:
            raise MCPError(CONNECTION_CLOSED, "Connection closed")
        self._note("received", {"id": request_id, "result": result})
        return result

    def _watched(self, on_progress: ProgressFnT, token: int | str) -> ProgressFnT:
        async def report(progress: float, total: float | None, message: str | None) -> None:
            values = {"progressToken": token, "progress": progress, "total": total, "message": message}
            params = {k: v for k, v in values.items() if v is not None}
            self._note("received", {"method": "notifications/progress", "params": params})
            await on_progress(progress, total, message)

        return report

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        self._note("sent", {"method": method, **({"params": params} if params else {})})
        await self._inner.notify(method, params, opts)

    async def run(
        self,
        on_request: OnRequest,
        on_notify: OnNotify,
        on_notify_intercept: OnNotifyIntercept | None = None,
        *,
        task_status: anyio.abc.TaskStatus[None] = TASK_STATUS_IGNORED,
    ) -> None:
        async def request(
            context: DispatchContext[TransportContext], method: str, params: Mapping[str, Any] | None
        ) -> dict[str, Any]:
            message = {"id": context.request_id, "method": method, **({"params": params} if params else {})}
            self._note("received", message)
            try:
                result = await on_request(context, method, params)
            except MCPError as error:
                self._note("sent", {"id": context.request_id, "error": error.error.model_dump(exclude_none=True)})
                raise
            self._note("sent", {"id": context.request_id, "result": result})
            return result

        def intercept(method: str, params: Mapping[str, Any] | None) -> bool:
            self._note("received", {"method": method, **({"params": params} if params else {})})
            return on_notify_intercept(method, params) if on_notify_intercept else False

        await self._inner.run(request, on_notify, intercept, task_status=task_status)


class _TappedStream:
    """Pass-through around one stream of message objects that notes each."""

    def __init__(self, inner: Any, direction: Direction, tape: Tape) -> None:
        self._inner, self._tape = inner, tape
        self._direction: Direction = direction

    def _note(self, item: SessionMessage | Exception) -> None:
        if isinstance(item, SessionMessage):
            text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
            self._tape.record(self._direction, text, framed=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # aclose, last_context

    def __aiter__(self) -> _TappedStream:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        item = await self._inner.__anext__()
        self._note(item)
        return item

    async def send(self, item: SessionMessage, /) -> None:
        self._note(item)
        await self._inner.send(item)

    async def __aenter__(self) -> _TappedStream:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> bool | None:
        return await self._inner.__aexit__(exc_type, exc_val, exc_tb)


class StreamTap:
    """A transport whose message objects are noted on the tape in both directions."""

    def __init__(self, inner: AbstractAsyncContextManager[TransportStreams], tape: Tape) -> None:
        self._inner, self._tape = inner, tape

    async def __aenter__(self) -> TransportStreams:
        reader, writer = await self._inner.__aenter__()
        taps = _TappedStream(reader, "received", self._tape), _TappedStream(writer, "sent", self._tape)
        return cast(TransportStreams, taps)

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> bool | None:
        return await self._inner.__aexit__(exc_type, exc_val, exc_tb)
