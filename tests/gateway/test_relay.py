"""The short way of the relay answers exactly as the SDK's own: the same requests are sent to both, and compared."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import mcp_types as types
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import MCPError
from mcp.server import MCPServer, Server
from mcp.server.context import ServerRequestContext
from pydantic import Field

from labkit.defences.identity import hash_key
from labkit.gateway import Gateway, relay, relay_answer
from labkit.patterns.ledger_reading import search

from .conftest import MODERN, Asked, ScriptedHttp, until
from .front_case import META, Answer, Http, Json, call, comes, headers_of, message, small

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

KEY = "a-key-of-the-staff-0123456789"
POLICY: Json = {
    "identity": {"required": False, "keys": [{"principal": "ann", "sha256": hash_key(KEY), "roles": ["staff"]}]},
    "roles": {"staff": {"tools": ["*"]}, "anonymous": {"tools": ["t.*", "s.*", "odd.*"]}},
    "deadline": 20,
    "breaker": {"failures": 1000},
}
HEADERS = ("content-type", "www-authenticate", "allow", "mcp-session-id", "cache-control", "x-accel-buffering")
"""What a client may act on."""


def tools() -> MCPServer[Any]:
    server = MCPServer("tools")

    @server.tool()
    def echo(text: str) -> str:
        """Say it again."""
        return text

    @server.tool()
    def data(value: Any = None) -> dict[str, Any]:
        """Structured content, with what is none."""
        return {"value": value, "none": None, "list": [None, 1, 1.5, True, ""]}

    @server.tool()
    def region(name: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "none", n: int = 0) -> str:
        """An argument that is mirrored in a header."""
        return f"{name} {n}"

    @server.tool()
    def fails() -> str:
        """Crash."""
        raise RuntimeError("inside")

    @server.tool()
    def refuses() -> str:
        """An error of the protocol."""
        raise MCPError(-32050, "not today", {"why": None, "x": [1]})

    @server.tool()
    async def slow(seconds: float = 0.3) -> str:
        """Take a while."""
        await asyncio.sleep(seconds)
        return "done"

    return server


def odd() -> Server[Any]:
    """A server whose results are unusual: what it answers is an argument."""

    async def list_tools(ctx: ServerRequestContext[Any, Any], params: Any) -> types.ListToolsResult:
        schema = {"type": "object", "properties": {"result": {"type": "object"}}}
        return types.ListToolsResult(tools=[types.Tool(name="say", input_schema=schema)])

    async def call_tool(ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams) -> Any:
        return (params.arguments or {}).get("result")

    return Server("odd", on_list_tools=list_tools, on_call_tool=call_tool)


@dataclass
class Both:
    """Two gateways of one configuration, one with the short way and one without."""

    short: Http
    long: Http
    gateways: list[Gateway] = field(default_factory=list[Gateway])
    taken: Any = None

    async def send(
        self, headers: Sequence[tuple[str, str]], body: bytes, *, verb: str = "POST", length: bool = True
    ) -> tuple[Answer, Answer]:
        return (
            await self.short.send(verb, "/mcp", headers, body, length=length),
            await self.long.send(verb, "/mcp", headers, body, length=length),
        )

    async def same(self, headers: Sequence[tuple[str, str]], body: bytes, **options: Any) -> Answer:
        """Send it to both; returns what both answered."""
        short, long = await self.send(headers, body, **options)
        assert shown(short) == shown(long)
        return short


def shown(answer: Answer) -> Json:
    """What of an answer a client can see and act on. The port and the time are not in it."""
    headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
    if "mcp-session-id" in headers:
        headers["mcp-session-id"] = "is there"
    try:
        body: Any = answer.messages
    except ValueError:
        body = answer.body
    return {"status": answer.status, "headers": headers, "body": body}


async def two_ways(
    servers: Callable[[], Any], policy: Json | None = None
) -> tuple[list[Gateway], list[str], relay.Relay]:
    """Two gateways of one configuration, the first with the short ways, their URLs, and the relay of the first."""
    relays: list[relay.Relay] = []
    plain = relay.Relay.__init__

    def noted(self: relay.Relay, *given: Any) -> None:
        plain(self, *given)
        relays.append(self)

    gateways: list[Gateway] = []
    urls: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relay.Relay, "__init__", noted)
        for short in (True, False):
            gateway = Gateway.of(servers(), policy)
            urls.append(await gateway.start(relay=short))
            await gateway.awake()
            gateways.append(gateway)
    assert len(relays) == 1
    return gateways, urls, relays[0]


@pytest.fixture(scope="module")
async def both() -> AsyncIterator[Both]:
    gateways, urls, short = await two_ways(lambda: {"t": tools(), "s": small(), "odd": odd(), "staff": tools()}, POLICY)
    found = Both(Http(urls[0]), Http(urls[1]), gateways, lambda: short.taken)
    yield found
    await found.short.close()
    await found.long.close()
    for gateway in gateways:
        await gateway.close()


GOOD: dict[str, Json] = {
    "text": call("t.echo", {"text": "hello"}),
    "unicode": call("t.echo", {"text": 'grüß \U0001f600 \u2028 \x00 " \\'}),
    "surrogate": call("t.echo", {"text": "\ud800"}),
    "surrogate id": call("t.echo", {"text": "x"}, id="\ud800"),
    "text id": call("t.echo", {"text": "x"}, id="a-1"),
    "big id": call("t.echo", {"text": "x"}, id=2**70),
    "negative id": call("t.echo", {"text": "x"}, id=-1),
    "empty id": call("t.echo", {"text": "x"}, id=""),
    "nulls": call("t.data", {"value": {"a": None, "b": [None]}}),
    "numbers": call("t.data", {"value": [1e300, 1.0, -0.0, 2**63, 0.1]}),
    "no arguments": message("tools/call", {"name": "t.data"}),
    "null arguments": message("tools/call", {"name": "t.data", "arguments": None}),
    "tool error": call("t.fails"),
    "protocol error": call("t.refuses"),
    "bad arguments": call("t.echo", {"text": 1}),
    "missing argument": call("t.echo", {}),
    "extra argument": call("t.echo", {"text": "x", "more": 1}),
    "extra meta": call("t.echo", {"text": "x"}, **{"my/key": {"a": 1}, "traceparent": "00-1"}),
    "client info": call("t.echo", {"text": "x"}, **{META + "clientInfo": {"name": "c", "version": "1"}}),
    "bad client info": call("t.echo", {"text": "x"}, **{META + "clientInfo": {"name": 1}}),
    "null client info": call("t.echo", {"text": "x"}, **{META + "clientInfo": None}),
    "unknown param": message("tools/call", {"name": "t.echo", "arguments": {"text": "x"}, "more": 1}),
    "not allowed": call("staff.echo", {"text": "x"}),
    "unknown tool": call("t.nothing"),
    "no prefix": call("echo", {"text": "x"}),
    "asks": call("s.ask", {"label": "x"}),
    "input responses": message("tools/call", {"name": "t.echo", "arguments": {"text": "x"}, "inputResponses": {}}),
    "request state": message("tools/call", {"name": "t.echo", "arguments": {"text": "x"}, "requestState": "x"}),
    "progress": call("t.echo", {"text": "x"}, progressToken=7),
    "log level": call("t.echo", {"text": "x"}, **{META + "logLevel": "debug"}),
    "with log": call("s.tell", {"text": "x"}, **{META + "logLevel": "debug"}, progressToken="p"),
    "silent log": call("s.tell", {"text": "x"}),
    "version pin": call("t.echo", {"text": "x"}, **{"labkit/versions": {"t": "1"}}),
    "tools/list": message("tools/list"),
    "discover": message("server/discover"),
    "ping": message("ping"),
    "no such method": message("no/such"),
    "mirrored, absent": call("t.region", {"n": 1}),
    "mirrored, default": call("t.region"),
}


@pytest.mark.parametrize("name", GOOD)
async def test_well_formed_requests_are_answered_alike(both: Both, name: str) -> None:
    body = GOOD[name]
    answer = await both.same(headers_of(body), json.dumps(body).encode())
    assert answer.status in (200, 400, 404)


@pytest.mark.parametrize(
    "name", ["text", "unicode", "tool error", "protocol error", "bad arguments", "not allowed", "nulls", "text id"]
)
async def test_plain_calls_do_take_the_short_way(both: Both, name: str) -> None:
    """Without this the comparisons would compare the long way with itself."""
    before = both.taken()
    await both.same(headers_of(GOOD[name]), json.dumps(GOOD[name]).encode())
    assert both.taken() == before + 1


RESULTS: dict[str, Any] = {
    "plain": {"content": [{"type": "text", "text": "x"}]},
    "no content": {},
    "null content": {"content": None},
    "content is no list": {"content": "x"},
    "unknown block": {"content": [{"type": "hologram"}]},
    "structured null": {"content": [], "structuredContent": None},
    "structured list": {"content": [], "structuredContent": [1, None]},
    "structured nulls": {"content": [], "structuredContent": {"a": None}},
    "members": {"content": [], "more": {"a": None}, "isError": False},
    "is error": {"content": [], "isError": True},
    "error is text": {"content": [], "isError": "yes"},
    "meta": {"content": [], "_meta": {"a/b": None, "c": 1}},
    "whose": {"content": [], "_meta": {META + "serverInfo": {"name": "evil", "version": "0"}}},
    "null whose": {"content": [], "_meta": {META + "serverInfo": None}},
    "meta is text": {"content": [], "_meta": "x"},
    "complete": {"resultType": "complete", "content": []},
    "a task": {"resultType": "task", "taskId": "1"},
    "odd type": {"resultType": 7, "content": []},
    "a question": {"resultType": "input_required", "inputRequests": {}, "requestState": "s"},
    "a bad question": {"resultType": "input_required"},
    "hints": {"content": [], "ttlMs": 5, "cacheScope": "public"},
}


@pytest.mark.parametrize("name", RESULTS)
async def test_whatever_a_backend_answers_reaches_the_client_alike(name: str) -> None:
    """The backend is behind HTTP and says what no SDK would let it say."""
    server = ScriptedHttp()

    async def script(asked: Asked) -> None:
        if asked.message["method"] == "tools/list":
            await asked.result({"tools": [{"name": "say", "inputSchema": {"type": "object"}}]})
        else:
            await asked.result(RESULTS[name])

    server.script = script
    await server.start()
    answers: list[Json] = []
    body = call("odd.say")
    for short in (True, False):
        async with Gateway.of({"odd": server.url}) as gateway:
            http = Http(await gateway.start(relay=short))
            await gateway.awake()
            answers.append(shown(await http.ask(body)))
            await http.close()
    await server.stop()
    assert answers[0] == answers[1]


def changed(headers: list[tuple[str, str]], name: str, *values: str) -> list[tuple[str, str]]:
    """The headers with these values for one name: none, one, or several."""
    return [pair for pair in headers if pair[0] != name] + [(name, value) for value in values]


ECHO = call("t.echo", {"text": "x"})
PLAIN = headers_of(ECHO)
REGION = call("t.region", {"name": "süd", "n": 1})
WHERE = headers_of(REGION)

HEADERS_CASES: dict[str, tuple[list[tuple[str, str]], Json]] = {
    "as it should be": (PLAIN, ECHO),
    "no version": (changed(PLAIN, "mcp-protocol-version"), ECHO),
    "older version": (changed(PLAIN, "mcp-protocol-version", "2025-11-25"), ECHO),
    "unknown version": (changed(PLAIN, "mcp-protocol-version", "2030-01-01"), ECHO),
    "empty version": (changed(PLAIN, "mcp-protocol-version", ""), ECHO),
    "two versions": (changed(PLAIN, "mcp-protocol-version", MODERN, MODERN), ECHO),
    "older and modern": (changed(PLAIN, "mcp-protocol-version", "2025-11-25", MODERN), ECHO),
    "modern and older": (changed(PLAIN, "mcp-protocol-version", MODERN, "2025-11-25"), ECHO),
    "blanks around the version": (changed(PLAIN, "mcp-protocol-version", f"  {MODERN} \t"), ECHO),
    "no method": (changed(PLAIN, "mcp-method"), ECHO),
    "wrong method": (changed(PLAIN, "mcp-method", "tools/list"), ECHO),
    "method in capitals": (changed(PLAIN, "mcp-method", "Tools/Call"), ECHO),
    "two methods": (changed(PLAIN, "mcp-method", "tools/call", "tools/call"), ECHO),
    "two different methods": (changed(PLAIN, "mcp-method", "tools/list", "tools/call"), ECHO),
    "no name": (changed(PLAIN, "mcp-name"), ECHO),
    "wrong name": (changed(PLAIN, "mcp-name", "t.data"), ECHO),
    "allowed name in the header, another in the body": (
        changed(headers_of(call("t.echo")), "mcp-name", "t.echo"),
        call("staff.echo", {"text": "x"}),
    ),
    "name in capitals": (changed(PLAIN, "mcp-name", "T.ECHO"), ECHO),
    "encoded name": (changed(PLAIN, "mcp-name", "=?base64?dC5lY2hv?="), ECHO),
    "badly encoded name": (changed(PLAIN, "mcp-name", "=?base64?###?="), ECHO),
    "two names": (changed(PLAIN, "mcp-name", "t.echo", "t.echo"), ECHO),
    "no accept": (changed(PLAIN, "accept"), ECHO),
    "accept json": (changed(PLAIN, "accept", "application/json"), ECHO),
    "accept stream": (changed(PLAIN, "accept", "text/event-stream"), ECHO),
    "accept html": (changed(PLAIN, "accept", "text/html"), ECHO),
    "accept all": (changed(PLAIN, "accept", "*/*"), ECHO),
    "accept in two lines": (changed(PLAIN, "accept", "application/json", "text/event-stream"), ECHO),
    "accept with quality": (changed(PLAIN, "accept", "application/json;q=0, text/event-stream;q=0.5"), ECHO),
    "no content type": (changed(PLAIN, "content-type"), ECHO),
    "wrong content type": (changed(PLAIN, "content-type", "text/plain"), ECHO),
    "content type with charset": (changed(PLAIN, "content-type", "application/json; charset=utf-8"), ECHO),
    "content type in capitals": (changed(PLAIN, "content-type", "Application/JSON"), ECHO),
    "bad host": ([*PLAIN, ("host", "evil.test")], ECHO),
    "host without port": ([*PLAIN, ("host", "127.0.0.1")], ECHO),
    "two hosts": ([*PLAIN, ("host", "127.0.0.1:80"), ("host", "evil.test")], ECHO),
    "bad origin": ([*PLAIN, ("origin", "http://evil.test")], ECHO),
    "null origin": ([*PLAIN, ("origin", "null")], ECHO),
    "empty origin": ([*PLAIN, ("origin", "")], ECHO),
    "a session": ([*PLAIN, ("mcp-session-id", "nothing")], ECHO),
    "mirrored": ([*WHERE, ("mcp-param-region", "=?base64?c8O8ZA==?=")], REGION),
    "mirrored, missing": (WHERE, REGION),
    "mirrored, wrong": ([*WHERE, ("mcp-param-region", "nord")], REGION),
    "mirrored, twice": ([*WHERE, *[("mcp-param-region", "=?base64?c8O8ZA==?=")] * 2], REGION),
    "mirrored, badly encoded": ([*WHERE, ("mcp-param-region", "=?base64?c8O8ZA?=")], REGION),
    "mirrored, but no argument": (
        [*headers_of(call("t.region")), ("mcp-param-region", "x")],
        call("t.region", {"n": 1}),
    ),
    "mirrored, unknown": ([*PLAIN, ("mcp-param-other", "x")], ECHO),
    "credential, wrong": ([*PLAIN, ("x-api-key", "wrong")], ECHO),
    "credential, two": ([*PLAIN, ("x-api-key", KEY), ("authorization", f"Bearer {KEY}")], ECHO),
    "credential": ([*headers_of(call("staff.echo")), ("x-api-key", KEY)], call("staff.echo", {"text": "x"})),
    "version pins": ([*PLAIN, ("labkit-versions", "t=1")], ECHO),
}


@pytest.mark.parametrize("name", HEADERS_CASES)
async def test_headers_are_judged_alike(both: Both, name: str) -> None:
    headers, body = HEADERS_CASES[name]
    await both.same(headers, json.dumps(body).encode())


def without(body: Json, *path: str) -> Json:
    copy = json.loads(json.dumps(body))
    place = copy
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return copy


def with_(body: Json, value: Any, *path: str) -> Json:
    copy = json.loads(json.dumps(body))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


RAW = json.dumps(ECHO)
BODIES: dict[str, str | bytes | Json | list[Any]] = {
    "empty": b"",
    "no JSON": b"{",
    "not UTF-8": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t.echo\xff"}}',
    "UTF-16": RAW.encode("utf-16"),
    "with a mark": b"\xef\xbb\xbf" + RAW.encode(),
    "blanks around": f" \r\n{RAW}\t ",
    "something behind": RAW + "x",
    "NaN": RAW.replace('"x"', "NaN"),
    "infinity": RAW.replace('"x"', "1e999"),
    "huge number": RAW.replace('"x"', "9" * 5000),
    "deep": RAW.replace('"x"', "[" * 5000 + "]" * 5000),
    "very deep": RAW.replace('"x"', "[" * 200_000 + "]" * 200_000),
    "a name twice": RAW.replace('"jsonrpc"', '"method": "tools/list", "jsonrpc"'),
    "a batch": [ECHO],
    "text": '"x"',
    "null": "null",
    "number": "7",
    "no jsonrpc": without(ECHO, "jsonrpc"),
    "jsonrpc 1.0": with_(ECHO, "1.0", "jsonrpc"),
    "no id": without(ECHO, "id"),
    "null id": with_(ECHO, None, "id"),
    "float id": with_(ECHO, 1.5, "id"),
    "whole float id": with_(ECHO, 1.0, "id"),
    "true id": with_(ECHO, True, "id"),
    "list id": with_(ECHO, [], "id"),
    "no method": without(ECHO, "method"),
    "method is a number": with_(ECHO, 1, "method"),
    "extra member": with_(ECHO, 1, "extra"),
    "result beside": with_(ECHO, {}, "result"),
    "no params": without(ECHO, "params"),
    "params is a list": with_(ECHO, [], "params"),
    "params is null": with_(ECHO, None, "params"),
    "no tool": without(ECHO, "params", "name"),
    "tool is a number": with_(ECHO, 7, "params", "name"),
    "tool is empty": with_(ECHO, "", "params", "name"),
    "arguments are a list": with_(ECHO, [], "params", "arguments"),
    "arguments are text": with_(ECHO, "x", "params", "arguments"),
    "no meta": without(ECHO, "params", "_meta"),
    "meta is null": with_(ECHO, None, "params", "_meta"),
    "meta is a list": with_(ECHO, [], "params", "_meta"),
    "no version in meta": without(ECHO, "params", "_meta", META + "protocolVersion"),
    "older version in meta": with_(ECHO, "2025-11-25", "params", "_meta", META + "protocolVersion"),
    "unknown version in meta": with_(ECHO, "2030-01-01", "params", "_meta", META + "protocolVersion"),
    "version is a number": with_(ECHO, 2026, "params", "_meta", META + "protocolVersion"),
    "no capabilities": without(ECHO, "params", "_meta", META + "clientCapabilities"),
    "capabilities are null": with_(ECHO, None, "params", "_meta", META + "clientCapabilities"),
    "capabilities are odd": with_(ECHO, {"sampling": 7}, "params", "_meta", META + "clientCapabilities"),
    "capabilities are unknown": with_(ECHO, {"x": {"y": 1}}, "params", "_meta", META + "clientCapabilities"),
    "progress token is odd": with_(ECHO, [], "params", "_meta", "progressToken"),
    "log level is odd": with_(ECHO, "shout", "params", "_meta", META + "logLevel"),
    "headers in meta": with_(ECHO, {"X-Api-Key": KEY}, "params", "_meta", "labkit/headers"),
    "a task": with_(ECHO, {"ttl": 5}, "params", "task"),
    "two megabytes": with_(ECHO, "x" * 2_000_000, "params", "arguments", "text"),
    "five megabytes": with_(ECHO, "x" * 5_000_000, "params", "arguments", "text"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_bodies_are_judged_alike(both: Both, name: str) -> None:
    given = BODIES[name]
    text = given if isinstance(given, (str, bytes)) else json.dumps(given)
    try:
        await both.same(PLAIN, text if isinstance(text, bytes) else text.encode())
    except (ConnectionError, asyncio.IncompleteReadError):
        assert name == "five megabytes"  # the server may hang up before it has read all
        await both.short.close()
        await both.long.close()


@pytest.mark.parametrize("verb", ["GET", "DELETE", "PUT", "HEAD", "OPTIONS"])
async def test_other_verbs_are_refused_alike(both: Both, verb: str) -> None:
    short, long = Http(f"http://{both.short.host}:{both.short.port}"), Http(f"http://{both.long.host}:{both.long.port}")
    found: list[int] = []
    for http in (short, long):
        await http.begin(verb, "/mcp", PLAIN, b"")
        assert http._streams is not None
        found.append(int((await http._streams[0].readline()).split()[1]))
        await http.close()
    assert found[0] == found[1] >= 400


async def test_a_body_in_pieces_is_read_to_its_end(both: Both) -> None:
    pieces = [RAW[:10], RAW[10:200], RAW[200:]]
    body = "".join(f"{len(piece):x}\r\n{piece}\r\n" for piece in pieces) + "0\r\n\r\n"
    answer = await both.same([*PLAIN, ("transfer-encoding", "chunked")], body.encode(), length=False)
    assert answer.text == "x"


# mutations -------------------------------------------------------------------------------------------

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
PLACES = [
    ("jsonrpc",),
    ("id",),
    ("method",),
    ("params",),
    ("extra",),
    ("params", "name"),
    ("params", "arguments"),
    ("params", "arguments", "text"),
    ("params", "arguments", "n"),
    ("params", "_meta"),
    ("params", "extra"),
    ("params", "requestState"),
    ("params", "inputResponses"),
    ("params", "_meta", META + "protocolVersion"),
    ("params", "_meta", META + "clientCapabilities"),
    ("params", "_meta", META + "clientCapabilities", "elicitation"),
    ("params", "_meta", META + "clientInfo"),
    ("params", "_meta", META + "logLevel"),
    ("params", "_meta", "progressToken"),
    ("params", "_meta", "x"),
]
VALUES = st.sampled_from(
    ["t.echo", "t.region", "staff.echo", "s.journal", MODERN, "2025-11-25", "tools/call", "tools/list", "2.0", "", "x",
     "application/json", "text/event-stream", "=?base64?eA==?=", "=?base64?", "*/*", "127.0.0.1", "http://evil.test"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["mcp-protocol-version", "mcp-method", "mcp-name", "mcp-param-region", "mcp-param-text", "accept", "content-type",
     "origin", "host", "x-api-key", "mcp-session-id"]
)  # fmt: skip


def upset(draw: st.DrawFn, body: Any, places: Sequence[tuple[str, ...]]) -> None:
    """Set or take out up to two members of a message."""
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(places))
        place: Any = body
        for key in path[:-1]:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict):
            if draw(st.booleans()):
                place[path[-1]] = draw(JSONS | VALUES)
            else:
                place.pop(path[-1], None)


def written(draw: st.DrawFn, body: Any) -> bytes:
    """A message as JSON, now and then with a piece of it replaced."""
    text = json.dumps(body).encode()
    if draw(st.integers(0, 9)) == 0:
        cut = draw(st.integers(0, len(text)))
        text = text[:cut] + draw(st.binary(max_size=3)) + text[cut + 1 :]
    return text


@st.composite
def mutated(draw: st.DrawFn) -> tuple[list[tuple[str, str]], bytes]:
    """A call in which a few things are not as they should be."""
    body = draw(st.sampled_from([ECHO, REGION, call("t.data", {"value": 1}), call("s.journal"), message("tools/list")]))
    body = json.loads(json.dumps(body))
    headers = headers_of(body)
    upset(draw, body, PLACES)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(NAMES)
        headers = changed(headers, name, *draw(st.lists(VALUES, max_size=2)))
    return headers, written(draw, body)


@given(mutated())
@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
async def test_whatever_is_changed_both_ways_answer_alike(both: Both, request_: tuple[Any, bytes]) -> None:
    await both.same(*request_)


# long calls ------------------------------------------------------------------------------------------


async def test_a_client_that_hangs_up_cancels_the_call_behind(both: Both) -> None:
    for http in (both.short, both.long):
        gone = Http(f"http://{http.host}:{http.port}")
        body = call("s.wait", {"key": "hung-up"})
        await gone.begin("POST", "/mcp", headers_of(body), json.dumps(body).encode())

        async def journal(kind: str, http: Http = http) -> bool:
            return "hung-up" in json.loads((await http.ask(call("s.journal"))).text)[kind]

        await comes(lambda journal=journal: journal("started"))
        await gone.close()
        await comes(lambda journal=journal: journal("stopped"))
    for gateway in both.gateways:
        await until(lambda gateway=gateway: not gateway.backends["s"].in_flight)


async def test_a_call_that_takes_long_becomes_a_stream_that_is_kept_alive(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mcp.server._streamable_http_modern as sdk

    monkeypatch.setattr(relay_answer, "PING_AFTER", 0.05)
    monkeypatch.setattr(relay_answer, "WATCH_AFTER", 0.01)
    monkeypatch.setattr(sdk, "_SSE_PING_INTERVAL", 0.05)
    before = both.taken()
    body = call("t.slow", {"seconds": 0.3})
    short, long = await both.send(headers_of(body), json.dumps(body).encode())
    assert both.taken() == before + 1
    assert shown(short) == shown(long)
    assert short.headers["content-type"] == "text/event-stream"
    assert short.body.startswith(b": ping\r\n\r\n")
    assert short.text == "done"


async def test_an_error_at_the_end_of_a_stream_is_told_in_it(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    import mcp.server._streamable_http_modern as sdk

    monkeypatch.setattr(relay_answer, "PING_AFTER", 0.02)
    monkeypatch.setattr(relay_answer, "WATCH_AFTER", 0.01)
    monkeypatch.setattr(sdk, "_SSE_PING_INTERVAL", 0.02)
    for gateway in both.gateways:
        monkeypatch.setattr(gateway.backends["s"], "timeout", 0.2)
    body = call("s.wait", {"key": "late"})
    short, long = await both.send(headers_of(body), json.dumps(body).encode())
    assert short.headers["content-type"] == "text/event-stream"
    assert shown(short) == shown(long)
    assert short.result["_meta"]["labkit/reason"] == "timeout"


async def test_both_ways_are_written_down_alike(tmp_path: Any) -> None:
    """Rules hold on the short way as on the long: audit, limit and roles."""
    records: list[list[Json]] = []
    for short in (True, False):
        folder = tmp_path / str(short)
        policy = {**POLICY, "audit": str(folder), "limits": {"calls": "3/hour", "per": "principal"}}
        async with Gateway.of({"t": tools(), "staff": tools()}, policy) as gateway:
            http = Http(await gateway.start(relay=short), [("x-api-key", KEY)])
            await gateway.awake()
            for body in (ECHO, call("t.fails"), call("t.refuses"), ECHO, call("staff.echo", {"text": "y"})):
                await http.ask(body)
            http.own = []
            await http.ask(call("staff.echo", {"text": "z"}))
            await http.close()
        keep = ("who", "client", "tool", "arguments", "outcome", "reason", "error")
        records.append([{name: each.get(name) for name in keep} for each in search(folder)])
    assert records[0] == records[1]
    assert [each["outcome"] for each in records[0]] == ["ok", "error", "failed", "refused", "refused", "refused"]
