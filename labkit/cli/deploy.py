"""`labkit deploy check`: what breaks MCP, or whoever runs it, in manifests that are valid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.exits import FAILED, USAGE, told

PATH = typer.Argument(
    metavar="PATH", help="A Dockerfile, Compose or Kubernetes file, nginx.conf or .service, or a folder."
)


def register(app: typer.Typer) -> None:
    """Mount `deploy` on the `labkit` command."""
    deploy = typer.Typer(no_args_is_help=True, help="Manifests: Dockerfiles, Compose, Kubernetes, nginx, systemd.")
    deploy.command()(check)
    deploy.command()(rules)
    app.add_typer(deploy, name="deploy")


def check(
    path: Annotated[Path, PATH],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Hold manifests against the rules that no schema has: probes, sessions, secrets, stops, proxies.

    Exit code 1 when an error is found (not for warnings), 2 for what cannot be read. It needs no cluster and no Docker.

    \b
    Examples:
      labkit deploy check deploy
      labkit deploy check my/deployment.yaml --json
    """
    from labkit.deploy import check_path

    with told(as_json=as_json, otherwise=USAGE):
        findings = check_path(path)
    errors = sum(finding.rule.severity == "error" for finding in findings)
    if as_json:
        rows = [
            {"rule": f.rule.id, "severity": f.rule.severity, "file": f.file, "where": f.where, "message": f.message}
            for f in findings
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            typer.echo(f"{finding.rule.severity}: {finding}")
        typer.echo(f"{errors} errors, {len(findings) - errors} warnings")
    raise typer.Exit(FAILED if errors else 0)


def rules() -> None:
    """List the rules: what goes wrong, and what to write instead.

    Example: labkit deploy rules
    """
    from labkit.deploy import RULES

    for rule in RULES.values():
        typer.echo(f"{rule.id} ({rule.severity}): {rule.goes_wrong} {rule.instead}")
