"""What a service is to the rest of the lab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from labkit.errors import LabError


class ServiceError(LabError):
    """A service could not be started, stopped or asked; the message says what to do."""


class ServiceMissingError(ServiceError):
    """There is no program for the service on this machine; the message says how to get one."""


class UnknownServiceError(ServiceError):
    """A name that is none of the lab's services."""


@dataclass(frozen=True)
class Status:
    """One service as it is now. `url` is empty when it does not run, and holds the password when it does."""

    name: str
    running: bool
    pid: int | None = None
    port: int | None = None
    url: str = ""
    version: str = ""
    data: Path = Path()
    note: str = ""
    """Why it cannot run here, or which program it would use."""

    @property
    def shown_url(self) -> str:
        """The URL without its password, for screens."""
        head, at, tail = self.url.rpartition("@")
        return head.rpartition(":")[0] + ":***@" + tail if at else self.url


class Service(Protocol):
    """How `control` sees a service. All of these block; `start` and `stop` are called under the service's lock."""

    name: str

    def status(self) -> Status:
        """What it is doing now."""
        ...

    def start(self) -> Status:
        """Make it run, whatever state an earlier run left; returns once it accepts connections."""
        ...

    def stop(self) -> None:
        """End it cleanly, then what is left of it."""
        ...

    def delete_data(self) -> None:
        """Forget everything, the password too. Only when it is stopped."""
        ...
