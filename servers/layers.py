"""Servers below a server: what `workflow` and `analytics` stand on. The upper server is a client of the lower.

    async with layers("database", settings="ANALYTICS", tools={"query"}) as below:
        answer = await below["database"].call("query", {"sql": "SELECT 1 AS one"})

Where a lower server is says the environment: ANALYTICS_DATABASE=http://127.0.0.1:8001/mcp. Without it, the lower server
is loaded into this process and connected to in memory, on first use: still a client and a server that share nothing but
the protocol.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.abc
import mcp_types as types
from mcp import Client

HERE = Path(__file__).parent
SECONDS = 30
"""How long a call to a lower server may take."""
_loaded = count(1)


class LayerError(Exception):
    """A call to a lower server did not work; the message says which, why, and what to do."""


class LayerRefused(LayerError):
    """The lower server has answered, and refused: nothing was changed by this call."""


class LayerLost(LayerError):
    """There was no answer: whether the call was carried out is not known."""


class Layer:
    """A server of the lower layer."""

    def __init__(self, name: str, url: str, setting: str, tools: Collection[str] | None, tasks: Any) -> None:
        self.name = name
        self._url, self._setting, self._tools = url, setting, tools
        self._tasks: anyio.abc.TaskGroup = tasks
        self._client: Client | None = None
        self._opening = anyio.Lock()

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The structured answer of a tool. Raises LayerRefused or LayerLost."""
        if self._tools is not None and tool not in self._tools:
            raise LayerRefused(f"{self.name}.{tool} is not among the tools that are used here: {sorted(self._tools)}")
        try:
            with anyio.fail_after(SECONDS):
                async with self._connected() as client:
                    result = await client.call_tool(tool, dict(arguments))
        except TimeoutError:
            raise LayerLost(f"{self.name} did not answer {tool} within {SECONDS} seconds") from None
        except Exception as error:
            raise LayerLost(f"{self.name} gave no answer to {tool} ({_reason(error)}): {self._advice}") from error
        if result.is_error:
            said = " ".join(block.text for block in result.content if isinstance(block, types.TextContent))
            raise LayerRefused(said.removeprefix(f"Error executing tool {tool}: "))
        return result.structured_content or {}

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Client]:
        if self._url:
            # A connection for each call: when the server below has been restarted, the next call does not notice.
            async with Client(self._url, read_timeout_seconds=SECONDS) as client:
                yield client
            return
        async with self._opening:
            # Kept, by a task of its own: who enters a client has to leave it, and callers come and go.
            kept = self._client = self._client or await self._tasks.start(self._keep)
        yield kept

    async def _keep(self, *, task_status: anyio.abc.TaskStatus[Client]) -> None:
        async with Client(await anyio.to_thread.run_sync(_load, self.name)) as client:
            task_status.started(client)
            await anyio.sleep_forever()

    @property
    def _advice(self) -> str:
        if self._url:
            return f"is it running at {self._setting}={self._url}?"
        return f"see what it logged, or run it by itself and name it with {self._setting}=http://..."


@asynccontextmanager
async def layers(*names: str, settings: str, tools: Collection[str] | None = None) -> AsyncGenerator[dict[str, Layer]]:
    """The lower servers by name; `tools` are the only ones that may be called, all if None."""
    async with anyio.create_task_group() as tasks:
        below: dict[str, Layer] = {}
        for name in names:
            setting = f"{settings}_{name.upper()}"
            below[name] = Layer(name, os.environ.get(setting, ""), setting, tools, tasks)
        yield below
        tasks.cancel_scope.cancel()


def _load(name: str) -> Any:
    """A server object of its own, by executing its file as the lab does."""
    module_name = f"layer_{name}_{next(_loaded)}"
    spec = importlib.util.spec_from_file_location(module_name, HERE / name / "server.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # pydantic looks the module up while it runs
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[module_name]
    return module.server


def _reason(error: Exception) -> str:
    while isinstance(error, ExceptionGroup):
        error = cast("ExceptionGroup[Exception]", error).exceptions[0]
    return str(error) or type(error).__name__
