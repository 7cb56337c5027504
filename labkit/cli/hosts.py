"""`labkit hosts`: the servers of Claude Desktop, Claude Code, Cursor, VS Code, Zed, Continue - add, prove, mend."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from labkit.cli.certify import pairs
from labkit.cli.exits import FAILED, say, told, wrong_usage
from labkit.cli.talk import parse_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labkit.hosts import HostEntry
    from labkit.hosts.known import Host
    from labkit.testbench.entry import Trial

TO = typer.Option("--to", metavar="HOST", help="claude-desktop, claude-code, cursor, vscode, zed, continue or generic.")
FROM = typer.Option("--from", metavar="HOST", help="The host; without it, all of them.")
PROJECT = typer.Option("--project", metavar="DIR", help="The file of this project's folder, not the user's.")
CONFIG = typer.Option("--config", metavar="FILE", help="Another file in that host's format.")
JSON = typer.Option("--json", help="As JSON, for programs.")


def register(app: typer.Typer) -> None:
    """Mount `hosts` on the `labkit` command."""
    hosts = typer.Typer(no_args_is_help=True, help="Servers in the configuration of desktop hosts and editors.")
    hosts.command("list")(list_)
    hosts.command()(paths)
    hosts.command(context_settings={"allow_interspersed_args": True})(add)
    hosts.command()(remove)
    hosts.command()(test)
    hosts.command()(doctor)
    app.add_typer(hosts, name="hosts")


def list_(
    host: Annotated[str | None, FROM] = None,
    project: Annotated[Path, PROJECT] = Path(),
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Every server that is configured, of the user and of this project, and in which file.

    Example: labkit hosts list --from cursor
    """
    from labkit.errors import HostConfigError
    from labkit.hosts.editing import files, read_any
    from labkit.wire import mask_url, mask_words

    rows: list[dict[str, str]] = []
    for each in _hosts(host, as_json=as_json):
        for scope, file in files(each, project):
            try:
                found = read_any(file, each).servers
            except HostConfigError as error:
                say(f"warning: {error} See: labkit hosts doctor {each.id}")
                continue
            for name, raw in found.items():
                entry = cast("dict[str, Any]", raw if isinstance(raw, dict) else {})
                words = mask_words([str(entry.get("command", "")), *map(str, entry.get("args") or [])])
                what = mask_url(str(entry.get("url") or "")) or " ".join(words)
                rows.append({"host": each.id, "scope": scope, "name": name, "starts": what, "file": str(file)})
    if as_json:
        typer.echo(json.dumps(rows))
        return
    if not rows:
        say("No host has a server yet: labkit hosts add calculator --to cursor")
    _print(rows, ("host", "scope", "name", "starts", "file"))


def paths() -> None:
    """Where each host keeps its servers on this system, and whether that file is there.

    Example: labkit hosts paths
    """
    from labkit.errors import HostConfigError
    from labkit.hosts.known import HOSTS, SCOPES

    rows: list[dict[str, str]] = []
    for host in HOSTS.values():
        for scope in SCOPES:
            try:
                file = host.file(scope)
            except HostConfigError:
                continue
            there = file.parent.is_dir() if "NAME" in file.name else file.is_file()
            rows.append({"host": host.id, "scope": scope, "there": "yes" if there else "no", "file": str(file)})
    _print(rows, ("host", "scope", "there", "file"))


def add(
    server: Annotated[str, typer.Argument(help="A server of the catalog, or the name of yours.")],
    command: Annotated[list[str] | None, typer.Argument(help="Yours: -- COMMAND ARG ...", metavar="COMMAND")] = None,
    host: Annotated[str, TO] = "",
    url: Annotated[str, typer.Option(help="Yours is reached over HTTP.")] = "",
    name: Annotated[str, typer.Option(help="What the host calls it (default: SERVER).")] = "",
    env: Annotated[list[str] | None, typer.Option("--env", metavar="KEY=VALUE", help="No secrets; repeat.")] = None,
    secret: Annotated[
        list[str] | None, typer.Option("--secret", metavar="NAME", help="Referred to, never copied; repeat.")
    ] = None,
    header: Annotated[list[str] | None, typer.Option("--header", "-H", metavar="NAME: VALUE")] = None,
    project: Annotated[Path | None, PROJECT] = None,
    config: Annotated[Path | None, CONFIG] = None,
    replace: Annotated[bool, typer.Option("--replace", help="An entry of that name is written anew.")] = False,
    check: Annotated[bool, typer.Option("--test/--no-test", help="Start it as the host would, and certify it.")] = True,
) -> None:
    """Write a server into a host's file, then start it as the host would and certify it quickly.

    The rest of the file stays as it is, and a copy is made first. Exit code 1 when the entry is not certified.

    \b
    Examples:
      labkit hosts add leave_manager --to cursor
      labkit hosts add files --to claude-code --project . -- npx -y @modelcontextprotocol/server-filesystem docs
      labkit hosts add tickets --to vscode --url https://example.com/mcp --secret TICKETS_TOKEN
    """
    from labkit.hosts.editing import add as write
    from labkit.hosts.known import find_host

    if not host:
        raise wrong_usage("add to which host? Say --to cursor; labkit hosts paths names them all.")
    with told():
        target = find_host(host)
        entry = _entry(target, server, name or server, command or [], url, env or [], secret or [], header or [])
        file = config or target.file("project" if project else "user", project=project, name=entry.name)
        copy = write(file, entry, target, replace=replace)
    typer.echo(f"{entry.name} is in {file}" + (f" (as it was: {copy.name})" if copy else ""))
    if check:
        _finish([_try(target, target.write(entry), entry.name, project)])


def remove(
    name: Annotated[str, typer.Argument(help="What the host calls it.")],
    host: Annotated[str, FROM] = "",
    project: Annotated[Path | None, PROJECT] = None,
    config: Annotated[Path | None, CONFIG] = None,
) -> None:
    """Take a server out of a host's file. The rest stays as it is, and a copy is made first.

    Example: labkit hosts remove leave_manager --from cursor
    """
    from labkit.hosts.editing import remove as take_out
    from labkit.hosts.known import find_host

    if not host:
        raise wrong_usage("remove from which host? Say --from cursor.")
    with told():
        target = find_host(host)
        file = config or target.file("project" if project else "user", project=project, name=name)
        copy = take_out(file, name, target)
    typer.echo(f"{name} is no longer in {file}" + (f" (as it was: {copy.name})" if copy else ""))


def test(
    name: Annotated[str | None, typer.Argument(help="One server; without it, all of them.")] = None,
    host: Annotated[str | None, FROM] = None,
    project: Annotated[Path, PROJECT] = Path(),
    config: Annotated[Path | None, CONFIG] = None,
) -> None:
    """Start configured servers as their hosts would - command, environment, folder - and certify each quickly.

    Exit code 1 when one is not certified, 2 when there is none of that name.

    Example: labkit hosts test leave_manager --from cursor
    """
    from labkit.hosts.editing import read_any

    with told():
        found = [
            (each, called, raw)
            for each, file in _files(host, project, config)
            for called, raw in read_any(file, each).servers.items()
        ]
    chosen = [each for each in found if name in (None, each[1])]
    if not chosen:
        names = ", ".join(sorted({each[1] for each in found})) or "none"
        raise wrong_usage(f"no host has a server {name!r}; there are: {names}" if name else "no host has a server yet")
    _finish([_try(target, raw, called, project) for target, called, raw in chosen])


def doctor(
    host: Annotated[str | None, typer.Argument(help="One host; without it, all whose files are there.")] = None,
    project: Annotated[Path, PROJECT] = Path(),
    config: Annotated[Path | None, CONFIG] = None,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Also start what can be started.")] = True,
) -> None:
    """Say what each host will stumble over, and the sentence that mends it.

    Exit code 1 when something is wrong.

    Example: labkit hosts doctor --project .
    """
    from labkit.hosts.editing import read_any
    from labkit.hosts.mistakes import mistakes

    wrong = looked = 0
    for each, file in _files(host, project, config):
        looked += 1
        with told():
            found = mistakes(each, file, project=project)
            ill = {mistake.server for mistake in found}
            if start and "" not in ill:
                for called, raw in read_any(file, each).servers.items():
                    if called not in ill:
                        found += _try(each, raw, called, project).mistakes
        wrong += len(found)
        typer.echo(f"{each.title}, {file}: {'nothing is wrong' if not found else f'{len(found)} to mend'}")
        for mistake in found:
            typer.echo(f"  {mistake}")
    if not looked:
        say("No host has a file here: labkit hosts paths says where they would be.")
    raise typer.Exit(FAILED if wrong else 0)


def _hosts(id: str | None, *, as_json: bool = False) -> list[Host]:
    from labkit.hosts.known import HOSTS, find_host

    with told(as_json=as_json):
        return [find_host(id)] if id else list(HOSTS.values())


def _files(host: str | None, project: Path, config: Path | None) -> list[tuple[Host, Path]]:
    """The files that a command is about, each with the host whose it is."""
    from labkit.hosts.editing import files

    if config and not host:
        raise wrong_usage("--config FILE is in which host's format? Name the host, such as cursor.")
    if config:
        return [(each, config) for each in _hosts(host)]
    return [(each, file) for each in _hosts(host) for _, file in files(each, project)]


def _entry(
    host: Host,
    server: str,
    name: str,
    command: list[str],
    url: str,
    env: list[str],
    secrets: list[str],
    headers: list[str],
) -> HostEntry:
    from labkit.hosts import HostEntry

    if command and url:
        raise wrong_usage("a command or --url: one of the two.")
    referred = {secret: host.refer(secret) for secret in secrets}
    if url:
        bearer = {"Authorization": f"Bearer {referred[secrets[0]]}"} if secrets else {}
        return HostEntry(name, url=url, headers={**bearer, **parse_headers(headers)}, type="http")
    settings = {**pairs(env), **referred}
    if command:
        program, *args = command
        return HostEntry(name, command=program, args=tuple(args), env=settings)
    from labkit.catalog import load_catalog
    from labkit.session.serving import launch_command

    known = load_catalog().find(server)
    start = [sys.executable, str(known.path)] if known.is_python else launch_command("stdio", known.path)
    return HostEntry(name, command=start[0], args=tuple(start[1:]), env={**known.env, **settings})


def _try(host: Host, raw: Mapping[str, Any], name: str, project: Path | None) -> Trial:
    from labkit.testbench.entry import try_entry

    return asyncio.run(try_entry(host, raw, name, project=project))


def _finish(trials: list[Trial]) -> None:
    """Say what became of each, and end with the exit code."""
    for trial in trials:
        if trial.certificate is not None:
            found = trial.certificate.count("error")
            verdict = "certified" if trial.passed else f"not certified: {found} errors"
            typer.echo(f"{trial.name}: {verdict} ({trial.certificate.ran} checks, {trial.certificate.seconds:.1f} s)")
            for result, finding in trial.certificate.findings:
                if (finding.severity or result.check.severity) == "error":
                    typer.echo(f"  {result.check.id}: {finding.message}. {result.check.fix}")
        else:
            typer.echo(f"{trial.name}: did not start")
        for mistake in trial.mistakes:
            typer.echo(f"  {mistake.sentence}")
    raise typer.Exit(0 if all(trial.passed for trial in trials) else FAILED)


def _print(rows: list[dict[str, str]], columns: tuple[str, ...]) -> None:
    widths = {column: max(len(row[column]) for row in [*rows, {column: column}]) for column in columns}
    for row in rows:
        typer.echo("  ".join(f"{row[column]:<{widths[column]}}" for column in columns).rstrip())
