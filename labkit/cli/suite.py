"""`labkit test` runs the whole test suite: the browser tests beside the others, each in a pytest process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path

import typer

from labkit.catalog import LAB_ROOT
from labkit.cli.exits import say

TAKES_A_VALUE = {"-c", "-k", "-m", "-n", "-o", "-p", "-W", "--deselect", "--ignore", "--junitxml", "--rootdir"}
STANDS_ALONE = re.compile(
    r"-[qvxsl]|-[A-Za-z]\S+|--(lf|ff|nf|sw|co|last-failed|failed-first|collect-only|exitfirst|stepwise|verbose)"
)
"""Options that no value follows: `-x`, `-n2`, `--lf`."""
NO_SUCH_PATH = 4
"""What pytest ends with when it is given a path that is not there."""


def test(context: typer.Context) -> None:
    """Run every test of the lab; arguments go to pytest.

    The browser tests run in a pytest process of their own, beside the other tests: their event loop cannot share one
    with the async tests. What they print follows when both are done.

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
    counted = any(option.startswith("-n") for option in options)
    runs: list[list[str]] = []
    if general or not browser:
        # A worker that is done takes tests from the other: some take a minute, most a millisecond.
        parallel = [] if general or counted else ["-n", str(workers()), "--dist=worksteal"]
        runs.append([*parallel, "--ignore=tests/browser", *options, *general])
    if browser or not general:
        reason = no_browser_reason()
        if reason:
            typer.echo(f"browser tests skipped: {reason}", err=True)
        elif has_browser_tests():
            # What failed last is kept by each run for itself: the one that ends later would overwrite it.
            own = ["-o", "cache_dir=.pytest_cache/browser"]
            runs.append([*own, *options, *(browser or ["tests/browser"])])
    codes = run_all(runs, beside=not counted)
    # 5 is "no tests collected": fine for one half of the suite when -k or -m chose tests of the other half.
    bad = [code for code in codes if code not in (0, 5)]
    raise typer.Exit(bad[0] if bad else (5 if codes and set(codes) == {5} else 0))


def run_all(runs: Sequence[Sequence[str]], *, beside: bool) -> list[int]:
    """Run pytest once for each list of arguments and return the exit codes.

    `beside`: all at once; the first prints as it runs, the others when it is done. Else one after the other.
    """
    # A thousand processes import the lab. Where bytecode may not be written, as in many containers, each compiles it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    commands = [[sys.executable, "-m", "pytest", *each] for each in runs]
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryFile() as kept, _ended_with_this_one(processes):
        try:
            for command in commands[1:] if beside else ():
                processes.append(
                    subprocess.Popen(
                        command, cwd=LAB_ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=kept, stderr=kept
                    )
                )
            ahead = commands[:1] if beside else commands
            codes: list[int] = []
            for command in ahead:
                processes.append(subprocess.Popen(command, cwd=LAB_ROOT, env=environment))
                codes.append(processes[-1].wait())
            return codes + [each.wait() for each in processes[: len(commands) - len(ahead)]]
        finally:
            _wait(processes)
            kept.seek(0)
            sys.stdout.write(kept.read().decode("utf-8", "replace"))
            sys.stdout.flush()


@contextlib.contextmanager
def _ended_with_this_one(processes: Sequence[subprocess.Popen[bytes]]) -> Generator[None]:
    """On SIGTERM they get what Ctrl-C sends to the whole group: pytest then ends what its tests have started."""

    def end(number: int, _: object) -> None:
        for each in processes:
            if each.poll() is None:
                each.send_signal(signal.SIGINT)
        raise SystemExit(128 + number)

    if sys.platform == "win32":  # where nobody can be asked to end
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(processes: Sequence[subprocess.Popen[bytes]], patience: float = 30) -> None:
    """Until they have ended, which those that have been interrupted do within so many seconds, or are made to."""
    for each in processes:
        try:
            each.wait(patience)
        except subprocess.TimeoutExpired:
            each.kill()
            each.wait()


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
