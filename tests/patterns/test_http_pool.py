"""HTTP connections are reused, bounded for each host, counted, and keep nothing of a caller."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from labkit.patterns.http_pool import HttpPool
from labkit.patterns.pools import PoolBusyError

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def web(**options: Any) -> AsyncIterator[tuple[HttpPool, str, asyncio.Event, list[Request]]]:
    """A pool, a web server on loopback, and the event that its slow answers wait for."""
    import uvicorn

    go, seen = asyncio.Event(), list[Request]()

    async def quick(request: Request) -> Response:
        seen.append(request)
        return PlainTextResponse("quick", headers={"set-cookie": "session=ada"})

    async def slow(request: Request) -> Response:
        seen.append(request)
        await go.wait()
        return PlainTextResponse("slow")

    async def stream(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            await go.wait()
            yield b"two"

        return StreamingResponse(parts())

    async def sick(request: Request) -> Response:
        return PlainTextResponse("sick", 503)

    routes = [Route("/quick", quick), Route("/slow", slow), Route("/stream", stream), Route("/sick", sick)]
    config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.001)
    port = server.servers[0].sockets[0].getsockname()[1]
    pool = HttpPool(**options)
    try:
        yield pool, f"http://127.0.0.1:{port}", go, seen
    finally:
        go.set()
        await pool.close()
        server.should_exit = True
        await serving


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_http_connections_are_reused_and_nothing_of_a_caller_stays() -> None:
    async with web() as (pool, url, _, seen):
        for _ in range(5):
            assert (await pool.http.get(f"{url}/quick")).text == "quick"
        (stats,) = pool.stats().values()
        assert (stats.lent, stats.opened, stats.idle, stats.in_use, stats.broken) == (5, 1, 1, 0, 0)
        assert all("cookie" not in request.headers for request in seen)
        assert await pool.check(f"{url}/quick") >= 0
        with pytest.raises(httpx2.HTTPStatusError):
            await pool.check(f"{url}/sick")


async def test_a_slow_host_fills_its_own_connections_and_the_line_has_an_end() -> None:
    async with web(per_host=2, wait=0.05) as (pool, url, go, _):
        held = [asyncio.create_task(pool.http.get(f"{url}/slow")) for _ in range(2)]
        await until(lambda: pool.stats() and pool.stats()[url].in_use == 2)
        waits = asyncio.create_task(pool.http.get(f"{url}/slow"))
        await until(lambda: pool.stats()[url].waiting == 1)
        with pytest.raises(httpx2.PoolTimeout):
            await waits
        # The same machine by another name is another host, with connections of its own.
        other = url.replace("127.0.0.1", "localhost")
        if not sys.platform.startswith("win"):
            assert (await pool.http.get(f"{other}/quick")).text == "quick"
        stats = pool.stats()[url]
        assert (stats.in_use, stats.waiting, stats.busy, stats.broken) == (2, 0, 1, 0) and stats.waited >= 0.05
        held[0].cancel()
        await asyncio.wait(held[:1])
        assert pool.stats()[url].in_use == 1
        go.set()
        await held[1]
        assert pool.stats()[url].in_use == 0


async def test_a_connection_is_in_use_until_the_body_is_read() -> None:
    async with web() as (pool, url, go, _):
        async with pool.http.stream("GET", f"{url}/stream") as response:
            assert pool.stats()[url].in_use == 1
            go.set()
            assert await response.aread() == b"onetwo"
        assert (pool.stats()[url].in_use, pool.stats()[url].idle) == (0, 1)


async def test_hosts_are_bounded_and_the_idle_ones_make_room() -> None:
    async with web(max_hosts=1) as (pool, url, go, _):
        free = "http://127.0.0.1:9"
        await pool.http.get(f"{url}/quick")
        with pytest.raises(httpx2.ConnectError):
            await pool.http.get(free)
        assert list(pool.stats()) == [free] and pool.stats()[free].broken == 1
        held = asyncio.create_task(pool.http.get(f"{url}/slow"))
        await until(lambda: list(pool.stats()) == [url])
        with pytest.raises(PoolBusyError, match="room for no other"):
            await pool.http.get(free)
        go.set()
        await held
