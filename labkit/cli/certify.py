"""`labkit certify`: prove a server from a terminal or in CI."""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labkit.cli.exits import FAILED, STOPPED, USAGE, ended_as_by_ctrl_c, say, say_json, told, wrong_usage
from labkit.cli.talk import CA, CERT, KEY, parse_headers, tls_files

if TYPE_CHECKING:
    from labkit.testbench.certificate import Certificate
    from labkit.testbench.check import Check, CheckResult


class Profile(StrEnum):
    """How much is tested."""

    quick = "quick"
    full = "full"


class Wire(StrEnum):
    """How a server is tested that can be reached over both."""

    stdio = "stdio"
    http = "http"


def certify(
    target: Annotated[
        str | None,
        typer.Argument(help="A command line, a URL, a .py file, or a catalog name."),
    ] = None,
    profile: Annotated[Profile, typer.Option(help="quick: seconds; full: everything.")] = Profile.full,
    era: Annotated[list[str] | None, typer.Option(help="Protocol revision to test; repeat. Default: both.")] = None,
    via: Annotated[Wire | None, typer.Option(help="Transport, where the target leaves a choice.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A section or a check id; repeat.")] = None,
    allow_destructive: Annotated[
        bool, typer.Option("--allow-destructive", help="Also call tools that are not marked read-only.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Repeat the random choices of an earlier run.")] = 0,
    budget: Annotated[float, typer.Option(min=0, help="Seconds for all; what does not fit is not certified.")] = 60.0,
    env: Annotated[list[str] | None, typer.Option("--env", metavar="KEY=VALUE", help="For a process; repeat.")] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="NAME: VALUE", help="For a URL; repeat.")
    ] = None,
    ca: CA = None,
    cert: CERT = None,
    key: KEY = None,
    cwd: Annotated[Path | None, typer.Option(help="Folder that a process runs in.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="Known failures: JSON from check id to reason.")] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(help="Write what fails now as a baseline, and hold this run against it.")
    ] = None,
    snapshot: Annotated[
        Path | None, typer.Option(help="Pin names, schemas and descriptions here; compare when they are pinned.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page for a pull request.")] = None,
    json_: Annotated[str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - for stdout.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML.")] = None,
    sarif: Annotated[Path | None, typer.Option(help="Write SARIF 2.1.0: the security section.")] = None,
    badge: Annotated[Path | None, typer.Option(help="Write an SVG badge.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the checks, and test nothing.")] = False,
) -> None:
    """Test a server and say what is wrong with it, with evidence and how to fix it.

    Exit code 0 when it is certified, 1 when not - also when no check applies, or not all fit the budget -, 2 for wrong
    usage, 3 when it cannot be reached. With --json, errors are one line of JSON on stderr. A bare `python` in a command
    is the lab's own: name that of your environment.

    \b
    Examples:
      labkit certify "python my_server.py"
      labkit certify "npx -y @modelcontextprotocol/server-everything" --profile quick --html certificate.html
      labkit certify http://127.0.0.1:8000/mcp -H 'Authorization: Bearer KEY' --junit certificate.xml
      labkit certify https://hr.internal/mcp --ca ca.pem --cert me.pem --key me.key
      labkit certify my_server.py --write-baseline known.json; labkit certify my_server.py --baseline known.json
      labkit certify --list
    """
    as_json = json_ is not None
    if listed:
        _list(json_)
        return
    if not target:
        raise wrong_usage("certify what? Give a command, a URL, a .py file or a catalog name.", as_json=as_json)
    is_url = target.lower().startswith(("http://", "https://"))
    if is_url and (env or cwd):
        raise wrong_usage("--env and --cwd are for a process, and the target is a URL.", as_json=as_json)
    if header and not (is_url or via is Wire.http):
        raise wrong_usage("--header is for a URL, and the target is not reached over HTTP.", as_json=as_json)
    if baseline and write_baseline:
        raise wrong_usage("--baseline or --write-baseline: one of the two.", as_json=as_json)
    options: dict[str, Any] = {
        "profile": profile.value,
        "era": _split(era),
        "via": via.value if via else None,
        "only": _split(only),
        "allow_destructive": allow_destructive,
        "baseline": baseline,
        "snapshot": snapshot,
        "seed": seed,
        "budget": budget,
        "env": pairs(env or [], as_json=as_json),
        "cwd": cwd,
        "headers": parse_headers(header or []),
        "tls": tls_files(target, ca, cert, key, as_json=as_json) or None,
    }
    try:
        with ended_as_by_ctrl_c(), told(as_json=as_json, otherwise=USAGE):
            certificate = _run(target, options)
            if write_baseline:
                _write_baseline(certificate, write_baseline)
        with told(as_json=as_json, otherwise=FAILED):
            files = {".html": html, ".json": json_, ".xml": junit, ".sarif": sarif, ".svg": badge}
            written = _write(certificate, {ending: str(file) for ending, file in files.items() if file is not None})
    except KeyboardInterrupt:
        if as_json:
            say_json("stopped", "KeyboardInterrupt", STOPPED)
        else:
            say("stopped; nothing was left behind")
        raise typer.Exit(STOPPED) from None
    if json_ == "-":
        typer.echo(json.dumps(certificate.as_dict()))
    else:
        _show(certificate, [*written, *([write_baseline] if write_baseline else [])])
    raise typer.Exit(0 if certificate.passed else FAILED)


def _split(values: list[str] | None) -> list[str]:
    """Repeated options, each of which may hold several with commas."""
    return [part for value in values or [] for part in value.split(",") if part]


def pairs(lines: list[str], *, as_json: bool = False) -> dict[str, str]:
    """`KEY=VALUE` lines -> a mapping."""
    found: dict[str, str] = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals or not key:
            raise wrong_usage(f"--env {line!r}: write KEY=VALUE", as_json=as_json)
        found[key] = value
    return found


def _run(target: str, options: dict[str, Any]) -> Certificate:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from labkit.testbench import certify as certified

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting the server", total=None)

        def listener(check: Check, result: CheckResult | None, done: int, of: int) -> None:
            bar.update(task, total=of, completed=done, description=check.id)

        return asyncio.run(certified(target, **options, listener=listener))


def _write_baseline(certificate: Certificate, path: Path) -> None:
    from labkit.testbench.certifying import hold, write_baseline

    hold(certificate, write_baseline(certificate, path))


def _write(certificate: Certificate, files: dict[str, str]) -> list[Path]:
    from labkit.testbench.report import save

    return [save(certificate, file, ending) for ending, file in files.items() if file != "-"]


def _show(certificate: Certificate, written: list[Path]) -> None:
    from rich.console import Console
    from rich.text import Text

    from labkit.testbench.report.text import visible

    console = Console()
    headline, *rest = visible(str(certificate)).split("\n")
    console.print(Text(headline, style="bold green" if certificate.passed else "bold red"), soft_wrap=True)
    for line in rest:
        console.print(Text(line, style=_style(line)), soft_wrap=True)
    for path in written:
        say(f"written: {path}")


def _style(line: str) -> str:
    first = line.split(maxsplit=2)[0:1]
    styles = {"error": "red", "✗": "bold", "‼": "bold red", "warning": "yellow", "info": "cyan", "fix:": "green"}
    styles["seed"] = "dim"
    return styles.get(first[0].rstrip(":"), styles.get(first[0], "dim" if first[0] == "–" else "")) if first else ""


def _list(json_: str | None) -> None:
    """The checks, for reading or as JSON."""
    from labkit.testbench.certifying import all_checks

    checks = list(all_checks().values())
    if json_ is None:
        for check in checks:
            where = "" if len(check.transports) == 2 else f", {' '.join(check.transports)} only"
            typer.echo(f"{check.id}  ({check.severity}, {check.profile}{where})")
            typer.echo(f"    {check.title}  [{check.spec}]\n    fix: {check.fix}")
        return
    members = ("id", "title", "severity", "profile", "spec", "fix")
    rows = [
        {name: getattr(check, name) for name in members} | {"transports": sorted(check.transports)} for check in checks
    ]
    text = json.dumps(rows, indent=2, ensure_ascii=False)
    if json_ == "-":
        typer.echo(text)
    else:
        Path(json_).write_text(f"{text}\n", encoding="utf-8")
