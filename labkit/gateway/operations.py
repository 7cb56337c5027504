"""What operators read over MCP itself: the resource `gateway://status`, as a backend of the gateway's own.

It is there when the configuration says `"admin": true`. With roles, only one that names it may read it: a pattern that
stands for everything does not, because backends' last words on stderr may be in it.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer

from labkit.gateway.config import BackendConfig, GatewayConfig

if TYPE_CHECKING:
    from labkit.gateway.front import Gateway

NAME = "gateway"
SCHEME = "gateway://"
STATUS = SCHEME + "status"


def with_status(config: GatewayConfig, gateway: Gateway) -> GatewayConfig:
    """The configuration with the gateway's own backend in it, if it asks for that."""
    if not config.admin or NAME in config.backends:
        return config
    own = BackendConfig(NAME, server=gateway.status, start="eager")
    return replace(config, backends={**config.backends, NAME: own})


def status_server(gateway: Gateway) -> MCPServer[Any]:
    """A server that tells how the gateway is."""
    server: MCPServer[Any] = MCPServer(NAME, log_level="ERROR")

    @server.resource(STATUS, mime_type="application/json")
    def status() -> dict[str, Any]:
        """How the gateway and each of its servers are, what could not be offered, and how many calls were made."""
        summary = gateway.rules.metrics.summary()
        return {
            "ready": gateway.is_ready,
            "servers": [asdict(each) for each in gateway.health() if each.name != NAME],
            "problems": gateway.problems,
            "waiting": len(gateway.waiting),
            "calls": summary.calls,
            "errors": summary.errors,
        }

    return server
