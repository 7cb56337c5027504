"""The SDK's client with two things of ours: any transport with a tape under it, and any revision by name."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Any

import mcp_types as types
from mcp import Client, ClientSession, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.dispatcher import Dispatcher
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from labkit._lean import lean_jsonschema
from labkit.errors import CallTimeoutError, EraError, did_you_mean
from labkit.session.handlers import Handlers
from labkit.session.http import MAX_ANSWER, recording_client
from labkit.session.sdk import InMemoryTransport, JSONRPCDispatcher, TransportStreams, connect_direct, negotiate_auto
from labkit.session.stdio import Child, stdio_transport
from labkit.session.taps import DirectTap, StreamTap
from labkit.session.targets import Plan
from labkit.wire import Tape

lean_jsonschema()  # the client validates results with it: import it now, not inside the first call

ERAS = ("auto", *KNOWN_PROTOCOL_VERSIONS)
CLIENT_INFO = types.Implementation(name="mcp-lab", version="1")

call_limit: ContextVar[tuple[float, float] | None] = ContextVar("call_limit", default=None)
"""Of the call in hand: when it has to be over, on the loop's clock, and the seconds that it was given."""


def check_era(era: str) -> str:
    """`era` if the lab knows it. Raises EraError naming those it knows."""
    if era not in ERAS:
        raise EraError(f"era={era!r} is not a protocol revision. {did_you_mean(era, ERAS, has='There are')}")
    return era


class LabClient(Client):
    """`mcp.Client` over a `Plan`, every frame on `tape`. Enter and leave it in one task."""

    plan: Plan
    tape: Tape
    child: Child
    era: str

    @classmethod
    def over(
        cls,
        plan: Plan,
        tape: Tape,
        child: Child,
        handlers: Handlers,
        *,
        era: str,
        timeout: float | None,
        log_level: Any = None,
    ) -> LabClient:
        """A client not yet entered."""
        client = cls(
            "http://localhost",  # replaced by the plan's own connector
            mode="auto",
            client_info=CLIENT_INFO,
            read_timeout_seconds=timeout,
            elicitation_callback=handlers.on_elicit,
            sampling_callback=handlers.on_sample,
            list_roots_callback=handlers.on_roots,
            logging_callback=handlers.on_log,
            log_level=log_level,
        )
        client.plan, client.tape, client.child, client.era = plan, tape, child, era
        client._connect = client._dispatcher
        return client

    async def _dispatcher(self, stack: AsyncExitStack, _mode: str, _raise: bool) -> Dispatcher[Any]:
        if self.plan.via == "memory" and self.era not in HANDSHAKE_PROTOCOL_VERSIONS:
            server = self.plan.server
            lowlevel = getattr(server, "_lowlevel_server", server)  # an MCPServer wraps the low-level one
            tap = DirectTap(await connect_direct(lowlevel)(stack, "auto", False), self.tape)
            stack.callback(tap.close)
            return tap
        return JSONRPCDispatcher(*await self._streams(stack))

    async def _streams(self, stack: AsyncExitStack) -> TransportStreams:
        plan, tape = self.plan, self.tape
        if plan.via == "memory":
            return await stack.enter_async_context(StreamTap(InMemoryTransport(plan.server), tape))
        if plan.params is not None:
            return await stack.enter_async_context(stdio_transport(plan.params, tape, self.child))
        if plan.running is not None:
            await plan.running.start()
            stack.push_async_callback(plan.running.stop)
        url = plan.running.url if plan.running else plan.url
        if plan.via == "sse":
            from mcp.client.sse import sse_client

            def factory(headers: Any = None, timeout: Any = None, auth: Any = None) -> Any:
                return recording_client(url, tape, headers=headers, auth=auth, tls=plan.tls)

            return await stack.enter_async_context(sse_client(url, headers=plan.headers, httpx_client_factory=factory))
        http = await stack.enter_async_context(recording_client(url, tape, headers=plan.headers, tls=plan.tls))
        return await stack.enter_async_context(
            # The SDK's own bound, 1 MiB, would refuse over SSE what JSON answers may carry.
            streamable_http_client(url, http_client=http, max_sse_event_size=MAX_ANSWER)
        )

    async def __aenter__(self) -> LabClient:
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(await self._build_session(stack))
            await self._negotiate(session)
            self._session = session
            self._exit_stack = stack.pop_all()
        return self

    async def _drive_input_required(self, first: Any, retry: Any) -> Any:
        # The SDK bounds each round by itself, and the time in between, in which somebody fills in a form, not at all.
        limit = call_limit.get()
        if limit is None or not isinstance(first, types.InputRequiredResult):
            return await super()._drive_input_required(first, retry)
        bound = asyncio.timeout_at(limit[0])
        try:
            async with bound:
                return await super()._drive_input_required(first, retry)
        except TimeoutError:
            if not bound.expired():
                raise
            raise CallTimeoutError(
                f"The server {self.plan.name!r} asked for input, and with that the call took more than {limit[1]:g} s."
                " It was given up; the connection is still open. Give it longer with timeout=..."
            ) from None

    async def _negotiate(self, session: ClientSession) -> None:
        if self.era == "auto":
            await negotiate_auto(session)
        elif self.era in MODERN_PROTOCOL_VERSIONS:
            await _discover(session, self.era, self.plan.name)
        else:
            await _handshake(session, self.era, self.plan.name)


async def _discover(session: ClientSession, era: str, name: str) -> None:
    try:
        found = await session.discover()
    except MCPError as error:
        if error.code in (types.CONNECTION_CLOSED, types.REQUEST_TIMEOUT):
            raise
        raise EraError(
            f"The server {name!r} does not speak {era}: it answered server/discover with error {error.code}"
            f" ({error.message}). Use era='auto', or a handshake revision such as '2025-11-25'."
        ) from error
    except (RuntimeError, ValueError) as error:
        raise EraError(f"The server {name!r} does not speak {era}: {error}. Use era='auto'.") from error
    if era not in found.supported_versions:
        raise EraError(f"The server {name!r} speaks {', '.join(found.supported_versions)}, not {era}. Use era='auto'.")


async def _handshake(session: ClientSession, era: str, name: str) -> None:
    hello = types.InitializeRequestParams(
        protocol_version=era,
        capabilities=session._build_capabilities(era),  # pyright: ignore[reportPrivateUsage]
        client_info=CLIENT_INFO,
    )
    try:
        result = await session.send_request(types.InitializeRequest(params=hello), types.InitializeResult)
    except MCPError as error:
        if error.code in (types.CONNECTION_CLOSED, types.REQUEST_TIMEOUT):
            raise
        raise EraError(
            f"The server {name!r} refused the {era} handshake with error {error.code} ({error.message})."
            " Use era='auto'."
        ) from error
    if result.protocol_version != era:
        raise EraError(
            f"The server {name!r} was offered {era} and counter-offered {result.protocol_version}."
            f" Connect with era={result.protocol_version!r} or era='auto'."
        )
    session.adopt(result)
    await session.send_notification(types.InitializedNotification())
