"""The requests of one connection: how they go out, wait, are given up, and how all of it ends."""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from copy import copy
from typing import Any, cast

from labkit.errors import CallTimeoutError, ConnectionClosedError, LabError, ResultError, RpcError
from labkit.gateway.exchange import CAPABILITIES, CLIENT_INFO, HEADERS_META, PREFIX, VERSION, Caller, Exchange, Json
from labkit.gateway.peer_hearing import QUIET, Hearing

LINGER = 30.0
"""Seconds that a call which was given up counts as one that may still ask: its server may not have stopped it."""
_LOG = logging.getLogger(__name__)


class Calls(Hearing):
    """What a peer is without its way in."""

    # what a transport adds ---------------------------------------------------------------------

    def _send(self, exchange: Exchange, message: Json) -> None:
        """Send a request; what comes for it goes to the exchange."""
        raise NotImplementedError

    def _give_up(self, exchange: Exchange, why: str) -> None:
        """Nobody waits for the answer any more: tell the server."""
        raise NotImplementedError

    async def _stop(self) -> None:
        """End all that the transport started. Bounded."""

    # life --------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether requests may go out."""
        return self._state == "open"

    async def close(self) -> None:
        """End the connection, and the process. Harmless when it has ended; goes on when the caller is cancelled."""
        if self._state == "new":
            self._state = "closed"
            return
        if self._closer is None:
            self._closer = asyncio.get_running_loop().create_task(self._close(), name="labkit-gateway-close")
        await asyncio.shield(self._closer)

    async def _close(self) -> None:
        self._state = "closed"
        for exchange in list(self._exchanges.values()):
            exchange.fail(self.gone(), at_once=True)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        await self._stop()

    def gone(self) -> LabError:
        """Why no request can go out."""
        if self.error is not None:  # a new one each time: what is raised again and again collects tracebacks
            return copy(self.error).with_traceback(None)
        if self._state in ("new", "opening"):
            return ConnectionClosedError(f"{self.who} is not open yet.")
        return ConnectionClosedError(f"{self.who} was closed here.")

    def _lose(self, error: LabError) -> None:
        if self._state in ("lost", "closed"):
            return
        was_open = self._state == "open"
        self._state, self.error = "lost", error
        for exchange in list(self._exchanges.values()):
            exchange.fail(self.gone())
        if was_open and self._on_lost is not None:
            try:
                self._on_lost(error)
            except Exception:
                _LOG.exception("on_lost of %s failed", self.name)

    # requests ----------------------------------------------------------------------------------

    async def request(
        self, method: str, params: Json, caller: Caller | None = None, *, timeout: float | None = None
    ) -> Json:
        """Ask, and return the result.

        Raises RpcError for an error answer, ResultError for one that is none, CallTimeoutError after `timeout`
        seconds, and ConnectionClosedError (ServerDiedError for a process) when there will be no answer.
        """
        if self._state != "open":
            raise self.gone()
        self.in_flight += 1
        try:
            return await self._ask(method, params, caller, timeout)
        finally:
            self.in_flight -= 1

    async def notify(self, method: str, params: Json) -> None:
        """Send a notification; raises ConnectionClosedError when the peer is known to be gone."""
        if self._state != "open":
            raise self.gone()
        self._say({"jsonrpc": "2.0", "method": method, "params": params})

    async def _ask(self, method: str, params: Json, caller: Caller | None, timeout: float | None) -> Json:
        if self._state in ("lost", "closed"):
            raise self.gone()
        exchange = Exchange(next(self._ids), method, caller)
        if caller is not None and caller.on_ask is not None:
            exchange.context = copy_context()
        message = self._frame(exchange, params)
        deadline = timer = None
        if timeout is not None:
            deadline = self._loop.time() + timeout
            timer = self._loop.call_at(deadline, self._expire, exchange, timeout)
        self._exchanges[exchange.id] = exchange
        try:
            self._send(exchange, message)
            while "method" in (answer := await exchange.next()):
                await self._deliver(exchange, answer, deadline)
        except asyncio.CancelledError:
            self._abandon(exchange, "the caller gave it up")
            raise
        except CallTimeoutError:
            self._abandon(exchange, "it took too long")
            raise
        finally:
            del self._exchanges[exchange.id]
            if timer is not None:
                timer.cancel()
            for task in exchange.asks:
                task.cancel()
        return self._result(method, answer)

    def _frame(self, exchange: Exchange, params: Json) -> Json:
        caller = exchange.caller
        given = params.get("_meta")
        meta = dict(cast(Json, given)) if isinstance(given, dict) else {}
        if caller is not None:
            meta.update(caller.meta)
        meta.pop("progressToken", None)  # somebody else's: what comes for it would find nobody
        if caller is not None:
            if caller.progress_token is not None and caller.on_notify is not None:
                meta["progressToken"] = exchange.id
            if caller.headers and self._headers_in_meta:
                meta[HEADERS_META] = dict(caller.headers)
        if self._modern:
            info = caller.client_info if caller is not None else None
            meta[VERSION] = self.era
            meta[CLIENT_INFO] = info or self._client_info
            meta[CAPABILITIES] = caller.capabilities if caller is not None else {}
        elif meta:
            meta = {key: value for key, value in meta.items() if not key.startswith(PREFIX)}
        message: Json = {"jsonrpc": "2.0", "id": exchange.id, "method": exchange.method}
        if meta:
            message["params"] = {**params, "_meta": meta}
        elif params:
            message["params"] = {key: value for key, value in params.items() if key != "_meta"}
        return message

    def _expire(self, exchange: Exchange, timeout: float) -> None:
        late = f"{self.who} did not answer {exchange.method} within {timeout:g} s. The request was cancelled there."
        exchange.fail(CallTimeoutError(late), at_once=True)

    def _abandon(self, exchange: Exchange, why: str) -> None:
        if exchange.answered or self._state not in ("open", "opening"):
            return
        if exchange.method not in QUIET:
            owner = exchange.caller.owner if exchange.caller is not None else None
            self._lingering[exchange.id] = self._loop.time() + LINGER, owner
        self._give_up(exchange, why)

    def _result(self, method: str, answer: Json) -> Json:
        error, result = answer.get("error"), answer.get("result")
        if isinstance(error, dict):
            error = cast(Json, error)
            code = error.get("code")
            code = code if isinstance(code, int) else -32603
            raise RpcError(code, str(error.get("message", "")), error.get("data"), method=method)
        if error is not None or not isinstance(result, dict):
            raise ResultError(f"{self.who} answers {method} with {_shown(answer)}, which is neither result nor error.")
        return cast(Json, result)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "..."
