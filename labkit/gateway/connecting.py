"""From the configuration of a backend to its peers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mcp import StdioServerParameters
from mcp_types.version import LATEST_HANDSHAKE_VERSION

from labkit.catalog import load_catalog
from labkit.gateway.backend import Backend, Make
from labkit.gateway.config import BackendConfig
from labkit.gateway.peer import Json, OnEvent, OnLost, Peer
from labkit.gateway.peer_http import HttpPeer
from labkit.gateway.peer_memory import MemoryPeer
from labkit.gateway.peer_stdio import StdioPeer
from labkit.session.serving import launch_command, launch_environment

TIMEOUT = 30.0
"""Seconds that a backend has for an answer, unless its configuration says otherwise."""


def backend_of(
    config: BackendConfig,
    *,
    on_event: Callable[[Backend, str, Json], None],
    on_ready: Callable[[Backend], None],
) -> Backend:
    """A backend, not yet open."""
    older: Callable[[], Backend] | None = None
    if config.server is not None:
        makes = [_memory(config)]
    elif config.url:
        makes = [_http(config, url) for url in (config.url, *config.replicas)]
        if config.era == "auto":
            old = replace(config, era=LATEST_HANDSHAKE_VERSION)
            # Its lists and events are those of the other connection: nobody has to hear them twice.
            older = lambda: _backend(old, [_http(old, url) for url in (old.url, *old.replicas)])  # noqa: E731
    else:
        makes = [_stdio(config)] * config.instances
    return _backend(config, makes, on_event=on_event, on_ready=on_ready, older=older)


def _backend(config: BackendConfig, makes: list[Make], **more: Any) -> Backend:
    balance = "least_loaded" if config.balance == "least_loaded" else "round_robin"
    return Backend(config.name, makes, balance=balance, timeout=config.timeout or TIMEOUT, **more)


def _http(config: BackendConfig, url: str) -> Make:
    def make(on_event: OnEvent, on_lost: OnLost) -> Peer:
        more: dict[str, Any] = {"era": config.era, "on_event": on_event, "on_lost": on_lost}
        return HttpPeer(config.name, url, headers=config.headers, tls=config.tls, **more)

    return make


def _stdio(config: BackendConfig) -> Make:
    params = parameters(config)

    def make(on_event: OnEvent, on_lost: OnLost) -> Peer:
        return StdioPeer(config.name, params, era=config.era, on_event=on_event, on_lost=on_lost)

    return make


def _memory(config: BackendConfig) -> Make:
    def make(on_event: OnEvent, on_lost: OnLost) -> Peer:
        return MemoryPeer(config.name, config.server, era=config.era, on_event=on_event, on_lost=on_lost)

    return make


def parameters(config: BackendConfig) -> StdioServerParameters:
    """The command of a backend that is a process. Raises CatalogError for a catalog name that there is not."""
    if config.catalog:
        entry = load_catalog().find(config.catalog)
        command, *arguments = launch_command("stdio", entry.path)
        environment: dict[str, Any] = launch_environment({**entry.env, **config.env})
        return StdioServerParameters(command=command, args=arguments, env=environment, cwd=config.cwd)
    return StdioServerParameters(
        command=config.command, args=list(config.args), env=dict(config.env) or None, cwd=config.cwd
    )
