"""A pool of HTTP connections: one client for all calls, with limits for each host, and counters.

    pool = HttpPool(per_host=10)
    response = await pool.http.get("http://127.0.0.1:8000/alerts/active")

A slow host keeps its own connections busy and no others. The client keeps nothing of a caller: no cookies, no
credentials from the environment; it follows no redirects. Credentials go into each request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

from labkit.patterns.clock import SYSTEM
from labkit.patterns.pools import PoolBusyError, PoolStats


class HttpPool:
    """`http` is an httpx2.AsyncClient. `wait` is how long a request waits for a connection, `timeout` how long each
    step of an exchange may take, `idle` how long an unused connection is kept; all in seconds.

    A request that gets no connection in time raises httpx2.PoolTimeout. Beyond `max_hosts`, hosts without a request
    under way are forgotten; when all have one, PoolBusyError is raised.
    """

    def __init__(
        self, *, per_host: int = 10, max_hosts: int = 64, wait: float = 2.0, timeout: float = 10.0, idle: float = 30.0,
        headers: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._transport = _PerHost(per_host, max_hosts, idle)
        self.http = httpx2.AsyncClient(
            transport=self._transport,
            timeout=httpx2.Timeout(timeout, pool=wait),
            headers=headers,
            # A cookie of one caller's session would go out with the next caller's request.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
        )

    async def check(self, url: str) -> float:
        """GET that address and return the seconds it took. Raises httpx2.HTTPError for no answer, or one of 500 up."""
        began = SYSTEM.now()
        response = await self.http.get(url)
        if response.status_code >= 500:
            response.raise_for_status()
        return SYSTEM.now() - began

    def stats(self) -> dict[str, PoolStats]:
        """The pool at this moment, for each host as `scheme://name:port`."""
        return {origin: host.stats() for origin, host in self._transport.hosts.items()}

    async def close(self) -> None:
        """Close all connections."""
        await self.http.aclose()


class _Host:
    """The connections to one host, and what became of its requests."""

    __slots__ = ("broken", "busy", "in_use", "lent", "limit", "opened", "transport", "waited", "waiting")

    def __init__(self, limit: int, idle: float) -> None:
        self.limit = limit
        limits = httpx2.Limits(max_connections=limit, max_keepalive_connections=limit, keepalive_expiry=idle)
        self.transport = httpx2.AsyncHTTPTransport(limits=limits, trust_env=False)
        self.waiting = self.in_use = self.lent = self.opened = self.broken = self.busy = 0
        self.waited = 0.0

    def stats(self) -> PoolStats:
        # httpx2 shows its pool nowhere else.
        connections: list[Any] = self.transport._pool.connections  # pyright: ignore
        idle = sum(connection.is_idle() for connection in connections)
        closed = max(0, self.opened - len(connections))
        return PoolStats(
            self.limit, idle, self.in_use, self.waiting, self.lent, self.opened, closed, self.broken, self.busy,
            self.waited,
        )  # fmt: skip

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        began, at_work = SYSTEM.now(), False
        told: Callable[[str, Any], Awaitable[None]] | None = request.extensions.get("trace")

        def work() -> None:
            nonlocal at_work
            if not at_work:
                at_work = True
                self.waiting -= 1
                self.in_use += 1
                self.waited += SYSTEM.now() - began

        async def trace(event: str, info: Any) -> None:
            work()  # the first event of a request: it has a connection, old or new
            self.opened += event == "connection.connect_tcp.complete"
            if told is not None:
                await told(event, info)

        def done() -> None:
            if at_work:
                self.in_use -= 1
            else:
                self.waiting -= 1
                self.waited += SYSTEM.now() - began

        request.extensions = {**request.extensions, "trace": trace}
        self.waiting += 1
        self.lent += 1
        try:
            response = await self.transport.handle_async_request(request)
        except BaseException as error:
            done()
            self.busy += isinstance(error, httpx2.PoolTimeout)
            self.broken += isinstance(error, httpx2.TransportError) and not isinstance(error, httpx2.PoolTimeout)
            raise
        work()
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Body(response.stream, done)
        return response


class _PerHost(httpx2.AsyncBaseTransport):
    """Sends each request by the connections of its host."""

    def __init__(self, limit: int, max_hosts: int, idle: float) -> None:
        self.hosts: dict[str, _Host] = {}  # the least recently used first
        self._limit, self._max_hosts, self._idle = limit, max_hosts, idle

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        origin = f"{url.scheme}://{url.host}:{url.port or {'http': 80, 'https': 443}.get(url.scheme, 0)}"
        host = self.hosts.pop(origin, None) or _Host(self._limit, self._idle)
        forgotten = self._make_room() if len(self.hosts) >= self._max_hosts else None
        self.hosts[origin] = host
        if forgotten is not None:
            await forgotten.transport.aclose()
        return await host.send(request)

    def _make_room(self) -> _Host:
        for origin, host in self.hosts.items():
            if not host.in_use and not host.waiting:
                return self.hosts.pop(origin)
        raise PoolBusyError(f"Requests to {len(self.hosts)} hosts are under way, and there is room for no other.")

    async def aclose(self) -> None:
        while self.hosts:
            _, host = self.hosts.popitem()
            await host.transport.aclose()


class _Body(httpx2.AsyncByteStream):
    """A response's body; its connection is in use until it is closed."""

    def __init__(self, inner: httpx2.AsyncByteStream, done: Callable[[], None]) -> None:
        self._inner, self._done = inner, done
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            yield part

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            if not self._closed:
                self._closed = True
                self._done()
