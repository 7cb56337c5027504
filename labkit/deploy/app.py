"""The HTTP side of what runs in a container: MCP, and what operators and load balancers ask.

    /mcp        the server, both eras
    /health     alive: 200 as long as the process can answer. It asks nobody else
    /ready      200 when it can do its work now, else 503: starting, draining, or a dependency that it cannot do without
    /metrics    for Prometheus

A gateway has these paths already (`labkit.gateway.door`); here a server gets them from the same patterns.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.deploy.settings import Settings
from labkit.patterns.health import Degraded, Health

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.types import ASGIApp, Receive, Scope, Send

ALIVE, READY, METRICS, MCP = "/health", "/ready", "/metrics", "/mcp"
_PATHS = {"/livez": ALIVE, "/readyz": READY}


class Drain:
    """ASGI application around another: from `begin` on /ready says no, and all else is answered as before.

    So a load balancer that looks at /ready takes the replica out while the calls that still arrive are served.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.draining = False

    def begin(self) -> None:
        """Ask for no more work."""
        self.draining = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve the lifespan."""
        if not (self.draining and scope["type"] == "http" and scope["path"] == READY):
            await self._app(scope, receive, send)
            return
        body = json.dumps({"ready": False, "why": "draining"}).encode()
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def server_app(server: MCPServer[Any], settings: Settings, *, json_response: bool = False) -> Drain:
    """A server object with health, metrics and, if `settings` say so, a limit. The server is changed by it.

    `json_response`: each answer is one JSON document, never a stream.
    """
    from labkit.patterns.metrics import Metrics
    from labkit.patterns.rate_limit import RateLimit
    from labkit.patterns.stack import stack

    health, metrics = dependencies(settings), Metrics()
    limit = None
    if settings.rate:
        # Counted by Redis, the limit holds for all replicas together. While it is away, calls pass: a limiter that
        # cannot be asked must not become the outage.
        limit = RateLimit(settings.rate, redis=settings.redis_url or None, name=server.name, fail="open")
    server.middleware[:0] = stack(metrics, limit)
    metrics.install(server, path=METRICS)
    for route in health.routes():
        if path := _PATHS.get(route.path):
            server.custom_route(path, methods=["GET"], include_in_schema=False)(route.endpoint)
    return Drain(
        server.streamable_http_app(
            streamable_http_path=MCP,
            json_response=json_response,
            stateless_http=settings.stateless,
            transport_security=security(settings),
        )
    )


def gateway_app(file: str | Path, settings: Settings) -> Drain:
    """The gateway of a configuration file. Raises GatewayConfigError."""
    from labkit.gateway import Gateway, GatewayConfig
    from labkit.gateway.door import Door
    from labkit.gateway.relay import Relay

    gateway = Gateway(GatewayConfig.read(file))
    allowed = security(settings)
    inner = gateway.server.streamable_http_app(streamable_http_path=MCP, transport_security=allowed)
    return Drain(Door(gateway, Relay(gateway, inner, allowed)))


def dependencies(settings: Settings) -> Health:
    """Checks of what the server needs. Only a database that calls cannot do without makes it unready."""
    health = Health(timeout=1.0)
    if settings.database_url.startswith(("postgresql://", "postgres://")):
        health.check("database")(_database(settings.database_url))
    if settings.rate and settings.redis_url:
        health.check("redis", critical=False)(_redis(settings.redis_url))
    return health


def security(settings: Settings) -> TransportSecuritySettings:
    """The SDK's protection from DNS rebinding, with the names under which a container is called."""
    from mcp.server.transport_security import TransportSecuritySettings

    # Without a port, a name is allowed with any: behind a proxy, Host has the port of the proxy or none.
    hosts = [form for name in settings.hosts for form in ((name,) if ":" in name else (name, f"{name}:*"))]
    origins = [f"{scheme}://{name}" for name in hosts for scheme in ("http", "https")]
    return TransportSecuritySettings(enable_dns_rebinding_protection=True, allowed_hosts=hosts, allowed_origins=origins)


def _database(url: str) -> Callable[[], Awaitable[None]]:
    from labkit.patterns.database_pools import PostgresPool

    pool = PostgresPool(url, size=1, connect=1.0, statement=1.0)

    async def ask() -> None:
        async with pool.lend() as db:
            await db.run("SELECT 1")

    return ask


def _redis(url: str) -> Callable[[], Awaitable[None]]:
    async def ask() -> None:
        from redis.asyncio import Redis
        from redis.exceptions import RedisError

        async with Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5) as redis:  # pyright: ignore
            try:
                await redis.ping()  # pyright: ignore
            except (RedisError, OSError) as error:
                raise Degraded(f"limits are not shared: {type(error).__name__}") from None

    return ask
