"""A backend in this process that does what is asked of it, and what no backend should: without any server behind it.

Its one tool answers with its argument `n`. What goes wrong besides is in `fault`, or drawn by whoever made it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from labkit.errors import ConnectError, ConnectionClosedError
from labkit.gateway import connecting
from labkit.gateway.config import BackendConfig
from labkit.gateway.peer import Json
from labkit.gateway.peer_pipe import PipePeer

from .conftest import MODERN

TOOLS = [{"name": "give", "inputSchema": {"type": "object"}}]


class Faulty(PipePeer):
    """One connection to it. All of a backend share `state`."""

    transport = "memory"

    def __init__(self, name: str, state: State, **options: Any) -> None:
        super().__init__(name, **options)
        self.state = state
        self._timers: set[asyncio.TimerHandle] = set()

    async def _start(self) -> None:
        if self.state.down:
            raise ConnectError(f"{self.who} is down.")
        self.state.opened += 1
        self.state.peers.add(self)

    async def _stop(self) -> None:
        self.state.peers.discard(self)
        for timer in self._timers:
            timer.cancel()
        await asyncio.sleep(self.state.slow_end)

    def die(self) -> None:
        self.state.peers.discard(self)
        self._lose(ConnectionClosedError(f"{self.who} died."))

    def _soon(self, seconds: float, *what: Any) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, *what)
        self._timers.add(timer)
        if len(self._timers) > 200:
            self._timers = {each for each in self._timers if each.when() > asyncio.get_running_loop().time()}

    def _write(self, message: Json) -> None:
        id, method = message.get("id"), message.get("method")
        if method == "notifications/cancelled":
            self.state.cancelled += 1
        elif method == "server/discover":
            info = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}}
            self._soon(0, self._heard, {"jsonrpc": "2.0", "id": id, "result": info})
        elif method == "tools/list" and self.state.stumbles:
            self.state.stumbles -= 1
            self._soon(0, self.die)
        elif method == "tools/list":
            self._soon(0, self._heard, {"jsonrpc": "2.0", "id": id, "result": {"tools": TOOLS}})
        elif method == "tools/call":
            self._call(id, message["params"]["arguments"])
        elif id is not None:
            error = {"code": -32601, "message": "Method not found"}
            self._soon(0, self._heard, {"jsonrpc": "2.0", "id": id, "error": error})

    def _call(self, id: Any, arguments: Json) -> None:
        n, fault = arguments["n"], arguments.get("fault") or self.state.draw(arguments)
        self.state.calls[n] += 1
        self.state.faults[fault] += 1
        text = {"content": [{"type": "text", "text": str(n)}]}
        right: Json = {"jsonrpc": "2.0", "id": id, "result": text}
        wrong: Json = {**right, "result": {"content": [{"type": "text", "text": "WRONG"}]}}
        match fault:
            case "hang":
                pass
            case "slow":
                self._soon(0.02, self._heard, right)
            case "wrong id":
                self._soon(0, self._heard, {**wrong, "id": id + 100_000_000})
                self._soon(0.001, self._heard, right)
            case "nobody's id":
                self._soon(0, self._heard, {**wrong, "id": None})
                self._soon(0, self._heard, {**wrong, "id": "x"})
                self._soon(0.001, self._heard, right)
            case "twice":
                self._soon(0, self._heard, right)
                self._soon(0, self._heard, wrong)
            case "garbage":
                self._soon(0, self._heard, ["garbage", 1, None])
                self._soon(0, self._heard, "garbage")
                self._soon(0.001, self._heard, right)
            case "no result":
                self._soon(0, self._heard, {"jsonrpc": "2.0", "id": id, "result": "text"})
            case "neither":
                self._soon(0, self._heard, {"jsonrpc": "2.0", "id": id})
            case "bad content":
                self._soon(0, self._heard, {"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "?"}]}})
            case "tool error":
                self._soon(0, self._heard, {**right, "result": {**text, "isError": True}})
            case "error":
                error = {"code": -32050, "message": str(n)}
                self._soon(0, self._heard, {"jsonrpc": "2.0", "id": id, "error": error})
            case "die":
                self._soon(0, self.die)
            case "die answered":
                self._soon(0, self._heard, right)
                self._soon(0, self.die)
            case _:
                self._soon(0, self._heard, right)


class State:
    """What a faulty backend has seen, and whether it can be reached at all."""

    def __init__(self) -> None:
        self.down = False
        self.opened = self.cancelled = 0
        self.stumbles = 0
        """So many times it dies as soon as it is asked what it has."""
        self.slow_end = 0.0
        """Seconds that it takes to clean up."""
        self.peers: set[Faulty] = set()
        self.calls: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.draw: Callable[[Json], str] = lambda arguments: ""

    def kill(self) -> None:
        for peer in list(self.peers):
            peer.die()


def install(patch: pytest.MonkeyPatch) -> None:
    """Have gateways take a `State` for a server."""
    plain = connecting._memory

    def memory(config: BackendConfig) -> Any:
        state = config.server
        if not isinstance(state, State):
            return plain(config)
        return lambda on_event, on_lost: Faulty(config.name, state, on_event=on_event, on_lost=on_lost)

    patch.setattr(connecting, "_memory", memory)
