"""The short way of the handshake era: a `tools/call` in a session over HTTP.

The SDK answers it with a stream of events, by way of four memory streams and six tasks. Here its session manager finds
the session, compares its owner, keeps its clock and judges the headers as always; only what its transport does with a
plain call after that is done otherwise: the rules and the handler run in the task of the request, and the answer is
JSON, or a stream once a backend has said or asked something before. To the SDK it is a request in flight like any
other, which a client may cancel, and which ends with its session.

The parts of the SDK that have no name for others are all in this module.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from mcp.server.connection import Connection
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.streamable_http import (
    REQUEST_CANCELLED,
    EventMessage,
    StreamableHTTPServerTransport,
    check_accept_headers,
)
from mcp.shared.dispatcher import CallOptions, coerce_request_id
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher, handler_exception_to_error_data
from mcp.shared.transport_context import TransportContext
from mcp_types import ErrorData
from mcp_types import methods as _methods
from pydantic import ValidationError
from pydantic_core import from_json
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from labkit.gateway.peer import Json
from labkit.gateway.relay_answer import Answer, Outcome, encoded

if TYPE_CHECKING:
    from labkit.gateway.front import Gateway

CALL = "labkit.call"
"""In the scope of a request: its message, when that may take the short way."""
Dispatcher = JSONRPCDispatcher[TransportContext]

logger = logging.getLogger(__name__)


def plain_call(message: Any) -> Json | None:
    """A `tools/call` with nothing odd about it; None for anything else."""
    if not isinstance(message, dict):
        return None
    whole = cast(Json, message)
    request_id, given = whole.get("id"), whole.get("params")
    params = cast(Json, given) if isinstance(given, dict) else {}
    plain = (
        whole.get("jsonrpc") == "2.0"
        and whole.get("method") == "tools/call"
        and isinstance(request_id, int | str)
        and not isinstance(request_id, bool)
        and whole.keys() <= {"jsonrpc", "id", "method", "params"}
        and isinstance(params.get("name"), str)
        and isinstance(params.get("_meta", {}), dict)
    )
    return whole if plain else None


class Sessions:
    """The sessions of one application."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway, self._manager = gateway, gateway.server.session_manager
        self.taken = 0
        """Requests that took the short way."""

    async def answer(self, scope: Scope, receive: Receive, send: Send, body: bytes, inner: ASGIApp) -> None:
        """Answer a POST of a session, the short way if it may; `receive` gives all of it again."""
        call = _call(body)
        id = next(value for name, value in scope["headers"] if name == b"mcp-session-id").decode("latin-1")
        transport = self._manager._server_instances.get(id) if call is not None else None  # pyright: ignore[reportPrivateUsage]
        if call is None or transport is None:
            await inner(scope, receive, send)
            return
        known = transport.__dict__.get("_handle_post_request")
        if known is None and (connection := self._connection(id)) is not None:
            known = transport.__dict__["_handle_post_request"] = _Posts(self, transport, connection)
        await self._manager.handle_request({**scope, CALL: call} if known else scope, receive, send)

    def _connection(self, id: str) -> Connection | None:
        """The connection of a session, once its handshake is over."""
        return next((each for each in self.gateway.sessions if each.session_id == id), None)


def _call(body: bytes) -> Json | None:
    try:
        return plain_call(from_json(body)) if b"tools/call" in body else None
    except ValueError:
        return None


class _Posts:
    """Stands in for a transport's `_handle_post_request`."""

    def __init__(self, sessions: Sessions, transport: StreamableHTTPServerTransport, connection: Connection) -> None:
        self._sessions, self._transport, self._connection = sessions, transport, connection
        self._long_way = transport._handle_post_request  # pyright: ignore[reportPrivateUsage]
        self._calls: set[_SessionCall] = set()
        connection.exit_stack.callback(self._end)

    async def __call__(self, scope: Scope, request: Request, receive: Receive, send: Send) -> None:
        call: Json | None = scope.get(CALL)
        if call is None or not self._fits(request, call):
            await self._long_way(scope, request, receive, send)
            return
        self._sessions.taken += 1
        session = (self._transport.mcp_session_id or "").encode()
        # A client of the handshake era that hangs up has not cancelled its call.
        answer = Answer(receive, send, [(b"mcp-session-id", session)], binding=False)
        work = _SessionCall(self._sessions.gateway, self._transport, self._connection, request, call, answer)
        self._calls.add(work)
        try:
            await answer.give(work.outcome())
        finally:
            self._calls.discard(work)

    def _end(self) -> None:
        """The session has ended."""
        for call in self._calls:
            call.end()

    def _fits(self, request: Request, call: Json) -> bool:
        kind = request.headers.get("content-type", "").split(";")[0].strip()
        if kind != "application/json" or check_accept_headers(request) != (True, True):
            return False
        dispatcher = cast(Any, self._connection.outbound)
        if not isinstance(dispatcher, JSONRPCDispatcher) or dispatcher._closed:  # pyright: ignore[reportPrivateUsage]
            return False
        if str(call["id"]) in self._transport._request_streams:  # pyright: ignore[reportPrivateUsage]
            return False
        try:
            _methods.validate_client_request("tools/call", self._connection.protocol_version, call["params"])
        except (ValidationError, KeyError, ValueError):
            return False
        return True


class _SessionCall:
    """One call. It is what the SDK's dispatcher cancels, what its transport sends messages to, and what the handler
    takes for its session and its way to the client."""

    def __init__(
        self,
        gateway: Gateway,
        transport: StreamableHTTPServerTransport,
        connection: Connection,
        request: Request,
        message: Json,
        answer: Answer,
    ) -> None:
        self._gateway, self._transport, self._connection = gateway, transport, connection
        self._request, self._message, self._answer = request, message, answer
        self._dispatcher = cast(Dispatcher, connection.outbound)
        self._task = asyncio.current_task()
        self._over = self._cancelled = self._ended = False

    async def outcome(self) -> Outcome:
        """Call, and say what came of it."""
        message, connection = self._message, self._connection
        params: Json = message["params"]
        context: ServerRequestContext[Any, Any] = ServerRequestContext(
            session=cast(Any, self),
            lifespan_context=self._gateway,
            method="tools/call",
            params=params,
            request_id=message["id"],
            meta=params.get("_meta"),
            protocol_version=connection.protocol_version,
            request=self._request,
        )
        streams: dict[Any, Any] = self._transport._request_streams  # pyright: ignore[reportPrivateUsage]
        in_flight: dict[Any, Any] = self._dispatcher._in_flight  # pyright: ignore[reportPrivateUsage]
        stream, key = str(message["id"]), coerce_request_id(message["id"])
        streams[stream], in_flight[key] = (self, self), self
        try:
            result = await self._gateway.rules.run(context, self._handle)
            return 200, encoded({"jsonrpc": "2.0", "id": message["id"], "result": result})
        except asyncio.CancelledError:
            if self._ended:
                return None
            if not self._cancelled:
                raise
            error = ErrorData(code=REQUEST_CANCELLED, message="Request cancelled")
        except Exception as failed:
            told = handler_exception_to_error_data(failed)
            if told is None:
                logger.exception("handler for 'tools/call' raised")
            error = told or ErrorData(code=0, message=str(failed))
        finally:
            self._over = True
            if in_flight.get(key) is self:
                del in_flight[key]
            if streams.get(stream, (None,))[0] is self:
                del streams[stream]
        data = error.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return 200, encoded({"jsonrpc": "2.0", "id": message["id"], "error": data})

    async def _handle(self, context: ServerRequestContext[Any, Any]) -> HandlerResult:
        return await self._gateway.answers.call_tool_in_session(context)

    def end(self) -> None:
        """Its session has ended: there is nobody to answer."""
        self._ended = True
        self.cancel()

    # for the dispatcher: a request in flight -----------------------------------------------------

    @property
    def scope(self) -> _SessionCall:
        return self

    dctx = cancel_requested = scope

    def set(self) -> None:
        """The client has asked for it to end."""
        self._cancelled = True

    def cancel(self) -> None:
        """End the call."""
        if not self._over and self._task is not None:
            self._task.cancel()

    # for the transport: both ends of a stream of what comes before the answer --------------------

    async def send(self, item: EventMessage) -> None:
        """A question of the gateway's, or that it is no longer asked."""
        await self._answer.tell(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode())

    async def aclose(self) -> None:
        """Nothing to let go of: that the session has ended is told by its connection."""

    # for the handler: the session, and the way to the client that belongs to this request ---------

    @property
    def client_params(self) -> Any:
        return self._connection.client_params

    @property
    def client_capabilities(self) -> Any:
        return self._connection.client_capabilities

    @property
    def _request_outbound(self) -> _SessionCall:
        return self

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Send a notification before the answer."""
        if not self._over:
            message = {"jsonrpc": "2.0", "method": method}
            await self._answer.tell(encoded(message if params is None else {**message, "params": dict(params)}))

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Ask the client: the dispatcher gives the question its number, sends it to `send` and knows the answer."""
        id = self._message["id"]
        return await self._dispatcher.send_raw_request(method, params, opts, _related_request_id=id)
