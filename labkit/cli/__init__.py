"""The `labkit` command. Commands live in the modules beside this one, which import what they need when they run.

Exit codes, the same for every command:
    0  done
    1  the thing asked for failed: a tool error, a notebook or a test that failed, something required is missing
    2  the command line is wrong: an unknown name, a missing argument, bad JSON
    3  no connection: the server did not start, did not answer, or went away
    130  stopped with Ctrl-C
"""

from __future__ import annotations

import sys

import typer

from labkit.cli import cassettes, lab, notebooks, suite, talk
from labkit.cli import certify as certify_
from labkit.cli import deploy as deploy_
from labkit.cli import doctor as doctor_
from labkit.cli import gateway as gateway_
from labkit.cli import hosts as hosts_
from labkit.cli import interview as interview_
from labkit.cli import load as load_
from labkit.cli import site as site_
from labkit.grading import cli as grading
from labkit.services import cli as services

app = typer.Typer(
    name="labkit",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="MCP Lab: connect to any MCP server, see the wire, run the notebooks as tests.",
    epilog="Start with [bold]labkit doctor[/], then [bold]labkit lab[/]; in a notebook, [bold]%mcp?[/]. "
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no connection, 130 stopped.",
)
app.command("lab")(lab.lab)
app.command("up", hidden=True)(lab.lab)
app.command("doctor")(doctor_.doctor)
app.command("servers")(talk.servers)
app.command("serve")(talk.serve)
app.command("call")(talk.call)
app.command("run")(notebooks.run)
app.command("site")(site_.site)
app.command("load")(load_.load)
app.command("certify")(certify_.certify)
app.command("record")(cassettes.record)
app.command("replay")(cassettes.replay)
grading.register(app)
services.register(app)
gateway_.register(app)
hosts_.register(app)
deploy_.register(app)
interview_.register(app)
app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(suite.test)


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"labkit {version('labkit')}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """MCP Lab: connect to any MCP server, see the wire, run the notebooks as tests."""


def main() -> None:
    """Entry point of the `labkit` script and of `python -m labkit`."""
    for stream in (sys.stdout, sys.stderr):
        # A console with an old code page shows a replacement character instead of ending the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    app()
