"""`labkit gateway`: many servers behind one, from a configuration file."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labkit.cli.exits import FAILED, say, told
from labkit.cli.talk import ServeVia, wrong_usage

if TYPE_CHECKING:
    from labkit.gateway import GatewayConfig

FILE = typer.Argument(metavar="FILE", help="mcpServers as hosts have them, and policy under `gateway`.")
CONFIG = typer.Option("--config", metavar="FILE", help="The gateway's configuration.")


def register(app: typer.Typer) -> None:
    """Mount `gateway` on the `labkit` command."""
    gateway = typer.Typer(no_args_is_help=True, help="Many MCP servers behind one endpoint, with policy.")
    gateway.command()(run)
    gateway.command()(check)
    gateway.command()(pins)
    gateway.command()(approve)
    app.add_typer(gateway, name="gateway")


def run(
    file: Annotated[Path, FILE],
    via: Annotated[ServeVia, typer.Option(help="How clients reach it: http or stdio.")] = ServeVia.http,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
) -> None:
    """Run a gateway until Ctrl-C. Over http its address is printed, with /health, /ready and /metrics beside it.

    The file is read anew on SIGHUP, where the system has it; calls in flight are not dropped.

    \b
    Examples:
      labkit gateway run gateway.json --port 8000
      labkit gateway run gateway.json --via stdio
    """
    from labkit.gateway import Gateway
    from labkit.gateway.running import run_http, run_stdio

    if via is ServeVia.sse:
        raise wrong_usage("a gateway is reached over http or stdio")
    with told():
        gateway = Gateway(_read(file))
        if via is ServeVia.stdio:
            run_stdio(gateway)
            return

        def again(*_: object) -> None:
            gateway.reload_soon(file)

        def ready(url: str) -> None:
            typer.echo(url)
            sys.stdout.flush()
            if hasattr(signal, "SIGHUP"):
                signal.signal(signal.SIGHUP, again)

        run_http(gateway, port=port, ready=ready)


def check(
    file: Annotated[Path, FILE],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Only read the file; start no server.")] = False,
) -> None:
    """Read a configuration, start its servers once, and say what the gateway would offer and what is wrong.

    Exit code 2 for a file that cannot be used, 1 when a server cannot be reached or a name cannot be offered.

    \b
    Examples:
      labkit gateway check gateway.json
      labkit gateway check gateway.json --offline
    """
    with told(as_json=as_json):
        config = _read(file)
        if offline:
            typer.echo(json.dumps({"servers": [*config.backends]}) if as_json else f"{file}: {_count(config)}")
            return
        failed = asyncio.run(_check(config, as_json))
    raise typer.Exit(FAILED if failed else 0)


async def _check(config: GatewayConfig, as_json: bool) -> bool:
    from labkit.gateway import Gateway

    async with Gateway(config) as gateway:
        await gateway.awake()
        rows = [
            {
                "server": each.name,
                "state": each.state,
                "era": each.era,
                **{kind: len(gateway.backends[each.name].lists[kind]) for kind in ("tools", "resources", "prompts")},
                "error": each.last_error,
            }
            for each in gateway.health()
        ]
        problems = list(gateway.problems)
    if as_json:
        typer.echo(json.dumps({"servers": rows, "problems": problems}, indent=2, ensure_ascii=False))
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table("server", "state", "era", "tools", "resources", "prompts", box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(str(row[key]) for key in ("server", "state", "era", "tools", "resources", "prompts")))
        Console().print(table)
        for said in [*(f"{row['server']}: {row['error']}" for row in rows if row["error"]), *problems]:
            say(said)
    return bool(problems) or any(row["state"] != "ready" for row in rows)


def pins(
    config: Annotated[Path, CONFIG], as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """Show the tools whose definitions are pinned, and those that have changed and wait for approval.

    Example: labkit gateway pins --config gateway.json
    """
    from dataclasses import asdict

    from labkit.defences.pins import Pins

    with told():
        lines = Pins(_pins_file(config), config=config).status()
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in lines], indent=2, ensure_ascii=False))
        return
    for each in lines:
        typer.echo(f"{each.state:8} {each.name}  {each.sha256[:12]}  {each.detail}".rstrip())


def approve(
    name: Annotated[str, typer.Argument(help="A tool as clients call it, SERVER/TOOL, or a whole server.")],
    config: Annotated[Path, CONFIG],
    sha256: Annotated[str, typer.Option(help="Only the definition with this hash, or its beginning.")] = "",
) -> None:
    """Trust the definition of a tool as it is now. Look at it first: `labkit gateway pins`.

    Example: labkit gateway approve calc.add --config gateway.json
    """
    from labkit.defences.pins import Pins

    with told():
        done = Pins(_pins_file(config), config=config).approve(name, sha256)
    if not done:
        say(f"Nothing of {name} waits for approval{f' with {sha256}' if sha256 else ''}.")
        raise typer.Exit(FAILED)
    for each in done:
        typer.echo(f"approved {each.name} {each.sha256[:12]}")


def _read(file: Path) -> GatewayConfig:
    from labkit.gateway import GatewayConfig

    return GatewayConfig.read(file)


def _pins_file(file: Path) -> Path:
    from labkit.errors import GatewayConfigError

    config = _read(file)
    if config.pins is None:
        raise GatewayConfigError(f'{file} keeps no pins: write "pins": "pins.json" under "gateway".')
    return config.pins


def _count(config: GatewayConfig) -> str:
    return f"{len(config.backends)} servers: {', '.join(config.backends)}"
