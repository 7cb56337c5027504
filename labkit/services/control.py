"""Up, status, down: for all services, from any process."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterable

from labkit.catalog import WORK
from labkit.errors import did_you_mean
from labkit.services import place
from labkit.services.postgres import Postgres
from labkit.services.redis import Redis
from labkit.services.service import Service, ServiceError, Status, UnknownServiceError
from labkit.services.store import MEMORY_URL

SERVICES: dict[str, Callable[[], Service]] = {"postgres": Postgres, "redis": Redis}


class Table(list[Status]):
    """The services asked for; shows itself as a table, without passwords."""

    def __getitem__(self, key: str | int) -> Status:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """By name, or by place as any list."""
        if isinstance(key, str):
            found = next((status for status in self if status.name == key), None)
            if found is None:
                raise ServiceError(f"{key!r} is not among these services: {', '.join(s.name for s in self)}.")
            return found
        return super().__getitem__(key)

    def __repr__(self) -> str:
        return "\n".join(f"{s.name:<9} {'up  ' if s.running else 'down'}  {_about(s)}" for s in self)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{s.name}</td><td>{'up' if s.running else 'down'}</td>"
            f"<td style='text-align:left'>{html.escape(_about(s))}</td></tr>"
            for s in self
        )
        return f"<table><tr><th>service</th><th></th><th></th></tr>{rows}</table>"


def up(*names: str) -> Table:
    """Start these services (all, if none is named) and wait until they answer; running ones stay as they are.

    Raises ServiceMissingError, with the command that gets it, or ServiceError, with the service's last words.
    """
    table = Table()
    for service in _named(names):
        with place.only_one(place.folder(service.name)):
            table.append(service.start())
    return table


def status(*names: str) -> Table:
    """How these services are (all, if none is named)."""
    return Table(service.status() for service in _named(names))


def down(*names: str, delete_data: bool = False) -> Table:
    """Stop these services (all, if none is named): no process of theirs is left. Their data stays, unless told."""
    table = Table()
    for service in _named(names):
        with place.only_one(place.folder(service.name)):
            service.stop()
            if delete_data:
                service.delete_data()
            table.append(service.status())
    return table


def url(name: str) -> str:
    """The address of a running service, with its password."""
    found = status(name)[0]
    if not found.running:
        raise ServiceError(f"{name} is not running. Start it: labkit services up {name}")
    return found.url


def database_url() -> str:
    """DATABASE_URL, or the SQLite file that stands in for it."""
    return os.environ.get("DATABASE_URL") or f"sqlite:///{(WORK / 'shop.db').as_posix()}"


def redis_url() -> str:
    """REDIS_URL, or `memory://`: a store inside each process."""
    return os.environ.get("REDIS_URL") or MEMORY_URL


def _named(names: Iterable[str]) -> list[Service]:
    wanted = list(dict.fromkeys(names)) or list(SERVICES)
    for name in wanted:
        if name not in SERVICES:
            raise UnknownServiceError(f"The lab has no service {name!r}. {did_you_mean(name, SERVICES)}")
    return [SERVICES[name]() for name in wanted]


def _about(status: Status) -> str:
    return f"{status.shown_url}  (pid {status.pid}, {status.version})" if status.running else status.note
