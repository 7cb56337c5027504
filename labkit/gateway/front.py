"""The gateway: many backends behind one MCP server.

    gateway = Gateway(GatewayConfig.read("gateway.json"))
    url = await gateway.start()                            # Streamable HTTP, both eras
    gateway = Gateway.of({"calc": "calculator", "far": "http://127.0.0.1:9000/mcp"})
    conn = await lab.connect(gateway.server)               # in memory: it is a low-level Server

It owns the backends and the registry of what they offer, and keeps both in step: lists that change, backends that come
and go, a configuration that is read anew. `answers` is what a client sees of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from mcp.server.connection import Connection
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp.shared.inbound import find_invalid_x_mcp_header, mcp_param_headers, x_mcp_header_map

from labkit.defences.identity import Identity, Principal
from labkit.defences.pins import Pins
from labkit.errors import ConnectError, GatewayConfigError, LabError
from labkit.gateway.answers import URIS, Answers, make_server
from labkit.gateway.backend import Backend, Health
from labkit.gateway.bridge import Seal, Waiting
from labkit.gateway.building import Kind, gates
from labkit.gateway.config import BackendConfig, GatewayConfig
from labkit.gateway.connecting import TIMEOUT, backend_of
from labkit.gateway.door import caller, make_app
from labkit.gateway.fallback import Target
from labkit.gateway.names import Registry
from labkit.gateway.operations import SCHEME, status_server, with_status
from labkit.gateway.peer import Json
from labkit.gateway.policy import Policy
from labkit.gateway.rules import Rules
from labkit.gateway.running import Listening, listen
from labkit.gateway.views import Views

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from starlette.types import ASGIApp

ListChanged = type[ToolsListChanged] | type[PromptsListChanged] | type[ResourcesListChanged]
CHANGED: dict[str, tuple[ListChanged, tuple[Kind, ...]]] = {
    "notifications/tools/list_changed": (ToolsListChanged, ("tools",)),
    "notifications/prompts/list_changed": (PromptsListChanged, ("prompts",)),
    "notifications/resources/list_changed": (ResourcesListChanged, ("resources", "templates")),
}
UPDATED = "notifications/resources/updated"
DRAIN = 10.0
CONFIGURED = ("config", "views", "policy", "identity", "pins", "rules", "_held", "_mirrors")
"""What follows from the configuration."""

logger = logging.getLogger(__name__)


class Gateway:
    """See the module. Use it on one event loop."""

    def __init__(self, config: GatewayConfig) -> None:
        self.waiting = Waiting()
        self.seal = Seal(config.sign.secret if config.sign else "")
        self.bus = InMemorySubscriptionBus()
        self.sessions: WeakSet[Connection] = WeakSet()
        """Connections of the handshake era, which are told of changes unasked."""
        self.backends: dict[str, Backend] = {}
        self.problems: list[str] = []
        self._watched: Counter[str] = Counter()
        self._users = 0
        self._listening: Listening | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._all_listed = False
        self._open = False
        self._closes_itself = False
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._leaving: set[Backend] = set()
        self._former: set[Rules] = set()
        self._configure(config)
        self.answers = Answers(self)
        self.server = make_server(self)

    @classmethod
    def of(cls, servers: Mapping[str, Any], policy: Mapping[str, Any] | None = None) -> Gateway:
        """A gateway from Python: name -> server object, URL, catalog name, or a table as in a file."""
        return cls(GatewayConfig.of(servers, policy))

    def _configure(self, config: GatewayConfig, before: Rules | None = None) -> None:
        self.config = config = with_status(config, self)
        self.views = Views(config)
        self.policy = Policy(config)
        self.identity = Identity(config.identity) if config.identity else None
        self.pins = Pins(config.pins, config=config.path or "FILE")
        self._held: dict[str, str] = {}
        self._mirrors: dict[tuple[Registry, str], dict[tuple[str, ...], str]] = {}
        self.rules = Rules(self, before)

    @property
    def registry(self) -> Registry:
        """What clients see who pin no versions."""
        return self.views.default

    # opening and closing -------------------------------------------------------------------------

    async def open(self) -> Gateway:
        """Make the backends, and start those that are to start now. One that cannot start is tried again later."""
        if not self._open:
            self._loop = asyncio.get_running_loop()
            self._open, self._all_listed = True, False
            if self.rules.closed:  # it was open before
                self.rules = Rules(self, self.rules)
            self.backends = {name: self._backend(each) for name, each in self.config.backends.items()}
            eager = [name for name, each in self.config.backends.items() if each.start == "eager"]
            await asyncio.gather(*(self._started(self.backends[name]) for name in eager))
            self._rebuild()
        return self

    def _backend(self, config: BackendConfig) -> Backend:
        return backend_of(config, on_event=self._heard, on_ready=self._ready)

    async def _started(self, backend: Backend) -> None:
        try:
            await backend.open()
        except ConnectError as error:
            logger.warning("%s", error)

    async def awake(self) -> None:
        """Return when every backend has said what it offers, or cannot. Costs nothing once all have."""
        if self._all_listed:
            return
        late = [backend for backend in self.backends.values() if not backend.listed and backend.state != "lost"]
        await asyncio.gather(*(self._started(backend) for backend in late))
        self._all_listed = all(backend.listed for backend in self.backends.values())
        if self._stood_in().keys() - self.views.lists.keys():
            self._rebuild()

    async def start(self, port: int = 0, *, relay: bool = True) -> str:
        """Listen on 127.0.0.1, from this event loop, until `close`; returns the URL. Raises ConnectError."""
        if self._listening is None:
            listening = listen(self, port, relay=relay)
            await listening.begun()
            self._listening = listening
        return self._listening.url

    async def close(self, *, patience: float = DRAIN) -> None:
        """Let calls in flight end for up to `patience` seconds, then end all backends."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await listening.stop()
        await self._end(patience)

    async def _end(self, patience: float) -> None:
        if not self._open:
            return
        self._open = False
        for task in list(self._tasks):
            task.cancel()
        await self.waiting.close()
        await self._retire([*self.backends.values(), *self._leaving], patience)
        await self.rules.close()
        for rules in self._former:
            await rules.close(self.rules)
        self._former.clear()

    async def _retire(self, backends: Collection[Backend], patience: float = DRAIN) -> None:
        async def end(backend: Backend) -> None:
            await backend.drain(patience)
            await backend.close()

        await asyncio.gather(*(end(backend) for backend in backends))
        self._leaving.difference_update(backends)

    async def _end_rules(self, former: Rules) -> None:
        await former.end(self.rules)
        self._former.discard(former)

    async def __aenter__(self) -> Gateway:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncGenerator[Gateway]:
        """Of the server: over stdio and in memory it runs for each connection, over HTTP once."""
        async with self._turn:
            self._users += 1
            self._closes_itself = self._closes_itself or not self._open
            await self.open()
        try:
            yield self
        finally:
            self._users -= 1
            if not self._users and self._closes_itself:
                self._closes_itself = False
                await self._end(DRAIN)

    async def reload(self, config: GatewayConfig) -> list[str]:
        """Take another configuration. Backends whose connection is unchanged stay; calls in flight end where they are.

        Returns what was done, a line each.
        """
        async with self._turn:
            if not self._open:
                self._change(config)
                return ["taken for when it opens"]
            before, done = self.config, list[str]()
            kept, gone = dict[str, Backend](), list[Backend]()
            for name, backend in self.backends.items():
                new = config.backends.get(name)
                if new is not None and new.connection == before.backends[name].connection:
                    kept[name] = backend
                else:
                    gone.append(backend)
                    done.append(f"{name}: {'restarted with new settings' if new else 'removed'}")
            done += [f"{name}: added" for name in config.backends if name not in before.backends]
            fresh = {name: self._backend(each) for name, each in config.backends.items() if name not in kept}
            try:
                # Until they can answer, or it is known that they cannot, all goes on as it was.
                await asyncio.gather(*(self._started(backend) for backend in fresh.values()))
                self._change(config)
            except BaseException:
                await self._retire(fresh.values(), 0.0)
                raise
            for name, backend in kept.items():
                backend.timeout = config.backends[name].timeout or TIMEOUT
            self.backends = {name: kept.get(name) or fresh[name] for name in config.backends}
            self._all_listed = all(backend.listed for backend in self.backends.values())
            self._rebuild()
            for name, backend in fresh.items():
                await backend.watch(self._watched_of(name))
            self._leaving |= set(gone)
            self._spawn(self._retire(gone))
            return done or ["policy only"]

    def _change(self, config: GatewayConfig) -> None:
        """Take the configuration; when part of it cannot be had, the present one stays."""
        now = {name: getattr(self, name) for name in CONFIGURED}
        rules, views = self.rules, self.views
        try:
            self._configure(config, rules)
        except BaseException:
            self.__dict__ |= now
            raise
        self.views.take_over(views)
        self._former.add(rules)
        if self._open:
            self._spawn(self._end_rules(rules))

    def reload_soon(self, path: str | Path) -> None:
        """Read the file anew, and `reload`; from a signal handler, too. What is wrong with it goes into the log."""

        async def again() -> None:
            try:
                for line in await self.reload(GatewayConfig.read(path)):
                    logger.warning("reloaded %s", line)
            except LabError as error:
                logger.error("not reloaded, the old configuration stays: %s", error)

        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: self._spawn(again()))

    # keeping in step -----------------------------------------------------------------------------

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ready(self, backend: Backend) -> None:
        if self.backends.get(backend.name) is backend:
            self._rebuild()

    def _heard(self, backend: Backend, method: str, params: Json) -> None:
        if method in CHANGED:
            self._spawn(self._relist(backend))
        elif method == UPDATED and isinstance(uri := params.get("uri"), str):
            self._spawn(self._tell(ResourceUpdated(uri=uri)))

    async def _relist(self, backend: Backend) -> None:
        with suppress(LabError, Exception):
            await backend.refresh()
            self._ready(backend)

    def _rebuild(self) -> None:
        """Make the registry anew from what the backends list, and tell clients what has changed."""
        self._held, self._mirrors = {}, {}
        lists = {name: self._screened(name, each.lists) for name, each in self.backends.items() if each.listed}
        for name, other in self._stood_in().items():
            lists[name] = {"tools": self._offered(other, lists[other]["tools"])}
        changed = self.views.rebuild(lists)
        self.problems = [*self.views.problems, *self._held.values()]
        if not self._open:
            return
        for event, kinds in CHANGED.values():
            if changed & set(kinds):
                self._spawn(self._tell(event()))

    def _screened(self, name: str, lists: dict[str, list[Json]]) -> dict[str, list[Json]]:
        """What a backend lists, without tools that are not what they were when somebody trusted them."""
        backend = self.config.backends[name]
        if not backend.pin:
            return lists
        offered = gates(backend, self.config.separator)["tools"]
        try:
            tools, held = self.pins.check(name, lists["tools"], offered.name, strict=backend.pin == "strict")
        except GatewayConfigError as error:
            # Without the file nobody knows what was trusted: nothing of this backend's is, and the others go on.
            self._held[f"{name}'s tools"] = f"The tools of {name} are not offered: {error}"
            return {**lists, "tools": []}
        self._held |= {each.name: each.sentence for each in held.values()}
        return {**lists, "tools": tools}

    # stand-ins -----------------------------------------------------------------------------------

    async def stand_in(self, target: Target) -> Target | None:
        """The tool of the same name at the backend that answers instead, if that one offers it."""
        backends = self.config.backends
        other = backends[target.owner].fallback if target.owner in backends else ""
        while other in self.backends:
            if not self.backends[other].listed:
                await self._started(self.backends[other])
            if (found := self.views.at(other, target.there)) is not None:
                return found
            other = backends[other].fallback
        return None

    def _stood_in(self) -> dict[str, str]:
        """Backends that have never said what they offer and cannot now -> who is asked instead."""
        found: dict[str, str] = {}
        for name, backend in self.backends.items():
            if backend.listed or not any(slot.failures for slot in backend.slots):
                continue
            other = self.config.backends[name].fallback
            while other in self.backends and not self.backends[other].listed:
                other = self.config.backends[other].fallback
            if other in self.backends:
                found[name] = other
        return found

    def _offered(self, owner: str, tools: list[Json]) -> list[Json]:
        gate = gates(self.config.backends[owner], self.config.separator)["tools"]
        return [tool for tool in tools if isinstance(name := tool.get("name"), str) and gate.passes(name)]

    def mirrored(self, view: Registry, tool: str, arguments: Json) -> dict[str, str]:
        """The `Mcp-Param-*` headers that a stateless server behind HTTP wants beside these arguments (SEP-2243)."""
        paths = self._mirrors.get((view, tool))
        if paths is None:
            schema = view.input_schema(tool)
            invalid = schema is None or find_invalid_x_mcp_header(schema) is not None
            paths = self._mirrors[view, tool] = {} if invalid else x_mcp_header_map(schema)
        return mcp_param_headers(paths, arguments) if paths else {}

    def held(self, kind: str, name: str) -> str:
        """Why a tool is held back, as a sentence; "" when it is not."""
        return self._held.get(name, "") if kind == "tools" else ""

    async def _tell(self, event: ServerEvent) -> None:
        await self.bus.publish(event)
        if isinstance(event, ResourceUpdated):
            method, params = UPDATED, {"uri": event.uri}
        else:
            method, params = next(name for name, (kind, _) in CHANGED.items() if isinstance(event, kind)), None
        told = [each for each in self.sessions if params is None or params["uri"] in each.state.get(URIS, ())]
        # Side by side: who does not listen, or has just gone, keeps the others from nothing.
        await asyncio.gather(*(each.outbound.notify(method, params) for each in told), return_exceptions=True)

    async def watch(self, uri: str, by: int) -> None:
        """One client more (`by=1`) or less (-1) wants to hear of updates of a resource."""
        self._watched[uri] += by
        if self._watched[uri] <= 0:
            del self._watched[uri]
        for owner in self.views.owners(uri):
            if (backend := self.backends.get(owner)) is not None:
                await backend.watch(self._watched_of(owner))

    def _watched_of(self, owner: str) -> list[str]:
        return [uri for uri in self._watched if owner in self.views.owners(uri)]

    # who asks ------------------------------------------------------------------------------------

    @property
    def principal(self) -> Principal:
        """Who the present request is from."""
        return caller.get()

    @property
    def who(self) -> str:
        """The same, for messages."""
        return self.principal.subject or "Nobody in particular"

    def may(self, kind: Kind, name: str) -> bool:
        """Whether the present caller may use what has this name."""
        if self.policy.open:
            return True
        if name.startswith(SCHEME):
            return self.policy.names(self.principal, SCHEME)
        return self.policy.may(self.principal, kind, name)

    def signed(self, backend: str) -> dict[str, str]:
        """The header that tells a backend who asks."""
        return self.rules.signed(self.principal, backend)

    # what operators look at ----------------------------------------------------------------------

    def health(self) -> list[Health]:
        """A line for each backend."""
        return [backend.health() for backend in self.backends.values()]

    @cached_property
    def status(self) -> MCPServer[Any]:
        """The server behind `gateway://status`: the same one over all reloads."""
        return status_server(self)

    @property
    def is_ready(self) -> bool:
        """Whether it can do its work: open, and not a single eager backend is away."""
        eager = [name for name, each in self.config.backends.items() if each.start == "eager"]
        return self._open and all(self.backends[name].state == "ready" for name in eager if name in self.backends)

    def app(self, *, relay: bool = True) -> ASGIApp:
        """The ASGI application (`door`): MCP at /mcp, and /health, /ready, /metrics."""
        return make_app(self, relay=relay)
