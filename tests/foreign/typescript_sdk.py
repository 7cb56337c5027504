"""The server beside this file, on the TypeScript SDK 2."""

from __future__ import annotations

import shutil
from pathlib import Path

import npm_packages

from labkit.catalog import SERVERS
from labkit.session.node import dependencies

SDK = dependencies(SERVERS / "weather_typescript" / "server.ts")
"""The versions of the lab's own server: all packages are in one place, and two versions would take turns."""


def typescript() -> Path:
    """`typescript_server.mjs`, copied to where Node finds its packages."""
    modules = npm_packages.install(*SDK)
    script = modules.parent / "typescript_server.mjs"
    shutil.copyfile(Path(__file__).with_name(script.name), script)
    return script
