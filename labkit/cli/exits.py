"""How a command ends: its exit codes, and one clear sentence on stderr in place of a traceback."""

from __future__ import annotations

import json
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import typer

FAILED, USAGE, NO_CONNECTION, STOPPED = 1, 2, 3, 130


@contextmanager
def told(*, as_json: bool = False, otherwise: int = FAILED) -> Generator[None]:
    """Turn the lab's errors into a sentence and an exit code; anything else is a bug and keeps its traceback.

    `as_json` makes the sentence one line of JSON, for programs; `otherwise` is the code of errors of no other kind.
    """
    from labkit import errors

    usage = (errors.CatalogError, errors.HostConfigError, errors.UnknownNameError, errors.ArgumentsError)
    unreachable = (errors.ConnectError, errors.ConnectionClosedError, errors.CallTimeoutError)
    try:
        yield
    except errors.LabError as error:
        notes: list[str] = getattr(error, "__notes__", [])
        code = USAGE if isinstance(error, usage) else NO_CONNECTION if isinstance(error, unreachable) else otherwise
        if as_json:
            say_json("\n".join([str(error), *notes]), type(error).__name__, code)
        else:
            say("\n".join([f"error: {error}", *notes]))
        raise typer.Exit(code) from None


@contextmanager
def ended_as_by_ctrl_c() -> Generator[None]:
    """Within this, SIGTERM is Ctrl-C: what was started is ended first. For the main thread."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in what a shell starts with &
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def wrong_usage(message: str, *, as_json: bool = False) -> typer.Exit:
    """Say what is wrong with the command line; the caller raises what comes back."""
    if as_json:
        say_json(message, "UsageError", USAGE)
    else:
        say(f"error: {message}")
    return typer.Exit(USAGE)


def say_json(message: str, kind: str, code: int) -> None:
    """An error as one line of JSON on stderr."""
    say(json.dumps({"error": message, "type": kind, "exit_code": code}))


def say(message: str) -> None:
    """Write to stderr: stdout is for what a command produces."""
    typer.echo(message, err=True)
