"""`labkit load`: what a server of this machine bears."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labkit.cli.exits import FAILED, STOPPED, USAGE, say, told, wrong_usage
from labkit.cli.talk import parse_arguments, parse_headers

if TYPE_CHECKING:
    from labkit.scaling import LoadReport


def load(
    target: Annotated[str, typer.Argument(help="A URL on 127.0.0.1, a command line, a .py file or a catalog name.")],
    tool: Annotated[str, typer.Option(help="The tool to call; it is called again and again, so it must bear that.")],
    arg: Annotated[
        list[str] | None,
        typer.Option("--arg", "-a", metavar="KEY=VALUE", help="One argument; the value is JSON, or else text. Repeat."),
    ] = None,
    clients: Annotated[int | None, typer.Option(help="Calls in flight. Default: 8; with --rate at most 64.")] = None,
    seconds: Annotated[float, typer.Option(help="How long, at most 300.")] = 5.0,
    calls: Annotated[int | None, typer.Option(help="How many calls, at most.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="Calls a second, whatever the server does: an open loop. Without: closed.")
    ] = None,
    poisson: Annotated[bool, typer.Option("--poisson", help="With --rate: at random times, as users call.")] = False,
    warm: Annotated[int, typer.Option(help="Calls of each client that do not count.")] = 1,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for one answer.")] = 10.0,
    era: Annotated[str, typer.Option(help="Protocol revision, such as 2025-11-25, or auto.")] = "auto",
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="NAME: VALUE", help="HTTP header. Repeat.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every call to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw latency by percentile into this file (.png, .svg).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON, for programs.")] = False,
) -> None:
    """Call one tool of a server on this machine under load: throughput, percentiles, errors by kind.

    A closed loop (--clients) finds the most that a server does. An open loop (--rate) tells what users wait: latency
    counts from when a call should have been sent. Servers elsewhere are refused.

    Exit code 0 when every call was answered well, 1 when some were not, 2 for wrong usage, 3 without a connection.

    \b
    Examples:
      labkit load calculator --tool add -a a=1 -a b=2 --clients 8 --seconds 5
      labkit load http://127.0.0.1:8000/mcp --tool add -a a=1 -a b=2 --rate 200 --csv calls.csv
      labkit load "python my_server.py" --tool search -a text=x --calls 500 --json
    """
    given, _ = parse_arguments(arg or [], None)
    if poisson and rate is None:
        raise wrong_usage("--poisson is for an open loop: give --rate, too", as_json=as_json)
    options: dict[str, Any] = {
        "clients": clients, "seconds": seconds, "calls": calls, "rate": rate, "warm": warm, "timeout": timeout,
        "era": era, "headers": parse_headers(header or []), "arrivals": "poisson" if poisson else "even",
    }  # fmt: skip
    try:
        with told(as_json=as_json, otherwise=USAGE):
            report = asyncio.run(_run(target, tool, given, options))
    except KeyboardInterrupt:
        say("stopped; nothing was left behind")
        raise typer.Exit(STOPPED) from None
    if as_json:
        typer.echo(json.dumps(report.row() | {"errors": dict(report.errors)}))
    else:
        typer.echo(repr(report))
    if csv is not None:
        say(f"written: {report.to_csv(csv)}")
    if plot is not None:
        _draw(report, plot)
        say(f"written: {plot}")
    raise typer.Exit(FAILED if report.failed or report.unsent else 0)


async def _run(target: str, tool: str, arguments: dict[str, Any], options: dict[str, Any]) -> LoadReport:
    from labkit.scaling import load as loading

    return await loading(target, tool, arguments, **options)


def _draw(report: LoadReport, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")  # a terminal has no window to draw in
    figure: Any = report.plot().figure
    figure.savefig(path, bbox_inches="tight")
