"""`labkit record` and `labkit replay`: a session kept as a file, and used as a server or against one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from labkit.cli.certify import pairs
from labkit.cli.exits import FAILED, STOPPED, USAGE, ended_as_by_ctrl_c, say, told, wrong_usage
from labkit.cli.talk import CA, CERT, KEY, parse_headers, tls_files

_ENV = typer.Option("--env", metavar="KEY=VALUE", help="For the server's process; repeat.")


def record(
    target: Annotated[str, typer.Argument(help="A command line, a .py file, or a catalog name.")],
    out: Annotated[Path, typer.Option(help="The cassette to write: JSON lines.")],
    env: Annotated[list[str] | None, _ENV] = None,
    cwd: Annotated[Path | None, typer.Option(help="Folder that the server runs in.")] = None,
) -> None:
    """Run a server on stdin and stdout, and write down what is said. Give this command to a client as its server.

    \b
    Examples:
      labkit record "python my_server.py" --out session.jsonl
      labkit call "labkit record calculator --out sums.jsonl" add -a a=2 -a b=3
    """
    from labkit.testbench.cassette import Cassette
    from labkit.testbench.recorder import lines_of
    from labkit.testbench.recorder import record as recording
    from labkit.wire import Tape

    tape = Tape(transport="stdio")
    code = 0
    try:
        # A host may end us by SIGTERM; what was said is written all the same.
        with ended_as_by_ctrl_c(), told(otherwise=USAGE):
            code = recording(target, lines_of(sys.stdin.buffer), sys.stdout.buffer, tape, env=pairs(env or []), cwd=cwd)
    except KeyboardInterrupt:
        code = STOPPED
    finally:
        if len(tape):
            with told():
                cassette = Cassette.from_tape(tape)
                say(f"{len(cassette)} exchanges written: {cassette.save(out)}")
    if code not in (0, STOPPED):
        say(f"the server ended with exit code {code}")
        raise typer.Exit(FAILED)
    raise typer.Exit(code)


def replay(
    cassette: Annotated[Path, typer.Argument(help="A file that `labkit record` or Cassette.save wrote.")],
    against: Annotated[
        str | None, typer.Option(metavar="TARGET", help="Send the recorded requests to this server, and compare.")
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="POINTER", help="What does not count, such as /result/content/*/text; repeat."),
    ] = None,
    ignore_times: Annotated[bool, typer.Option("--ignore-times", help="Times within texts may differ.")] = False,
    env: Annotated[list[str] | None, _ENV] = None,
    cwd: Annotated[Path | None, typer.Option(help="Folder that the server runs in.")] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="NAME: VALUE", help="For a URL; repeat.")
    ] = None,
    ca: CA = None,
    cert: CERT = None,
    key: KEY = None,
    as_json: Annotated[bool, typer.Option("--json", help="The comparison as JSON.")] = False,
) -> None:
    """Be the server of a recorded session on stdin and stdout; or, with --against, find what has changed since.

    As a server, a request that was not recorded gets an error that names the nearest one; --ignore is then about
    requests, as in /params/arguments/now. Exit code 1 when an answer has changed, 3 when the server cannot be reached.

    \b
    Examples:
      labkit call "labkit replay sums.jsonl" add -a a=2 -a b=3
      labkit replay session.jsonl --against "python my_server.py" --ignore /result/structuredContent/at
    """
    from labkit.testbench.cassette import Cassette

    if against is None and (env or cwd or header or as_json or ignore_times or ca or cert or key):
        raise wrong_usage(
            "--env, --cwd, --header, --ca, --cert, --key, --json, --ignore-times go with --against TARGET."
        )
    try:
        with told(as_json=as_json, otherwise=USAGE):
            recorded = Cassette.load(cassette)
            if against is None:
                _serve(recorded, ignore or [])
                return
            options: dict[str, Any] = {"env": pairs(env or []) or None, "cwd": cwd}
            options["headers"] = parse_headers(header or []) or None
            options["tls"] = tls_files(against, ca, cert, key, as_json=as_json) or None
            comparison = _check(recorded, against, ignore=ignore or [], ignore_times=ignore_times, **options)
    except KeyboardInterrupt:
        say("stopped")
        raise typer.Exit(STOPPED) from None
    typer.echo(json.dumps(comparison.as_dict()) if as_json else repr(comparison))
    raise typer.Exit(0 if comparison.ok else FAILED)


def _serve(cassette: Any, ignore: list[str]) -> None:
    from labkit.testbench.replay import StdioReplay

    StdioReplay(cassette, sys.stdin.buffer, sys.stdout.buffer, sys.stderr, ignore).run()


def _check(cassette: Any, target: str, **options: Any) -> Any:
    import asyncio

    return asyncio.run(cassette.check(target, **options))
