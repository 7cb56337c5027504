"""Backends behind a URL: connections that are retired, sessions that are lost, and answers that are none."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

from labkit.errors import CallTimeoutError, ConnectError, ConnectionClosedError, ResultError, RpcError
from labkit.gateway import http_wire
from labkit.gateway.http_body import Events
from labkit.gateway.peer import Caller, Json, Peer
from labkit.gateway.peer_http import HttpPeer

from .conftest import (
    ERAS,
    HANDSHAKE,
    HERE,
    LONG,
    MODERN,
    Asked,
    Opened,
    ScriptedHttp,
    http_peer,
    made,
    opened,
    text_of,
    until,
)

pytestmark = pytest.mark.anyio


def fine(asked: Asked, text: str = "fine") -> Json:
    return {"jsonrpc": "2.0", "id": asked.message["id"], "result": {"content": [{"type": "text", "text": text}]}}


async def answer_fine(asked: Asked) -> None:
    await asked.json(fine(asked))


async def test_a_modern_request_names_itself_in_its_headers(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    scripted.script = answer_fine
    found = await http_peer(scripted, closing, headers={"Authorization": "Bearer t"})
    given = {"Mcp-Param-Region": "süd", "Labkit-Principal": "p", "Mcp-Name": "front.name", "Content-Length": "1"}
    await found.call("größe", Caller(headers=given))
    headers = scripted.asked[-1].headers
    assert headers["mcp-protocol-version"] == MODERN
    assert headers["mcp-method"] == "tools/call"
    assert headers["mcp-name"] == "=?base64?Z3LDtsOfZQ==?="
    assert headers["mcp-param-region"].startswith("=?base64?")
    assert headers["labkit-principal"] == "p"
    assert headers["authorization"] == "Bearer t"
    assert "labkit/headers" not in scripted.asked[-1].message["params"]["_meta"]


async def test_a_handshake_request_names_session_and_revision(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    scripted.era, scripted.session, scripted.script = HANDSHAKE, "s-1", answer_fine
    found = await http_peer(scripted, closing)
    await found.call("add")
    await found.peer.close()
    by_method = {asked.message.get("method"): asked.headers for asked in scripted.asked if asked.verb == "POST"}
    assert "mcp-session-id" not in by_method["initialize"]
    assert "mcp-protocol-version" not in by_method["initialize"]
    for method in ("notifications/initialized", "tools/call"):
        assert by_method[method]["mcp-session-id"] == "s-1"
        assert by_method[method]["mcp-protocol-version"] == HANDSHAKE
    assert scripted.asked[-1].verb == "DELETE"
    assert scripted.asked[-1].headers["mcp-session-id"] == "s-1"


async def test_a_header_cannot_break_out_of_its_line(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    scripted.script = answer_fine
    with pytest.raises(ConnectError, match="cannot be sent"):
        HttpPeer("bad", scripted.url, headers={"X": "a\r\nY: b"})
    found = await http_peer(scripted, closing)
    before = len(scripted.asked)
    for bad in ({"X": "a\r\nContent-Length: 0"}, {"X: y": "z"}, {"X": "snow \u2603"}):
        with pytest.raises(RpcError, match="cannot be sent"):
            await found.call("add", Caller(headers=bad))
    assert len(scripted.asked) == before
    assert found.peer.in_flight == 0


async def test_connections_are_used_again(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    scripted.script = answer_fine
    found = await http_peer(scripted, closing)
    for _ in range(5):
        await found.call("add")
    assert scripted.connections == 1


async def test_a_retired_connection_is_replaced(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    scripted.script = answer_fine
    found = await http_peer(scripted, closing)
    scripted.drop_idle()  # our side does not know yet when the next request goes out
    assert text_of(await found.peer.request("tools/call", {"name": "add"}, Caller(repeatable=True))) == "fine"
    assert scripted.connections == 2


async def test_a_call_that_may_do_something_is_not_sent_twice(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    async def act_and_die(asked: Asked) -> None:
        asked.close()

    scripted.script = act_and_die
    found = await http_peer(scripted, closing)
    assert found.peer._wire.idle  # a connection that was used before: it might have been retired
    with pytest.raises(ConnectionClosedError):
        await found.call("add")
    assert [asked.message["method"] for asked in scripted.asked].count("tools/call") == 1


async def test_such_a_call_goes_out_on_a_connection_that_is_not_stale(
    scripted: ScriptedHttp, closing: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.script = answer_fine
    found = await http_peer(scripted, closing)
    monkeypatch.setattr(http_wire, "FRESH", -1.0)  # any time is stale
    await found.call("add")
    assert scripted.connections == 2


async def test_a_request_on_a_fresh_connection_is_not_sent_twice(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    async def hang_up(asked: Asked) -> None:
        asked.close()

    scripted.script = hang_up
    found = await http_peer(scripted, closing)
    scripted.drop_idle()
    await until(lambda: not found.peer._wire.idle)
    with pytest.raises(ConnectionClosedError, match="ended the connection during tools/call"):
        await found.call("add")
    assert [asked.message["method"] for asked in scripted.asked].count("tools/call") == 1


async def test_a_request_that_was_long_with_the_server_is_not_sent_twice(
    scripted: ScriptedHttp, closing: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_wire, "RETIRED", -1.0)  # any time is long

    async def hang_up(asked: Asked) -> None:
        asked.close()

    scripted.script = hang_up
    found = await http_peer(scripted, closing)
    with pytest.raises(ConnectionClosedError):
        await found.call("add")
    assert [asked.message["method"] for asked in scripted.asked].count("tools/call") == 1


async def test_a_connection_lost_within_an_answer_is_not_tried_again(
    scripted: ScriptedHttp, closing: list[Peer]
) -> None:
    async def half(asked: Asked) -> None:
        await asked.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        asked.writer.close()

    scripted.script = half
    found = await http_peer(scripted, closing)
    with pytest.raises(ConnectionClosedError, match="within its answer"):
        await found.call("add")
    assert [asked.message["method"] for asked in scripted.asked].count("tools/call") == 1


async def test_a_server_that_is_away_can_be_back(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    scripted.script = answer_fine
    found = await http_peer(scripted, closing)
    port = int(scripted.url.split(":")[2].split("/")[0])
    await scripted.stop()
    with pytest.raises(ConnectionClosedError, match="cannot be reached"):
        await found.call("add")
    assert found.peer.alive
    await scripted.start(port)
    assert text_of(await found.call("add")) == "fine"
    assert found.heard.lost == []


async def test_a_lost_session_is_told_and_ends_the_peer(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    async def unknown(asked: Asked) -> None:
        await asked.json(
            {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "Session not found"}}, "404 Not Found"
        )

    scripted.era, scripted.session, scripted.script = HANDSHAKE, "s-1", unknown
    found = await http_peer(scripted, closing)
    with pytest.raises(ConnectionClosedError, match="has ended the session: Session not found"):
        await found.call("add")
    assert not found.peer.alive
    assert len(found.heard.lost) == 1
    await found.peer.close()
    assert "DELETE" not in [asked.verb for asked in scripted.asked]


async def test_a_real_server_that_was_restarted_has_lost_the_session(closing: list[Peer]) -> None:
    found = await opened("http", HANDSHAKE, "calculator")
    assert found.server is not None
    found.peer._session = "no-such-session"
    found.peer._start_lines = found.peer._lines("POST")
    with pytest.raises(ConnectionClosedError, match="has ended the session"):
        await found.call("add", a=1, b=2)
    await found.close()


ODD_ANSWERS: dict[str, tuple[Any, type[Exception], str]] = {
    "another id": (lambda asked: asked.json({**fine(asked), "id": 4711}), ResultError, "no answer"),
    "no JSON": (lambda asked: asked.send(b"<html>", "200 OK", "Content-Type: application/json"), ResultError, "<html>"),
    "nothing": (lambda asked: asked.send(b"", "202 Accepted"), ResultError, "HTTP 202"),
    "no content": (lambda asked: asked.raw(b"HTTP/1.1 204 No Content\r\n\r\n"), ResultError, "HTTP 204"),
    "202 without a length": (lambda asked: asked.raw(b"HTTP/1.1 202 Accepted\r\n\r\n"), ResultError, "HTTP 202"),
    "neither": (lambda asked: asked.json({"jsonrpc": "2.0", "id": asked.message["id"]}), ResultError, "neither"),
    "forbidden": (
        lambda asked: asked.send(b"", "403 Forbidden", 'WWW-Authenticate: Bearer error="insufficient_scope"'),
        ResultError,
        r"HTTP 403 \(Bearer error",
    ),
    "too busy": (
        lambda asked: asked.send(b"later", "503 Service Unavailable"),
        ConnectionClosedError,
        "HTTP 503.*later",
    ),
    "redirect": (lambda asked: asked.send(b"", "307 Temporary Redirect", "Location: /x"), ResultError, "HTTP 307"),
    "no HTTP": (lambda asked: asked.raw(b"hello there\r\n\r\n"), ResultError, "not HTTP/1.1"),
    "error without id": (
        lambda asked: asked.json(
            {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "eh?"}}, "400 Bad Request"
        ),
        RpcError,
        "eh?",
    ),
    "error": (
        lambda asked: asked.json({"jsonrpc": "2.0", "id": asked.message["id"], "error": {"code": 1, "message": "no"}}),
        RpcError,
        "error 1: no",
    ),
    "an empty stream": (lambda asked: asked.events(), ConnectionClosedError, "before the answer"),
    "a stream that breaks": (
        lambda asked: asked.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {}\n"),
        ConnectionClosedError,
        "before the answer",
    ),
}


@pytest.mark.parametrize("kind", ODD_ANSWERS)
async def test_what_is_no_answer_is_said(kind: str, scripted: ScriptedHttp, closing: list[Peer]) -> None:
    send, error, says = ODD_ANSWERS[kind]

    async def script(asked: Asked) -> None:
        await send(asked)
        if kind in ("a stream that breaks", "no HTTP"):
            asked.writer.close()

    scripted.script = script
    found = await http_peer(scripted, closing)
    with pytest.raises(error, match=says):
        await found.call("add", timeout=LONG)
    scripted.script = answer_fine
    assert text_of(await found.call("add")) == "fine"


GOOD_ANSWERS: dict[str, Any] = {
    "JSON": lambda asked: asked.json(fine(asked)),
    "a text for an id": lambda asked: asked.json({**fine(asked), "id": str(asked.message["id"])}),
    "a batch": lambda asked: asked.json([fine(asked)]),
    "events": lambda asked: asked.events(fine(asked)),
    "events after noise": lambda asked: asked.events("no JSON", [1, 2], {"id": 4711, "result": {}}, fine(asked)),
    "twice": lambda asked: asked.events(fine(asked), fine(asked, "second")),
    "hints first": lambda asked: asked.raw(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + whole(asked)),
    "byte by byte": lambda asked: slowly(asked, whole(asked)),
    "until the end": lambda asked: until_end(asked),
}


def whole(asked: Asked) -> bytes:
    body = json.dumps(fine(asked)).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def slowly(asked: Asked, data: bytes) -> None:
    for at in range(len(data)):
        await asked.raw(data[at : at + 1])
        await asyncio.sleep(0)


async def until_end(asked: Asked) -> None:
    await asked.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(fine(asked)).encode())
    asked.writer.close()


@pytest.mark.parametrize("kind", GOOD_ANSWERS)
async def test_an_answer_is_found_however_it_comes(kind: str, scripted: ScriptedHttp, closing: list[Peer]) -> None:
    scripted.script = GOOD_ANSWERS[kind]
    found = await http_peer(scripted, closing)
    for _ in range(3):
        assert text_of(await found.call("add", timeout=LONG)) == "fine"
    assert found.peer.strays == {"events after noise": 3, "twice": 3}.get(kind, 0)


async def test_a_stream_that_goes_on_after_its_answer_is_left(
    scripted: ScriptedHttp, closing: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.gateway.http_replies.DRAIN", 0.05)
    scripted.script = lambda asked: asked.events(fine(asked), end=False)
    found = await http_peer(scripted, closing)
    assert text_of(await found.call("add")) == "fine"
    await until(lambda: scripted.open == 0)
    assert text_of(await found.call("add")) == "fine"


async def test_a_connection_that_was_idle_too_long_is_not_used_again(
    scripted: ScriptedHttp, closing: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.script = answer_fine
    found = await http_peer(scripted, closing)
    monkeypatch.setattr(http_wire, "IDLE", -1.0)
    for _ in range(2):
        await found.call("add", Caller(repeatable=True))
    assert scripted.connections == 3
    await until(lambda: scripted.open == 1)


async def test_headers_without_end_are_given_up(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    async def endless(asked: Asked) -> None:
        await asked.raw(b"HTTP/1.1 200 OK\r\n")
        while True:
            await asked.raw(b"X-Filler: " + b"x" * 10_000 + b"\r\n")

    scripted.script = endless
    found = await http_peer(scripted, closing)
    with pytest.raises(ResultError, match="headers are longer than"):
        await found.call("add")


async def test_what_comes_unasked_on_an_idle_connection_ends_it(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    async def too_much(asked: Asked) -> None:
        await asked.raw(whole(asked) + whole(asked))

    scripted.script = too_much
    found = await http_peer(scripted, closing)
    for _ in range(3):
        assert text_of(await found.call("add")) == "fine"
    assert scripted.connections == 3


async def test_a_body_without_end_is_given_up(
    scripted: ScriptedHttp, closing: list[Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.gateway.http_body.MAX_ANSWER", 100_000)

    async def endless(asked: Asked) -> None:
        await asked.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n")
        while True:
            await asked.raw(b" " * 50_000)

    scripted.script = endless
    found = await http_peer(scripted, closing)
    with pytest.raises(ResultError, match="longer than 100,000 bytes"):
        await found.call("add")


@pytest.mark.parametrize("how", ["timeout", "cancelled"])
async def test_giving_up_closes_the_stream_of_a_modern_call(
    how: str, scripted: ScriptedHttp, closing: list[Peer]
) -> None:
    began = asyncio.Event()

    async def never(asked: Asked) -> None:
        began.set()
        await asked.gone()

    scripted.script = never
    found = await http_peer(scripted, closing)
    task = asyncio.ensure_future(found.call("add", timeout=0.2 if how == "timeout" else None))
    async with asyncio.timeout(LONG):
        await began.wait()
        if how == "cancelled":
            task.cancel()
        with pytest.raises((CallTimeoutError, asyncio.CancelledError)):
            await task
        await until(lambda: found.peer._wire.connections == set())
        await until(lambda: scripted.open == 0)
    assert found.peer.in_flight == 0


async def test_giving_up_a_handshake_call_says_so(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    async def never(asked: Asked) -> None:
        await asked.events(end=False)

    scripted.era, scripted.script = HANDSHAKE, never
    found = await http_peer(scripted, closing)
    with pytest.raises(CallTimeoutError):
        await found.call("add", timeout=0.1)
    call = next(
        asked for asked in scripted.asked if asked.verb == "POST" and asked.message.get("method") == "tools/call"
    )

    def told() -> list[Json]:
        messages = [asked.message for asked in scripted.asked if asked.verb == "POST"]
        return [each["params"] for each in messages if each.get("method") == "notifications/cancelled"]

    await until(told)
    assert told() == [{"requestId": call.message["id"], "reason": "it took too long"}]


async def test_a_broken_stream_goes_on_where_it_stopped(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    held: list[Asked] = []

    async def script(asked: Asked) -> None:
        if asked.verb == "POST":
            held.append(asked)
            token = asked.message["params"]["_meta"]["progressToken"]
            progress = {
                "jsonrpc": "2.0",
                "method": "notifications/progress",
                "params": {"progressToken": token, "progress": 1},
            }
            await asked.events(end=False)
            await asked.raw(b"a\r\nretry: 10\n\r\n")
            await asked.event(progress, id="e7")
            await asked.raw(b"0\r\n\r\n")
        elif asked.headers.get("last-event-id") == "e7":
            await asked.events(fine(held[0], "resumed"))
        else:
            await asked.send(b"", "405 Method Not Allowed")

    scripted.era, scripted.script = HANDSHAKE, script
    scripted.streams = True  # type: ignore[attr-defined]
    found = await http_peer(scripted, closing)
    heard: list[Json] = []

    async def hear(method: str, params: Json) -> None:
        heard.append(params)

    result = await found.call("add", Caller(progress_token="t", on_notify=hear))
    assert text_of(result) == "resumed"
    assert heard == [{"progressToken": "t", "progress": 1}]


async def test_the_servers_own_stream_is_asked_for_again(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    streams: list[Asked] = []

    async def script(asked: Asked) -> None:
        if asked.verb == "GET":
            streams.append(asked)
            await asked.events(end=False)
            await asked.raw(b"b\r\nretry: 10\n\n\r\n")
            await asked.event({"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"})
            if len(streams) == 1:
                await asked.raw(b"0\r\n\r\n")

    scripted.era, scripted.session, scripted.script = HANDSHAKE, "s", script
    scripted.streams = True  # type: ignore[attr-defined]
    found = await http_peer(scripted, closing)
    await found.peer.watch(())
    await until(lambda: found.heard.methods.count("notifications/prompts/list_changed") == 2)
    assert "notifications/tools/list_changed" in found.heard.methods  # may have been missed meanwhile


async def test_on_the_servers_own_stream_only_the_one_in_flight_is_asked(
    scripted: ScriptedHttp, closing: list[Peer]
) -> None:
    answers: list[Json] = []
    stream: list[Asked] = []
    held: list[Asked] = []
    more = asyncio.Event()

    async def script(asked: Asked) -> None:
        if asked.verb == "GET":
            stream.append(asked)
            await asked.events(end=False)
            await more.wait()
        else:
            held.append(asked)
            if len(held) in (1, 3):
                question = {"jsonrpc": "2.0", "id": f"q{len(held)}", "method": "elicitation/create", "params": {}}
                await stream[0].event(question)

    scripted.era, scripted.session, scripted.script = HANDSHAKE, "s", script
    scripted.streams = True  # type: ignore[attr-defined]
    found = await http_peer(scripted, closing)
    await found.peer.watch(())

    def answered() -> list[Json]:
        return [asked.message for asked in scripted.asked if asked.verb == "POST" and "method" not in asked.message]

    async def answer(method: str, params: Json) -> Json:
        return {"action": "decline"}

    caller = Caller(on_ask=answer)
    tasks = [asyncio.ensure_future(found.call("one", caller))]
    await until(lambda: len(answered()) == 1)
    tasks += [asyncio.ensure_future(found.call("two", caller)), asyncio.ensure_future(found.call("three", caller))]
    await until(lambda: len(answered()) == 2)
    answers = answered()
    assert answers[0] == {"jsonrpc": "2.0", "id": "q1", "result": {"action": "decline"}}
    assert answers[1]["error"]["message"].startswith("3 calls are in flight")
    for asked in held:
        await asked.json(fine(asked))
    await asyncio.gather(*tasks)
    more.set()


async def test_a_subscription_is_renewed_and_what_may_have_been_missed_is_told(
    scripted: ScriptedHttp, closing: list[Peer]
) -> None:
    listens: list[Asked] = []

    async def script(asked: Asked) -> None:
        listens.append(asked)
        meta = {"io.modelcontextprotocol/subscriptionId": asked.message["id"]}
        acknowledged = {
            "jsonrpc": "2.0",
            "method": "notifications/subscriptions/acknowledged",
            "params": {"_meta": meta},
        }
        await asked.events(acknowledged, end=len(listens) == 1)

    scripted.capabilities = {"tools": {"listChanged": True}, "resources": {"subscribe": True}}
    scripted.script = script
    found = await http_peer(scripted, closing)
    await found.peer.watch(["a://b"])
    assert listens[0].message["params"]["notifications"] == {
        "toolsListChanged": True,
        "resourceSubscriptions": ["a://b"],
    }
    await until(lambda: len(found.heard.events) == 2)
    assert found.heard.events == [
        ("notifications/tools/list_changed", {}),
        ("notifications/resources/updated", {"uri": "a://b"}),
    ]
    await found.peer.watch(["a://b"])
    assert len(listens) == 2
    assert found.peer.in_flight == 0


async def test_a_server_that_refuses_to_be_watched(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    async def refuse(asked: Asked) -> None:
        await asked.json({"jsonrpc": "2.0", "id": asked.message["id"], "error": {"code": -32603, "message": "full"}})

    scripted.capabilities, scripted.script = {"tools": {"listChanged": True}}, refuse
    found = await http_peer(scripted, closing)
    with pytest.raises(RpcError, match="full"):
        await found.peer.watch(())


async def test_a_redirect_of_the_same_origin_is_followed_once(scripted: ScriptedHttp, closing: list[Peer]) -> None:
    answer = scripted._answer

    async def moved(asked: Asked) -> None:
        if asked.path == "/mcp":
            await asked.send(b"", "307 Temporary Redirect", "Location: /mcp/?v=1")
        else:
            await answer(asked)

    scripted._answer = moved  # type: ignore[method-assign]
    scripted.script = answer_fine
    found = await http_peer(scripted, closing)
    assert text_of(await found.call("add")) == "fine"
    assert [asked.path for asked in scripted.asked] == ["/mcp", "/mcp/?v=1", "/mcp/?v=1"]


async def test_a_redirect_elsewhere_is_refused(scripted: ScriptedHttp) -> None:
    async def away(asked: Asked) -> None:
        await asked.send(b"", "307 Temporary Redirect", "Location: http://127.0.0.2:9/mcp")

    scripted._answer = away  # type: ignore[method-assign]
    with pytest.raises(ConnectError, match="redirects to another place"):
        await HttpPeer("away", scripted.url).open()


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "http://h:99999999/", "nonsense"])
async def test_what_is_no_url_is_said(url: str) -> None:
    with pytest.raises(ConnectError, match="is not the URL of an MCP endpoint"):
        await HttpPeer("x", url).open()


async def test_who_is_not_there_or_not_let_in_is_said(scripted: ScriptedHttp) -> None:
    async def locked(asked: Asked) -> None:
        await asked.send(b"", "401 Unauthorized", "WWW-Authenticate: Bearer")

    scripted._answer = locked  # type: ignore[method-assign]
    with pytest.raises(ConnectError, match=r"HTTP 401 \(Bearer\)"):
        await HttpPeer("locked", scripted.url).open()
    url = scripted.url
    await scripted.stop()
    with pytest.raises(ConnectError, match="cannot be reached"):
        await HttpPeer("away", url).open()


@pytest.mark.parametrize("era", ERAS)
async def test_closing_leaves_no_socket(era: str, scripted: ScriptedHttp, closing: list[Peer]) -> None:
    scripted.era, scripted.script = era, answer_fine
    found = await http_peer(scripted, closing)
    await asyncio.gather(*(found.call("add") for _ in range(8)))
    assert found.peer._wire.idle > 1
    await found.peer.close()
    assert found.peer._wire.connections == set()
    await until(lambda: scripted.open == 0)


CRASHING = """
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["method"] == "tools/call":
            os._exit(7)
        result = {"supportedVersions": ["2026-07-28"], "capabilities": {}}
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


async def test_a_server_killed_in_mid_call_is_noticed(closing: list[Peer]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", CRASHING, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        peer = HttpPeer("crashing", f"http://127.0.0.1:{port}/mcp")
        closing.append(peer)
        await peer.open()
        with pytest.raises(ConnectionClosedError, match="tools/call|cannot be reached"):
            await peer.request("tools/call", {"name": "crash", "arguments": {}}, timeout=LONG)
    finally:
        await process.wait()
    assert process.returncode == 7


def test_events_are_found_however_they_are_cut() -> None:
    stream = (
        b": comment\r\n\r\nid: 1\r\ndata: one\r\n\r\nevent: other\ndata: not this\n\n"
        b"data: two\ndata: lines\n\ndata:three\r\rid: 9\ndata:\n\nretry: 1500\n\ndata: unfinished"
    )
    for size in range(1, len(stream) + 1):
        events, found = Events(), []
        for at in range(0, len(stream), size):
            found += events.feed(stream[at : at + size])
        assert found == [b"one", b"two\nlines", b"three"], size
        assert events.last_id == b"9"
        assert events.retry == 1.5


def test_an_event_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.gateway.http_body.MAX_ANSWER", 1000)
    events = Events()
    for _ in range(100):
        events.feed(b"data: " + b"x" * 500 + b"\n\n")  # many are no problem
    with pytest.raises(ValueError, match="longer than 1,000 bytes"):
        for _ in range(10):
            events.feed(b"data: " + b"x" * 500)


async def test_questions_over_http_go_to_the_call_on_whose_stream_they_come(closing: list[Peer]) -> None:
    server = made(HERE / "small_server.py")
    assert server.name == "small"
    found: Opened = await opened("http", HANDSHAKE, HERE / "small_server.py")
    holding = asyncio.ensure_future(found.call("wait", key="busy"))
    await until(lambda: found.peer.in_flight == 1)

    async def answer(method: str, params: Json) -> Json:
        return {"action": "decline"}

    assert text_of(await found.call("ask", Caller(on_ask=answer), label="a")) == "a: decline"
    holding.cancel()
    await asyncio.wait([holding])
    await found.close()
