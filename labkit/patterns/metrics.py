"""What a server counts about itself: calls, outcomes, latencies, what is at work. For Prometheus, and for a reader.

    Metrics().install(server)             # counts; serves /metrics over HTTP and the resource metrics://summary
    MCPServer("mine", middleware=[Metrics()])                     # counts only: `text()` and `summary()` show it

Each has a registry of its own, so two servers in one process do not add up. Names of tools come from callers, who may
send any: only those that the server lists, or that have answered, become labels, `max_tools` at most. All others share
one, `(other)`.

A histogram of Prometheus knows how many calls fell into each bucket, and guesses percentiles from that; the buckets of
many servers can be added. The summary has exact percentiles, of the last `keep` calls of each tool in this process.
Those of many servers cannot be put together: a percentile of percentiles is none.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from labkit.patterns.calls import MODERN, Call, CallMiddleware, Proceed, Result, connection_of, outcome_of

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp.server.mcpserver import MCPServer
    from starlette.requests import Request
    from starlette.responses import Response

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the histogram, in seconds."""
OTHER = "(other)"
ERRORS = ("error", "failed")
"""Outcomes that count as errors. A refusal or a cancellation is none of the tool's."""


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least so many percent of them do not exceed (nearest rank); 0 of none.

    `values` are sorted.
    """
    if not values:
        return 0.0
    return values[max(0, math.ceil(percent * len(values) / 100) - 1)]


@dataclass(frozen=True)
class ToolSummary:
    """One tool. Times in milliseconds, over the last `window` calls."""

    calls: int
    errors: int
    outcomes: dict[str, int]
    window: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True)
class Summary:
    """All tools since the beginning."""

    seconds: float
    calls: int
    errors: int
    in_progress: int
    connections: int
    tools: dict[str, ToolSummary]


class _Tool:
    """What one label needs at hand: looked up once, not at every call."""

    __slots__ = ("latency", "outcomes", "recent")

    def __init__(self, latency: Histogram, recent: int) -> None:
        self.latency = latency
        self.outcomes: dict[str, Counter] = {}
        self.recent: deque[float] = deque(maxlen=recent)


class Metrics(CallMiddleware):
    """`tools` are names known in advance; `now` reads seconds, for tests."""

    def __init__(
        self,
        *,
        registry: CollectorRegistry | None = None,
        tools: Iterable[str] = (),
        max_tools: int = 100,
        keep: int = 4096,
        buckets: Sequence[float] = BUCKETS,
        # Not the clock of the other patterns: on Windows that ticks every 16 ms, which is longer than most calls.
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.registry = registry or CollectorRegistry()
        self._keep, self._max_tools, self._now = keep, max_tools, now
        self._began = now()
        self._calls = Counter(
            "mcp_tool_calls", "Tool calls by what became of them.", ("tool", "outcome"), registry=self.registry
        )
        self._latency = Histogram(
            "mcp_tool_latency_seconds", "Duration of tool calls.", ("tool",), buckets=buckets, registry=self.registry
        )
        # Parts of the two gauges below, which nobody reads alone: a gauge counts right in any number of threads.
        self._active, self._active_modern, self._sessions, self._requests = (_part() for _ in range(4))
        Gauge("mcp_tool_calls_in_progress", "Tool calls at work.", registry=self.registry).set_function(
            self._in_progress
        )
        Gauge(
            "mcp_active_connections",
            # The stateless era has none: what is open there is a request, or a stream that a client listens on.
            "Sessions of the handshake era, and requests of the stateless one while they last.",
            registry=self.registry,
        ).set_function(self._connections)
        ProcessCollector(registry=self.registry)
        self._tools: dict[str, _Tool] = {}
        self._mark = f"labkit.metrics.{id(self)}"
        for name in tools:
            self._learn(name)

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """What the SDK calls for each message."""
        modern = ctx.protocol_version >= MODERN
        if modern and ctx.method == "tools/call":  # counted as a call: the way that has to be short
            return await super().__call__(ctx, call_next)
        if modern:
            self._requests.inc()
        elif (connection := connection_of(ctx)) is not None and self._mark not in connection.state:
            connection.state[self._mark] = True
            self._sessions.inc()
            connection.exit_stack.callback(self._sessions.dec)
        try:
            result = await super().__call__(ctx, call_next)
        finally:
            if modern:
                self._requests.dec()
        if ctx.method == "tools/list" and isinstance(result, dict):
            for tool in cast("list[Mapping[str, Any]]", result.get("tools") or ()):
                self._learn(str(tool.get("name", "")))
        return result

    async def around(self, call: Call, proceed: Proceed) -> Result:
        """Let the call pass, and count it."""
        active = self._active_modern if call.modern else self._active
        active.inc()
        began = self._now()
        try:
            result = await proceed()
        except BaseException as error:
            self.record(call.tool, outcome_of(error), self._now() - began)
            raise
        else:
            self.record(call.tool, outcome_of(result), self._now() - began)
            return result
        finally:
            active.dec()

    def record(self, tool: str, outcome: str, seconds: float) -> None:
        """Count one call. `outcome` is one of `calls.OUTCOMES`."""
        series = self._tools.get(tool)
        if series is None:
            # A tool that has answered exists. One that does not is whatever somebody made up.
            series = self._learn(tool if outcome == "ok" else OTHER)
        counter = series.outcomes.get(outcome)
        if counter is None:
            label = tool if self._tools.get(tool) is series else OTHER
            counter = series.outcomes[outcome] = self._calls.labels(label, outcome)
        counter.inc()
        series.latency.observe(seconds)
        series.recent.append(seconds)

    def text(self) -> bytes:
        """Everything as Prometheus reads it."""
        return generate_latest(self.registry)

    def summary(self) -> Summary:
        """Everything as a person reads it, with exact percentiles."""
        outcomes: dict[str, dict[str, int]] = {}
        for sample in next(iter(self._calls.collect())).samples:
            if sample.name.endswith("_total"):
                outcomes.setdefault(sample.labels["tool"], {})[sample.labels["outcome"]] = int(sample.value)
        tools = {name: _of_tool(outcomes[name], self._tools[name].recent) for name in sorted(outcomes)}
        return Summary(
            seconds=round(self._now() - self._began, 3),
            calls=sum(tool.calls for tool in tools.values()),
            errors=sum(tool.errors for tool in tools.values()),
            in_progress=int(self._in_progress()),
            connections=int(self._connections()),
            tools=tools,
        )

    def latencies(self, tool: str) -> list[float]:
        """Seconds of its last calls, oldest first."""
        return list(self._tools[tool].recent) if tool in self._tools else []

    def install(self, server: MCPServer[Any], *, path: str = "/metrics") -> None:
        """Count this server's calls, and show them: over HTTP at `path`, to MCP clients as `metrics://summary`.

        It counts from outside of all middleware that is there, unless it has a place already, as `stack` gives it one:
        what others refuse is counted, too. Whoever reaches the port can read `path`: such routes ask for no token.
        """
        from starlette.responses import Response

        if self not in server.middleware:
            server.middleware.insert(0, self)

        @server.resource("metrics://summary", name="metrics", title="Metrics", mime_type="application/json")
        def summary() -> str:  # pyright: ignore[reportUnusedFunction]
            """Calls, errors and latencies of this server's tools, since it started."""
            return json.dumps(asdict(self.summary()), indent=2)

        @server.custom_route(path, methods=["GET"], include_in_schema=False)
        async def metrics(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
            return Response(self.text(), media_type=CONTENT_TYPE_LATEST)

    def _in_progress(self) -> float:
        return _value(self._active) + _value(self._active_modern)

    def _connections(self) -> float:
        return _value(self._sessions) + _value(self._requests) + _value(self._active_modern)

    def _learn(self, name: str) -> _Tool:
        if name in self._tools:
            return self._tools[name]
        if len(self._tools) >= self._max_tools + (OTHER in self._tools):
            name = OTHER
        return self._tools.setdefault(name, _Tool(self._latency.labels(name), self._keep))


def _of_tool(outcomes: dict[str, int], recent: Iterable[float]) -> ToolSummary:
    values = sorted(1000 * seconds for seconds in recent)
    return ToolSummary(
        calls=sum(outcomes.values()),
        errors=sum(outcomes.get(name, 0) for name in ERRORS),
        outcomes=outcomes,
        window=len(values),
        mean_ms=round(math.fsum(values) / len(values), 3) if values else 0.0,
        p50_ms=round(percentile(values, 50), 3),
        p95_ms=round(percentile(values, 95), 3),
        p99_ms=round(percentile(values, 99), 3),
        max_ms=round(values[-1], 3) if values else 0.0,
    )


def _part() -> Gauge:
    return Gauge("part", "Of another.", registry=None)


def _value(gauge: Gauge) -> float:
    return next(iter(gauge.collect())).samples[0].value
