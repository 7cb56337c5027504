"""The short way of the handshake era answers as the SDK's own, but for the stream around an answer: the same requests
are sent to both, in sessions, and compared."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp.server.streamable_http import REQUEST_CANCELLED

from labkit.gateway import Gateway, relay, relay_answer
from labkit.patterns.ledger_reading import search

from .conftest import HANDSHAKE, Asked, ScriptedHttp, until
from .front_case import META, Answer, Http, Json, Session, behind, comes, small
from .test_relay import (
    KEY,
    POLICY,
    RESULTS,
    VALUES,
    changed,
    odd,
    tools,
    two_ways,
    upset,
    with_,
    without,
    written,
)

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

CLIENT = {"elicitation": {"form": {}}, "sampling": {}, "roots": {}}
Headers = list[tuple[str, str]]


async def connected(http: Http, capabilities: Json | None = None, version: str = HANDSHAKE, *more: Any) -> Session:
    """A session whose client can do what is said here."""
    session = Session(http, version=version)
    info = {"name": "by hand", "version": "1"}
    hello = {"protocolVersion": version, "capabilities": capabilities or {}, "clientInfo": info}
    said = await session.ask("initialize", hello, *more)
    session.id = said.headers["mcp-session-id"]
    assert (await session.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, *more)).status == 202
    return session


def shown(answer: Answer) -> Json:
    """What of an answer a client acts on, however it is wrapped."""
    kind = answer.headers.get("content-type", "").split(";")[0]
    whole = kind in ("text/event-stream", "application/json") and answer.status == 200
    headers: Json = {} if whole else {"content-type": kind, "allow": answer.headers.get("allow")}
    try:
        body: Any = answer.messages
    except ValueError:
        body = answer.body
    return {"status": answer.status, "session": "mcp-session-id" in answer.headers, "body": body, **headers}


@dataclass
class Both:
    """Two gateways of one configuration, one with the short way and one without, and a session with each."""

    gateways: list[Gateway]
    urls: list[str]
    relay: relay.Relay
    sessions: list[Session] = field(default_factory=list[Session])

    @property
    def taken(self) -> int:
        return self.relay.taken_in_sessions

    async def send(self, headers: Headers, body: bytes, *, with_id: bool = True) -> list[Answer]:
        found: list[Answer] = []
        for session in self.sessions:
            mine = [*headers, *([("mcp-session-id", session.id)] if with_id else [])]
            found.append(await session.http.send("POST", "/mcp", mine, body))
        return found

    async def same(self, headers: Headers, body: bytes, **options: Any) -> Answer:
        short, long = await self.send(headers, body, **options)
        assert shown(short) == shown(long)
        return short

    def https(self, headers: Sequence[tuple[str, str]] = ()) -> list[Http]:
        """A connection of its own to each."""
        return [Http(url, headers) for url in self.urls]

    async def close(self) -> None:
        for session in self.sessions:
            await session.http.close()
        for gateway in self.gateways:
            await gateway.close()


async def opened_both(servers: Any, policy: Json | None = None) -> Both:
    both = Both(*await two_ways(servers, policy))
    both.sessions = [await connected(http, CLIENT) for http in both.https()]
    return both


@pytest.fixture(scope="module")
async def both() -> AsyncIterator[Both]:
    roles: Json = {**POLICY["roles"], "anonymous": {"tools": ["t.*", "s.*", "h.*", "odd.*"]}}
    servers = lambda: {  # noqa: E731
        "t": tools(), "s": small(), "h": behind(small(), HANDSHAKE), "odd": odd(), "staff": tools()
    }  # fmt: skip
    found = await opened_both(servers, {**POLICY, "roles": roles})
    yield found
    await found.close()


def call(tool: str, arguments: Json | None = None, *, id: Any = 1, **meta: Any) -> Json:
    params: Json = {"name": tool, "arguments": arguments or {}, **({"_meta": meta} if meta else {})}
    return {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}


PLAIN: Headers = [
    ("accept", "application/json, text/event-stream"),
    ("content-type", "application/json"),
    ("mcp-protocol-version", HANDSHAKE),
]
ECHO = call("t.echo", {"text": "x"})
RAW = json.dumps(ECHO)

GOOD: dict[str, Json] = {
    "text": ECHO,
    "unicode": call("t.echo", {"text": 'grüß \U0001f600 \u2028 \x00 " \\'}),
    "surrogate": call("t.echo", {"text": "\ud800"}),
    "text id": call("t.echo", {"text": "x"}, id="a-1"),
    "number as text id": call("t.echo", {"text": "x"}, id="7"),
    "big id": call("t.echo", {"text": "x"}, id=2**70),
    "negative id": call("t.echo", {"text": "x"}, id=-1),
    "empty id": call("t.echo", {"text": "x"}, id=""),
    "nulls": call("t.data", {"value": {"a": None, "b": [None]}}),
    "numbers": call("t.data", {"value": [1e300, 1.0, -0.0, 2**63, 2**70, 0.1]}),
    "null arguments": with_(ECHO, None, "params", "arguments"),
    "no arguments": without(call("t.data"), "params", "arguments"),
    "tool error": call("t.fails"),
    "protocol error": call("t.refuses"),
    "bad arguments": call("t.echo", {"text": 1}),
    "missing argument": call("t.echo", {}),
    "extra meta": call("t.echo", {"text": "x"}, **{"my/key": {"a": 1}}),
    "empty meta": with_(ECHO, {}, "params", "_meta"),
    "null meta": with_(ECHO, None, "params", "_meta"),
    "modern meta": call(
        "t.echo", {"text": "x"}, **{META + "protocolVersion": "2026-07-28", META + "logLevel": "debug"}
    ),
    "unknown param": with_(ECHO, 1, "params", "more"),
    "state": with_(ECHO, "x", "params", "requestState"),
    "responses": with_(ECHO, {}, "params", "inputResponses"),
    "a task": with_(ECHO, {"ttl": 5}, "params", "task"),
    "not allowed": call("staff.echo", {"text": "x"}),
    "unknown tool": call("t.nothing"),
    "cannot ask": call("s.ask", {"label": "x"}),
    "log": call("s.tell", {"text": "x"}),
    "log of its era": call("h.tell", {"text": "x"}),
    "progress of its era": call("h.tell", {"text": "x"}, progressToken=9),
    "progress": call("s.tell", {"text": "x"}, progressToken=7),
    "progress, token is text": call("s.tell", {"text": "x"}, progressToken="p"),
    "odd token": call("s.tell", {"text": "x"}, progressToken=[]),
    "true token": call("s.tell", {"text": "x"}, progressToken=True),
    "pin": call("t.echo", {"text": "x"}, **{"labkit/versions": {"t": "1"}}),
    "tools/list": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
    "ping": {"jsonrpc": "2.0", "id": 1, "method": "ping"},
    "headers in meta": call("t.echo", {"text": "x"}, **{"labkit/headers": {"X-Api-Key": KEY}}),
}
SHORT = [
    "text",
    "unicode",
    "text id",
    "tool error",
    "protocol error",
    "bad arguments",
    "not allowed",
    "log",
    "progress",
]


@pytest.mark.parametrize("name", GOOD)
async def test_well_formed_requests_are_answered_alike(both: Both, name: str) -> None:
    before = both.taken
    await both.same(PLAIN, json.dumps(GOOD[name]).encode())
    assert both.taken == before + 1 or name not in SHORT  # or the long way would be compared with itself


@pytest.mark.parametrize("version", ["2025-06-18", "2025-03-26", "2024-11-05"])
async def test_older_revisions_are_answered_alike(both: Both, version: str) -> None:
    headers = changed(PLAIN, "mcp-protocol-version", version)
    sessions = [await connected(http, version=version) for http in both.https()]
    before = both.taken
    for body in (ECHO, call("t.data", {"value": [None]}), call("s.tell", {"text": "x"}, progressToken=1)):
        found = [
            await each.http.send("POST", "/mcp", [*headers, ("mcp-session-id", each.id)], json.dumps(body).encode())
            for each in sessions
        ]
        assert shown(found[0]) == shown(found[1])
    assert both.taken == before + 3
    for each in sessions:
        await each.http.close()


CASES: dict[str, Headers] = {
    "no version": changed(PLAIN, "mcp-protocol-version"),
    "modern version": changed(PLAIN, "mcp-protocol-version", "2026-07-28"),
    "unknown version": changed(PLAIN, "mcp-protocol-version", "2030-01-01"),
    "empty version": changed(PLAIN, "mcp-protocol-version", ""),
    "two versions": changed(PLAIN, "mcp-protocol-version", HANDSHAKE, HANDSHAKE),
    "handshake and modern": changed(PLAIN, "mcp-protocol-version", HANDSHAKE, "2026-07-28"),
    "modern and handshake": changed(PLAIN, "mcp-protocol-version", "2026-07-28", HANDSHAKE),
    "no accept": changed(PLAIN, "accept"),
    "accept json": changed(PLAIN, "accept", "application/json"),
    "accept stream": changed(PLAIN, "accept", "text/event-stream"),
    "accept all": changed(PLAIN, "accept", "*/*"),
    "accept in two lines": changed(PLAIN, "accept", "application/json", "text/event-stream"),
    "no content type": changed(PLAIN, "content-type"),
    "wrong content type": changed(PLAIN, "content-type", "text/plain"),
    "content type that begins well": changed(PLAIN, "content-type", "application/jsonx"),
    "content type with charset": changed(PLAIN, "content-type", "application/json; charset=utf-8"),
    "content type in capitals": changed(PLAIN, "content-type", "Application/JSON"),
    "bad host": [*PLAIN, ("host", "evil.test")],
    "bad origin": [*PLAIN, ("origin", "http://evil.test")],
    "null origin": [*PLAIN, ("origin", "null")],
    "modern headers": [*PLAIN, ("mcp-method", "tools/list"), ("mcp-name", "staff.echo")],
    "version pins": [*PLAIN, ("labkit-versions", "t=1")],
    "another session first": [("mcp-session-id", "nothing"), *PLAIN],
    "last event id": [*PLAIN, ("last-event-id", "1")],
    "credential, wrong": [*PLAIN, ("x-api-key", "wrong")],
    "credential of somebody else than the owner": [*PLAIN, ("x-api-key", KEY)],
}


@pytest.mark.parametrize("name", CASES)
async def test_headers_are_judged_alike(both: Both, name: str) -> None:
    await both.same(CASES[name], RAW.encode())


BODIES: dict[str, str | bytes | Json | list[Any]] = {
    "empty": b"",
    "no JSON": b"{",
    "not UTF-8": RAW.encode().replace(b"t.echo", b"t.echo\xff"),
    "UTF-16": RAW.encode("utf-16"),
    "with a mark": b"\xef\xbb\xbf" + RAW.encode(),
    "blanks around": f" \r\n{RAW}\t ",
    "something behind": RAW + "x",
    "NaN": RAW.replace('"x"', "NaN"),
    "infinity": RAW.replace('"x"', "1e999"),
    "infinity given back": json.dumps(call("t.data", {"value": "x"})).replace('"x"', "1e999"),
    "huge number": RAW.replace('"x"', "9" * 5000),
    "deep": RAW.replace('"x"', "[" * 5000 + "]" * 5000),
    "a name twice": RAW.replace('"jsonrpc"', '"method": "tools/list", "jsonrpc"'),
    "a batch": [ECHO],
    "null": "null",
    "tools/call, but a text": '"tools/call"',
    "no jsonrpc": without(ECHO, "jsonrpc"),
    "no id": without(ECHO, "id"),
    "null id": with_(ECHO, None, "id"),
    "float id": with_(ECHO, 1.5, "id"),
    "whole float id": with_(ECHO, 1.0, "id"),
    "true id": with_(ECHO, True, "id"),
    "extra member": with_(ECHO, 1, "extra"),
    "result beside": with_(ECHO, {}, "result"),
    "no params": without(ECHO, "params"),
    "params is a list": with_(ECHO, [], "params"),
    "no tool": without(ECHO, "params", "name"),
    "tool is a number": with_(ECHO, 7, "params", "name"),
    "arguments are a list": with_(ECHO, [], "params", "arguments"),
    "meta is a list": with_(ECHO, [], "params", "_meta"),
    "a megabyte and more": with_(ECHO, "x" * 1_100_000, "params", "arguments", "text"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_bodies_are_judged_alike(both: Both, name: str) -> None:
    given = BODIES[name]
    text = given if isinstance(given, (str, bytes)) else json.dumps(given)
    body = text if isinstance(text, bytes) else text.encode()
    await both.same(PLAIN, body)


PLACES = [
    ("jsonrpc",), ("id",), ("method",), ("params",), ("extra",), ("params", "name"), ("params", "arguments"),
    ("params", "arguments", "text"), ("params", "_meta"), ("params", "extra"), ("params", "task"),
    ("params", "requestState"), ("params", "_meta", "progressToken"), ("params", "_meta", META + "protocolVersion"),
]  # fmt: skip
NAMES = st.sampled_from(["mcp-protocol-version", "mcp-method", "accept", "content-type", "origin", "host", "x-api-key"])


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Headers, bytes]:
    """A call in which a few things are not as they should be."""
    body = draw(st.sampled_from([ECHO, call("t.data", {"value": 1}, progressToken=1), call("s.tell", {"text": "x"})]))
    body = json.loads(json.dumps(body))
    headers = PLAIN
    upset(draw, body, PLACES)
    if draw(st.integers(0, 3)) == 0:
        headers = changed(headers, draw(NAMES), *draw(st.lists(VALUES, max_size=2)))
    return headers, written(draw, body)


@given(mutated())
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
async def test_whatever_is_changed_both_ways_answer_alike(both: Both, request_: tuple[Any, bytes]) -> None:
    await both.same(*request_)


@pytest.mark.parametrize("name", RESULTS)
async def test_whatever_a_backend_answers_reaches_the_client_alike(name: str) -> None:
    server = ScriptedHttp()

    async def script(asked: Asked) -> None:
        if asked.message["method"] == "tools/list":
            await asked.result({"tools": [{"name": "say", "inputSchema": {"type": "object"}}]})
        else:
            await asked.result(RESULTS[name])

    server.script, server.era = script, HANDSHAKE
    await server.start()
    both = await opened_both(lambda: {"odd": server.url})
    await both.same(PLAIN, json.dumps(call("odd.say")).encode())
    assert both.taken == 1
    await both.close()
    await server.stop()


# sessions --------------------------------------------------------------------------------------------


async def test_what_is_no_session_or_somebody_elses_is_not_found(both: Both) -> None:
    for id in ("nothing", "", "\xff"):
        await both.same([*PLAIN, ("mcp-session-id", id)], RAW.encode(), with_id=False)
    await both.same(PLAIN, RAW.encode(), with_id=False)
    owned = [await connected(http, None, HANDSHAKE, ("x-api-key", KEY)) for http in both.https()]
    body = json.dumps(call("staff.echo", {"text": "x"})).encode()
    for key, status in ((KEY, 200), ("", 404), (KEY, 200)):
        given = [*PLAIN, *([("x-api-key", key)] if key else [])]
        found = [await s.http.send("POST", "/mcp", [*given, ("mcp-session-id", s.id)], body) for s in owned]
        assert shown(found[0]) == shown(found[1])
        assert found[0].status == status
    for each in owned:
        await each.http.close()


async def test_before_the_handshake_is_over_the_long_way_answers(both: Both) -> None:
    found: list[Answer] = []
    before = both.taken
    for http in both.https():
        session = Session(http)
        info = {"name": "hasty", "version": "1"}
        said = await session.ask("initialize", {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": info})
        headers = [*PLAIN, ("mcp-session-id", said.headers["mcp-session-id"])]
        found.append(await http.send("POST", "/mcp", headers, RAW.encode()))
        await http.close()
    assert shown(found[0]) == shown(found[1])
    assert both.taken == before


async def journal(session: Session, kind: str, key: str) -> bool:
    said = await session.ask("tools/call", {"name": "s.journal", "arguments": {}})
    return key in json.loads(said.text)[kind]


async def waiting(both: Both, key: str, id: int) -> list[tuple[Session, Http]]:
    """On both ways, a call that has begun and does not end; and the connection that it is on."""
    found: list[tuple[Session, Http]] = []
    for session, http in zip(both.sessions, both.https(), strict=True):
        headers = [*PLAIN, ("mcp-session-id", session.id)]
        await http.begin("POST", "/mcp", headers, json.dumps(call("s.wait", {"key": key}, id=id)).encode())
        await comes(lambda session=session: journal(session, "started", key))
        found.append((session, http))
    return found


@pytest.mark.parametrize("asked", [901, "901"])
async def test_a_client_cancels_its_call(both: Both, asked: Any) -> None:
    before, key = both.taken, f"cancelled-{asked!r}"
    answers: list[Json] = []
    for session, http in await waiting(both, key, 901):
        params = {"requestId": asked, "reason": "enough"}
        await session.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        answers.append(shown(await http.answer()))
        await comes(lambda session=session: journal(session, "stopped", key))
        await http.close()
    assert answers[0] == answers[1]
    assert answers[0]["body"][0]["error"]["code"] == REQUEST_CANCELLED
    assert both.taken > before


async def test_a_client_that_hangs_up_has_not_cancelled_its_call(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_answer, "WATCH_AFTER", 0.01)
    for session, http in await waiting(both, "hung-up", 902):
        await http.close()
        for _ in range(20):
            assert not await journal(session, "stopped", "hung-up")
        params = {"requestId": 902}
        await session.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        await comes(lambda session=session: journal(session, "stopped", "hung-up"))


async def test_the_end_of_a_session_ends_its_calls(both: Both) -> None:
    whole, both.sessions = both.sessions, [await connected(http) for http in both.https()]
    try:
        answers: list[Json] = []
        for session, http in await waiting(both, "ended", 903):
            headers = [("mcp-session-id", session.id), ("mcp-protocol-version", HANDSHAKE)]
            assert (await session.http.send("DELETE", "/mcp", headers, b"")).status == 200
            answers.append(shown(await http.answer()))
            await http.close()
            await session.http.close()
    finally:
        both.sessions = whole
    assert answers[0] == answers[1] == {"status": 200, "session": True, "body": []}
    for session in both.sessions:
        await comes(lambda session=session: journal(session, "stopped", "ended"))


async def event(http: Http) -> Json:
    """The next message on the stream of an answer."""
    assert http._streams is not None
    async for line in http._streams[0]:
        if line.startswith(b"data:"):
            return json.loads(line[5:])
    raise AssertionError("the stream has ended")


async def test_a_question_reaches_the_client_on_the_stream_of_its_call_and_the_answer_comes_back(both: Both) -> None:
    before, answers = both.taken, list[Any]()
    for session, http in zip(both.sessions, both.https(), strict=True):
        headers = [*PLAIN, ("mcp-session-id", session.id)]
        await http.begin("POST", "/mcp", headers, json.dumps(call("h.ask", {"label": "which"}, id=904)).encode())
        question = await event(http)
        assert question["method"] == "elicitation/create"
        accepted = {"action": "accept", "content": {"word": "this"}}
        assert (await session.post({"jsonrpc": "2.0", "id": question.pop("id"), "result": accepted})).status == 202
        answers.append((question, await event(http)))
        await http.close()
    assert answers[0] == answers[1]
    assert answers[0][1]["result"]["content"][0]["text"] == "which: this"
    assert both.taken == before + 1


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the SDK drops the stream of the call whose number is taken
async def test_a_number_that_is_in_use_takes_the_long_way(both: Both) -> None:
    whole, both.sessions = both.sessions, [await connected(http) for http in both.https()]
    try:
        (session, http), (_, idle) = await waiting(both, "twice", 905)
        before = both.taken
        answer = await both.same(PLAIN, json.dumps(with_(ECHO, 905, "id")).encode())
        assert answer.text == "x"
        assert both.taken == before
        for each in both.sessions:  # the first call has lost its number, and ends with its session nevertheless
            headers = [("mcp-session-id", each.id), ("mcp-protocol-version", HANDSHAKE)]
            await each.http.send("DELETE", "/mcp", headers, b"")
        assert shown(await http.answer())["body"] == []
        for wire in (http, idle, *(each.http for each in both.sessions)):
            await wire.close()
    finally:
        both.sessions = whole
    for session in both.sessions:
        await comes(lambda session=session: journal(session, "stopped", "twice"))


async def test_a_call_that_takes_long_becomes_a_stream_that_is_kept_alive(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_answer, "PING_AFTER", 0.05)
    monkeypatch.setattr(relay_answer, "WATCH_AFTER", 0.01)
    answer = await both.same(PLAIN, json.dumps(call("t.slow", {"seconds": 0.3})).encode())
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.body.startswith(b": ping\r\n\r\n")
    assert answer.text == "done"


async def test_nothing_is_left_of_a_call(both: Both) -> None:
    await both.same(PLAIN, RAW.encode())
    transport = both.gateways[0].server.session_manager._server_instances[both.sessions[0].id]
    assert not transport._request_streams
    connection = next(each for each in both.gateways[0].sessions if each.session_id == both.sessions[0].id)
    assert not connection.outbound._in_flight  # type: ignore[attr-defined]
    await until(lambda: not any(gateway.backends["t"].in_flight for gateway in both.gateways))
    assert transport._requests_in_flight == 0  # the clock that ends a session which nobody uses


async def test_both_ways_are_written_down_alike(tmp_path: Any) -> None:
    """Rules hold on the short way as on the long: audit, limit and roles."""
    records: list[list[Json]] = []
    for short in (True, False):
        folder = tmp_path / str(short)
        policy = {**POLICY, "audit": str(folder), "limits": {"calls": "3/hour", "per": "principal"}}
        async with Gateway.of({"t": tools(), "staff": tools()}, policy) as gateway:
            http = Http(await gateway.start(relay=short), [("x-api-key", KEY)])
            await gateway.awake()
            session = await connected(http)
            for body in (ECHO, call("t.fails"), call("t.refuses"), ECHO, call("staff.echo", {"text": "y"})):
                await session.post(body)
            await http.close()
        keep = ("who", "client", "tool", "arguments", "outcome", "reason", "error")
        records.append([{name: each.get(name) for name in keep} for each in search(folder)])
    assert records[0] == records[1]
    assert [each["outcome"] for each in records[0]] == ["ok", "error", "failed", "refused", "refused"]
