"""A connection to one MCP server: open it in one cell, use it in others, close it in yet another."""

from __future__ import annotations

import asyncio
import difflib
import html
import time
import warnings
import weakref
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import anyio
import mcp_types as types
from mcp import MCPDeprecationWarning
from mcp.shared.dispatcher import CallOptions, ProgressFnT

from labkit.errors import ArgumentsError, LabError, show_as
from labkit.session import handlers as handling
from labkit.session.child import ServerLog
from labkit.session.client import call_limit, check_era
from labkit.session.handlers import Handlers, LogMessage, OnElicit, OnLog, OnRoots, OnSample
from labkit.session.link import OPEN, Link
from labkit.session.listing import (
    Handle,
    Known,
    Prompts,
    Resources,
    Templates,
    Tools,
    by_name,
    explain_arguments,
    misfit,
    properties_of,
)
from labkit.session.past import Recipe
from labkit.session.progress import notebook_progress
from labkit.session.pulse import current_log, quiet_loggers
from labkit.session.results import Completion, PromptResult, ResourceResult, Result
from labkit.session.sendable import check_sendable, check_text, cut
from labkit.session.subscription import Subscription
from labkit.session.targets import make_plan
from labkit.session.tls import Tls
from labkit.wire import Tape, mask_url

T = TypeVar("T")
_OPTIONS = frozenset({"timeout", "progress", "check"})
CLOSING = 10.0
"""Seconds that leaving `async with` waits for the server's end after it was cancelled: a process that ignores all
requests to end takes about four."""


async def connect(
    target: Any,
    *,
    via: str | None = None,
    era: str = "auto",
    server: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    headers: Mapping[str, str] | None = None,
    tls: Tls | Mapping[str, str | Path] | None = None,
    on_elicit: OnElicit | None = None,
    on_sample: OnSample | None = None,
    on_roots: OnRoots | None = None,
    on_log: OnLog | None = None,
    log_level: str | None = None,
    timeout: float | None = 300.0,
    patience: float | None = 60.0,
    listing: bool = True,
    name: str | None = None,
) -> Connection:
    """Connect to an MCP server.

    `target`: a catalog name, a command line (text or list), a URL, an `MCPServer` or low-level `Server`
    object, a server's `.py` file (`server=` names the object in it), or a host configuration file
    (`server=` names the entry). `via`: "memory", "stdio", "http" or "sse", where there is a choice.
    `era`: "auto", or any revision the SDK speaks, "2024-11-05" to "2026-07-28".

    `env` and `cwd` are for servers that run as a process, `headers` for URLs, `tls` for those with https: files
    `ca`, `cert` and `key`, where a CA of one's own or a client certificate is needed. The `on_...` handlers
    answer what the server asks (see `labkit.session.handlers`). `log_level` asks a modern server for log
    messages. `timeout` bounds each call, what a handler or a form takes to answer included, and `patience`
    the connecting, both in seconds. With `listing=False` nothing is listed on connecting. Errors:
    CatalogError, HostConfigError, ConnectError, EraError.
    """
    made_with = dict(locals())
    check_era(era)
    quiet_loggers()
    plan = make_plan(target, via=via, server=server, env=env, cwd=cwd, headers=headers, tls=tls)
    if name:
        plan.name = name
    answering = Handlers(
        elicit=on_elicit or handling.DEFAULTS.elicit,
        sample=on_sample or handling.DEFAULTS.sample,
        roots=on_roots if on_roots is not None else handling.DEFAULTS.roots,
        log=on_log,
    )
    link = Link(plan, answering, era=era, timeout=timeout, log_level=log_level, listing=listing)
    link.made_with = made_with
    await link.open(patience)
    return Connection(link)


async def connect_again(recipe: Recipe, patience: float | None = 60.0) -> Connection:
    """A new connection with the target and options of an earlier one. Errors: ConnectError, EraError."""
    handlers = replace(recipe.handlers, logs=[])
    link = Link(recipe.plan, handlers, **recipe.options)
    await link.open(patience)
    return Connection(link)


class Connection:
    """One open connection. Made by `connect`; when the last reference goes, it closes itself."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._finalizer = weakref.finalize(self, Link.close_soon, link)
        self._finalizer.atexit = False

    # what it is --------------------------------------------------------------------------------

    @property
    def id(self) -> int:
        """The number of this connection in `lab.connections()`."""
        return self._link.number

    @property
    def name(self) -> str:
        """The name of the target."""
        return self._link.plan.name

    @property
    def transport(self) -> str:
        """memory, stdio, http or sse."""
        return self._link.plan.via

    @property
    def era(self) -> str:
        """The protocol revision spoken, such as 2026-07-28."""
        return self._link.tape.era

    @property
    def pid(self) -> int | None:
        """The process id of the server, when it has a process that the lab started."""
        return self._link.pid

    @property
    def url(self) -> str:
        """The address, for HTTP."""
        running = self._link.plan.running
        return running.url if running else self._link.plan.url

    @property
    def server_info(self) -> types.Implementation | None:
        """Name and version as the server gives them, or None."""
        return self._link.session.server_info

    @property
    def capabilities(self) -> types.ServerCapabilities | None:
        """What the server says it can do."""
        return self._link.session.server_capabilities

    @property
    def instructions(self) -> str | None:
        """The server's instructions to the model, or None."""
        return self._link.session.instructions

    @property
    def stderr(self) -> ServerLog:
        """What the server wrote to stderr; for an in-memory server, what it logged."""
        return self._link.log

    @property
    def logs(self) -> list[LogMessage]:
        """Log messages that the server sent over the protocol."""
        return self._link.handlers.logs

    @property
    def tape(self) -> Tape:
        """Every frame of this connection."""
        return self._link.tape

    @property
    def closed(self) -> bool:
        """Whether the connection is over."""
        return self._link.closed

    @property
    def session(self) -> Any:
        """The SDK's `ClientSession` beneath, for what this face does not show. Use it on the same loop."""
        return self._link.session

    @property
    def tools(self) -> Tools:
        """The tools: a table; `tools.NAME(...)` calls, `tools.NAME?` documents."""
        return self._link.tools(self.call)

    @property
    def prompts(self) -> Prompts:
        """The prompts, in the same way."""
        return self._link.prompts(self.prompt)

    @property
    def resources(self) -> Resources:
        """The resources."""
        return self._link.resources()

    @property
    def templates(self) -> Templates:
        """The resource templates."""
        return self._link.templates()

    # using it ----------------------------------------------------------------------------------

    async def call(
        self,
        tool: str,
        arguments: dict[str, Any] | None = None,
        /,
        *others: Any,
        timeout: float | None = None,
        progress: ProgressFnT | bool | None = None,
        check: bool = True,
        **keywords: Any,
    ) -> Result:
        """Call a tool: `call("add", a=2, b=3)` or `call("add", {"a": 2, "b": 3})`.

        `timeout` in seconds, for all of the call, questions of the server included; `progress` a callback
        (progress, total, message), False for none, by default a bar in the notebook when the call takes long.
        Names are checked against the tool's schema first; `check=False` sends whatever JSON can carry. What it
        cannot carry as it is, such as an object, half a character or NaN, is never sent: ArgumentsError names
        it. A tool error is a result with `is_error`. Raises
        UnknownNameError, ArgumentsError, RpcError, CallTimeoutError, ConnectionClosedError.
        """
        link = self._link
        if asyncio.get_running_loop() is not link.loop:
            work = self.call(tool, arguments, *others, timeout=timeout, progress=progress, check=check, **keywords)
            return await link.home(work)
        session = link.session
        check_text(tool, "No tool was called", "the name of a tool")
        if _by_place(arguments, others):
            raise ArgumentsError(by_name("call", self._handle(self.tools, tool), tool, (arguments, *others)))
        given = {**(arguments or {}), **keywords}
        check_sendable(given, f"Tool {cut(tool)!r} was not called")
        known = await self._known_tool(tool, given) if check else None
        if progress is None or progress is True:
            report = notebook_progress(tool)
        else:
            report = progress or None
        began = time.perf_counter()
        token = current_log.set(link.log)
        bound = call_limit.set(self._limit(timeout))
        doing = f"tools/call {tool}"
        link.busy.append(doing)
        link.calls += 1
        try:
            with link.pulse:
                raw = await link.client.call_tool(tool, given, timeout, report)
        except (Exception, asyncio.CancelledError) as error:
            link.errors += isinstance(error, Exception)
            failure = await self._explained(error, doing)
            raise failure from failure.__cause__
        finally:
            link.busy.remove(doing)
            call_limit.reset(bound)
            current_log.reset(token)
        seconds = time.perf_counter() - began
        link.errors += bool(raw.is_error)
        schema = session._tool_output_schemas.get(tool)  # pyright: ignore[reportPrivateUsage]
        wrapped = bool(schema) and list(schema.get("properties") or ()) == ["result"]
        hint = explain_arguments(known, given) if raw.is_error and known is not None else ""
        return Result(tool, raw, wrapped=wrapped, seconds=seconds, hint=hint)

    def _limit(self, timeout: float | None = None) -> tuple[float, float] | None:
        seconds = self._link.timeout if timeout is None else timeout
        return None if seconds is None else (self._link.loop.time() + seconds, seconds)

    def _handle(self, listing: Tools | Prompts, name: str) -> Handle | None:
        return listing[name] if len(listing) else None

    async def _known_tool(self, name: str, given: dict[str, Any]) -> types.Tool | None:
        link = self._link
        if not link.tools_list and not link.listed:
            return None
        await link.fresh("tools")
        known = link.known_tools.get(name)
        if known is None:
            await link.refresh("tools")  # it may be new
            known = Known(self.tools.find(name))
        if not known.fits(given):
            error = ArgumentsError(misfit(known, given))
            if named := _OPTIONS & set(properties_of(known.tool.input_schema)):
                error.add_note(
                    f"{', '.join(sorted(named))} are options of call() itself: pass the tool's own in a dict."
                )
            raise error
        return known.tool

    async def read(self, uri: str) -> ResourceResult:
        """Read a resource. Raises RpcError when the server has none at `uri`, naming close ones, and ArgumentsError."""
        check_text(uri, "No resource was read", "the URI of a resource")
        try:
            return ResourceResult(
                uri, await self._do(f"resources/read {uri}", lambda: self._link.client.read_resource(uri))
            )
        except LabError as error:
            known = [*self.resources.names, *self.templates.names]
            if getattr(error, "code", None) in (-32602, -32002) and (near := _closest(uri, known)):
                error.add_note(f"Did you mean {near!r}?")
            raise

    async def prompt(
        self, prompt: str, arguments: dict[str, str] | None = None, /, *others: Any, **keywords: str
    ) -> PromptResult:
        """Get a prompt, filled in with these arguments (all text), by name. Raises UnknownNameError, ArgumentsError."""
        link = self._link
        if asyncio.get_running_loop() is not link.loop:
            return await link.home(self.prompt(prompt, arguments, *others, **keywords))
        check_text(prompt, "No prompt was asked for", "the name of a prompt")
        if link.listed and prompt not in self.prompts:
            # It may be new: a server that had none may have some by now, one that has others says when they change.
            ask = link.fresh if self.prompts.names else link.refresh
            await self._do("prompts/list", lambda: ask("prompts"))
            self.prompts.find(prompt)
        if _by_place(arguments, others):
            raise ArgumentsError(by_name("prompt", self._handle(self.prompts, prompt), prompt, (arguments, *others)))
        given = {k: str(v) for k, v in {**(arguments or {}), **keywords}.items()}
        check_sendable(given, f"Prompt {cut(prompt)!r} was not asked for")
        if self.prompts.names:
            handle = self.prompts[prompt]
            missing = [n for n in handle.schema["required"] if n not in given]
            extra = [n for n in given if n not in handle.schema["properties"]]
            if missing or extra:
                said = [f"needs {n!r}" for n in missing] + [f"does not take {n!r}" for n in extra]
                raise ArgumentsError(f"Prompt {prompt!r} {', '.join(said)}. It is {prompt}{handle.__signature__}.")
        work = lambda: self._link.client.get_prompt(prompt, given)  # noqa: E731
        return PromptResult(prompt, await self._do(f"prompts/get {prompt}", work))

    async def complete(
        self, ref: str, argument: str, value: str = "", /, context: dict[str, str] | None = None
    ) -> Completion:
        """Suggestions for an argument of the prompt or resource template `ref`, given what is typed so far.

        `context` has the values of other arguments. Raises ArgumentsError where one of all these is no text.
        """
        refused = "No suggestions were asked for"
        check_text(ref, refused, "the name of a prompt or the URI of a template")
        check_text(argument, refused, "the name of an argument")
        check_text(value, refused, "what is typed so far")
        for name, filled in (context or {}).items():
            check_text(name, refused, "the name of an argument")
            check_text(filled, refused, f"the argument {name!r}")
        if "://" in ref:
            reference: types.PromptReference | types.ResourceTemplateReference = types.ResourceTemplateReference(
                uri=ref
            )
        else:
            reference = types.PromptReference(name=ref)
        asked = {"name": argument, "value": value}
        work = lambda: self._link.client.complete(reference, asked, context)  # noqa: E731
        return Completion(await self._do(f"completion/complete {ref}", work))

    async def subscribe(
        self, *uris: str, tools: bool = False, prompts: bool = False, resources: bool = False
    ) -> Subscription:
        """Hear of changes: of the resources `uris`, and of the lists of tools, prompts, resources."""
        for uri in uris:
            check_text(uri, "Nothing was subscribed to", "the URI of a resource")
        flags = {"tools": tools, "prompts": prompts, "resources": resources}
        kinds = frozenset(kind for kind, on in flags.items() if on)
        if not uris and not kinds:
            raise ArgumentsError(
                "subscribe() to what? Give resource URIs, or tools=True, prompts=True, resources=True."
            )

        async def opening() -> Subscription:
            return await Subscription(self._link, uris, kinds, self).open()

        return await self._do("subscribe", opening)

    async def send(
        self, method: str, params: dict[str, Any] | None = None, *, envelope: bool = True, timeout: float | None = None
    ) -> dict[str, Any]:
        """Send a JSON-RPC request as it is, and return its result object.

        In the modern era each request needs `_meta` members that say who calls; they are added unless
        `envelope=False`. Raises RpcError with the code, message and data of an error answer, and ArgumentsError
        for what JSON cannot carry.
        """
        _check_message(method, params)

        async def sending() -> dict[str, Any]:
            data: dict[str, Any] = {"method": method}
            if params:
                data["params"] = dict(params)
            options: CallOptions = {}
            session = self._link.session
            if envelope:
                session._stamp(data, options)  # pyright: ignore[reportPrivateUsage]
            limit = timeout if timeout is not None else self._link.timeout
            if limit is not None:
                options["timeout"] = limit
            dispatcher = session._dispatcher  # pyright: ignore[reportPrivateUsage]
            return await dispatcher.send_raw_request(method, data.get("params"), options)

        return await self._do(method, sending)

    async def notify(self, method: str, params: dict[str, Any] | None = None) -> None:
        """Send a JSON-RPC notification as it is. Nothing comes back. Raises ArgumentsError as `send` does."""
        _check_message(method, params)

        async def sending() -> None:
            data: dict[str, Any] = {"method": method, **({"params": dict(params)} if params else {})}
            options: CallOptions = {}
            session = self._link.session
            session._stamp(data, options)  # pyright: ignore[reportPrivateUsage]
            await session._dispatcher.notify(method, data.get("params"), options)  # pyright: ignore[reportPrivateUsage]

        await self._do(method, sending)

    async def ping(self) -> float:
        """Seconds that a `ping` took. Raises LabError in the modern era, which has none."""
        if self._link.is_modern:
            raise LabError(f"{self.era} has no ping. Ask server/discover instead: await conn.send('server/discover').")
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MCPDeprecationWarning)
            await self.send("ping")
        return time.perf_counter() - began

    async def refresh(self) -> None:
        """List tools, resources and prompts again."""
        await self._do("listing", self._link.refresh)

    async def close(self) -> None:
        """Close the connection and end what it started. From any cell, task or thread; more than once is fine."""
        link = self._link
        if link.closed:
            return
        if link.loop.is_closed() or not link.loop.is_running():
            link.closed = True  # the loop has ended, and its connections with it
            OPEN.pop(link.number, None)
            return
        await link.home(link.close())

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.close()
        except asyncio.CancelledError:
            # In a scope that is cancelled every wait fails at once: unshielded, the server would outlive the block.
            with anyio.move_on_after(CLOSING, shield=True):
                await self.close()
            raise

    # the path of every request -----------------------------------------------------------------

    async def _do(self, doing: str, work: Any) -> Any:
        if asyncio.get_running_loop() is not self._link.loop:
            return await self._link.home(self._do(doing, work))
        _ = self._link.session  # raises when it is over
        token = current_log.set(self._link.log)
        bound = call_limit.set(self._limit())
        self._link.busy.append(doing)
        self._link.calls += 1
        try:
            with self._link.pulse:
                return await cast("Coroutine[Any, Any, Any]", work())
        except (Exception, asyncio.CancelledError) as error:
            self._link.errors += isinstance(error, Exception)
            failure = await self._explained(error, doing)
            raise failure from failure.__cause__
        finally:
            self._link.busy.remove(doing)
            call_limit.reset(bound)
            current_log.reset(token)

    async def _explained(self, error: BaseException, doing: str) -> BaseException:
        if isinstance(error, asyncio.CancelledError):
            task = asyncio.current_task()
            if self._link.died is not None and not (task and task.cancelling()):
                return self._link.died
            # The exception itself must travel on, or scopes and timeouts around it would break: only its looks change.
            show_as(error, f"CancelledError: {doing} was interrupted; the connection to {self.name!r} is still open.")
            return error
        if isinstance(error, LabError):
            return error
        failure = await self._link.translate(error, doing)
        if failure is not error:
            failure.__cause__ = error
            failure.__suppress_context__ = True
        return failure

    def __repr__(self) -> str:
        if self.closed:
            return f"<connection {self.id} to {self.name}: closed>"
        pid = f", pid {self.pid}" if self.pid else ""
        return f"<connection {self.id} to {self.name} over {self.transport}, era {self.era}{pid}>"

    def _repr_html_(self) -> str:
        link = self._link
        if self.closed:
            return f"<div>{html.escape(repr(self))}</div>"
        info = self.server_info
        facts = [
            f"<b>{html.escape(self.name)}</b>",
            html.escape(f"{info.name} {info.version}") if info else "",
            html.escape(self.transport),
            f"era {html.escape(self.era)}",
            f"pid {self.pid}" if self.pid else "",
            f"<code>{html.escape(mask_url(self.url))}</code>" if self.url else "",
            f"{len(link.tools_list)} tools, {len(link.resources_list)} resources,"
            f" {len(link.templates_list)} templates, {len(link.prompts_list)} prompts",
        ]
        return f"<div style='text-align:left'>{' &middot; '.join(f for f in facts if f)}</div>"


def _by_place(arguments: Any, others: tuple[Any, ...]) -> bool:
    return bool(others) or not (arguments is None or isinstance(arguments, Mapping))


def _check_message(method: Any, params: Any) -> None:
    check_text(method, "Nothing was sent", "the method")
    if params is not None and not isinstance(params, Mapping):
        raise ArgumentsError(f"{method} was not sent: its params are a dict, not {cut(repr(params), 80)}.")
    check_sendable(cast("Mapping[str, Any]", params or {}), f"{method} was not sent", "params")


def _closest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return near[0] if near else ""
