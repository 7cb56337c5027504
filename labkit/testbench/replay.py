"""A cassette as a server: over stdio without any SDK, and as a server object for this kernel."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, cast

from labkit.errors import LabError
from labkit.testbench.cassette import HELLO, Cassette, Exchange, Json, masked
from labkit.testbench.pointers import Ignoring, differences

if TYPE_CHECKING:
    from mcp.server import Server


class NotRecordedError(LabError):
    """A request that the cassette has no answer to; `code` is that of the JSON-RPC error to answer with."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Player:
    """Finds the answer to a request: equal requests get theirs in the order recorded, the last one again and again.

    `ignore` are JSON pointers into a request, with * for any one step, such as /params/arguments/now.
    """

    def __init__(self, cassette: Cassette, ignore: Sequence[str] = ()) -> None:
        self.cassette = cassette
        self._ignoring = Ignoring(["/params/_meta", *ignore])
        self._used: set[int] = set()

    def find(self, method: str, params: Mapping[str, Any] | None) -> Exchange:
        """The exchange of this request. Raises NotRecordedError naming the nearest."""
        if method in HELLO:
            self._used.clear()  # another client, from the beginning
        asked = {"params": masked(dict(params or {}))}
        same = [
            number
            for number, each in enumerate(self.cassette.exchanges)
            if each.method == method and (method in HELLO or not self._apart(each, asked))
        ]
        if not same:
            if method == "ping":
                return Exchange("ping", answer={"result": {}})
            raise self._not_recorded(method, asked)
        number = next((each for each in same if each not in self._used), same[-1])
        self._used.add(number)
        return self.cassette.exchanges[number]

    def _apart(self, recorded: Exchange, asked: Json) -> list[tuple[str, Any, Any]]:
        return list(differences({"params": recorded.params}, asked, self._ignoring))

    def _not_recorded(self, method: str, asked: Json) -> NotRecordedError:
        what = Exchange(method, asked["params"]).label
        alike = [each for each in self.cassette.exchanges if each.method == method]
        if not alike:
            known = ", ".join(dict.fromkeys(each.method for each in self.cassette.exchanges))
            era = f", recorded in era {self.cassette.era}" if method in HELLO else ""
            return NotRecordedError(f"{what} is not in the cassette{era}. It has: {known}.", -32601)
        subject = (asked["params"].get("name"), asked["params"].get("uri"))
        nearest = min(
            alike,
            key=lambda each: (
                (each.params.get("name"), each.params.get("uri")) != subject,
                len(self._apart(each, asked)),
            ),
        )
        places = ", ".join(pointer for pointer, _, _ in self._apart(nearest, asked)[:5])
        return NotRecordedError(
            f"{what} is not in the cassette. The nearest is {nearest.label}, which differs at {places}."
            " Record it, or have the difference ignored.",
            -32602,
        )


class StdioReplay:
    """Answers each line of `lines` on `out`, until they end; what is not recorded is told on `complaints`, too."""

    def __init__(
        self,
        cassette: Cassette,
        lines: Iterable[bytes],
        out: IO[bytes],
        complaints: IO[str],
        ignore: Sequence[str] = (),
    ) -> None:
        self._player = Player(cassette, ignore)
        self._lines, self._out, self._complaints = iter(lines), out, complaints
        self._waiting: deque[Json] = deque()
        self._asked = 0
        self.missed = 0
        """How many requests were not in the cassette."""

    def run(self) -> None:
        """Until the lines end."""
        while (message := self._next()) is not None:
            if "method" in message and "id" in message:
                self._answer(message)

    def _next(self) -> Json | None:
        return self._waiting.popleft() if self._waiting else self._read()

    def _read(self) -> Json | None:
        for line in self._lines:
            try:
                message: Any = json.loads(line)
            except ValueError:
                self._send({"id": None, "error": {"code": -32700, "message": "Parse error"}})
                continue
            if isinstance(message, dict):
                return cast(Json, message)
            self._send({"id": None, "error": {"code": -32600, "message": "Invalid request"}})
        return None

    def _send(self, message: Json) -> None:
        self._out.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._out.flush()

    def _answer(self, request: Json) -> None:
        params: Any = request.get("params")
        known = cast(Json, params) if isinstance(params, dict) else {}
        try:
            exchange = self._player.find(str(request["method"]), known)
        except NotRecordedError as error:
            self.missed += 1
            print(error, file=self._complaints, flush=True)
            self._send({"id": request["id"], "error": {"code": error.code, "message": str(error)}})
            return
        for message in messages(exchange, known, request["id"]):
            if "answer" in message:
                self._ask(message)
            else:
                self._send(message)
        if exchange.answer:
            self._send({"id": request["id"], **exchange.answer})
        for message in exchange.after:
            self._send(message)

    def _ask(self, message: Json) -> None:
        """Send a request of the server's, and wait for the client's answer: a client may need it to go on."""
        self._asked += 1
        id = f"replay-{self._asked}"
        self._send({"id": id, **{name: each for name, each in message.items() if name != "answer"}})
        while (came := self._read()) is not None:
            if "method" not in came and came.get("id") == id:
                return
            self._waiting.append(came)


def messages(exchange: Exchange, params: Json, id: Any) -> list[Json]:
    """What came before the answer, with the progress token and the subscription of this request in it."""
    meta: Json = params.get("_meta") or {}
    found: list[Json] = []
    for message in exchange.before:
        params = dict(message.get("params") or {})
        about: Json = params.get("_meta") or {}
        if message["method"] == "notifications/progress":
            if "progressToken" not in meta:
                continue  # this client did not ask for any
            message = message | {"params": params | {"progressToken": meta["progressToken"]}}
        elif subscribed := [name for name in about if name.endswith("/subscriptionId")]:
            message = message | {"params": params | {"_meta": about | dict.fromkeys(subscribed, id)}}
        found.append(message)
    return found


def server(cassette: Cassette, ignore: Sequence[str] = ()) -> Server[Any]:
    """A low-level server that answers as recorded. Of what came before an answer it repeats the notifications."""
    from mcp import MCPError
    from mcp.server import Server
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

    player = Player(cassette, ignore)

    async def replaying(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.request_id is None:
            return await call_next(ctx)
        try:
            exchange = player.find(ctx.method, ctx.params)
        except NotRecordedError as error:
            raise MCPError(error.code, str(error)) from None
        for message in exchange.before:
            params: Json = message.get("params") or {}
            if message["method"] == "notifications/progress":
                await ctx.session.report_progress(params["progress"], params.get("total"), params.get("message"))
            elif "answer" not in message:
                outbound = ctx.session._request_outbound  # pyright: ignore[reportPrivateUsage]
                await outbound.notify(message["method"], params)
        if error := exchange.answer.get("error"):
            raise MCPError(error["code"], error["message"], error.get("data"))
        return dict(exchange.answer.get("result") or {})

    made: Server[Any] = Server(cassette.title or "cassette")
    made.middleware.append(replaying)
    return made
