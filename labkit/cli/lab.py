"""`labkit lab` opens JupyterLab on the course; `labkit test` runs the whole test suite."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from labkit._lean import hide_grammar
from labkit.catalog import LAB_ROOT
from labkit.cli.exits import say

WELCOME = "notebooks/start/00_welcome.ipynb"
TAKES_A_VALUE = {"-c", "-k", "-m", "-n", "-o", "-p", "-W", "--deselect", "--ignore", "--junitxml", "--rootdir"}
STANDS_ALONE = re.compile(
    r"-[qvxsl]|-[A-Za-z]\S+|--(lf|ff|nf|sw|co|last-failed|failed-first|collect-only|exitfirst|stepwise|verbose)"
)
"""Options that no value follows: `-x`, `-n2`, `--lf`."""
NO_SUCH_PATH = 4
"""What pytest ends with when it is given a path that is not there."""
SETTINGS = Path(__file__).with_name("jupyter")


def lab(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port on 127.0.0.1. Default: 8888, or the next free one.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, open nothing.")] = False,
) -> None:
    """Open JupyterLab at the welcome notebook, on 127.0.0.1 with a token. Ctrl-C ends it and its kernels.

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
    LabApp.launch_instance(jupyter_arguments(port, browser=not no_browser))  # pyright: ignore[reportUnknownMemberType]


def jupyter_arguments(port: int | None, *, browser: bool) -> list[str]:
    """What JupyterLab is started with; an explicit port is used or refused, never replaced by another."""
    start = f"/lab/tree/{WELCOME}" if (LAB_ROOT / WELCOME).exists() else "/lab"
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


def test(context: typer.Context) -> None:
    """Run every test of the lab; arguments go to pytest.

    The browser tests run in a pytest process of their own: their event loop cannot share one with the async tests.

    \b
    Examples:
      labkit test
      labkit test -q tests/wire
      labkit test -k calculator -x
    """
    arguments = list(context.args)
    if absent := missing_path(arguments):
        say(f"error: there is no {absent} in {LAB_ROOT}: nothing was run")
        raise typer.Exit(NO_SUCH_PATH)
    options, general, browser = split_arguments(arguments)
    # A worker that is done takes tests from the other: some take a minute, most a millisecond.
    side_by_side = ["-n", str(workers()), "--dist=worksteal"]
    runs: list[list[str]] = []
    if general or not browser:
        parallel = [] if general or any(o.startswith("-n") for o in options) else side_by_side
        runs.append([*parallel, "--ignore=tests/browser", *options, *general])
    if browser or not general:
        reason = no_browser_reason()
        if reason:
            typer.echo(f"browser tests skipped: {reason}", err=True)
        elif has_browser_tests():
            parallel = [] if browser or any(o.startswith("-n") for o in options) else side_by_side
            runs.append([*parallel, *options, *(browser or ["tests/browser"])])
    # A thousand processes import the lab. Where bytecode may not be written, as in many containers, each compiles it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    codes = [
        subprocess.run([sys.executable, "-m", "pytest", *each], cwd=LAB_ROOT, env=environment, check=False).returncode
        for each in runs
    ]
    # 5 is "no tests collected": fine for one half of the suite when -k or -m chose tests of the other half.
    bad = [code for code in codes if code not in (0, 5)]
    raise typer.Exit(bad[0] if bad else (5 if codes and set(codes) == {5} else 0))


def missing_path(arguments: list[str]) -> str:
    """The first of pytest's arguments that can only be a path and is none; '' when all are there.

    What follows an option may be its value: then only what begins with `tests/` is taken for a path.
    """
    for before, argument in zip(["", *arguments], arguments, strict=False):
        is_value = before.startswith("-") and "=" not in before and not STANDS_ALONE.fullmatch(before)
        if argument.startswith("-") or before in TAKES_A_VALUE or (is_value and not argument.startswith("tests/")):
            continue
        if not (LAB_ROOT / argument.partition("::")[0]).exists():
            return argument.partition("::")[0]
    return ""


def has_browser_tests() -> bool:
    """Whether this copy of the lab has any."""
    return (LAB_ROOT / "tests" / "browser").is_dir()


def split_arguments(arguments: list[str]) -> tuple[list[str], list[str], list[str]]:
    """pytest arguments -> (options, paths outside tests/browser, paths in tests/browser)."""
    options: list[str] = []
    general: list[str] = []
    browser: list[str] = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        path = LAB_ROOT / argument.partition("::")[0]
        if (
            argument.startswith("-")
            or before in TAKES_A_VALUE
            or not path.exists()
            or not path.is_relative_to(LAB_ROOT / "tests")
        ):
            options.append(argument)
        elif path.is_relative_to(LAB_ROOT / "tests" / "browser"):
            browser.append(argument)
        else:
            general.append(argument)
    return options, general, browser


def workers() -> int:
    """One pytest worker more than there are cores, at most eight.

    Workers wait a third of their time, for processes, kernels and browsers that they have started.
    """
    return min((os.cpu_count() or 1) + 1, 8)


def no_browser_reason() -> str:
    """Why browser tests cannot run here, with the command that changes it; empty when they can."""
    from importlib.util import find_spec

    if find_spec("pytest_playwright") is None:
        return "playwright is not installed; run: python start.py setup --extras"
    if not find_chromium():
        return "no Chromium or Chrome found; install one (sudo apt install chromium) or set LAB_CHROMIUM to its path"
    return ""


def find_chromium() -> str:
    """Path of the browser that the browser tests drive, or an empty string."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
    found = [os.environ.get("LAB_CHROMIUM"), *map(shutil.which, names)]
    usual = (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "C:/Program Files/Google/Chrome/Application/chrome.exe",
    )
    return next((path for path in found if path), next((path for path in usual if Path(path).exists()), ""))
