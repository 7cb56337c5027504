"""Services in a terminal: `labkit services up | status | down`, and `url` for scripts."""

from __future__ import annotations

import json as encoder
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from labkit.services.control import Table

_NAMES = typer.Argument(None, metavar="[postgres] [redis]", help="Which ones; all if none is named.")
_JSON = typer.Option(False, "--json", help="As JSON, without passwords.")


def register(app: typer.Typer) -> None:
    """Mount `services` on the `labkit` command."""
    services = typer.Typer(no_args_is_help=True, help="PostgreSQL and Redis on loopback, without root.")
    services.command()(up)
    services.command()(status)
    services.command()(down)
    services.command()(url)
    app.add_typer(services, name="services")


def up(names: list[str] | None = _NAMES, json: bool = _JSON) -> None:
    """Start services and wait until they answer. They run until `down`.

    \b
    Examples:
      labkit services up postgres redis
    """
    from labkit.services import control

    with _told():
        _show(control.up(*names or ()), json)


def status(names: list[str] | None = _NAMES, json: bool = _JSON) -> None:
    """Show what runs, where, and what is missing.

    \b
    Examples:
      labkit services status
      labkit services status redis --json
    """
    from labkit.services import control

    with _told():
        _show(control.status(*names or ()), json)


def down(
    names: list[str] | None = _NAMES,
    json: bool = _JSON,
    delete_data: bool = typer.Option(False, "--delete-data", help="Delete their data and passwords, too."),
) -> None:
    """Stop services, and all their processes. Their data stays.

    \b
    Examples:
      labkit services down
      labkit services down postgres --delete-data
    """
    from labkit.services import control

    with _told():
        _show(control.down(*names or (), delete_data=delete_data), json)


def url(name: str = typer.Argument(metavar="postgres|redis")) -> None:
    """Print the address of a running service, with its password.

    \b
    Examples:
      labkit services url redis
      DATABASE_URL=$(labkit services url postgres) python servers/database/server.py
    """
    from labkit.services import control

    with _told():
        typer.echo(control.url(name))


def _show(table: Table, json: bool) -> None:
    if not json:
        typer.echo(repr(table))
        return
    rows = [
        {
            "name": s.name,
            "running": s.running,
            "pid": s.pid,
            "port": s.port,
            "url": s.shown_url,
            "version": s.version,
            "data": str(s.data),
            "note": s.note,
        }
        for s in table
    ]
    typer.echo(encoder.dumps(rows, indent=2))


@contextmanager
def _told() -> Generator[None]:
    """One sentence on stderr in place of a traceback; exit code 2 for a name that there is not, else 1."""
    from labkit.services.service import ServiceError, UnknownServiceError

    try:
        yield
    except ServiceError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, UnknownServiceError) else 1) from None
