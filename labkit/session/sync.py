"""The same face without `await`: connections live on one background thread with a loop of its own.

For plain cells and scripts. The kernel's own loop is not touched: nested loops lose cancel scopes and
invert the order of calls. An interrupt (Ctrl-C) reaches the cell at once and cancels only the call.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from labkit.errors import LabError, show_as
from labkit.session import connection as awaited
from labkit.session.child import ServerLog
from labkit.session.handlers import LogMessage
from labkit.session.listing import Prompts, Resources, Templates, Tools
from labkit.session.registry import close_all as _close_all
from labkit.session.results import Completion, PromptResult, ResourceResult, Result
from labkit.session.serve import serve as _serve
from labkit.session.serving import RunningServer
from labkit.session.subscription import Event
from labkit.session.subscription import Subscription as AwaitedSubscription
from labkit.wire import Tape

if TYPE_CHECKING:
    from labkit.scaling import LoadReport
    from labkit.scaling.pool_sync import SyncReplicas

T = TypeVar("T")
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def background_loop() -> asyncio.AbstractEventLoop:
    """The loop of the lab's background thread, started when first needed."""
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="labkit-sync", daemon=True).start()
        return _loop


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run on the background loop and wait. An interrupt cancels `work` and is raised here."""
    loop = background_loop()
    if threading.current_thread().name == "labkit-sync":
        work.close()
        raise LabError(
            "lab.sync was called from a handler on its own thread: it would wait for itself. Use await there."
        )
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        while True:
            try:
                return future.result(0.5)  # a bounded wait: on Windows an unbounded one ignores Ctrl-C
            except concurrent.futures.TimeoutError:
                if future.done():
                    raise
    except KeyboardInterrupt as error:
        future.cancel()
        show_as(error, "KeyboardInterrupt: the call was interrupted; the connection is still open.")
        raise


def connect(target: Any, **options: Any) -> Connection:
    """`labkit.connect` without `await`; the same arguments and errors."""
    return Connection(run(awaited.connect(target, **options)))


def serve(target: Any, **options: Any) -> Server:
    """`labkit.serve` without `await`."""
    return Server(run(_serve(target, **options)))


def replicas(target: Any, **options: Any) -> SyncReplicas:
    """`labkit.replicas` without `await`."""
    from labkit.scaling.pool_sync import sync_replicas

    return sync_replicas(target, **options)


def load(target: Any, tool: str, arguments: dict[str, Any] | None = None, **options: Any) -> LoadReport:
    """`labkit.load` without `await`."""
    from labkit.scaling.generator import load as loading

    return run(loading(target, tool, arguments, **options))


def close_all() -> int:
    """Close every open connection; returns how many there were."""

    async def closing() -> int:
        return await _close_all()

    return run(closing())


class Server:
    """A running server: `url`, `pid`, `stderr`, `stop()`."""

    def __init__(self, running: RunningServer) -> None:
        self._running = running

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._running.url

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._running.pid

    @property
    def stderr(self) -> ServerLog:
        """What it wrote to stderr."""
        return self._running.stderr

    def stop(self) -> None:
        """Stop it."""
        run(self._running.stop())

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return repr(self._running)


class Connection:
    """A connection whose methods wait. See `labkit.session.connection.Connection` for what they do."""

    def __init__(self, inner: awaited.Connection) -> None:
        self._inner = inner

    name = property(lambda self: self._inner.name)
    id = property(lambda self: self._inner.id)
    transport = property(lambda self: self._inner.transport)
    era = property(lambda self: self._inner.era)
    pid = property(lambda self: self._inner.pid)
    url = property(lambda self: self._inner.url)
    server_info = property(lambda self: self._inner.server_info)
    capabilities = property(lambda self: self._inner.capabilities)
    instructions = property(lambda self: self._inner.instructions)
    closed = property(lambda self: self._inner.closed)

    @property
    def stderr(self) -> ServerLog:
        """What the server wrote to stderr."""
        return self._inner.stderr

    @property
    def logs(self) -> list[LogMessage]:
        """Log messages of the server."""
        return self._inner.logs

    @property
    def tape(self) -> Tape:
        """Every frame of this connection."""
        return self._inner.tape

    @property
    def session(self) -> Any:
        """The SDK's `ClientSession` beneath. Its methods run on the background loop: `sync.run(session.METHOD())`."""
        return self._inner.session

    @property
    def tools(self) -> Tools:
        """The tools; `conn.tools.add(a=1, b=2)` waits for the result."""
        return self._inner._link.tools(self.call)  # pyright: ignore[reportPrivateUsage]

    @property
    def prompts(self) -> Prompts:
        """The prompts."""
        return self._inner._link.prompts(self.prompt)  # pyright: ignore[reportPrivateUsage]

    @property
    def resources(self) -> Resources:
        """The resources."""
        return self._inner.resources

    @property
    def templates(self) -> Templates:
        """The resource templates."""
        return self._inner.templates

    def call(self, tool: str, arguments: dict[str, Any] | None = None, /, *others: Any, **keywords: Any) -> Result:
        """Call a tool."""
        return run(self._inner.call(tool, arguments, *others, **keywords))

    def read(self, uri: str) -> ResourceResult:
        """Read a resource."""
        return run(self._inner.read(uri))

    def prompt(
        self, prompt: str, arguments: dict[str, str] | None = None, /, *others: Any, **keywords: str
    ) -> PromptResult:
        """Get a prompt."""
        return run(self._inner.prompt(prompt, arguments, *others, **keywords))

    def complete(
        self, ref: str, argument: str, value: str = "", /, context: dict[str, str] | None = None
    ) -> Completion:
        """Suggestions for an argument."""
        return run(self._inner.complete(ref, argument, value, context=context))

    def subscribe(self, *uris: str, **kinds: bool) -> Subscription:
        """Hear of changes."""
        return Subscription(run(self._inner.subscribe(*uris, **kinds)))

    def send(self, method: str, params: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """Send a JSON-RPC request as it is."""
        return run(self._inner.send(method, params, **options))

    def notify(self, method: str, params: dict[str, Any] | None = None) -> None:
        """Send a JSON-RPC notification as it is."""
        run(self._inner.notify(method, params))

    def ping(self) -> float:
        """Seconds that a ping took (handshake era)."""
        return run(self._inner.ping())

    def refresh(self) -> None:
        """List tools, resources and prompts again."""
        run(self._inner.refresh())

    def close(self) -> None:
        """Close the connection."""
        run(self._inner.close())

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._inner)

    def _repr_html_(self) -> str:
        return self._inner._repr_html_()  # pyright: ignore[reportPrivateUsage]


class Subscription:
    """Change events; `next(timeout)` waits for one, iteration waits for each."""

    def __init__(self, inner: AwaitedSubscription) -> None:
        self._inner = inner

    @property
    def uris(self) -> tuple[str, ...]:
        """The resources whose changes were asked for."""
        return self._inner.uris

    @property
    def kinds(self) -> frozenset[str]:
        """The lists whose changes were asked for."""
        return self._inner.kinds

    @property
    def honored(self) -> frozenset[str]:
        """What the server agreed to tell."""
        return self._inner.honored

    @property
    def dropped(self) -> int:
        """Events that were lost because nobody asked for them in time."""
        return self._inner.dropped

    @property
    def closed(self) -> bool:
        """Whether the subscription has ended, here or at the server."""
        return self._inner.closed

    @property
    def pending(self) -> int:
        """Events waiting to be read."""
        return self._inner.pending

    def next(self, timeout: float | None = 30.0) -> Event:
        """The next event."""
        return run(self._inner.next(timeout))

    def __iter__(self) -> Iterator[Event]:
        while True:
            try:
                yield self.next(None)
            except LabError:
                return

    def close(self) -> None:
        """Unsubscribe."""
        run(self._inner.close())

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._inner)
