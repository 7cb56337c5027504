"""What practice has left: what is due, the report of a session, the history."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.exits import wrong_usage
from labkit.cli.interview_errors import told


def due(
    all: Annotated[bool, typer.Option("--all", help="Also what comes later, with its date.")] = False,
) -> None:
    """List the questions that should come again today: those that were missed first.

    Example: labkit interview due --all
    """
    from labkit.interview.record import Record
    from labkit.interview.repetition import due as due_now
    from labkit.interview.repetition import schedule

    with told():
        attempts = Record().attempts()
    found = schedule(attempts) if all else due_now(attempts)
    for each in found:
        when = each.due.astimezone().strftime("%Y-%m-%d")
        typer.echo(
            f"{when}  {each.question:26} {each.topic:10} last {each.last:>4.0%}  {'missed' if each.missed else ''}"
        )
    if not found:
        typer.echo("Nothing is due." if attempts else "Nothing was answered yet: labkit interview begins one.")


def report(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Its id. Default: the latest.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="The HTML file. Default: in the folder of interviews below work/.")
    ] = None,
) -> None:
    """Write the report of a session as one HTML page, with what to study next.

    \b
    Examples:
      labkit interview report
      labkit interview report 20261130-114116 --out interview.html
    """
    from labkit.interview.record import place
    from labkit.interview.report import write_report
    from labkit.interview.session import Session
    from labkit.interview.store import Store

    with told():
        ids = Store().ids()
        if not session and not ids:
            raise wrong_usage("there is no session yet: labkit interview begins one")
        loaded = Session.load(session or ids[-1])
        typer.echo(write_report(loaded, out or place() / "reports" / f"{loaded.id}.html"))


def history(
    plot: Annotated[
        Path | None, typer.Option(help="Draw the score by topic over time into this file (.png, .svg).")
    ] = None,
) -> None:
    """Show all sessions, and how each topic went: the first answers to its questions, and the latest.

    Example: labkit interview history --plot trend.png
    """
    from labkit.interview.history import History

    with told():
        past = History()
        typer.echo(str(past))
        if past.attempts:
            typer.echo("")
            for topic, row in past.by_topic().items():
                typer.echo(
                    f"  {topic:12} {row.questions:>3} questions  first {row.first:>4.0%}  latest {row.latest:>4.0%}"
                )
        if plot:
            past.save_plot(plot)
            typer.echo(f"Drawn into {plot}.")
