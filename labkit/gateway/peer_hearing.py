"""What comes on one connection, and who hears it: answers by id, progress by token, questions by call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from itertools import count
from typing import Any, cast

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from labkit.errors import ConnectError, LabError, RpcError
from labkit.gateway.exchange import SUBSCRIPTION, Exchange, Json, id_of, params_of

OnEvent = Callable[[str, Json], None]
OnLost = Callable[[LabError], None]

GATEWAY: Json = {"name": "labkit-gateway", "version": "1"}
PATIENCE = 30.0
"""Seconds for `initialize`, and for subscribing."""
QUIET = frozenset(
    [
        *("initialize", "server/discover", "ping", "logging/setLevel", "completion/complete", "subscriptions/listen"),
        *("tools/list", "prompts/list", "resources/list", "resources/templates/list"),
        *("resources/subscribe", "resources/unsubscribe"),
    ]
)
"""Requests during which no server has a reason to ask its client something."""

_LOG = logging.getLogger(__name__)


class Hearing:
    """The state of a connection, and all that comes on it."""

    transport = ""
    _headers_in_meta = True
    _loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        name: str,
        *,
        era: str = "auto",
        on_event: OnEvent | None = None,
        on_lost: OnLost | None = None,
        client_info: Json | None = None,
        patience: float = PATIENCE,
    ) -> None:
        if era not in ("auto", *HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS):
            known = ", ".join([*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS])
            raise ConnectError(f"era={era!r} is no protocol revision. Write auto, or one of: {known}.")
        self.name, self.era, self.patience = name, era, patience
        self.server_info: Json = {}
        self.capabilities: Json = {}
        self.instructions = ""
        self.in_flight: int = 0
        """Requests that wait for an answer."""
        self.strays: int = 0
        """Answers to what nobody asked, second answers, and questions that cannot be answered: dropped."""
        self.error: LabError | None = None
        """Why the peer was lost."""
        self._asked_era = era
        self._modern = False
        self._client_info = client_info or GATEWAY
        self._on_event, self._on_lost = on_event, on_lost
        self._ids = count(1)
        self._state = "new"  # new, opening, open, lost, closed
        self._exchanges: dict[int, Exchange] = {}
        self._lingering: dict[int, tuple[float, Any]] = {}  # id -> until when, and its owner
        self._asks: dict[str | int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watching = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self._wanted: Json = {}
        self._uris: frozenset[str] = frozenset()
        self._closer: asyncio.Task[None] | None = None

    def _say(self, message: Json) -> None:
        """Send a notification, or an answer to the server."""
        raise NotImplementedError

    @property
    def who(self) -> str:
        """The backend, for messages."""
        return f"The server {self.name!r}"

    def _spawn(self, work: Coroutine[Any, Any, Any], context: Context | None = None) -> asyncio.Task[Any]:
        """A task that ends with the peer, with nothing of the context (say, the identity) of whoever happens to run."""
        task = self._loop.create_task(work, name=f"labkit-gateway-{self.name}", context=context or Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver(self, exchange: Exchange, message: Json, deadline: float | None) -> None:
        caller = exchange.caller
        if caller is None or caller.on_notify is None:
            return
        method, params = message["method"], params_of(message)
        if method == "notifications/progress":
            if caller.progress_token is None:
                return
            params = {**params, "progressToken": caller.progress_token}
        try:
            async with asyncio.timeout_at(deadline):
                await caller.on_notify(method, params)
        except Exception:  # when the time is up, too: then the exchange has failed, and says so
            _LOG.debug("a listener of %s failed", method, exc_info=True)

    def _answered(self, message: Json) -> None:
        """An answer that came by its id alone."""
        id = id_of(message.get("id"))
        exchange = self._exchanges.get(id) if id is not None else None
        if exchange is not None and not exchange.answered:
            exchange.put(message)
        elif id is None or self._lingering.pop(id, None) is None:  # late is no stray
            self.strays += 1

    def _notified(self, exchange: Exchange | None, message: Json) -> None:
        """A notification; `exchange` is the request that it came with, when that is known."""
        method, params = message["method"], params_of(message)
        if method == "notifications/cancelled":
            asked = params.get("requestId")
            if isinstance(asked, str | int) and (task := self._asks.get(asked)):
                task.cancel()
            return
        subscription = self._subscription(params)
        if exchange is not None and exchange.method == "subscriptions/listen":
            exchange.put(message)
        elif subscription is not None:  # one that was ended here may go on for a moment there
            if (found := self._exchanges.get(subscription)) is not None:
                found.put(message)
        elif method == "notifications/progress":
            token = id_of(params.get("progressToken"))
            if token is not None and (found := self._exchanges.get(token)) is not None:
                found.put(message)
        elif method == "notifications/message" and (found := exchange or self._only()) is not None:
            found.put(message)
        else:
            self._event(method, params)

    def _subscription(self, params: Json) -> int | None:
        meta = params.get("_meta")
        return id_of(cast(Json, meta).get(SUBSCRIPTION)) if isinstance(meta, dict) else None

    def _event(self, method: str, params: Json) -> None:
        if self._on_event is None or self._state != "open":
            return
        meta = params.get("_meta")
        if isinstance(meta, dict) and SUBSCRIPTION in meta:
            rest = {key: value for key, value in cast(Json, meta).items() if key != SUBSCRIPTION}
            params = {key: value for key, value in params.items() if key != "_meta"} | ({"_meta": rest} if rest else {})
        try:
            self._on_event(method, params)
        except Exception:
            _LOG.exception("on_event of %s failed at %s", self.name, method)

    def _candidates(self) -> list[Exchange]:
        return [each for each in self._exchanges.values() if each.method not in QUIET]

    def _only(self) -> Exchange | None:
        """The request that something uncorrelated belongs to; or one of them, when all have the same owner."""
        now = self._loop.time()
        for id in [id for id, (until, _) in self._lingering.items() if until < now]:
            del self._lingering[id]
        found = self._candidates()
        if len(found) == 1 and not self._lingering:
            return found[0]
        owners = [each.caller.owner if each.caller is not None else None for each in found]
        owners += [owner for _, owner in self._lingering.values()]
        alike = bool(found) and owners[0] is not None and all(owner == owners[0] for owner in owners)
        return found[-1] if alike else None

    def _asked(self, exchange: Exchange | None, message: Json) -> None:
        """A request of the server; `exchange` is the request that it came with, when that is known."""
        id, method = message.get("id"), message["method"]
        caller = exchange.caller if exchange is not None else None
        if not isinstance(id, str | int):
            self.strays += 1
        elif method == "ping" and not self._modern:
            self._say({"jsonrpc": "2.0", "id": id, "result": {}})
        elif self._modern:
            self._refuse(id, -32600, f"{self.era} knows no requests of a server: answer with input_required")
        elif exchange is None:
            calls = len(self._candidates()) + len(self._lingering)
            why = f"{calls} calls are in flight on this connection" if calls else "no call is in flight"
            self._refuse(id, -32600, f"{why}: which one asks? The gateway cannot tell whose answer {method} wants")
        elif caller is None or caller.on_ask is None:
            self._refuse(id, -32601, f"nobody is there to answer {method}")
        else:
            task = self._spawn(self._answer(caller.on_ask, message), exchange.context)
            exchange.asks.append(task)
            self._asks[id] = task
            task.add_done_callback(lambda _: self._asks.pop(id, None))

    def _refuse(self, id: Any, code: int, why: str) -> None:
        self._say({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": why}})

    async def _answer(self, on_ask: Callable[[str, Json], Awaitable[Json]], message: Json) -> None:
        id = message.get("id")
        try:
            result = await on_ask(message["method"], params_of(message))
        except RpcError as error:
            said: Json = {"code": error.code, "message": error.message}
            if error.data is not None:
                said["data"] = error.data
            self._say({"jsonrpc": "2.0", "id": id, "error": said})
        except Exception:
            _LOG.exception("%s could not be answered", message["method"])
            self._refuse(id, -32603, "the gateway could not answer")
        else:
            self._say({"jsonrpc": "2.0", "id": id, "result": result})
