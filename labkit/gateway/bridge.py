"""Questions of a server to a client, when the two speak different eras.

In the handshake era a server asks in the middle of a call (`elicitation/create`, `sampling/createMessage`,
`roots/list`) and waits. In the stateless era it ends the call with `input_required`, and the client calls again with
the answers (2026-07-28, multi round-trip requests).

`answered` plays the stateless server's rounds for a client of the handshake era: it asks the questions, and calls
again. `Waiting` does the reverse: the call of a handshake server goes on here, while the stateless client is told what
is asked and comes back with the answers and a handle. A handle is random, good for one round, for the caller that it
was given to, for the same call, and for a few minutes; whoever else shows it is told that there is no such thing.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from mcp_types import INVALID_PARAMS

from labkit.errors import RpcError
from labkit.gateway.peer import Caller, Json

Ask = Callable[[str, Json], Awaitable[Json]]
"""Puts a question to the client: method and params -> its result. Raises RpcError."""

ROUNDS = 20
EXPIRES = 300.0
MOST = 1000
"""Calls that may wait for answers at the same time."""


def is_question(result: Json) -> bool:
    """Whether a result asks for input instead of answering."""
    return result.get("resultType") == "input_required"


async def answered(send: Callable[[Json], Awaitable[Json]], params: Json, ask: Ask) -> Json:
    """Send `params`, and again with the answers to what is asked, until the result is final. Raises RpcError."""
    result = await send(params)
    for _ in range(ROUNDS):
        if not is_question(result):
            return result
        asked = cast("dict[str, Json]", result.get("inputRequests") or {})
        answers = await asyncio.gather(*(ask(each["method"], each.get("params") or {}) for each in asked.values()))
        again: Json = {**params, "inputResponses": dict(zip(asked, answers, strict=True))}
        if "requestState" in result:
            again["requestState"] = result["requestState"]
        result = await send(again)
    raise RpcError(-32603, f"the server asked for input {ROUNDS} times and did not come to an end")


@dataclass
class _Call:
    owner: bytes
    caller: Caller | None
    task: asyncio.Task[Json] | None = None
    open: dict[str, tuple[Json, asyncio.Future[Json]]] = field(default_factory=dict[str, Any])
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    count: int = 0
    timer: asyncio.TimerHandle | None = None

    async def ask(self, method: str, params: Json) -> Json:
        self.count += 1
        key = f"ask-{self.count}"
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self.open[key] = ({"method": method, "params": params} if params else {"method": method}, answer)
        self.asked.set()
        try:
            return await answer
        finally:
            self.open.pop(key, None)


class Waiting:
    """Calls at servers of the handshake era that wait for what stateless clients have to answer."""

    def __init__(self, *, most: int = MOST, expires: float = EXPIRES) -> None:
        self._most, self._expires = most, expires
        self._calls: dict[str, _Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    async def begin(self, owner: bytes, work: Callable[[Ask], Awaitable[Json]], caller: Caller | None = None) -> Json:
        """Run `work`, which may ask. Returns its result, or a question with the handle under which it waits.

        `caller` is who the work goes on for: what it hears is heard by whoever comes back.
        """
        if len(self._calls) >= self._most:
            raise RpcError(-32603, f"{self._most} calls wait for answers already; try again later")
        call = _Call(owner, caller)
        call.task = asyncio.ensure_future(work(call.ask))
        return await self._turn(call)

    async def go_on(self, handle: Any, owner: bytes, answers: Any, caller: Caller | None = None) -> Json:
        """The client has come back: hand its answers over, and return the result or the next question."""
        call = self._calls.get(handle) if isinstance(handle, str) else None
        if call is None or not secrets.compare_digest(call.owner, owner):
            raise _unknown_state()
        del self._calls[handle]
        if call.timer:
            call.timer.cancel()
        if call.caller is not None and caller is not None:
            call.caller.on_notify, call.caller.progress_token = caller.on_notify, caller.progress_token
        given = cast(Json, answers) if isinstance(answers, dict) else {}
        for key, (_, answer) in list(call.open.items()):
            if isinstance(given.get(key), dict) and not answer.done():
                answer.set_result(given[key])
                del call.open[key]
        call.asked.clear()
        return await self._turn(call)

    async def _turn(self, call: _Call) -> Json:
        task = cast("asyncio.Task[Json]", call.task)
        if not call.open:
            asked = asyncio.ensure_future(call.asked.wait())
            try:
                await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                task.cancel()
                with suppress(BaseException):
                    await task
                raise
            finally:
                asked.cancel()
        if task.done():
            return task.result()
        handle = secrets.token_urlsafe(24)
        self._calls[handle] = call
        call.timer = asyncio.get_running_loop().call_later(self._expires, self._give_up, handle)
        questions = {key: question for key, (question, _) in call.open.items()}
        return {"resultType": "input_required", "inputRequests": questions, "requestState": handle}

    def _give_up(self, handle: str) -> None:
        call = self._calls.pop(handle, None)
        if call is not None and call.task is not None:
            call.task.cancel()

    async def close(self) -> None:
        """End all calls that wait."""
        calls, self._calls = list(self._calls.values()), {}
        for call in calls:
            if call.timer:
                call.timer.cancel()
            if call.task is not None:
                call.task.cancel()
        await asyncio.gather(*(call.task for call in calls if call.task is not None), return_exceptions=True)


class Seal:
    """Ties the state that a stateless server wants to see again to the caller that it was given to, and to the call.

    The server knows the gateway alone: whoever shows it the state is, to it, who it gave it to.
    """

    def __init__(self, secret: str = "") -> None:
        self._key = hmac.digest(secret.encode(), b"requestState", "sha256") if secret else secrets.token_bytes(32)

    def close(self, result: Json, owner: bytes) -> Json:
        """A result for the client, with its state sealed."""
        state = result.get("requestState")
        if not isinstance(state, str):
            return result
        return {**result, "requestState": f"{self._mac(state, owner)}.{state}"}

    def open(self, params: Json, owner: bytes) -> Json:
        """The params for the server, with its own state. Raises RpcError."""
        if "requestState" not in params:
            return params
        mac, _, state = str(params["requestState"]).partition(".")
        if not hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(state, owner).encode()):
            raise _unknown_state()
        return {**params, "requestState": state}

    def _mac(self, state: str, owner: bytes) -> str:
        text = owner + b"\0" + state.encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, "sha256").hex()


def _unknown_state() -> RpcError:
    return RpcError(INVALID_PARAMS, "Invalid or expired requestState", {"reason": "invalid_request_state"})


def owner_of(principal: str, method: str, params: Json) -> bytes:
    """What binds a handle: who called, and what, without the answers."""
    call = {name: value for name, value in params.items() if name not in ("_meta", "inputResponses", "requestState")}
    return json.dumps([principal, method, call], sort_keys=True).encode("utf-8", "surrogatepass")
