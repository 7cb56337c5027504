"""`labkit lab` opens JupyterLab on the course."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from labkit._lean import hide_grammar
from labkit.catalog import LAB_ROOT
from labkit.cli.exits import say

FIRST = "notebooks/start/00_welcome.ipynb"
SETTINGS = Path(__file__).with_name("jupyter")


def lab(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port on 127.0.0.1. Default: 8888, or the next free one.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, open nothing.")] = False,
) -> None:
    """Open JupyterLab at a page of what was done and what comes next, on 127.0.0.1 with a token. Ctrl-C ends it.

    In a notebook `import labkit` brings %mcp (connect, call, tape, inspect, ...; %mcp? lists all) and %%exercise.

    \b
    Examples:
      labkit lab
      labkit lab --port 9000 --no-browser
    """
    # Defaults of ours that a person's own JupyterLab settings still win over; nothing is written to ~/.jupyter.
    earlier = os.environ.get("JUPYTER_CONFIG_PATH")
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join([str(SETTINGS), *([earlier] if earlier else [])])
    # A kernel spec `python3` in the person's own folder may be any other Python; the environment's comes first.
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    # JupyterLab's event schemas need no IRI checks, and importing that checker compiles a grammar for 1 to 4 seconds.
    hide_grammar()
    from jupyterlab.labapp import LabApp  # pyright: ignore[reportMissingTypeStubs]

    typer.echo("Starting JupyterLab; Ctrl-C here ends it and its kernels.", err=True)
    sys.argv = sys.argv[:1]
    LabApp.launch_instance(jupyter_arguments(port, browser=not no_browser, page=welcome_page()))  # pyright: ignore[reportUnknownMemberType]


def welcome_page() -> Path | None:
    """The page that is written for this start; None, with a sentence on stderr, when it cannot be."""
    import sqlite3

    from labkit.errors import LabError
    from labkit.ui.welcome import write_welcome

    try:
        return write_welcome()
    # A full disk, a locked or damaged record: no reason to keep the lab closed.
    except (OSError, sqlite3.Error, LabError) as error:
        say(f"The welcome page could not be written: {error}. JupyterLab opens with the first notebook.")
        return None


def jupyter_arguments(port: int | None, *, browser: bool, page: Path | None = None) -> list[str]:
    """What JupyterLab is started with; an explicit port is used or refused, never replaced by another.

    It opens `page`, or the first notebook when there is none or it lies outside the lab's folder.
    """
    inside = page is not None and page.is_relative_to(LAB_ROOT)
    start = f"/lab/tree/{page.relative_to(LAB_ROOT).as_posix() if page and inside else FIRST}"
    arguments = [
        f"--ServerApp.root_dir={LAB_ROOT}",
        "--ServerApp.ip=127.0.0.1",
        f"--LabApp.default_url={start}",
        "--ServerApp.answer_yes=True",
        "--ServerApp.log_level=WARN",
        "--LabApp.log_level=WARN",
        # The search for language servers runs npm at every start.
        "--LanguageServerManager.autodetect=False",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if port is not None:
        arguments += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if not browser:
        arguments.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")
    return arguments
