"""Environments for what the lab is compared with: each peer has its own, so that none of them changes the lab's.

python -m benchmarks.peers fastmcp          # makes build/peers/fastmcp, with pip and a network
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "build" / "peers"
REQUIREMENTS = {"fastmcp": ["fastmcp>=4.1,<5", "httptools"], "mcp-proxy": ["mcp-proxy>=0.13,<1"]}
INSTALL_SECONDS = 600


def python_of(peer: str) -> str | None:
    """The interpreter of a peer's environment; None when it has none yet."""
    python = FOLDER / peer / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return str(python) if python.is_file() else None


def install(peer: str) -> str:
    """Make the environment, unless it is there. Returns its interpreter; CalledProcessError without a network."""
    if found := python_of(peer):
        return found
    place = FOLDER / peer
    try:
        venv.create(place, with_pip=True)
        python = python_of(peer)
        assert python is not None
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS[peer]]
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
        return python
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)  # half an environment would be taken for a whole one next time
        raise


def version_of(peer: str, python: str) -> str:
    """The version that is installed there."""
    ask = f"from importlib.metadata import version; print(version({peer!r}))"
    return subprocess.run(
        [python, "-c", ask], check=True, capture_output=True, encoding="utf-8", timeout=60
    ).stdout.strip()


if __name__ == "__main__":
    for name in sys.argv[1:] or REQUIREMENTS:
        print(name, version_of(name, install(name)))
