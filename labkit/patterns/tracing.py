"""One errand as a tree of spans: in the client, in each server it passes, and in what those ask over HTTP.

    recorder = record("client")                       # in this process: from now on spans are kept
    ...
    print(tree(recorder.spans))

    server = MCPServer("mine", middleware=[Tracing()])                    # says more about each call
    http = httpx2.AsyncClient(transport=TracedTransport())                # goes on upstream
    app = TracedApp(app)                                                  # and is taken up there

OpenTelemetry does the work. The SDK already makes a span for every message and hands its id on in `_meta`
(`traceparent`, W3C Trace Context); this adds what it leaves out, and somewhere for the spans to go. With LAB_TRACES,
or a `folder`, each process writes its spans there, and `read` puts them together.

Whoever calls chooses the id, and may ask that nothing be recorded: a trace explains, the audit proves.
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx2
from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from labkit.errors import LabError
from labkit.patterns.calls import META_REASON, META_SOURCE, Call, CallMiddleware, Proceed, Result, outcome_of

FOLDER = "LAB_TRACES"
_tracer = trace.get_tracer("labkit")
_recorders: list[Recorder] = []

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


@dataclass(frozen=True)
class Span:
    """A span that has ended. `start` is seconds since 1970, `ms` its duration."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    start: float
    ms: float
    error: str = ""
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])


class Recorder(SpanExporter):
    """Keeps the last `keep` spans of this process, and writes them to a file if there is a folder."""

    def __init__(self, service: str, folder: str | Path | None = None, *, keep: int = 10_000) -> None:
        self.service = service
        self.spans: deque[Span] = deque(maxlen=keep)
        self._lock = threading.Lock()
        self._file: Path | None = None
        if folder is not None:
            place = Path(folder)
            place.mkdir(parents=True, exist_ok=True)
            self._file = place / f"{service.replace(' ', '-')}-{os.getpid()}.jsonl"

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """What OpenTelemetry calls when a span has ended."""
        found = [_span(self.service, each) for each in spans]
        self.spans.extend(found)
        if self._file is not None:
            with self._lock, self._file.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(asdict(each), default=str) + "\n" for each in found)
        return SpanExportResult.SUCCESS

    def clear(self) -> None:
        """Forget the spans in memory."""
        self.spans.clear()


def record(service: str, folder: str | Path | None = None, *, keep: int = 10_000) -> Recorder:
    """Record the spans of this process from now on. Once for each process: a second call gives the same recorder.

    `folder` is LAB_TRACES when it is not given; without either they are kept in memory only.
    """
    if _recorders:
        if _recorders[0].service != service:
            raise LabError(f"This process records its spans as {_recorders[0].service!r} already: use that recorder.")
        return _recorders[0]
    recorder = Recorder(service, folder or os.environ.get(FOLDER) or None, keep=keep)
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):  # nobody has set one up: it can be done once
        provider = TracerProvider(resource=Resource({SERVICE_NAME: service}))
        trace.set_tracer_provider(provider)
    # Simple, not batched: a span is there when the cell has ended, and nothing is lost with the process.
    provider.add_span_processor(SimpleSpanProcessor(recorder))
    _recorders.append(recorder)
    return recorder


def span(name: str, **attributes: Any) -> Any:
    """A span of your own: `with span("make dinner"): ...`"""
    return _tracer.start_as_current_span(name, attributes=attributes)


def trace_id() -> str:
    """The id of the trace that this code runs in; "" outside of any."""
    found = trace.get_current_span().get_span_context().trace_id
    return f"{found:032x}" if found else ""


def read(folder: str | Path) -> list[Span]:
    """The spans that processes have written there, in the order in which they began."""
    found: list[Span] = []
    for file in sorted(Path(folder).glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                found.append(Span(**json.loads(line)))
            except (ValueError, TypeError):  # the process died while it wrote
                continue
    return sorted(found, key=lambda each: each.start)


def tree(spans: Iterable[Span]) -> str:
    """The spans below those that they belong to: name, service, duration, and what went wrong."""
    ordered = sorted(spans, key=lambda each: each.start)
    known = {each.id for each in ordered}
    below: dict[str, list[Span]] = {}
    for each in ordered:
        below.setdefault(each.parent if each.parent in known else "", []).append(each)
    lines: list[str] = []

    def draw(parent: str, depth: int) -> None:
        for each in below.get(parent, ()):
            title = "  " * depth + each.name
            lines.append(f"{title:<44} {each.service:<12} {each.ms:8.1f} ms  {each.error}".rstrip())
            draw(each.id, depth + 1)

    draw("", 0)
    return "\n".join(lines)


class Tracing(CallMiddleware):
    """Writes into the span that the SDK has opened for the call what became of it, and who called."""

    def __init__(self, *, who: bool = True) -> None:
        self._who = who

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Let the call pass, and describe it if anybody records."""
        current = trace.get_current_span()
        if not current.is_recording():
            return await proceed()
        if self._who and (who := call.principal):
            current.set_attribute("enduser.id", who)
        try:
            result = await proceed()
        except BaseException as error:
            current.set_attribute("labkit.outcome", outcome_of(error))
            raise
        current.set_attribute("labkit.outcome", outcome_of(result))
        about = cast("dict[str, Any]", result.get("_meta") or {})
        for member in (META_REASON, META_SOURCE):
            if member in about:
                current.set_attribute(member.replace("/", "."), str(about[member]))
        return result


class TracedTransport(httpx2.AsyncBaseTransport):
    """A transport for httpx2.AsyncClient: each request is a span, and takes the trace along in its headers."""

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._transport = transport or httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it. The span ends with the headers of the answer."""
        # No query: that is where keys are put by those who should not.
        attributes = {
            "http.request.method": request.method,
            "url.path": request.url.path,
            "server.address": request.url.host,
        }
        name = f"{request.method} {request.url.path}"
        with _tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes) as current:
            propagate.inject(request.headers)
            response = await self._transport.handle_async_request(request)
            current.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= 400:
                current.set_status(StatusCode.ERROR, str(response.status_code))
            return response

    async def aclose(self) -> None:
        """Close the transport inside."""
        await self._transport.aclose()


class TracedApp:
    """An ASGI application whose requests are spans, below those of whoever sent them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """What the HTTP server calls."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        name = f"{scope['method']} {scope['path']}"
        with _tracer.start_as_current_span(name, propagate.extract(headers), kind=SpanKind.SERVER) as current:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    current.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        current.set_status(StatusCode.ERROR, str(message["status"]))
                await send(message)

            await self._app(scope, receive, noted)


def _span(service: str, ended: ReadableSpan) -> Span:
    context, status = ended.get_span_context(), ended.status
    failed = status.status_code is StatusCode.ERROR
    attributes = dict(ended.attributes or {})
    return Span(
        service=service,
        name=ended.name,
        kind=ended.kind.name.lower(),
        trace=f"{context.trace_id:032x}" if context else "",
        id=f"{context.span_id:016x}" if context else "",
        parent=f"{ended.parent.span_id:016x}" if ended.parent else "",
        start=(ended.start_time or 0) / 1e9,
        ms=((ended.end_time or 0) - (ended.start_time or 0)) / 1e6,
        error=(status.description or str(attributes.get("error.type", "error"))) if failed else "",
        attributes=attributes,
    )
