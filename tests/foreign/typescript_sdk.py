"""The server beside this file, on the TypeScript SDK 2."""

from __future__ import annotations

import shutil
from pathlib import Path

import npm_packages

SDK = ["@modelcontextprotocol/server@2.4.0", "@modelcontextprotocol/node@2.1.2", "zod@4.1.12"]


def typescript() -> Path:
    """`typescript_server.mjs`, copied to where Node finds its packages."""
    modules = npm_packages.install(*SDK)
    script = modules.parent / "typescript_server.mjs"
    shutil.copyfile(Path(__file__).with_name(script.name), script)
    return script
