"""The servers of servers/broken as targets of certify; those that serve HTTP by themselves run while they are used."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labkit.catalog import SERVERS

FOLDER = SERVERS / "broken"
BROKEN: dict[str, dict[str, Any]] = tomllib.loads((FOLDER / "catalog.toml").read_text(encoding="utf-8"))


@contextmanager
def broken(name: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """What to give to certify: the target and further arguments."""
    entry = BROKEN[name]
    path, via = FOLDER / entry["path"], entry.get("via", "stdio")
    if "folder" in entry:
        with tempfile.TemporaryDirectory() as folder:
            yield [sys.executable, str(path)], {"env": {entry["folder"]: folder}}
    elif via == "stdio":
        yield [sys.executable, str(path)], {}
    elif via == "http":
        yield path, {"via": "http"}
    else:
        with printed_url([sys.executable, str(path)]) as url:
            yield url, {"headers": entry.get("headers")}


@contextmanager
def printed_url(command: list[str]) -> Iterator[str]:
    """Run a server that prints its URL and ends when its stdin closes."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdin and process.stdout
            yield json.loads(process.stdout.readline())["url"]
            process.stdin.close()
            process.wait(10)
        finally:
            process.kill()
