"""What an entry point of a container is told, all of it through the environment.

    HOST, PORT          where it listens; 127.0.0.1 and 8000. An image sets HOST to 0.0.0.0, inside a network of its own
    MCP_ALLOWED_HOSTS   names under which it is called, with ports: "hr:8000,mcp.example.com"; others are answered 421
    MCP_STATELESS       "1": no session in the handshake era either, so that any replica can answer any request
    MCP_RATE            calls each caller may make, such as "600/minute"; with REDIS_URL, of all replicas together
    DATABASE_URL        the server's own; /ready asks a PostgreSQL that it names
    REDIS_URL           for MCP_RATE; one that is away makes the server degraded, not unready
    DRAIN_SECONDS       after SIGTERM: how long /ready says no while calls are still answered; 5
    GRACE_SECONDS       after that: how long calls in flight may take to end; 20

NAME_FILE names a file that holds a secret's value, for the NAMEs of `SECRETS`: what Docker and Kubernetes mount.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from labkit.deploy.rules import DeployError

SECRETS = ("DATABASE_URL", "REDIS_URL", "GATEWAY_SIGNING_SECRET", "GATEWAY_KEY_SHA256")
"""What may come from a file."""
LOOPBACK = ("127.0.0.1:*", "localhost:*")


@dataclass(frozen=True)
class Settings:
    """See the module. Times are seconds."""

    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    stateless: bool = False
    rate: str = ""
    database_url: str = ""
    redis_url: str = ""
    drain: float = 5.0
    grace: float = 20.0

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """The settings of an environment. Raises DeployError for a value that is none."""
        names = environ.get("MCP_ALLOWED_HOSTS", "").split(",")
        return cls(
            host=environ.get("HOST") or "127.0.0.1",
            port=int(_number(environ, "PORT", 8000, 65535)),
            allowed_hosts=tuple(name.strip() for name in names if name.strip()),
            stateless=environ.get("MCP_STATELESS", "") == "1",
            rate=environ.get("MCP_RATE", ""),
            database_url=environ.get("DATABASE_URL", ""),
            redis_url=environ.get("REDIS_URL", ""),
            drain=_number(environ, "DRAIN_SECONDS", 5.0, 600),
            grace=_number(environ, "GRACE_SECONDS", 20.0, 3600),
        )

    @property
    def hosts(self) -> list[str]:
        """The values of Host that are let in: what is allowed, and loopback, which no web page can be reached by."""
        return [*self.allowed_hosts, *LOOPBACK]


def take_secrets(environ: MutableMapping[str, str]) -> None:
    """Set NAME from the file that NAME_FILE names. Raises DeployError when it cannot be read, or both are set."""
    for name in SECRETS:
        place = environ.get(f"{name}_FILE")
        if not place:
            continue
        if environ.get(name):
            raise DeployError(f"{name} and {name}_FILE are both set: keep the file, which no process list shows.")
        try:
            environ[name] = Path(place).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise DeployError(f"{name}_FILE: cannot read {place}: {error.strerror}. Mount the secret there.") from error


def _number(environ: Mapping[str, str], name: str, default: float, most: float) -> float:
    text = environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise DeployError(f"{name} is {text!r}: write a number from 0 to {most:g}.")
    return value
