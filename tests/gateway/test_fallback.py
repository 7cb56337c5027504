"""Fallback servers: who answers when a backend cannot, and when nobody else may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import mcp_types as types
import pytest
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

from labkit.defences.identity import Principal
from labkit.errors import RpcError
from labkit.gateway import Gateway
from labkit.session.connection import Connection, connect

from .conftest import MODERN, Asked, ScriptedHttp
from .front_case import Json

READ = types.ToolAnnotations(read_only_hint=True)
AGAIN = types.ToolAnnotations(idempotent_hint=True)
NOWHERE = "http://127.0.0.1:9/mcp"
"""Nobody listens on the port `discard`."""


class Word(BaseModel):
    word: str


class Shop:
    """A server that counts what it did."""

    def __init__(self, name: str) -> None:
        self.done: list[str] = []
        self.server: MCPServer[Any] = MCPServer(name, log_level="CRITICAL")

        @self.server.tool(annotations=READ)
        async def look(what: str) -> str:
            """Look."""
            return self.did("look", what)

        @self.server.tool(annotations=AGAIN)
        async def put(what: str) -> str:
            """Put."""
            return self.did("put", what)

        @self.server.tool()
        async def order(what: str) -> str:
            """Order."""
            return self.did("order", what)

        @self.server.tool(annotations=READ)
        async def refuse(what: str) -> str:
            """Refuse."""
            self.done.append(f"refuse {what}")
            raise ToolError(f"{name} does not sell {what}")

        @self.server.tool(annotations=READ)
        async def ask(ctx: Context) -> str:
            """Ask."""
            answer = await ctx.elicit("which one?", Word)
            return f"{name} {answer.action}"

        if name == "second":

            @self.server.tool()
            async def only_here() -> str:
                """Only here."""
                return name

        self.name = name

    def did(self, what: str, which: str) -> str:
        self.done.append(f"{what} {which}")
        return f"{self.name}: {what} {which}"


def tools(name: str = "first") -> list[Json]:
    hints: dict[str, Json] = {"look": {"readOnlyHint": True}, "put": {"idempotentHint": True}, "order": {}}
    schema = {"type": "object", "properties": {"what": {"type": "string"}}}
    return [{"name": tool, "inputSchema": schema, "annotations": said} for tool, said in hints.items()]


class Failing:
    """A server behind HTTP that lists its tools, gets calls, and then fails in the way of the test."""

    def __init__(self, scripted: ScriptedHttp) -> None:
        self.scripted, self.calls, self.how = scripted, list[str](), "hang up"
        scripted.script = self.answer

    async def answer(self, asked: Asked) -> None:
        method = asked.message["method"]
        if method == "tools/list":
            await asked.result({"tools": tools(), "resultType": "complete", "ttlMs": 0, "cacheScope": "private"})
        elif method == "tools/call":
            self.calls.append(asked.message["params"]["name"])
            if self.how == "hang up":
                asked.close()
            elif self.how == "hang":
                await asked.gone()
            elif self.how == "503":
                await asked.send(b"no", "503 Service Unavailable", "Content-Type: text/plain")
            elif self.how == "error":
                error = {"code": -32603, "message": "crashed"}
                await asked.json({"jsonrpc": "2.0", "id": asked.message["id"], "error": error})
        else:
            await asked.send(b"", "202 Accepted")


@pytest.fixture
def second() -> Shop:
    return Shop("second")


def servers(url: str, second: Shop, **options: Any) -> dict[str, Any]:
    first = {"url": url, "gateway": {"fallback": "second", "era": MODERN, "timeout": 20, **options}}
    return {"first": first, "second": second.server}


@pytest.fixture
async def failing(scripted: ScriptedHttp) -> Failing:
    return Failing(scripted)


@pytest.fixture
async def conn(failing: Failing, second: Shop) -> AsyncIterator[Connection]:
    async with Gateway.of(servers(failing.scripted.url, second)) as gateway:
        await gateway.awake()
        async with await connect(gateway.server) as made:
            yield made


async def called(conn: Connection, tool: str, what: str = "tea", **more: Any) -> Json:
    return await conn.send("tools/call", {"name": tool, "arguments": {"what": what}, **more})


def text(result: Json) -> str:
    return result["content"][0]["text"]


def source(result: Json) -> str | None:
    return (result.get("_meta") or {}).get("labkit/source")


# in the middle of a call -------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["hang up", "503"])
@pytest.mark.parametrize("tool", ["look", "put"])
async def test_a_call_that_may_be_made_twice_is_answered_by_the_other(
    conn: Connection, failing: Failing, second: Shop, tool: str, how: str
) -> None:
    failing.how = how
    result = await called(conn, f"first.{tool}")
    assert failing.calls[0] == tool
    assert text(result) == f"second: {tool} tea"
    assert source(result) == "second"
    assert result["_meta"]["labkit/reason"] == "unavailable"
    assert not result.get("isError")


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["hang up", "503"])
async def test_a_call_that_may_have_done_something_is_never_made_elsewhere(
    conn: Connection, failing: Failing, second: Shop, how: str
) -> None:
    failing.how = how
    result = await called(conn, "first.order")
    assert failing.calls == ["order"]
    assert second.done == []
    assert result["isError"]
    assert result["_meta"]["labkit/reason"] == "unavailable"
    assert source(result) is None


@pytest.mark.anyio
async def test_a_call_that_times_out_goes_elsewhere_only_when_it_may(scripted: ScriptedHttp, second: Shop) -> None:
    failing = Failing(scripted)
    failing.how = "hang"
    async with Gateway.of(servers(scripted.url, second, timeout=0.3)) as gateway:
        await gateway.awake()
        async with await connect(gateway.server) as conn:
            result = await called(conn, "first.look")
            assert (text(result), result["_meta"]["labkit/reason"]) == ("second: look tea", "timeout")
            assert (await called(conn, "first.order"))["isError"]
    assert second.done == ["look tea"]


@pytest.mark.anyio
async def test_an_error_is_an_answer(conn: Connection, failing: Failing, second: Shop) -> None:
    failing.how = "error"
    with pytest.raises(RpcError, match="crashed"):
        await called(conn, "first.look")
    assert second.done == []


@pytest.mark.anyio
async def test_what_a_tool_refuses_it_refuses(second: Shop) -> None:
    first = Shop("first")
    given = {"first": {"server": first.server, "gateway": {"fallback": "second"}}, "second": second.server}
    async with Gateway.of(given) as gateway, await connect(gateway.server) as conn:
        result = await called(conn, "first.refuse")
    assert "first does not sell tea" in text(result)
    assert second.done == []


# before anything was sent ------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_backend_that_was_never_there_is_stood_in_for(second: Shop) -> None:
    async with Gateway.of(servers(NOWHERE, second)) as gateway, await connect(gateway.server) as conn:
        names = {tool["name"] for tool in (await conn.send("tools/list"))["tools"]}
        assert {"first.order", "second.order"} <= names
        result = await called(conn, "first.order")
        assert (text(result), source(result)) == ("second: order tea", "second")
        assert source(await called(conn, "second.order")) is None


@pytest.mark.anyio
async def test_a_backend_that_has_gone_gets_nothing_and_the_other_answers(
    conn: Connection, failing: Failing, second: Shop
) -> None:
    await failing.scripted.stop()
    result = await called(conn, "first.order")
    assert failing.calls == []
    assert (text(result), source(result)) == ("second: order tea", "second")


@pytest.mark.anyio
async def test_a_name_that_the_other_does_not_have_is_not_answered(failing: Failing) -> None:
    other: MCPServer[Any] = MCPServer("second", log_level="CRITICAL")
    async with Gateway.of({**servers(failing.scripted.url, Shop("x")), "second": other}) as gateway:
        await gateway.awake()
        await failing.scripted.stop()
        async with await connect(gateway.server) as conn:
            result = await called(conn, "first.order")
    assert result["isError"]
    assert "first" in text(result)


@pytest.mark.anyio
async def test_fallbacks_are_tried_one_after_the_other(second: Shop) -> None:
    given = {
        "first": {"url": NOWHERE, "gateway": {"fallback": "middle"}},
        "middle": {"url": NOWHERE, "gateway": {"fallback": "second"}},
        "second": second.server,
    }
    async with Gateway.of(given) as gateway, await connect(gateway.server) as conn:
        result = await called(conn, "first.order")
    assert (text(result), source(result)) == ("second: order tea", "second")
    assert second.done == ["order tea"]


@pytest.mark.anyio
async def test_a_stand_in_that_may_have_done_it_is_the_last_one(failing: Failing, second: Shop) -> None:
    given = servers(NOWHERE, second, fallback="middle")
    given["middle"] = {"url": failing.scripted.url, "gateway": {"fallback": "second", "era": MODERN}}
    async with Gateway.of(given) as gateway, await connect(gateway.server) as conn:
        result = await called(conn, "first.order")
    assert failing.calls == ["order"]
    assert second.done == []
    assert result["isError"]
    assert "middle" in text(result)  # the one that is to be looked at


# with the other rules ----------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_breaker_judges_the_one_that_failed_and_spares_it(scripted: ScriptedHttp, second: Shop) -> None:
    failing = Failing(scripted)
    rules = {"breaker": {"failures": 2, "recover": 600}}
    async with Gateway.of(servers(scripted.url, second), rules) as gateway:
        await gateway.awake()
        async with await connect(gateway.server) as conn:
            for _ in range(2):
                assert source(await called(conn, "first.look")) == "second"
            assert gateway.rules.breaker is not None
            assert gateway.rules.breaker.state("first") == "open"
            asked = len(failing.calls)
            result = await called(conn, "first.order")  # nothing has been sent: it may go
            assert (source(result), result["_meta"]["labkit/reason"]) == ("second", "circuit-open")
            assert len(failing.calls) == asked
            assert gateway.rules.breaker.state("second") == "closed"


@pytest.mark.anyio
async def test_a_stand_ins_answer_is_not_kept(failing: Failing, second: Shop) -> None:
    rules = {"cache": {"first.look": 60}}
    async with Gateway.of(servers(failing.scripted.url, second), rules) as gateway:
        await gateway.awake()
        async with await connect(gateway.server) as conn:
            for _ in range(2):
                assert source(await called(conn, "first.look")) == "second"
    assert second.done == ["look tea"] * 2


IDENTITY: Json = {
    "identity": {"required": False, "keys": [{"principal": "alice", "sha256": "0" * 64, "roles": ["staff"]}]},
    "breaker": {"failures": 1, "recover": 600},
}


@pytest.mark.anyio
async def test_who_may_not_use_the_tool_is_not_answered_by_the_other(
    failing: Failing, second: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = {**IDENTITY, "roles": {"staff": {"tools": ["first.*"]}, "guest": {"tools": ["first.look"]}}}
    async with Gateway.of(servers(failing.scripted.url, second), rules) as gateway:
        await gateway.awake()
        roles = ["staff"]
        monkeypatch.setattr(Gateway, "principal", property(lambda _: Principal("alice", tuple(roles), "key")))
        async with await connect(gateway.server) as conn:
            assert source(await called(conn, "first.look")) == "second"  # and the circuit is open now
            assert source(await called(conn, "first.order")) == "second"
            roles[:] = ["guest"]
            result = await called(conn, "first.order")
    assert result["isError"]
    assert second.done == ["look tea", "order tea"]


@pytest.mark.anyio
async def test_what_the_other_does_not_offer_it_does_not_stand_in_for(failing: Failing, second: Shop) -> None:
    given = servers(failing.scripted.url, second)
    given["second"] = {"server": second.server, "gateway": {"tools": {"deny": ["look"]}}}
    async with Gateway.of(given) as gateway:
        await gateway.awake()
        async with await connect(gateway.server) as conn:
            assert (await called(conn, "first.look"))["isError"]
    assert second.done == []


@pytest.mark.anyio
async def test_tools_that_are_denied_at_the_other_are_not_listed_for_the_one_it_stands_in_for(second: Shop) -> None:
    given = servers(NOWHERE, second)
    given["second"] = {"server": second.server, "gateway": {"tools": {"deny": ["only_*"]}}}
    async with Gateway.of(given) as gateway, await connect(gateway.server) as conn:
        names = {tool["name"] for tool in (await conn.send("tools/list"))["tools"]}
    assert "first.order" in names
    assert not [name for name in names if "only_here" in name]


@pytest.mark.anyio
async def test_an_older_version_may_stand_in(failing: Failing, second: Shop) -> None:
    given = servers(failing.scripted.url, second, prefix="shop", version="2", fallback="old")
    del given["second"]
    old = {"prefix": "shop", "version": "1", "deprecated": "use 2"}
    given["old"] = {"server": second.server, "gateway": old}
    async with Gateway.of(given) as gateway:
        await gateway.awake()
        async with await connect(gateway.server) as conn:
            result = await called(conn, "shop.look")
    assert (text(result), source(result)) == ("second: look tea", "old")
    assert result["_meta"]["labkit/deprecated"] == "use 2"


@pytest.mark.anyio
@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_a_stand_in_asks_the_client_only_where_its_answer_finds_the_way_back(second: Shop, era: str) -> None:
    given = servers(NOWHERE, second)
    given["second"] = {"server": second.server, "gateway": {"era": "2025-11-25"}}
    async with Gateway.of(given) as gateway:
        asked: list[str] = []

        def answer(message: str, schema: Json) -> Json:
            asked.append(message)
            return {"word": "green"}

        async with await connect(gateway.server, era=era, on_elicit=answer) as conn:
            if era == MODERN:  # its next round would go to the one that is called
                with pytest.raises(RpcError, match="nobody is there to answer"):
                    await conn.call("first.ask")
                assert asked == []
            else:
                assert (await conn.call("first.ask")).text == "second accept"
                assert asked == ["which one?"]


@pytest.mark.anyio
async def test_when_the_first_is_back_it_answers_itself(failing: Failing, second: Shop) -> None:
    port = int(failing.scripted.url.rsplit(":", 1)[1].split("/")[0])
    async with Gateway.of(servers(failing.scripted.url, second)) as gateway:
        await gateway.awake()
        async with await connect(gateway.server) as conn:
            await failing.scripted.stop()
            assert source(await called(conn, "first.look")) == "second"
            await failing.scripted.start(port)
            failing.how = "answer"

            async def answering(asked: Asked) -> None:
                if asked.message["method"] == "tools/call":
                    await asked.result({"content": [{"type": "text", "text": "first"}], "resultType": "complete"})
                else:
                    await failing.answer(asked)

            failing.scripted.script = answering
            async with asyncio.timeout(30):
                while source(result := await called(conn, "first.look")) is not None:
                    await asyncio.sleep(0.01)
            assert text(result) == "first"


def test_hints_are_believed_only_when_they_are_true() -> None:
    from labkit.gateway.config import BackendConfig, GatewayConfig
    from labkit.gateway.views import Views

    hints: dict[str, Any] = {
        "read": {"readOnlyHint": True},
        "again": {"idempotentHint": True},
        "neither": {"readOnlyHint": False},
        "text": {"readOnlyHint": "false"},
        "list": [],
        "none": None,
    }
    listed = [{"name": n, "inputSchema": {}, "annotations": said} for n, said in hints.items()]
    views = Views(GatewayConfig({"b": BackendConfig("b", catalog="x", prefix="b")}))
    views.rebuild({"b": {"tools": json.loads(json.dumps(listed))}})
    safe = [name for name in hints if (found := views.at("b", name)) is not None and found.is_safe]
    assert safe == ["read", "again"]
