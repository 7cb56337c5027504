"""Jobs for the tests. A module of its own, in the path of the workers: they import what they are to call."""

from __future__ import annotations

import os
from pathlib import Path

from labkit.cluster import Stop


def double(number: int, stop: Stop) -> int:
    return 2 * number


def divide(number: int, stop: Stop) -> float:
    return 1 / number


def note(argument: tuple[str, str], stop: Stop) -> str:
    """(what, file): each try adds a line to the file; `hold` waits at its first try, `die` takes its worker along."""
    what, file = argument
    path = Path(file)
    with path.open("a", encoding="utf-8") as lines:
        lines.write(f"{os.getpid()}\n")
    if what == "die":
        os._exit(3)
    if what == "hold" and len(path.read_text(encoding="utf-8").splitlines()) == 1:
        if not stop.event.wait(60):
            return "nobody came"
        path.with_suffix(".stopped").write_text("", encoding="utf-8")
    return what
