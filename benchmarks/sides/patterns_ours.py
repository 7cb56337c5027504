"""The middleware of labkit.patterns, in memory, one server for each case. Run by patterns.py."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from mcp import Client
from mcp.server import MCPServer

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.side import Call, serve
from labkit.patterns.audit import Audit
from labkit.patterns.breaker import CircuitBreaker
from labkit.patterns.bulkhead import Bulkhead
from labkit.patterns.cache import Cache
from labkit.patterns.calls import CallMiddleware
from labkit.patterns.deadline import Deadline
from labkit.patterns.fallback import Fallback, LastGood
from labkit.patterns.logs import Logs
from labkit.patterns.metrics import Metrics
from labkit.patterns.rate_limit import RateLimit
from labkit.patterns.retry import Retry
from labkit.patterns.stack import stack
from labkit.patterns.tracing import Tracing


class Nowhere:
    """Takes lines and forgets them."""

    def write(self, line: bytes) -> None:
        pass


MANY = "1000000/minute"
scratch = tempfile.TemporaryDirectory()


def audit() -> Audit:
    return Audit(tempfile.mkdtemp(dir=scratch.name))


def everything(policies: dict[str, float]) -> list[CallMiddleware]:
    limit, cache = RateLimit(f"{MANY} burst 1000000"), Cache(policies)
    return stack(limit, cache, CircuitBreaker(), Metrics(), Tracing(), Logs(Nowhere()), audit())


CASES: dict[str, Callable[[], list[CallMiddleware]]] = {
    "bare": lambda: [],
    "nothing": lambda: [CallMiddleware()],
    "token bucket": lambda: [RateLimit(f"{MANY} burst 1000000")],
    "sliding window": lambda: [RateLimit(MANY)],
    "cache, miss": lambda: [Cache({"echo": 60})],
    "cache, hit": lambda: [Cache({"echo": 60})],
    "deadline": lambda: [Deadline(30)],
    "breaker": lambda: [CircuitBreaker()],
    "retry": lambda: [Retry({"echo"})],
    "bulkhead": lambda: [Bulkhead(10)],
    "fallback": lambda: [Fallback(echo=[LastGood()])],
    "metrics": lambda: [Metrics()],
    "tracing": lambda: [Tracing()],
    "logs": lambda: [Logs(Nowhere())],
    "audit": lambda: [audit()],
    "stack": lambda: everything({}),
    "stack, miss": lambda: everything({"echo": 60}),
    "stack, hit": lambda: everything({"echo": 60}),
}


@asynccontextmanager
async def opened(case: str) -> AsyncIterator[Call]:
    server = MCPServer("echo", version="1.0.0", log_level="WARNING", middleware=CASES[case]())

    @server.tool()
    async def echo(text: str) -> str:
        """Give the text back."""
        return text

    same = case.endswith(", hit")
    async with Client(server) as client:

        async def call(number: int) -> None:
            text = "hello" if same else f"hello {number}"
            result = await client.call_tool("echo", {"text": text})
            assert result.structured_content == {"result": text}

        yield call


if __name__ == "__main__":
    with scratch:
        asyncio.run(serve(opened))
