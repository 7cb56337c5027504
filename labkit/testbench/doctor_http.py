"""Over HTTP: who is let in, which status codes and headers come back, and what a client is told that may not enter."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

from labkit.defences.loopback import is_loopback
from labkit.testbench.bench import Bench
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.raw import HANDSHAKE, Answer, Json
from labkit.testbench.raw_http import RawHttp

EVIL = "testbench-evil.example"
"""A name that is nobody's (RFC 2606)."""
SPEC = "basic/transports/streamable-http"


async def _http(bench: Bench, era: str) -> RawHttp:
    return cast(RawHttp, await bench.shared(era))


async def ask_with(wire: RawHttp, headers: Json, *, drop: str = "", body: str | None = None) -> Answer:
    """An ordinary request with other headers."""
    frame = wire.frame(wire.trivial)
    head = {k: v for k, v in wire.headers(frame).items() if k != drop} | headers
    return await wire.post(body if body is not None else json.dumps(frame), head, id=frame["id"], timeout=5.0)


def _local(bench: Bench) -> None:
    if not is_loopback(bench.url):
        raise NotApplicable("the server is on another machine: a page in a browser can reach it anyway")


@check(
    "doctor.http-origin",
    "A web page of another site is refused",
    severity="error",
    spec=f"{SPEC}#security-endpoint",
    fix="Compare the Origin header, when there is one, with the origins you expect, and answer 403 to others.",
    transports=["http"],
)
async def origin(bench: Bench) -> AsyncGenerator[Finding]:
    """Any page in the user's browser can send requests to a local port; DNS rebinding lets it read the answers."""
    _local(bench)
    for era in bench.eras:
        wire = await _http(bench, era)
        forged = await ask_with(wire, {"origin": f"http://{EVIL}"})
        if forged.came == "result":
            rebound = await ask_with(wire, {"origin": f"http://{EVIL}", "host": EVIL})
            safe = rebound.came != "result"
            said = f"a request with Origin: http://{EVIL} was carried out"
            said += ", though not with a forged Host as well" if safe else ", with a forged Host too"
            grave = "warning" if safe else None
            yield Finding(said, f"Origin: http://{EVIL}\n{forged.sent}", forged.received, era=era, severity=grave)
        elif forged.status is not None and forged.status >= 500:
            said = f"a foreign Origin got HTTP {forged.status}, not 403"
            yield Finding(said, forged.sent, forged.received, era=era, severity="warning")


@check(
    "doctor.http-host",
    "A request for another host name is refused",
    severity="warning",
    spec=f"{SPEC}#security-endpoint",
    fix="Answer 421 (or 403) when the Host header is not a name you listen under, loopback names with your port.",
    transports=["http"],
)
async def host(bench: Bench) -> AsyncGenerator[Finding]:
    """After DNS rebinding the browser sends the attacker's name: the one sign that is always there."""
    _local(bench)
    for era in bench.eras:
        wire = await _http(bench, era)
        answer = await ask_with(wire, {"host": EVIL})
        if answer.came != "result":
            continue
        refused = (await ask_with(wire, {"host": EVIL, "origin": f"http://{EVIL}"})).came != "result"
        said = f"a request with Host: {EVIL} was carried out"
        mild = "info" if refused else None  # a browser sends an Origin with every POST
        yield Finding(said, f"Host: {EVIL}\n{answer.sent}", answer.received, era=era, severity=mild)


@check(
    "doctor.http-content-type",
    "Requests come as JSON and answers go as JSON or as a stream of events",
    severity="error",
    spec=f"{SPEC}#sending-messages",
    fix="Answer with Content-Type application/json or text/event-stream; refuse other request bodies with 415 or 400.",
    transports=["http"],
)
async def content_type(bench: Bench) -> AsyncGenerator[Finding]:
    """A page of another site may send text/plain without asking first: taking it opens the door that CORS closes."""
    for era in bench.eras:
        wire = await _http(bench, era)
        answer = await ask_with(wire, {})
        given = answer.headers.get("content-type", "")
        if answer.came == "result" and not given.startswith(("application/json", "text/event-stream")):
            yield Finding(f"an answer came as Content-Type {given!r}", answer.sent, answer.received, era=era)
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            odd = await ask_with(wire, {"content-type": kind})
            if odd.came == "result" or (odd.status is not None and not 400 <= odd.status < 500):
                said = f"a request as {kind} got {odd.what}"
                yield Finding(said, odd.sent, odd.received, era=era, severity="warning")
                break


@check(
    "doctor.http-accept",
    "What the client accepts is looked at",
    severity="info",
    spec=f"{SPEC}#sending-messages",
    fix="Answer 406 to a client that does not accept both kinds, or with the kind it accepts; never with 500.",
    transports=["http"],
)
async def accept(bench: Bench) -> AsyncGenerator[Finding]:
    """A client that reads JSON only cannot read a stream of events; it is better told than sent one."""
    for era in bench.eras:
        wire = await _http(bench, era)
        for kind in ("application/json", "text/html"):
            answer = await ask_with(wire, {"accept": kind})
            given = answer.headers.get("content-type", "")
            if answer.status is not None and answer.status >= 500:
                said = f"Accept: {kind} got HTTP {answer.status}"
                yield Finding(said, answer.sent, answer.received, era=era, severity="warning")
            elif answer.came == "result" and not given.startswith(kind):
                yield Finding(f"Accept: {kind} was answered with {given}", answer.sent, answer.received, era=era)


@check(
    "doctor.http-methods",
    "GET opens a stream or is refused, and other methods are refused",
    severity="warning",
    spec=f"{SPEC}#earlier-streamable-http-revisions",
    fix="Answer 405 with Allow to methods you do not serve: GET and DELETE too, when you have no streams and sessions.",
    transports=["http"],
)
async def methods(bench: Bench) -> AsyncGenerator[Finding]:
    """Clients of all ages try GET; 405 tells them that there is nothing, an error page tells them nothing."""
    for era in bench.eras:
        wire = await _http(bench, era)
        for method in ("GET", "PUT", "DELETE") if wire.modern else ("GET", "PUT"):
            head = {k: v for k, v in wire.headers().items() if k != "content-type"} | {"accept": "text/event-stream"}
            answer = await wire.post(b"", head, method=method, timeout=0.4)
            status = answer.status
            if status is None or (answer.came == "silence" and not wire.modern):
                continue  # an open stream, silent until something happens
            streams = method == "GET" and answer.headers.get("content-type", "").startswith("text/event-stream")
            if streams and not wire.modern:
                continue
            if not 400 <= status < 500:
                said = f"{method} got HTTP {status}"
                yield Finding(said, f"{method} {bench.url}", answer.received, era=era)
            elif status != 405 and wire.modern:
                said = f"{method} got HTTP {status}, not 405"
                yield Finding(said, f"{method} {bench.url}", answer.received, era=era, severity="info")


@check(
    "doctor.http-session",
    "A session that is over, or never was, is answered with 404",
    severity="error",
    spec="2025-11-25/basic/transports#session-management",
    fix="Answer 404 to a session id you do not know: it tells the client to begin anew.",
    transports=["http"],
)
async def session(bench: Bench) -> AsyncGenerator[Finding]:
    """Servers are restarted; a client that gets anything but 404 goes on with a session that nobody has."""
    if HANDSHAKE not in bench.eras:
        raise NotApplicable("only the handshake era has sessions")
    if not bench.hellos[HANDSHAKE].headers.get("mcp-session-id"):
        raise NotApplicable("the server gives out no session ids")
    async with bench.wire(HANDSHAKE) as opened:
        wire = cast(RawHttp, opened)
        own = wire.headers()["mcp-session-id"]
        if not re.fullmatch(r"[\x21-\x7e]+", own):
            yield Finding("the session id has characters other than visible ASCII", received=own, era=HANDSHAKE)
        unknown = await ask_with(wire, {"mcp-session-id": "testbench-no-such-session"})
        if unknown.status != 404:
            said = f"a session id that it never gave got {unknown.what}, not HTTP 404"
            yield Finding(said, unknown.sent, unknown.received, era=HANDSHAKE)
        none = await ask_with(wire, {}, drop="mcp-session-id")
        if none.came == "result":
            said = "a request without the session id was carried out"
            yield Finding(said, none.sent, none.received, era=HANDSHAKE, severity="info")
        ended = await wire.post(b"", wire.headers() | {"mcp-session-id": own}, method="DELETE", timeout=5.0)
        if ended.status is not None and 200 <= ended.status < 300:
            after = await ask_with(wire, {"mcp-session-id": own})
            if after.status != 404:
                said = f"a session that was ended with DELETE still gets {after.what}"
                yield Finding(said, after.sent, after.received, era=HANDSHAKE)
        elif ended.status != 405:
            said = f"DELETE of the session got {ended.what}, not 2xx or 405"
            yield Finding(said, f"DELETE {bench.url}", ended.received, era=HANDSHAKE, severity="warning")


@check(
    "doctor.http-auth",
    "A client without a token learns where to get one",
    severity="error",
    spec="basic/authorization/authorization-server-discovery",
    fix="Answer 401 with WWW-Authenticate: Bearer resource_metadata=URL, and serve that document (RFC 9728) with"
    " resource and authorization_servers.",
    transports=["http"],
)
async def auth(bench: Bench) -> AsyncGenerator[Finding]:
    """The challenge is all a client has to begin with: without it the user types tokens by hand."""
    wire = await _http(bench, bench.eras[-1])
    answer = await ask_with(wire, {}, drop="authorization")
    if answer.status != 401:
        raise NotApplicable("the server asks for no token")
    challenge = answer.headers.get("www-authenticate", "")
    shown = f"HTTP 401\nWWW-Authenticate: {challenge}"
    if not challenge.lower().startswith("bearer"):
        yield Finding(f"the challenge is {challenge!r}, not Bearer", answer.sent, shown)
    parts = urlsplit(bench.url)
    base = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource"
    named = re.search(r'resource_metadata="?([^",\s]+)', challenge)
    places = [named[1]] if named else [base + parts.path, base]
    tried = [await wire.fetch(place) for place in places]
    found = next((text for status, text in tried if status == 200), None)
    if found is None:
        said = "the challenge names no resource_metadata, and the well-known places have none" if not named else ""
        said = said or f"the document named by the challenge gives HTTP {tried[0][0]}"
        yield Finding(said, "\n".join(places), shown)
        return
    for wrong in _metadata(found, bench.url):
        yield Finding(wrong, places[0], found)


def _metadata(text: str, url: str) -> list[str]:
    try:
        data: Any = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return ["the protected-resource metadata is no JSON object"]
    given = cast(Json, data)
    wrong: list[str] = []
    resource = given.get("resource")
    if not isinstance(resource, str) or not covers(resource, url):
        wrong.append(f"its resource is {resource!r}, which is not the server's address: clients must refuse it")
    if not isinstance(servers := given.get("authorization_servers"), list) or not servers:
        wrong.append("it lists no authorization_servers")
    return wrong


def covers(resource: str, url: str) -> bool:
    """Whether the address is that of the resource or below it: same scheme and host, and whole parts of the path."""
    try:
        named, given = (urlsplit(address) for address in (resource, url))
        if (named.scheme, _port(named), named.hostname) != (given.scheme, _port(given), given.hostname):
            return False
    except ValueError:  # a port that is none
        return False
    path = named.path.rstrip("/").split("/")
    return given.path.split("/")[: len(path)] == path


def _port(address: SplitResult) -> int | None:
    return address.port or {"http": 80, "https": 443}.get(address.scheme)
