"""The middleware of fastmcp, in memory, one server for each case. Runs in the Python of build/peers/fastmcp."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastmcp import Client, FastMCP
from fastmcp.server.middleware import Middleware
from fastmcp.server.middleware.caching import ResponseCachingMiddleware
from fastmcp.server.middleware.error_handling import RetryMiddleware
from fastmcp.server.middleware.logging import LoggingMiddleware, StructuredLoggingMiddleware
from fastmcp.server.middleware.rate_limiting import RateLimitingMiddleware, SlidingWindowRateLimitingMiddleware
from fastmcp.server.middleware.timing import DetailedTimingMiddleware

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.side import Call, serve

# Lines are made and thrown away, as on the other side: it is the middleware that is compared, not the disk.
quiet = logging.getLogger("patterns_fastmcp")
quiet.addHandler(logging.NullHandler())
quiet.propagate = False
quiet.setLevel(logging.INFO)

MANY = 1_000_000
CASES: dict[str, Callable[[], list[Middleware]]] = {
    "bare": lambda: [],
    "nothing": lambda: [Middleware()],
    "token bucket": lambda: [RateLimitingMiddleware(MANY, burst_capacity=MANY)],
    "sliding window": lambda: [SlidingWindowRateLimitingMiddleware(MANY)],
    "cache, hit": lambda: [ResponseCachingMiddleware()],
    "cache, miss": lambda: [ResponseCachingMiddleware()],
    "retry": lambda: [RetryMiddleware(logger=quiet)],
    "metrics": lambda: [DetailedTimingMiddleware(logger=quiet)],
    "logs": lambda: [StructuredLoggingMiddleware(logger=quiet)],
    "audit": lambda: [LoggingMiddleware(logger=quiet, include_payloads=True)],
    "stack": lambda: [
        LoggingMiddleware(logger=quiet, include_payloads=True),
        StructuredLoggingMiddleware(logger=quiet),
        DetailedTimingMiddleware(logger=quiet),
        RateLimitingMiddleware(MANY, burst_capacity=MANY),
        ResponseCachingMiddleware(),
        RetryMiddleware(logger=quiet),
    ],
}


@asynccontextmanager
async def opened(case: str) -> AsyncIterator[Call]:
    server: FastMCP[Any] = FastMCP("echo", middleware=CASES[case]())

    @server.tool
    async def echo(text: str) -> str:
        """Give the text back."""
        return text

    same = case == "cache, hit"
    async with Client(server) as client:

        async def call(number: int) -> None:
            text = "hello" if same else f"hello {number}"
            result = await client.call_tool("echo", {"text": text})
            assert result.data == text

        yield call


if __name__ == "__main__":
    asyncio.run(serve(opened))
