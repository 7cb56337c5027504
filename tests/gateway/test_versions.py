"""Two versions of a server side by side: which one is seen, how another is asked for, and what is said of an old one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from mcp.server import MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from pydantic import Field

from labkit.errors import CollisionError, RpcError
from labkit.gateway import Gateway
from labkit.gateway.config import BackendConfig, GatewayConfig
from labkit.gateway.names import Registry
from labkit.gateway.relay import Relay
from labkit.gateway.versions import META, Versions, pins_of, rank
from labkit.session.connection import Connection, connect

from .front_case import Http, Json, Session, call, message

NOTICE = "use version 2"


def calc(version: str) -> MCPServer[Any]:
    """A calculator; the second version has a new name for an argument, and one tool more."""
    server: MCPServer[Any] = MCPServer("calc", log_level="CRITICAL")

    if version == "1":

        @server.tool()
        def add(a: int, b: int) -> str:
            """Add."""
            return f"v1: {a + b}"

    else:

        @server.tool(name="add")
        def add_two(x: int, y: int) -> str:
            """Add."""
            return f"v2: {x + y}"

        @server.tool()
        def double(x: int) -> str:
            """Double."""
            return f"v2: {2 * x}"

    @server.tool()
    def version_of() -> str:
        """The version."""
        return version

    @server.resource("calc://about")
    def about() -> str:
        return f"calc {version}"

    @server.prompt()
    def explain() -> list[UserMessage]:
        """Explain."""
        return [UserMessage(f"as version {version} does")]

    return server


def versioned(version: str, **more: Any) -> Json:
    return {"server": calc(version), "gateway": {"prefix": "calc", "version": version, **more}}


def servers() -> dict[str, Any]:
    return {"old": versioned("1", deprecated=NOTICE), "new": versioned("2"), "other": calc("1")}


POLICY: Json = {"cache": {"calc.version_of": 60}, "breaker": {}}


def others(servers: dict[str, Any]) -> dict[str, Any]:
    # The third one has resources of the same URI: its own are not wanted here.
    return {**servers, "other": {"server": servers["other"], "gateway": {"resources": {"deny": ["*"]}}}}


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway.of(others(servers()), POLICY) as made:
        await made.awake()
        yield made


@pytest.fixture(params=["2026-07-28", "2025-11-25"])
async def conn(gateway: Gateway, request: pytest.FixtureRequest) -> AsyncIterator[Connection]:
    async with await connect(gateway.server, era=request.param) as made:
        yield made


def pinned(version: str, params: Json | None = None) -> Json:
    return {**(params or {}), "_meta": {META: {"calc": version}}}


async def called(conn: Connection, tool: str, arguments: Json, version: str | None = None) -> Json:
    params: Json = {"name": tool, "arguments": arguments}
    return await conn.send("tools/call", params if version is None else pinned(version, params))


def text(result: Json) -> str:
    return result["content"][0]["text"]


# which one is seen -------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_by_default_the_highest_version_is_listed_and_called(conn: Connection) -> None:
    listed = {tool["name"]: tool for tool in (await conn.send("tools/list"))["tools"]}
    assert sorted(name for name in listed if name.startswith("calc.")) == ["calc.add", "calc.double", "calc.version_of"]
    assert set(listed["calc.add"]["inputSchema"]["properties"]) == {"x", "y"}
    result = await called(conn, "calc.add", {"x": 1, "y": 2})
    assert text(result) == "v2: 3"
    assert "labkit/deprecated" not in (result.get("_meta") or {})


@pytest.mark.anyio
async def test_a_pin_changes_list_and_call_alike_and_says_what_is_deprecated(conn: Connection) -> None:
    tools = (await conn.send("tools/list", pinned("1")))["tools"]
    listed = {tool["name"]: tool for tool in tools if tool["name"].startswith("calc.")}
    assert set(listed) == {"calc.add", "calc.version_of"}
    assert set(listed["calc.add"]["inputSchema"]["properties"]) == {"a", "b"}
    assert listed["calc.add"]["description"].startswith(f"Deprecated: {NOTICE}")
    result = await called(conn, "calc.add", {"a": 1, "b": 2}, "1")
    assert text(result) == "v1: 3"
    assert result["_meta"]["labkit/deprecated"] == NOTICE
    assert text(await called(conn, "calc.add", {"x": 1, "y": 2}, "2")) == "v2: 3"


@pytest.mark.anyio
async def test_what_the_pinned_version_does_not_have_is_unknown(conn: Connection) -> None:
    with pytest.raises(RpcError, match=r"Unknown tool: calc\.double"):
        await called(conn, "calc.double", {"x": 1}, "1")


@pytest.mark.anyio
async def test_resources_and_prompts_follow_the_pin(conn: Connection) -> None:
    for version in ("1", "2"):
        read = await conn.send("resources/read", pinned(version, {"uri": "calc://about"}))
        assert read["contents"][0]["text"] == f"calc {version}"
        prompt = await conn.send("prompts/get", pinned(version, {"name": "calc.explain"}))
        assert prompt["messages"][0]["content"]["text"] == f"as version {version} does"
        assert (prompt.get("_meta") or {}).get("labkit/deprecated") == (NOTICE if version == "1" else None)


@pytest.mark.anyio
async def test_other_servers_are_seen_whatever_is_pinned(conn: Connection) -> None:
    for version in ("1", "2"):
        names = {tool["name"] for tool in (await conn.send("tools/list", pinned(version)))["tools"]}
        assert {"other.add", "other.version_of"} <= names


@pytest.mark.anyio
async def test_the_cache_keeps_versions_apart(conn: Connection) -> None:
    for _ in range(2):
        assert text(await called(conn, "calc.version_of", {}, "1")) == "1"
        assert text(await called(conn, "calc.version_of", {}, "2")) == "2"
        assert text(await called(conn, "calc.version_of", {})) == "2"


@pytest.mark.anyio
async def test_a_dead_version_is_not_replaced_by_another_one() -> None:
    broken = {"url": "http://127.0.0.1:9/mcp", "gateway": {"prefix": "calc", "version": "2"}}
    async with Gateway.of({"old": versioned("1"), "new": broken}) as gateway:
        async with await connect(gateway.server) as conn:
            assert list((await conn.send("tools/list"))["tools"]) == []
            with pytest.raises(RpcError, match="Unknown tool"):
                await called(conn, "calc.version_of", {})
            assert text(await called(conn, "calc.version_of", {}, "1")) == "1"


# pins that are none ------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["tools/list", "tools/call", "resources/list", "prompts/get", "resources/read"])
async def test_an_unknown_version_is_an_error_that_names_those_there_are(conn: Connection, method: str) -> None:
    params = {"name": "calc.add", "arguments": {}, "uri": "calc://about"}
    wanted = {"tools/call": ("name", "arguments"), "prompts/get": ("name",), "resources/read": ("uri",)}
    given = {name: params[name] for name in wanted.get(method, ())}
    with pytest.raises(RpcError) as caught:
        await conn.send(method, pinned("3", given))
    assert caught.value.code == -32602
    assert "1 (deprecated), 2 (default)" in caught.value.message
    assert caught.value.data == {"server": "calc", "versions": ["1", "2"]}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("pins", "said"),
    [
        ({"clac": "1"}, "Did you mean 'calc'"),
        ({"other": "1"}, "No server 'other' has versions"),
        ({"calc": 1}, "is no text"),
        (["calc"], "is no object"),
        ("calc=1", "is no object"),
    ],
)
async def test_a_pin_of_something_else_is_refused(gateway: Gateway, pins: Any, said: str) -> None:
    async with await connect(gateway.server) as conn:
        with pytest.raises(RpcError) as caught:
            await conn.send("tools/list", {"_meta": {META: pins}})
    assert caught.value.code == -32602
    assert said in caught.value.message


# over HTTP: the header, the short way and the long one -------------------------------------------


@pytest.fixture
async def http(gateway: Gateway) -> AsyncIterator[Http]:
    made = Http(await gateway.start())
    yield made
    await made.close()


OLD = ("Labkit-Versions", "calc=1")


@pytest.mark.anyio
async def test_the_header_pins_as_well_and_so_does_meta(http: Http) -> None:
    arguments = {"a": 1, "b": 2}
    assert (await http.ask(call("calc.add", arguments), OLD)).text == "v1: 3"
    assert (await http.ask(call("calc.add", arguments, **{META: {"calc": "1"}}))).text == "v1: 3"
    assert (await http.ask(call("calc.add", arguments, **{META: {"calc": "1"}}), OLD)).text == "v1: 3"
    assert (await http.ask(call("calc.add", {"x": 1, "y": 2}))).text == "v2: 3"
    listed = (await http.ask(message("tools/list"), OLD)).result["tools"]
    assert "calc.double" not in {tool["name"] for tool in listed}


@pytest.mark.anyio
async def test_header_and_meta_that_disagree_are_refused(http: Http) -> None:
    said = await http.ask(call("calc.version_of", **{META: {"calc": "2"}}), OLD)
    assert said.status == 400
    assert "both '1' and '2'" in said.error["message"]
    said = await http.ask(call("calc.version_of"), OLD, ("labkit-versions", "calc=2"))
    assert said.status == 400


@pytest.mark.anyio
@pytest.mark.parametrize("value", ["calc", "calc=", "=1", "calc=1,", "calc=9"])
async def test_a_header_that_cannot_be_read_is_refused(http: Http, value: str) -> None:
    said = await http.ask(call("calc.version_of"), ("labkit-versions", value))
    assert said.error["code"] == -32602


@pytest.mark.anyio
async def test_only_requests_without_a_pin_take_the_short_way(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    relays: list[Relay] = []
    begin = Relay.__init__

    def noted(self: Relay, *args: Any) -> None:
        begin(self, *args)
        relays.append(self)

    monkeypatch.setattr(Relay, "__init__", noted)
    http = Http(await gateway.start())
    assert (await http.ask(call("calc.version_of"))).text == "2"
    assert [relay.taken for relay in relays] == [1]
    assert (await http.ask(call("calc.version_of"), OLD)).text == "1"
    assert (await http.ask(call("calc.version_of", **{META: {"calc": "1"}}))).text == "1"
    assert [relay.taken for relay in relays] == [1]
    await http.close()


@pytest.mark.anyio
async def test_a_session_of_the_handshake_era_pins_with_each_request(http: Http) -> None:
    session = await Session(http).open()
    params = {"name": "calc.version_of", "arguments": {}}
    assert (await session.ask("tools/call", params, OLD)).text == "1"
    assert (await session.ask("tools/call", params)).text == "2"


def mirroring(version: str, header: str) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("mirror", log_level="CRITICAL")

    def say(region: str) -> str:
        """Say."""
        return f"{version} {region}"

    say.__annotations__["region"] = Annotated[str, Field(json_schema_extra={"x-mcp-header": header})]
    server.add_tool(say)
    return server


@pytest.mark.anyio
async def test_mirrored_headers_are_checked_by_the_schema_of_the_pinned_version() -> None:
    servers = {
        f"m{version}": {
            "server": mirroring(version, header),
            "gateway": {"prefix": "m", "version": version},
        }
        for version, header in (("1", "Place"), ("2", "Region"))
    }
    async with Gateway.of(servers) as gateway:
        await gateway.awake()
        http = Http(await gateway.start())
        body = call("m.say", {"region": "north"}, **{META: {"m": "1"}})
        assert (await http.ask(body, ("mcp-param-place", "north"))).text == "1 north"
        for wrong in (("mcp-param-place", "south"), ("mcp-param-region", "north")):
            said = await http.ask(body, wrong)
            assert (said.status, said.error["code"]) == (400, -32020), wrong
        plain = call("m.say", {"region": "north"})
        assert (await http.ask(plain, ("mcp-param-region", "north"))).text == "2 north"
        assert (await http.ask(plain, ("mcp-param-region", "south"))).status == 400
        slow = call("m.say", {"region": "north"}, progressToken="p")  # the long way
        assert (await http.ask(slow, ("mcp-param-region", "north"))).text == "2 north"
        assert (await http.ask(slow, ("mcp-param-region", "south"))).error["code"] == -32020
        await http.close()


# versions as data --------------------------------------------------------------------------------


def backend(name: str, version: str = "", deprecated: str = "", prefix: str = "p") -> BackendConfig:
    return BackendConfig(name, catalog="calculator", prefix=prefix, version=version, deprecated=deprecated)


def versions(*backends: BackendConfig) -> Versions:
    return Versions({each.name: each for each in backends})


def test_versions_are_sorted_as_people_read_them() -> None:
    order = ["stable", "v0.9", "1.0-rc1", "1.0", "1.9", "1.10", "v2-beta", "v2-rc2", "v2-rc10", "v2", "2026-01-31"]
    assert sorted(order, key=rank) == order


@pytest.mark.parametrize(
    ("given", "default"),
    [
        ({"1": "", "2": ""}, "2"),
        ({"2": "", "10": ""}, "10"),
        ({"1": "", "2": "broken"}, "1"),
        ({"1": "old", "2": "old, too"}, "2"),
        ({"v2-beta": "", "v1": ""}, "v2-beta"),
    ],
)
def test_the_default_is_the_highest_that_is_not_deprecated(given: dict[str, str], default: str) -> None:
    found = versions(*(backend(f"b{v}", v, deprecated) for v, deprecated in given.items()))
    assert found.families["p"].default == default
    assert found.by_default == {f"b{v}" for v in given if v != default}


def test_bare_names_and_backends_without_a_version_are_no_versions() -> None:
    assert not versions(backend("a", "1", prefix=""), backend("b", "2", prefix=""), backend("c"))
    found = versions(backend("a", "1"), backend("b", "2"), backend("c"))
    assert found.hidden({"p": "1"}) == {"b"}
    assert found.pin_for("a") == {"p": "1"}
    assert found.pin_for("c") == {}


def test_several_backends_may_be_parts_of_one_version() -> None:
    found = versions(backend("a1", "1"), backend("b1", "1"), backend("a2", "2"))
    assert found.hidden({"p": "1"}) == {"a2"}
    assert found.by_default == {"a1", "b1"}


def test_two_servers_are_pinned_independently() -> None:
    pairs = [(prefix, version) for prefix in "pq" for version in "12"]
    found = versions(*(backend(prefix + version, version, prefix=prefix) for prefix, version in pairs))
    assert found.hidden({"p": "1"}) == {"p2", "q1"}
    assert found.hidden({"p": "1", "q": "1"}) == {"p2", "q2"}
    assert set(found.each()) == {frozenset({"p2", "q1"}), frozenset({"p1", "q2"})}


def test_without_a_pin_nothing_is_read_of_a_request() -> None:
    assert pins_of(None, None) == pins_of({}, None) == pins_of({"other": 1}, None) == {}


def test_the_same_version_twice_is_still_a_collision() -> None:
    item: Json = json.loads('{"name": "add", "inputSchema": {"type": "object"}}')
    config = GatewayConfig({each.name: each for each in (backend("a", "1"), backend("b", "1"))})
    with pytest.raises(CollisionError):
        Registry.build({"a": {"tools": [item]}, "b": {"tools": [item]}}, config)
