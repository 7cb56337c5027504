"""What stdio and memory have in common: one pipe for everything, and ids to tell what belongs to what."""

from __future__ import annotations

from typing import Any, cast

from labkit.gateway.peer import Exchange, Json, Peer


class PipePeer(Peer):
    """A peer whose messages all come on one way. A subclass has `_write`, and calls `_heard` for each that comes."""

    def _write(self, message: Json) -> None:
        """Send one message; never waits. Raises RpcError when it is no JSON."""
        raise NotImplementedError

    def _send(self, exchange: Exchange, message: Json) -> None:
        if exchange.caller is not None:
            exchange.caller.sent = True
        self._write(message)

    def _say(self, message: Json) -> None:
        if self._state in ("open", "opening"):
            self._write(message)

    def _give_up(self, exchange: Exchange, why: str) -> None:
        if exchange.method != "initialize":  # the one request that may not be cancelled
            params: Json = {"requestId": exchange.id, "reason": why}
            self._write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})

    def _heard(self, message: Any, related: Any = None) -> bool:
        """One message, or a batch of them; `related` is the id of the request it came with, when the pipe tells.

        Returns whether it was one.
        """
        if isinstance(message, list):
            heard = [self._heard(each, related) for each in cast("list[Any]", message)]
            return all(heard)
        if not isinstance(message, dict):
            return False
        message = cast(Json, message)
        method = message.get("method")
        if method is None:
            if "id" not in message:
                return False
            self._answered(message)
            return True
        if not isinstance(method, str):
            return False
        exchange = self._exchanges.get(related) if related is not None else None
        if message.get("id") is None:
            self._notified(exchange, message)
        else:
            self._asked(exchange if related is not None else self._only(), message)
        return True
