"""A tool that ben may not call: with headers that say something else than the body, with none, and with a body that is
written in odd ways.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2

from labkit.range import Target

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
PREFIX = "io.modelcontextprotocol/"
OPEN, SECRET = "count_orders", "export_orders"
BEN, ADA = "Bearer demo-token-of-ben", "Bearer demo-token-of-ada"
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
META = {f"{PREFIX}protocolVersion": MODERN, f"{PREFIX}clientCapabilities": {}}
Headers = list[tuple[str, str]]


def frame(method: str = "tools/call", name: str = SECRET, *, modern: bool = True, **arguments: Any) -> dict[str, Any]:
    """A request as a body."""
    params: dict[str, Any] = {"name": name, "arguments": arguments} if method == "tools/call" else {}
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params | ({"_meta": META} if modern else {})}


def encoded(name: str) -> str:
    """A name as a header may say it."""
    return f"=?base64?{base64.b64encode(name.encode()).decode()}?="


SAID: dict[str, Headers] = {
    "Mcp-Name of a tool that is granted": [("mcp-method", "tools/call"), ("mcp-name", OPEN)],
    "the same, encoded": [("mcp-method", "tools/call"), ("mcp-name", encoded(OPEN))],
    "Mcp-Method of a list": [("mcp-method", "tools/list"), ("mcp-name", SECRET)],
    "Mcp-Method in other letters": [("mcp-method", "Tools/Call"), ("mcp-name", SECRET)],
    "no Mcp-Method": [("mcp-name", SECRET)],
    "neither": [],
    "two names, the granted one first": [("mcp-method", "tools/call"), ("mcp-name", OPEN), ("mcp-name", SECRET)],
    "two names, the granted one last": [("mcp-method", "tools/call"), ("mcp-name", SECRET), ("mcp-name", OPEN)],
    "what the body says": [("mcp-method", "tools/call"), ("mcp-name", SECRET)],
    "what the body says, encoded": [("mcp-method", "tools/call"), ("mcp-name", encoded(SECRET))],
}
"""Headers over a body that calls SECRET."""
VERSIONS: dict[str, Headers] = {
    "2026-07-28": [("mcp-protocol-version", MODERN)],
    "2025-11-25": [("mcp-protocol-version", HANDSHAKE)],
    "no version": [],
}


def odd_bodies(modern: bool) -> dict[str, bytes]:
    """Bodies that call SECRET, written in odd ways: not every reader sees in them what the server's parser does."""
    plain = json.dumps(frame(modern=modern))
    whole = json.dumps(frame(name=OPEN, modern=modern))
    return {
        "a number of 5000 digits": plain.replace('"arguments": {}', f'"arguments": {{"n": {"1" * 5000}}}').encode(),
        "the name twice": plain.replace(f'"name": "{SECRET}"', f'"name": "{OPEN}", "name": "{SECRET}"').encode(),
        "the name twice, the other way round": whole.replace(f'"{OPEN}"', f'"{SECRET}", "name": "{OPEN}"').encode(),
        "the method twice": plain.replace('"method"', '"method": "tools/list", "method"').encode(),
        "the params twice": plain.replace('"params"', '"params": {}, "params"').encode(),
        "the name with escapes": plain.replace(SECRET, "".join(f"\\u{ord(c):04x}" for c in SECRET)).encode(),
        "UTF-16": plain.encode("utf-16"),
        "a mark of the byte order": b"\xef\xbb\xbf" + plain.encode(),
        "NaN": plain.replace('"arguments": {}', '"arguments": {"n": NaN}').encode(),
        "half a character": plain.replace('"arguments": {}', '"arguments": {"n": "\\ud800"}').encode(),
        "much nesting": plain.replace('"arguments": {}', f'"arguments": {{"n": {"[" * 150}{"]" * 150}}}').encode(),
        "more nesting": plain.replace('"arguments": {}', f'"arguments": {{"n": {"[" * 3000}{"]" * 3000}}}').encode(),
        "a list of requests": f"[{plain}]".encode(),
        "white space": f"\r\n\t {plain}\r\n ".encode(),
    }


class Caller:
    """Sends requests as they are."""

    def __init__(self, url: str, client: httpx2.AsyncClient) -> None:
        self._url, self._client = url, client

    async def __call__(self, headers: Headers, body: dict[str, Any] | bytes, token: str = BEN) -> httpx2.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = [*ACCEPT.items(), *headers] + ([("authorization", token)] if token else [])
        return await self._client.post(self._url, content=data, headers=given)


def told(answer: httpx2.Response) -> str:
    """The text that a tool has answered."""
    return str(answer.json()["result"]["content"][0]["text"])


def client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(trust_env=False, timeout=30)


async def attack(target: Target) -> list[str]:
    """What ben, and somebody without a token, have of the export."""
    obtained: list[str] = []
    url = await target.serve()
    async with client() as http:
        ask = Caller(url, http)
        for version, head in VERSIONS.items():
            modern = version == MODERN
            for said, headers in SAID.items():
                for token in (BEN, ""):
                    answer = await ask(head + headers, frame(modern=modern), token)
                    if target.canary in answer.text:
                        who = "ben" if token else "somebody without a token"
                        obtained.append(f"{version}, {said}, {who}: {told(answer)}")
            for what, body in odd_bodies(modern).items():
                for headers in (SAID["what the body says"], SAID["Mcp-Name of a tool that is granted"]):
                    answer = await ask(head + headers, body)
                    if target.canary in answer.text:
                        obtained.append(f"{version}, {what}: {told(answer)}")
    return list(dict.fromkeys(obtained))


def works(answer: httpx2.Response, wanted: str) -> bool:
    return answer.status_code == 200 and wanted in answer.text and '"isError":true' not in answer.text


async def legitimate(target: Target) -> list[str]:
    """Clients of this year and of last year, each with what is granted to them; lists, for everyone."""
    broken: list[str] = []
    url = await target.serve()
    async with client() as http:
        ask = Caller(url, http)
        for version, head in VERSIONS.items():
            modern = version == MODERN
            for token, name, wanted in ((ADA, OPEN, "12"), (ADA, SECRET, target.canary), (BEN, OPEN, "12")):
                own = [("mcp-method", "tools/call"), ("mcp-name", name)] if modern else []
                answer = await ask(head + own, frame(name=name, modern=modern), token)
                if not works(answer, wanted):
                    broken.append(f"{token[21:]} cannot call {name} with {version}: HTTP {answer.status_code}")
            own = [("mcp-method", "tools/list")] if modern else []
            answer = await ask(head + own, frame("tools/list", modern=modern), "")
            if not works(answer, OPEN):
                broken.append(f"the tools cannot be listed with {version}: HTTP {answer.status_code}")
    for era in (MODERN, HANDSHAKE):
        conn = await target.connect(headers={"Authorization": BEN}, era=era)
        if (result := await conn.call(OPEN)).is_error or result.data != 12:
            broken.append(f"a whole client of {era} cannot call {OPEN}: {result.text}")
    return broken


NEAR_MISSES: dict[str, tuple[Headers, dict[str, Any]]] = {
    "an encoded name": ([("mcp-method", "tools/call"), ("mcp-name", encoded(OPEN))], frame(name=OPEN)),
    "header names in capitals": ([("MCP-METHOD", "tools/call"), ("Mcp-Name", OPEN)], frame(name=OPEN)),
    "an argument that is the other name": (
        [("mcp-method", "tools/call"), ("mcp-name", OPEN)],
        frame(name=OPEN, name_=SECRET, method="tools/call"),
    ),
    "a list with a name beside it": ([("mcp-method", "tools/list")], frame("tools/list")),
    "a discovery": ([("mcp-method", "server/discover")], frame("server/discover")),
}
"""Requests that ben may make."""


async def near_misses(target: Target) -> list[str]:
    """Names that are encoded, arguments that look like names, and last year's clients that send headers after all."""
    refused: list[str] = []
    url = await target.serve()
    async with client() as http:
        ask = Caller(url, http)
        for what, (headers, body) in NEAR_MISSES.items():
            answer = await ask(VERSIONS[MODERN] + headers, body)
            if not works(answer, "result"):
                refused.append(f"{what}: HTTP {answer.status_code} {answer.text[:200]}")
        for version in (HANDSHAKE, "no version"):
            for said in ("neither", "what the body says"):
                headers = SAID[said] and [("mcp-method", "tools/call"), ("mcp-name", OPEN)]
                answer = await ask(VERSIONS[version] + headers, frame(name=OPEN, modern=False))
                if not works(answer, "12"):
                    refused.append(f"{version} with {said} in the headers: HTTP {answer.status_code}")
        notice = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        answer = await ask(VERSIONS[HANDSHAKE], notice)
        if answer.status_code != 202:
            refused.append(f"a notification: HTTP {answer.status_code}")
    return refused
