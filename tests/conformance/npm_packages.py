"""Node and packages from npm for tests: what `labkit.session.node` does, with a skip where it cannot be had."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

from labkit.session import node as nodes
from labkit.session.node import INSTALL_SECONDS, TOOLS, Node, NodeError, is_unreachable

__all__ = ["INSTALL_SECONDS", "TOOLS", "command", "install", "is_unreachable", "node"]


def node(at_least: int) -> Node:
    """A Node of that major version. Skips the test where there is none."""
    try:
        return nodes.find((at_least,))
    except NodeError as error:
        _leave(error)


@cache
def install(*packages: str, at_least: int = 20) -> Path:
    """The `node_modules` folder with these packages, each "NAME@EXACT-VERSION". Skips where npm is out of reach."""
    try:
        return nodes.install(*packages, at_least=(at_least,))
    except NodeError as error:
        _leave(error)


def command(script: Path, *arguments: str) -> list[str]:
    """What runs a script of the lab in TypeScript, its packages in place. Skips where that cannot be had."""
    try:
        return nodes.command(script, *arguments)
    except NodeError as error:
        _leave(error)


def _leave(error: NodeError) -> NoReturn:
    if error.why == "failed" and os.environ.get("CI"):
        # Without a network there is nothing to test. Anything else is a fault, and CI must not skip over it.
        pytest.fail(str(error))
    pytest.skip(str(error))
