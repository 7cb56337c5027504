"""The server that a drill is run against: made when asked for, in this kernel, and gone afterwards."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

from labkit.errors import CatalogError
from labkit.range.running import only_loopback
from labkit.session.connection import Connection, connect
from labkit.session.loading import load_module
from labkit.session.past import remember
from labkit.session.serving import ThreadServer


class _Web:
    """An ASGI application where the lab expects a server that has one."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def streamable_http_app(self) -> Any:
        return self._app


class Target:
    """One file of a server or a host, for one run of one group. Use as an async context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.canary = f"canary-{secrets.token_hex(12)}"
        """What an attack is after: a text that means nothing, new in every run."""
        self.folder = Path()
        """A folder for this run, removed afterwards."""
        self._stack = AsyncExitStack()
        self._made: dict[str, Any] = {}
        """By what it is and the settings it was made with."""

    async def __aenter__(self) -> Target:
        self.folder = Path(tempfile.mkdtemp(prefix="labkit-drill-")).resolve()
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def settings(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """What `make` and `app` are given: `RANGE_ROOT`, the folder, `RANGE_CANARY`, and `env`."""
        return {"RANGE_ROOT": str(self.folder), "RANGE_CANARY": self.canary, **(env or {})}

    async def connect(
        self,
        env: Mapping[str, str] | None = None,
        *,
        era: str = "auto",
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Connection:
        """A connection to the server that `make(env)` gives: the same server for the same settings, in memory.

        With `headers`, or where the file has an `app` instead, over HTTP. Raises CatalogError when the file has
        neither, ConnectError.
        """
        if headers is None and hasattr(self.module(), "make"):
            conn = await connect(self._server(env), era=era, **options)
        else:
            conn = await connect(await self.serve(env), era=era, headers=headers, **options)
        self._stack.push_async_callback(conn.close)
        return conn

    async def serve(self, env: Mapping[str, str] | None = None) -> str:
        """The URL of the server that `make(env)` or `app(env)` gives, on a free port of 127.0.0.1."""
        key = _key("url", self.settings(env))
        if key not in self._made:
            module = self.module()
            web = _Web(only_loopback(module.app(self.settings(env)))) if hasattr(module, "app") else self._server(env)
            running = await ThreadServer(self.path.stem, web).start()
            remember(running)
            self._stack.push_async_callback(running.stop)
            self._made[key] = running.url
        return str(self._made[key])

    def module(self) -> ModuleType:
        """The file as a module, executed once for this run. Raises CatalogError when it fails."""
        if "module" not in self._made:
            if not self.path.is_file():
                raise CatalogError(f"There is no Python file {self.path}: give the path of a server.")
            self._made["module"], forget = load_module(self.path)
            self._stack.callback(forget)
        return self._made["module"]

    def _server(self, env: Mapping[str, str] | None) -> Any:
        key = _key("server", self.settings(env))
        if key not in self._made:
            module = self.module()
            if not hasattr(module, "make"):
                raise CatalogError(f"{self.path} has no function make(env): it is called to get the server.")
            self._made[key] = module.make(self.settings(env))
        return self._made[key]


def _key(what: str, settings: Mapping[str, str]) -> str:
    return json.dumps([what, sorted(settings.items())])
