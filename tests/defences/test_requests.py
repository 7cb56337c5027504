"""Signed requests: any change is refused, absence is refused, and so is the same request a second time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer

from labkit.defences.requests import (
    AHEAD,
    HEADER,
    WINDOW,
    Key,
    Request,
    SignatureError,
    SignedAuth,
    Verifier,
    canonical,
    sign,
)
from labkit.defences.signature_door import KEY, SignatureDoor
from labkit.defences.signing import Nonces

NOW = 1_800_000_000.0
ONE, TWO = Key("2026-11", b"1" * 32), Key("2026-10", b"2" * 32)
CALL = Request(
    "POST",
    "/mcp",
    "tenant=a&page=1",
    (("Content-Type", "application/json"), ("Mcp-Method", "tools/call"), ("Mcp-Name", "pay"), ("Accept", "*/*")),
    b'{"method":"tools/call","params":{"name":"pay","arguments":{"cents":1}}}',
)
cheap = settings(deadline=None, max_examples=80, derandomize=True)


def signed(request: Request = CALL, key: Key = ONE, audience: str = "orders", now: float = NOW) -> Request:
    return replace(request, headers=(*request.headers, (HEADER, sign(request, key, audience, now=now))))


def check(request: Request, *, now: float = NOW, audience: str = "orders", keys: Any = (ONE, TWO), **more: Any) -> str:
    return Verifier(keys, audience, clock=lambda: now, **more).verify(request).name


def without(request: Request, name: str) -> Request:
    return replace(request, headers=tuple(pair for pair in request.headers if pair[0].lower() != name.lower()))


def with_header(request: Request, name: str, value: str) -> Request:
    return replace(request, headers=(*request.headers, (name, value)))


def swapped(request: Request, name: str, value: str) -> Request:
    return with_header(without(request, name), name, value)


def part(number: int, value: str) -> Callable[[Request], Request]:
    """Another field of the signature."""

    def change(request: Request) -> Request:
        fields = request.values(HEADER.lower())[0].split(";")
        fields[number] = value
        return swapped(request, HEADER, ";".join(fields))

    return change


CHANGES: dict[str, Callable[[Request], Request]] = {
    "no signature": lambda r: without(r, HEADER),
    "an empty signature": lambda r: swapped(r, HEADER, ""),
    "two signatures": lambda r: with_header(r, HEADER, r.values(HEADER.lower())[0]),
    "two signatures in one": lambda r: swapped(r, HEADER, ", ".join(r.values(HEADER.lower()) * 2)),
    "a space behind it": lambda r: swapped(r, HEADER, r.values(HEADER.lower())[0] + " "),
    "in capitals": lambda r: swapped(r, HEADER, r.values(HEADER.lower())[0].upper()),
    "another version": part(0, "v2"),
    "another key's name": part(1, "2026-10"),
    "a key that there is not": part(1, "root"),
    "a later time": part(2, str(int(NOW) + 1)),
    "the time in other digits": part(2, "１８００００００００"),
    "another nonce": part(3, "0" * 32),
    "no nonce": part(3, ""),
    "no code": part(4, ""),
    "a code of zeros": part(4, "0" * 64),
    "another method": lambda r: replace(r, method="PUT"),
    "another path": lambda r: replace(r, path="/mcp/"),
    "a path in capitals": lambda r: replace(r, path="/MCP"),
    "a path that is encoded": lambda r: replace(r, path="/%6dcp"),
    "query to path": lambda r: replace(r, path=f"{r.path}?{r.query}", query=""),
    "no query": lambda r: replace(r, query=""),
    "another value": lambda r: replace(r, query="tenant=b&page=1"),
    "one more pair": lambda r: replace(r, query=r.query + "&tenant=b"),
    "a pair in front": lambda r: replace(r, query="tenant=b&" + r.query),
    "pairs run together": lambda r: replace(r, query="tenant=a%26page%3D1"),
    "a query that cannot be read": lambda r: replace(r, query="tenant"),
    "no body": lambda r: replace(r, body=b""),
    "a cent more": lambda r: replace(r, body=r.body.replace(b":1", b":2")),
    "a space in the body": lambda r: replace(r, body=r.body + b" "),
    "another tool in the header": lambda r: swapped(r, "Mcp-Name", "refund"),
    "no tool in the header": lambda r: without(r, "Mcp-Name"),
    "the tool twice": lambda r: with_header(r, "Mcp-Name", "pay"),
    "a second tool": lambda r: with_header(r, "mcp-name", "refund"),
    "a token": lambda r: with_header(r, "Authorization", "Bearer x"),
    "an empty token": lambda r: with_header(r, "Authorization", ""),
    "another kind of body": lambda r: swapped(r, "Content-Type", "text/plain"),
    "a value moved to the next header": lambda r: swapped(swapped(r, "Mcp-Name", "pa"), "Mcp-Method", "ytools/call"),
}
"""What somebody on the way can do to a request."""
HARMLESS: dict[str, Callable[[Request], Request]] = {
    "as it was sent": lambda r: r,
    "headers in capitals": lambda r: replace(r, headers=tuple((n.upper(), v) for n, v in r.headers)),
    "headers in another order": lambda r: replace(r, headers=tuple(reversed(r.headers))),
    "a header of a proxy": lambda r: with_header(r, "X-Forwarded-For", "10.0.0.1"),
    "another Accept": lambda r: swapped(r, "Accept", "application/json"),
    "a query in another order": lambda r: replace(r, query="page=1&tenant=a"),
    "a letter of the query encoded": lambda r: replace(r, query="tenant=%61&page=1"),
    "the method in small letters": lambda r: replace(r, method="post"),
    "some seconds late": lambda r: r,
}
"""What happens to a request on an honest way."""


def numbers() -> dict[str, int]:
    """How many changes there are, how many got through, and how many harmless ones were refused."""
    counted = {"attacks": len(CHANGES), "passes": 0, "legitimate": len(HARMLESS), "refusals": len(HARMLESS)}
    for change in CHANGES.values():
        with contextlib.suppress(SignatureError):
            check(change(signed()))
            counted["passes"] += 1
    for change in HARMLESS.values():
        with contextlib.suppress(SignatureError):
            check(change(signed()), now=NOW + 20)
            counted["refusals"] -= 1
    return counted


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_refused(what: str) -> None:
    with pytest.raises(SignatureError):
        check(CHANGES[what](signed()))


@pytest.mark.parametrize("what", HARMLESS)
def test_what_happens_on_an_honest_way_is_not(what: str) -> None:
    assert check(HARMLESS[what](signed()), now=NOW + 20) == "2026-11"


def test_the_corpus_in_numbers() -> None:
    found = numbers()
    assert found["attacks"] >= 37 and (found["passes"], found["refusals"]) == (0, 0)


def test_a_request_is_good_once_whoever_sends_it() -> None:
    verifier, request = Verifier([ONE], "orders", clock=lambda: NOW), signed()
    assert verifier.verify(request) is ONE
    with pytest.raises(SignatureError, match="sent before"):
        verifier.verify(request)
    assert verifier.verify(signed()) is ONE


def test_a_wrong_signature_uses_up_no_nonce() -> None:
    nonces = Nonces()
    verifier, request = Verifier([ONE], "orders", clock=lambda: NOW, nonces=nonces), signed()
    with pytest.raises(SignatureError):
        verifier.verify(replace(request, body=b""))
    assert len(nonces) == 0 and verifier.verify(request) is ONE


def test_the_window_and_the_clocks() -> None:
    late, early = NOW + WINDOW, NOW - AHEAD
    assert check(signed(), now=late - 1) and check(signed(), now=early)
    for now in (late, late + 1e6, early - 1, float("nan")):
        with pytest.raises(SignatureError, match="too old, or from the future"):
            check(signed(), now=now)


def test_a_nonce_is_remembered_as_long_as_it_could_be_used() -> None:
    now = [NOW]
    verifier, request = Verifier([ONE], "orders", clock=lambda: now[0]), signed(now=NOW)
    verifier.verify(request)
    for step in (1, WINDOW / 2, WINDOW - 1):
        now[0] = NOW + step
        verifier.verify(signed(now=now[0]))
        with pytest.raises(SignatureError, match="sent before"):
            verifier.verify(request)
    now[0] = NOW + WINDOW + 1
    with pytest.raises(SignatureError, match="too old"):
        verifier.verify(request)


def test_when_the_memory_is_full_nothing_is_let_in() -> None:
    verifier = Verifier([ONE], "orders", clock=lambda: NOW, nonces=Nonces(most=2))
    verifier.verify(signed()), verifier.verify(signed())
    with pytest.raises(SignatureError, match="too many"):
        verifier.verify(signed())


def test_another_audience_is_refused() -> None:
    with pytest.raises(SignatureError, match="wrong"):
        check(signed(audience="notes"))


def test_keys_rotate_and_end() -> None:
    ends = replace(TWO, until=NOW + 10)
    assert check(signed(key=TWO), keys=[ONE, ends], now=NOW + 9) == "2026-10"
    with pytest.raises(SignatureError, match="wrong"):
        check(signed(key=TWO), keys=[ONE, ends], now=NOW + 10)
    ring = [ONE]
    verifier = Verifier(lambda: ring, "orders", clock=lambda: NOW)
    with pytest.raises(SignatureError):
        verifier.verify(signed(key=TWO))
    ring.append(TWO)
    assert verifier.verify(signed(key=TWO)).name == "2026-10"


def test_a_key_is_not_shown() -> None:
    assert "1111" not in repr(ONE) and "1111" not in repr(Verifier([ONE], "x"))
    for name, secret in (("", b"1" * 32), ("a;b", b"1" * 32), ("a", b"short")):
        with pytest.raises(ValueError):
            Key(name, secret)


texts = st.text("a1:;=\xe9", max_size=3)
requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST"]),
    path=st.sampled_from(["/mcp", "/", "/a%20b"]),
    query=st.sampled_from(["", "a=1", "a=1&b=2", "a=&a=1"]),
    headers=st.lists(st.tuples(st.sampled_from(["mcp-name", "mcp-method", "authorization"]), texts), max_size=2).map(
        tuple
    ),
    body=st.sampled_from([b"", b"0", b"1"]),
)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(requests, requests)
def test_two_requests_never_have_one_form(one: Request, two: Request) -> None:
    def told(request: Request) -> Any:
        values = [request.values(name) for name in ("mcp-name", "mcp-method", "authorization")]
        return request.method, request.path, request.query, values, request.body

    same = canonical(one, "a", "k", "1", "n") == canonical(two, "a", "k", "1", "n")
    assert same == (told(one) == told(two))


@cheap
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_any_flipped_byte_of_the_body_or_the_signature_is_refused(at: int, flip: int) -> None:
    request = signed()
    body = bytearray(request.body)
    body[at % len(body)] ^= flip
    header = bytearray(request.values(HEADER.lower())[0].encode())
    header[at % len(header)] ^= flip
    for other in (replace(request, body=bytes(body)), swapped(request, HEADER, header.decode("latin-1"))):
        with pytest.raises(SignatureError):
            check(other)


async def app(scope: Any, receive: Any, send: Any) -> None:
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope[KEY].encode() + b" " + body})


def client_of(door: SignatureDoor, auth: httpx2.Auth | None = None) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=door), base_url="http://127.0.0.1", auth=auth)  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_a_client_that_signs_comes_in_and_others_do_not() -> None:
    door = SignatureDoor(app, Verifier([ONE], "orders"), limit=1000)
    async with client_of(door, SignedAuth(ONE, "orders")) as client:
        for _ in range(2):
            answer = await client.post("/a b/ü?x=1&y=ü", content="hello", headers={"Mcp-Name": "pay"})
            assert (answer.status_code, answer.text) == (200, "2026-11 hello")
        assert (await client.get("/")).text == "2026-11 "
        assert (await client.post("/", content=b"x" * 1001)).status_code == 413
    async with client_of(door) as client:
        answer = await client.post("/", content="hello")
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Labkit-Signature"
    async with client_of(door, SignedAuth(ONE, "notes")) as client:
        assert (await client.post("/", content="hello")).status_code == 401


@pytest.mark.anyio
async def test_a_request_that_was_seen_on_the_way_is_of_no_use() -> None:
    seen: list[httpx2.Request] = []
    door = SignatureDoor(app, Verifier([ONE], "orders"))
    async with client_of(door, SignedAuth(ONE, "orders")) as client:
        client.event_hooks["request"].append(_into(seen))
        await client.post("/mcp?a=1", content="pay 1")
    (request,) = seen
    async with client_of(door) as thief:
        again = await thief.request("POST", request.url, content=request.content, headers=request.headers)
        assert again.status_code == 401 and "sent before" in again.text
        other = await thief.request("POST", request.url, content=b"pay 2", headers={HEADER: request.headers[HEADER]})
        assert other.status_code == 401 and "wrong" in other.text


def _into(seen: list[httpx2.Request]) -> Any:
    async def hook(request: httpx2.Request) -> None:
        seen.append(request)

    return hook


@pytest.mark.anyio
async def test_a_websocket_is_turned_away() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await SignatureDoor(app, Verifier([ONE], "x"))({"type": "websocket"}, None, send)  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.anyio
async def test_a_whole_mcp_client_signs_what_it_sends() -> None:
    server = MCPServer("orders", log_level="ERROR")

    @server.tool(structured_output=False)
    async def pay(cents: int) -> str:
        return f"{cents} paid"

    inner = server.streamable_http_app(stateless_http=True, json_response=True)
    door = SignatureDoor(inner, Verifier([ONE], "orders", clock=time.time))
    transport = httpx2.ASGITransport(app=door)  # type: ignore[arg-type]
    async with inner.router.lifespan_context(inner):
        signing = httpx2.AsyncClient(transport=transport, auth=SignedAuth(ONE, "orders"))
        async with signing, Client(streamable_http_client("http://127.0.0.1:8000/mcp", http_client=signing)) as client:
            assert (await client.call_tool("pay", {"cents": 3})).content[0].text == "3 paid"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name", ["X-API-Key", "Labkit-Principal", "Authorization", "Last-Event-ID", "Content-Encoding"]
)
def test_nobody_on_the_way_says_who_asks(name: str) -> None:
    for changed in (
        with_header(signed(), name, "another"),
        without(signed(with_header(CALL, name, "one")), name),
        with_header(without(signed(with_header(CALL, name, "one")), name), name, "another"),
    ):
        with pytest.raises(SignatureError, match="wrong"):
            check(changed)
