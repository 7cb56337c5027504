"""Many MCP servers behind one: registry, policy, lifecycle, both eras on both sides.

    gateway = Gateway.of({"calc": "calculator", "far": "http://127.0.0.1:9000/mcp"}, {"deadline": 10})
    conn = await lab.connect(gateway.server)          # in this kernel
    url = await gateway.start()                       # or over HTTP, for anybody on this machine
    await gateway.close()

`front` is the gateway itself, `answers` what clients see of it, `backend` and `peer` the other side.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.gateway.config import GatewayConfig as GatewayConfig
    from labkit.gateway.front import Gateway as Gateway

_WHERE = {"Gateway": "labkit.gateway.front", "GatewayConfig": "labkit.gateway.config"}
__all__ = ["Gateway", "GatewayConfig"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"labkit.gateway has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_WHERE[name]), name)
