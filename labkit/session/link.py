"""The link: one task that enters a client, holds it, and leaves it.

Every notebook cell is a task of its own, and the SDK's client must be left by the task that entered it.
So each connection has an owner task on its home loop: the loop that `connect` was awaited on. Calls from
that loop go straight through; calls from any other thread or loop hop over.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Any, TypeVar, cast

import anyio
import mcp_types as types
from mcp import ClientSession, MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from labkit.errors import (
    CallTimeoutError,
    ConnectError,
    ConnectionClosedError,
    LabError,
    ResultError,
    RpcError,
    ServerDiedError,
    show_as,
)
from labkit.session.child import ServerLog
from labkit.session.client import LabClient
from labkit.session.handlers import Handlers
from labkit.session.http import UNREACHABLE
from labkit.session.listing import Known, Prompts, Resources, Templates, Tools
from labkit.session.past import ENDED, Ended, Recipe
from labkit.session.pulse import current_log, pulse_of
from labkit.session.sdk import InputRequiredRoundsExceededError
from labkit.session.serving import RunningServer, ThreadServer
from labkit.session.stdio import Child
from labkit.session.subscription import Event, event_of_notification
from labkit.session.targets import Plan
from labkit.wire import Tape, mask_url

T = TypeVar("T")
_numbers = count(1)
_PAGES = 100

OPEN: dict[int, Link] = {}
"""Every link that is open, by number."""


class Link:
    """What stands behind a `Connection`: owner task, client, tape, process."""

    def __init__(
        self, plan: Plan, handlers: Handlers, *, era: str, timeout: float | None, log_level: Any, listing: bool
    ) -> None:
        self.number = next(_numbers)
        self.plan, self.handlers, self.timeout = plan, handlers, timeout
        self.opened_at = datetime.now()
        self.made_with: dict[str, Any] = {}  # the arguments of `connect`: with them it can be opened again
        self.recipe = Recipe(
            plan, handlers, {"era": era, "timeout": timeout, "log_level": log_level, "listing": listing}
        )
        self.calls = self.errors = 0
        """Requests made here, and how many of them ended in an error, tool errors included."""
        self.log: ServerLog = plan.running.stderr if plan.running else ServerLog()
        self.tape = Tape(plan.name, transport=plan.via)
        self.child = Child(self.log)
        self.client = LabClient.over(
            plan, self.tape, self.child, handlers, era=era, timeout=timeout, log_level=log_level
        )
        self.client.message_handler = self._on_message
        self.loop = asyncio.get_running_loop()
        self.pulse = pulse_of(self.loop)
        self.event_sinks: list[Callable[[Event | None], None]] = []
        self.busy: list[str] = []
        self.closed = False
        self.died: LabError | None = None
        self.listed = listing
        """Whether the lists were asked for on connecting."""
        self._stop = asyncio.Event()
        self._opened: asyncio.Future[None] = self.loop.create_future()
        self._owner: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.tools_list: list[types.Tool] = []
        self.known_tools: dict[str, Known] = {}
        self.prompts_list: list[types.Prompt] = []
        self.resources_list: list[types.Resource] = []
        self.templates_list: list[types.ResourceTemplate] = []
        self._stale: set[str] = set()

    # opening and closing -----------------------------------------------------------------------

    async def open(self, patience: float | None) -> None:
        """Connect, within `patience` seconds. Raises a ConnectError, having left nothing behind."""
        self._owner = self.loop.create_task(self._own(), context=contextvars.Context(), name=f"labkit-{self.number}")
        try:
            with self.pulse:
                async with asyncio.timeout(patience):
                    await asyncio.shield(self._opened)
        except TimeoutError:
            await self._abandon()
            raise ConnectError(
                f"{self._who} did not answer within {patience:g} s.{self.log.last_words()} If it is slow to start, give"
                " connect(..., patience=...) more seconds."
            ) from None
        except asyncio.CancelledError as error:
            await self._abandon()
            show_as(
                error, f"CancelledError: connecting to {self.plan.name!r} was interrupted; nothing was left behind."
            )
            raise

    async def _abandon(self) -> None:
        assert self._owner is not None
        if self._opened.done():
            self._opened.exception()
        self._stop.set()
        self._owner.cancel()
        with anyio.CancelScope(shield=True), suppress(asyncio.CancelledError):
            await asyncio.wait([self._owner])

    async def _own(self) -> None:
        current_log.set(self.log)
        # Only one that has been opened can have been forgotten; fifty opened side by side have not.
        if any(link.opened and link.plan.shown == self.plan.shown for link in OPEN.values()):
            collect_soon(self.loop)
        OPEN[self.number] = self
        try:
            async with self.client:
                self.tape.era = self.client.protocol_version
                if self.listed:
                    await self.refresh()
                if not self._opened.done():
                    self._opened.set_result(None)
                await self._until_over()
        except BaseException as error:
            failure = await self.translate(error, "connecting")
            if not self._opened.done():
                if isinstance(failure, LabError):
                    self._opened.set_exception(as_connect_error(failure, self._who, self.log.last_words()))
                else:
                    self._opened.set_exception(failure)
                self._opened.exception()  # retrieved: a learner may have interrupted the cell
            elif isinstance(failure, LabError):
                self.died = self.died or failure
            if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt, SystemExit)):
                raise
        finally:
            self.closed = True
            if OPEN.pop(self.number, None) and self._opened.done() and not self._opened.exception():
                ENDED.append(self._epitaph())
            for sink in self.event_sinks:
                sink(None)
            for task in self._tasks:
                task.cancel()
            self.plan.forget()

    async def _until_over(self) -> None:
        stop = asyncio.ensure_future(self._stop.wait())
        ended = asyncio.ensure_future(self.child.ended.wait())
        try:
            await asyncio.wait((stop, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            ended.cancel()
        if not self._stop.is_set():
            await self._obituary(f"during {self.busy[0]}" if self.busy else "while the connection was idle")

    def _epitaph(self) -> Ended:
        running, plan = self.plan.running, self.plan
        external = plan.server is None and not isinstance(running, ThreadServer)
        return Ended(
            number=self.number,
            name=plan.name,
            transport=plan.via,
            era=self.tape.era,
            pid=self.pid,
            url=mask_url(plan.url),
            began=self.opened_at.timestamp(),
            ended=time.time(),
            calls=self.calls,
            errors=self.errors,
            died=str(self.died or ""),
            stderr=self.log.tail(10),
            recipe=self.recipe if external else None,
        )

    @property
    def pid(self) -> int | None:
        """The process that the lab started for this connection; this kernel's own for a server in a thread."""
        return self.plan.running.pid if self.plan.running else self.child.pid

    @property
    def opened(self) -> bool:
        """Whether the connecting is over, well or not."""
        return self._opened.done()

    async def notice(self) -> None:
        """End the connection if its server's process has ended: over HTTP nothing else would tell before a call."""
        if self.plan.running is not None and self.plan.running.how_it_ended and not self.closing:
            await self._obituary("while the connection was idle")

    def kill(self) -> None:
        """SIGKILL the server process that was started for this connection. Raises LabError when there is none."""
        if self.plan.running is not None:
            self.plan.running.kill()
        elif self.child.process is not None:
            with suppress(ProcessLookupError):
                self.child.process.kill()
        else:
            raise LabError(f"{self._who} has no process that the lab started.")

    def close_soon(self) -> None:
        """Ask the owner to close, from any thread; returns at once."""
        if not self.closed and not self.loop.is_closed():
            with suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._stop.set)

    async def close(self) -> None:
        """Close, and wait until all is released."""
        self._stop.set()
        if self._owner is not None and self._owner is not asyncio.current_task():
            await asyncio.wait([self._owner])  # wait() does not pass a cell's cancellation on to the owner

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that ends with the connection, free of the calling cell's context."""
        task = self.loop.create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def home(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the home loop, from whichever loop this is awaited on."""
        if asyncio.get_running_loop() is self.loop:
            return await work
        if self.loop.is_closed() or not self.loop.is_running():
            work.close()
            raise ConnectionClosedError(
                f"{self._who}: the event loop that opened this connection has ended. Connect again."
            )
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    @property
    def closing(self) -> bool:
        """Whether the link is closed, or on its way."""
        return self.closed or self._stop.is_set()

    # what the server offers --------------------------------------------------------------------

    @property
    def session(self) -> ClientSession:
        """The SDK's session. Raises ConnectionClosedError once the connection is over."""
        if self.closing:
            raise self.died or ConnectionClosedError(f"{self._who} is closed. Connect again to go on.")
        return self.client.session

    @property
    def is_modern(self) -> bool:
        """Whether this connection is stateless (2026-07-28 or later)."""
        return self.client.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def _who(self) -> str:
        return f"The server {self.plan.name!r}"

    async def refresh(self, *kinds: str) -> None:
        """Ask for the lists again: all that the server has, or only these kinds."""
        can = self.client.session.server_capabilities or types.ServerCapabilities()
        wanted = kinds or ("tools", "resources", "prompts")
        if "tools" in wanted and can.tools:
            self.tools_list = await _pages(self.client.list_tools, "tools", self.log)
            self.known_tools = {tool.name: Known(tool) for tool in reversed(self.tools_list)}
        if "resources" in wanted and can.resources:
            self.resources_list = await _pages(self.client.list_resources, "resources", self.log)
            with suppress(MCPError):  # a server may have resources and no templates
                self.templates_list = await _pages(self.client.list_resource_templates, "resource_templates", self.log)
        if "prompts" in wanted and can.prompts:
            self.prompts_list = await _pages(self.client.list_prompts, "prompts", self.log)
        self._stale -= set(wanted)

    async def fresh(self, kind: str) -> None:
        """Ask again for a list that the server said has changed."""
        if kind in self._stale:
            await self.refresh(kind)

    def tools(self, use: Any) -> Tools:
        """The tools as last listed."""
        return Tools(self.tools_list, self.plan.name, use)

    def prompts(self, use: Any) -> Prompts:
        """The prompts as last listed."""
        return Prompts(self.prompts_list, self.plan.name, use)

    def resources(self) -> Resources:
        """The resources as last listed."""
        return Resources(self.resources_list, self.plan.name)

    def templates(self) -> Templates:
        """The resource templates as last listed."""
        return Templates(self.templates_list, self.plan.name)

    async def _on_message(self, message: Any) -> None:
        if isinstance(message, Exception):
            return  # on the tape already
        event = event_of_notification(message)
        if event is None:
            return
        if event.kind in ("tools", "resources", "prompts"):
            self._stale.add(event.kind)
        for sink in tuple(self.event_sinks):
            sink(event)

    # errors ------------------------------------------------------------------------------------

    async def translate(self, error: BaseException, doing: str) -> BaseException:
        """The one sentence behind an SDK error; other exceptions come back as they are."""
        while isinstance(error, BaseExceptionGroup):
            error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
        match error:
            case MCPError():
                return await self._translate_rpc(error, doing)
            case anyio.ClosedResourceError() | anyio.BrokenResourceError() | anyio.EndOfStream():
                return await self._obituary(f"during {doing}")
            case InputRequiredRoundsExceededError():
                return ResultError(f"{self._who} kept asking for input during {doing}: {error}")
            case ValidationError():
                return ResultError(
                    f"{self._who} sent an answer to {doing} that does not conform to"
                    f" {self.tape.era or 'the protocol'}: {_faults(error)}"
                )
            case RuntimeError():
                return ResultError(f"{doing}: {error}")
            case _ if type(error).__module__.startswith("httpx2"):
                return ConnectionClosedError(
                    f"{self._who} cannot be reached at {self.plan.shown}: {type(error).__name__}: {error}"
                )
            case _:
                return error

    async def _translate_rpc(self, error: MCPError, doing: str) -> LabError:
        code, message, data = error.code, error.error.message, error.error.data
        if code == UNREACHABLE and isinstance(data, dict) and "transport" in data:
            if await self._server_process_ended():
                return await self._obituary(f"during {doing}")
            return ConnectionClosedError(
                f"{self._who} gave no answer to {doing}: {message.removeprefix('the server ')}."
                f" Is it running at {self._address}?"
            )
        if code == types.CONNECTION_CLOSED and not data:
            when = f"during {doing}" if self._opened.done() else "while connecting"
            return await self._obituary(when, "" if message == "Connection closed" else message)
        if code == types.REQUEST_TIMEOUT:
            return CallTimeoutError(
                f"{self._who} did not answer {doing} in time ({message}). The request was cancelled;"
                " the connection is still open. Give it longer with timeout=..., or look at conn.stderr."
            )
        if code == types.PARSE_ERROR and message.startswith("Failed to parse JSON response"):  # the SDK's own answer
            return ResultError(f"{self._who} sent an answer to {doing} that is not JSON-RPC{self._last_text()}")
        refused = self._http_refusal() if message == "Server returned an error response" else ""
        return RpcError(code, message + refused, data, method=doing)

    def _http_refusal(self) -> str:
        for frame in reversed(self.tape.frames[-6:]):
            if frame.status and frame.status >= 400:
                challenge = (frame.headers or {}).get("www-authenticate", "")
                return f" (HTTP {frame.status}{': ' + challenge if challenge else ''})"
        return ""

    def _last_text(self) -> str:
        frames = [frame for frame in self.tape.frames[-6:] if frame.direction == "received" and frame.text]
        return f": {frames[-1].text[:200]!r}" if frames else "."

    @property
    def _address(self) -> str:
        return (self.plan.running.url if self.plan.running else "") or self.plan.shown

    async def _server_process_ended(self) -> bool:
        with anyio.move_on_after(0.5):  # the socket closes a moment before the process can be reaped
            while self.plan.running is not None and not self.plan.running.how_it_ended:
                await anyio.sleep(0.02)
        return self.plan.running is not None and bool(self.plan.running.how_it_ended)

    async def _obituary(self, when: str, why: str = "") -> LabError:
        if self.died is not None:
            return self.died
        if self._stop.is_set():  # the process ended because it was told to: it did not die
            return ConnectionClosedError(f"{self._who} was closed here {when}. Connect again to go on.")
        if await self._server_process_ended():
            running = cast(RunningServer, self.plan.running)
            self.died = ServerDiedError(
                f"{self._who} (pid {running.pid}) {running.how_it_ended} {when}.{self.log.last_words()}"
                " Connect again to start a new one."
            )
            self._stop.set()
            return self.died
        if self.child.process is None:
            reason = f": {why}" if why else ""
            return ConnectionClosedError(
                f"The connection to the server {self.plan.name!r} ended {when}{reason}. Connect again to go on."
            )
        how = await self.child.how_it_ended()
        if self.died is not None:  # the owner and a call both noticed; the first to know tells
            return self.died
        said = f"{self._who} (pid {self.child.pid}) {how} {when}.{self._stray()}{self.log.last_words()}"
        if self._opened.done():
            self.died = ServerDiedError(f"{said} Connect again to start a new one.")
        else:
            self.died = ServerDiedError(f"{said} Is `{self.plan.shown}` an MCP server that speaks over stdio?")
        return self.died

    def _stray(self) -> str:
        noise = [frame.text for frame in self.tape.frames if frame.kind == "noise"]
        return f" It wrote to stdout what is not JSON-RPC: {noise[-1][:200]!r}." if noise else ""


def collect_soon(loop: asyncio.AbstractEventLoop) -> None:
    """Look for forgotten connections soon, once for many calls.

    When a connect cell is run again, the name moves on to the new connection; but the old one may hang in
    a cycle with the traceback of an error, until the garbage collector comes by.
    """
    global _collecting
    if _collecting is None or _collecting.loop is not loop or _collecting.done:
        _collecting = _Collection(loop)


class _Collection:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.done = loop, False
        loop.call_later(0.5, self.collect)

    def collect(self) -> None:
        self.done = True
        gc.collect()


_collecting: _Collection | None = None


def _faults(error: ValidationError) -> str:
    found = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
    return "; ".join(found[:4]) + (f"; and {len(found) - 4} more" if len(found) > 4 else "")


def as_connect_error(failure: LabError, who: str, words: str) -> LabError:
    """A failure while connecting as a ConnectError, keeping one that says it better."""
    if isinstance(failure, ConnectError):
        return failure
    if isinstance(failure, (RpcError, CallTimeoutError)):
        return ConnectError(f"{who} does not connect: {failure}{words}")
    return ConnectError(str(failure))


async def _pages(fetch: Callable[..., Any], field: str, log: ServerLog) -> list[Any]:
    items: list[Any] = []
    cursor = before = None
    for _ in range(_PAGES):
        page = await fetch(cursor=cursor)
        items += getattr(page, field)
        before, cursor = cursor, page.next_cursor
        if cursor is None:
            return items
        if cursor == before:
            break
    why = "gives the same cursor again" if cursor == before else f"has more than {_PAGES} pages"
    log.add(f"labkit: the list of {field.replace('_', ' ')} {why}: {len(items)} are listed, the rest is left out")
    return items
