"""A connection to one backend, in JSON-RPC dicts: what the gateway forwards is never made into objects and back.

`Peer` has what all transports share: the two eras and subscriptions; requests are in peer_calls.py, what comes in
peer_hearing.py. HttpPeer, StdioPeer and MemoryPeer (peer_http.py, peer_stdio.py, peer_memory.py) add the wire.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from typing import Any, cast

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from labkit.errors import CallTimeoutError, ConnectError, EraError, LabError, ResultError, RpcError
from labkit.gateway.exchange import SERVER_INFO, Caller, Exchange, Json
from labkit.gateway.peer_calls import Calls
from labkit.gateway.peer_hearing import GATEWAY, PATIENCE, OnEvent, OnLost

__all__ = [
    "CAN",
    "GATEWAY",
    "HANDSHAKE",
    "MODERN",
    "PATIENCE",
    "Caller",
    "Exchange",
    "Json",
    "OnEvent",
    "OnLost",
    "Peer",
]

MODERN = MODERN_PROTOCOL_VERSIONS[-1]
HANDSHAKE = HANDSHAKE_PROTOCOL_VERSIONS[-1]
CAN: Json = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
"""What a handshake backend is told that its client can."""

PROBE = 10.0
"""Seconds that a server has to answer `server/discover` before it is taken for one of the handshake era."""

_LOG = logging.getLogger(__name__)


class Peer(Calls):
    """A backend, whatever transport and era it speaks. Open it, use it and close it on one event loop.

    `era` asks for a revision, or "auto"; after `open` it is the one spoken. `on_event(method, params)` hears what
    belongs to no request: changed lists, updated resources, log messages. `on_lost(error)` hears once that the
    backend is gone: its process ended, or its session. A stateless one over HTTP is never lost, only out of reach.
    """

    async def _start(self) -> None:
        """Connect. Raises LabError."""

    async def _greeted(self) -> None:
        """The handshake is over."""

    async def open(self) -> None:
        """Connect, and agree on an era. Raises ConnectError; then nothing is left of it."""
        if self._state != "new":
            raise ConnectError(f"{self.who} was opened before: make a new peer.")
        self._state = "opening"
        self._loop = asyncio.get_running_loop()
        try:
            await self._start()
            if self._state != "opening":  # closed meanwhile, when there was nothing to end yet
                await self._stop()
                raise self.gone()
            await self._greet()
            await self._greeted()
            if self._state != "opening":
                raise self.gone()
            self._state = "open"
        except BaseException as error:
            await self.close()
            if isinstance(error, ConnectError) or not isinstance(error, LabError):
                raise
            raise ConnectError(f"{self.who} does not connect: {error}") from error

    # eras --------------------------------------------------------------------------------------

    def _speak(self, version: str) -> None:
        self.era, self._modern = version, version in MODERN_PROTOCOL_VERSIONS

    async def _greet(self) -> None:
        asked = self._asked_era
        if asked in HANDSHAKE_PROTOCOL_VERSIONS:
            await self._initialize(asked)
        elif asked != "auto":
            if error := await self._discover(asked):
                raise EraError(f"{self.who} does not speak {asked}: {error}. Try era='auto'.") from error
        elif error := await self._discover(MODERN):
            await self._fall_back(error)

    async def _fall_back(self, unspoken: LabError) -> None:
        supported = _supported(unspoken)
        if supported and not set(supported) & set(HANDSHAKE_PROTOCOL_VERSIONS):
            if both := [version for version in MODERN_PROTOCOL_VERSIONS if version in supported]:
                unspoken = await self._discover(both[-1]) or unspoken
                if self._modern:
                    return
            raise EraError(f"{self.who} speaks {', '.join(supported)}, and the gateway does not.") from unspoken
        try:
            await self._initialize(HANDSHAKE)
        except RpcError as error:
            # A slow starter may have read the probe that we gave up, and be bound to the modern era by it.
            if not set(_supported(error)) & set(MODERN_PROTOCOL_VERSIONS):
                raise
            if again := await self._discover(MODERN):
                raise again from error

    async def _discover(self, version: str) -> LabError | None:
        """Speak this modern version; or why not."""
        self._speak(version)
        strict = self._asked_era != "auto"
        try:
            result = await self._ask("server/discover", {}, None, self.patience if strict else PROBE)
        except (RpcError, ResultError, CallTimeoutError) as error:
            self._modern = False
            return error
        if version not in (spoken := result.get("supportedVersions") or ()):
            self._modern = False
            return ResultError(f"it discovers as one that speaks {spoken!r}")
        meta = result.get("_meta")
        info = cast(Json, meta).get(SERVER_INFO) if isinstance(meta, dict) else None
        self._introduced(result, info)
        return None

    async def _initialize(self, version: str) -> None:
        self._speak(version)
        params: Json = {"protocolVersion": version, "capabilities": CAN, "clientInfo": self._client_info}
        result = await self._ask("initialize", params, None, self.patience)
        spoken = result.get("protocolVersion")
        if spoken not in HANDSHAKE_PROTOCOL_VERSIONS:
            raise EraError(f"{self.who} was offered {version} and answers with {spoken!r}, which is no revision known.")
        self._speak(spoken)
        self._introduced(result, result.get("serverInfo"))
        self._say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def _introduced(self, result: Json, info: Any) -> None:
        self.server_info = cast(Json, info) if isinstance(info, dict) else {}
        capabilities, instructions = result.get("capabilities"), result.get("instructions")
        self.capabilities = cast(Json, capabilities) if isinstance(capabilities, dict) else {}
        self.instructions = instructions if isinstance(instructions, str) else ""

    # watching ----------------------------------------------------------------------------------

    async def watch(self, uris: Collection[str]) -> None:
        """Hear of changed lists, and of updates of exactly these resources: `on_event` is told.

        What the server cannot tell is left out. Raises LabError when it refuses.
        """
        if self._state != "open":
            raise self.gone()
        async with self._watching:
            if self._modern:
                await self._listen_for(frozenset(uris))
            else:
                await self._subscribe(frozenset(uris))

    async def _subscribe(self, uris: frozenset[str]) -> None:
        if not _can(self.capabilities, "resources", "subscribe"):
            return
        for uri in sorted(uris - self._uris):
            await self._ask("resources/subscribe", {"uri": uri}, None, self.patience)
            self._uris |= {uri}
        for uri in sorted(self._uris - uris):
            self._uris -= {uri}
            with suppress(RpcError):  # then it does not tell anyway
                await self._ask("resources/unsubscribe", {"uri": uri}, None, self.patience)

    async def _listen_for(self, uris: frozenset[str]) -> None:
        wanted: Json = {
            f"{kind}ListChanged": True
            for kind in ("tools", "prompts", "resources")
            if _can(self.capabilities, kind, "listChanged")
        }
        if uris and _can(self.capabilities, "resources", "subscribe"):
            wanted["resourceSubscriptions"] = sorted(uris)
        old = self._watcher
        if wanted == self._wanted and old is not None and not old.done():
            return
        self._watcher = None
        if wanted:
            ready: asyncio.Future[None] = self._loop.create_future()
            task = self._spawn(self._listen(wanted, ready))
            try:
                async with asyncio.timeout(self.patience):
                    await ready
            except TimeoutError:
                task.cancel()
                self._watcher = old
                raise CallTimeoutError(f"{self.who} did not acknowledge subscriptions/listen.") from None
            except BaseException:
                task.cancel()
                self._watcher = old
                raise
            self._watcher = task
        self._wanted = wanted
        if old is not None:  # only now: between the two nothing may be missed
            old.cancel()

    async def _listen(self, wanted: Json, ready: asyncio.Future[None]) -> None:
        pause = 0.5

        async def heard(method: str, params: Json) -> None:
            nonlocal pause
            if method != "notifications/subscriptions/acknowledged":
                self._event(method, params)
            elif not ready.done():
                ready.set_result(None)
            else:
                pause = 0.5
                self._missed(wanted)

        while self._state == "open":
            try:
                await self._ask("subscriptions/listen", {"notifications": wanted}, Caller(on_notify=heard), None)
            except LabError as error:
                if not ready.done():
                    if isinstance(error, RpcError) and error.code == -32601:
                        ready.set_result(None)
                    else:
                        ready.set_exception(error)
                    return
                _LOG.debug("%s ended its subscription: %s", self.name, error)
            if not ready.done():
                ready.set_result(None)
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, 10.0)

    def _missed(self, wanted: Json) -> None:
        """Events may have been missed, and are not told again: all of it may have changed."""
        for kind in ("tools", "prompts", "resources"):
            if wanted.get(f"{kind}ListChanged"):
                self._event(f"notifications/{kind}/list_changed", {})
        for uri in wanted.get("resourceSubscriptions", ()):
            self._event("notifications/resources/updated", {"uri": uri})


def _can(capabilities: Json, kind: str, what: str) -> bool:
    found = capabilities.get(kind)
    return isinstance(found, dict) and cast(Json, found).get(what) is True


def _supported(error: Exception) -> list[str]:
    data: Any = getattr(error, "data", None)
    found = cast(Json, data).get("supported") if isinstance(data, dict) else None
    return [each for each in cast("list[Any]", found) if isinstance(each, str)] if isinstance(found, list) else []
