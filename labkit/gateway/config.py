"""What a gateway is told: a file in the hosts' own `mcpServers` format, and policy beside it.

    {"mcpServers": {"calc":  {"command": "python", "args": ["calc.py"]},
                    "notes": {"url": "http://127.0.0.1:9000/mcp", "gateway": {"prefix": "n", "timeout": 30}}},
     "gateway": {"roles": {"staff": {"tools": ["calc.*"]}}, "limits": {"calls": "100/minute"}}}

    config = GatewayConfig.read("gateway.json")
    config = GatewayConfig.of({"calc": server_object, "notes": "http://127.0.0.1:9000/mcp"}, {"separator": "_"})

Comments, trailing commas and `${VAR}` are understood as in any host's file. Relative paths are relative to the file,
and its commands are started in its folder. All mistakes of a file are reported at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.defences.identity_config import IdentityConfig
from labkit.errors import GatewayConfigError, HostConfigError
from labkit.hosts import read_host_file
from labkit.session.tls import Tls

HANDSHAKE_ERAS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
ERAS = ("auto", "2026-07-28", *HANDSHAKE_ERAS)


@dataclass(frozen=True)
class Filter:
    """Which of a backend's tools, resources or prompts are offered, and under which names.

    Patterns are those of a shell (`add*`), on the backend's own names and URIs. What is denied is not offered, even
    if it is allowed. `rename` gives an item the whole name that clients see.
    """

    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class BackendConfig:
    """One server behind the gateway: exactly one of `command`, `url`, `catalog` and `server` says how to reach it."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    cwd: str | None = None
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    tls: Tls | None = None
    """The CA that a `url` with https is trusted by, and the certificate that the gateway shows."""
    catalog: str = ""
    """The name of one of the lab's servers."""
    server: Any = field(default=None, repr=False)
    """A server object of this process."""
    prefix: str = ""
    era: str = "auto"
    tools: Filter = Filter()
    resources: Filter = Filter()
    prompts: Filter = Filter()
    timeout: float | None = None
    start: str = "lazy"
    """"lazy": connected when it is first needed; "eager": when the gateway starts."""
    instances: int = 1
    """So many processes of one command."""
    replicas: tuple[str, ...] = ()
    """Further URLs where the same server answers."""
    balance: str = "round_robin"
    """Or "least_loaded"."""
    fallback: str = ""
    """The backend that is asked when this one cannot answer."""
    pin: bool | str = False
    """Whether tool definitions are pinned at first sight; "strict": each has to be approved first."""
    version: str = ""
    deprecated: str = ""
    """What to use instead, when this one is about to go."""

    @property
    def connection(self) -> tuple[Any, ...]:
        """All that a running connection depends on: after a reload, one whose value is the same can stay."""
        process = (self.command, self.args, tuple(sorted(self.env.items())), self.cwd, self.catalog, self.instances)
        remote = (self.url, tuple(sorted(self.headers.items())), self.replicas, self.tls)
        return (*process, *remote, id(self.server), self.era)


@dataclass(frozen=True)
class Role:
    """What those with a role may see and use: patterns on the names that clients see, and on URIs."""

    tools: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignConfig:
    """How the gateway proves to its backends on whose behalf it calls."""

    secret: str = field(repr=False)
    seconds: float = 60.0
    """How long a signature is good for."""


@dataclass(frozen=True)
class LimitConfig:
    """So many calls in a time (`labkit.patterns.limiter.Rate`), for each principal, client or tool."""

    calls: str
    per: str = "principal"


@dataclass(frozen=True)
class BreakerConfig:
    """After so many failures in a row a backend is left alone, for `recover` seconds."""

    failures: int = 5
    recover: float = 10.0


@dataclass(frozen=True)
class GatewayConfig:
    """All that a gateway is told. Equal ones mean the same."""

    backends: Mapping[str, BackendConfig]
    name: str = "gateway"
    separator: str = "."
    instructions: str = ""
    identity: IdentityConfig | None = None
    roles: Mapping[str, Role] | None = None
    sign: SignConfig | None = None
    limits: LimitConfig | None = None
    cache: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds that results of a tool are kept, by the name that clients see."""
    audit: Path | None = None
    deadline: float | None = None
    """Seconds that a call may take in all."""
    breaker: BreakerConfig | None = None
    pins: Path | None = None
    log: str = ""
    """Where a line of JSON for each call goes: a file, or "stderr"."""
    admin: bool = False
    """Whether the resource `gateway://status` is offered, to roles that name it."""
    page: int = 100
    """The most items on one page of a list."""
    path: Path | None = None
    """The file that it was read from."""

    @classmethod
    def read(cls, path: str | Path) -> GatewayConfig:
        """The configuration in a file. Raises GatewayConfigError with all that is wrong with it."""
        from labkit.gateway.config_reading import config_from

        path = Path(path).expanduser().absolute()
        try:
            file = read_host_file(path)
        except HostConfigError as error:
            raise GatewayConfigError(str(error), [str(error)]) from error
        return config_from(file.whole, file.servers, path=path, twice=file.twice)

    @classmethod
    def of(cls, servers: Mapping[str, Any], gateway: Mapping[str, Any] | None = None) -> GatewayConfig:
        """A configuration from Python. `gateway` is what stands under that key in a file.

        A server is a server object, a URL, the name of a catalog server, a table as in a file (where `"server"` may
        be an object, and `"gateway"` its options), or a BackendConfig. Raises GatewayConfigError.
        """
        from labkit.gateway.config_reading import config_from

        whole: dict[str, Any] = {} if gateway is None else {"gateway": dict(gateway)}
        return config_from(whole, servers, path=None)
