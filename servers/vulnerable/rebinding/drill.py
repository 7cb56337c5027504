"""Requests as a browser sends them for a page of another site, before and after its name came to mean 127.0.0.1."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import httpx2

from labkit.range import Target

ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "read_note", "arguments": {}}}
NAMES = ("notes.lab.test", "localhost.lab.test", "127-0-0-1.lab.test")
"""The names that a proxy passes on, as a setting; two of them look like loopback."""
EVIL_HOSTS = (
    "evil.example:{port}",
    "evil.example",
    "localhost.evil.example:{port}",
    "127.0.0.1.evil.example:{port}",
    "evil-localhost:{port}",
    "evil.example.localhost.evil.example:{port}",
    "notlocalhost:{port}",
    "127.0.0.1.nip.example:{port}",
    "notes.lab.test.evil.example",
    "evilnotes.lab.test",
    "lab.test",
    "x.notes.lab.test",
    "notesxlab.test",
    "0.0.0.0:{port}",
    "",
)
"""Names that an attacker has made to mean 127.0.0.1."""
EVIL_ORIGINS = (
    "http://evil.example",
    "http://evil.example:{port}",
    "https://evil.example",
    "null",
    "http://localhost.evil.example:{port}",
    "http://127.0.0.1.evil.example:{port}",
    "http://evil.example?http://localhost:{port}",
    "https://notes.lab.test.evil.example",
    "https://evilnotes.lab.test",
    "https://x.notes.lab.test",
    "https://notesxlab.test",
    "http://notes.lab.test",
    "file://localhost:{port}",
    "evil://localhost:{port}",
)
"""Pages that are not ours, over a right Host."""
OWN_HOSTS = ("127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "notes.lab.test")
OWN_ORIGINS = ("http://127.0.0.1:{port}", "http://localhost:{port}", "http://[::1]:{port}", "https://notes.lab.test")


class Browser:
    """Sends requests to the server with headers of one's choice."""

    def __init__(self, url: str, client: httpx2.AsyncClient) -> None:
        self._url, self._client = url, client
        self.port = urlsplit(url).port

    def spelled(self, text: str) -> str:
        return text.format(port=self.port)

    async def __call__(
        self, host: str, origin: str | None = None, frame: dict[str, Any] | None = None, **more: str
    ) -> httpx2.Response:
        headers = {**ACCEPT, "host": self.spelled(host), **more}
        if origin is not None:
            headers["origin"] = self.spelled(origin)
        return await self._client.post(self._url, content=json.dumps(frame or CALL), headers=headers)


async def browser(target: Target, client: httpx2.AsyncClient) -> Browser:
    return Browser(await target.serve({"RANGE_NAMES": ",".join(NAMES)}), client)


def told(answer: httpx2.Response) -> str:
    """The text that a tool has answered."""
    return str(answer.json()["result"]["content"][0]["text"])


def http() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(trust_env=False, timeout=30)


async def attack(target: Target) -> list[str]:
    """Which pages have read the note."""
    obtained: list[str] = []
    async with http() as client:
        ask = await browser(target, client)
        for host in EVIL_HOSTS:
            # After rebinding the page asks its own name: the Origin is the same, or is left out.
            for origin in (f"http://{host}", None):
                answer = await ask(host, origin)
                if target.canary in answer.text:
                    said = f"Host: {ask.spelled(host)}" + (f", Origin: {ask.spelled(origin)}" if origin else "")
                    obtained.append(f"{said}: {told(answer)}")
        for origin in EVIL_ORIGINS:
            for host in ("127.0.0.1:{port}", "notes.lab.test"):
                answer = await ask(host, origin)
                if target.canary in answer.text:
                    obtained.append(f"Host: {ask.spelled(host)}, Origin: {ask.spelled(origin)}: {told(answer)}")
        for name in ("x-forwarded-host", "forwarded", "x-original-host"):
            answer = await ask("evil.example", "http://evil.example", **{name: "127.0.0.1"})
            if target.canary in answer.text:
                obtained.append(f"Host: evil.example, {name}: 127.0.0.1: {told(answer)}")
    return obtained


async def legitimate(target: Target) -> list[str]:
    """The user's own clients and pages, straight and through the proxy."""
    broken: list[str] = []
    async with http() as client:
        ask = await browser(target, client)
        for host in OWN_HOSTS:
            for origin in (None, *OWN_ORIGINS):
                answer = await ask(host, origin)
                if answer.status_code != 200 or target.canary not in answer.text:
                    said = f"Host: {ask.spelled(host)}" + (f", Origin: {ask.spelled(origin)}" if origin else "")
                    broken.append(f"{said} gets HTTP {answer.status_code}")
    conn = await target.connect({"RANGE_NAMES": ",".join(NAMES)}, headers={})
    if (result := await conn.call("read_note")).text != target.canary:
        broken.append(f"a client cannot read the note: {result.text}")
    plain = await target.connect(headers={})
    if (result := await plain.call("read_note")).text != target.canary:
        broken.append(f"without public names a client cannot read the note: {result.text}")
    return broken


async def near_misses(target: Target) -> list[str]:
    """Public names that look like loopback, other headers that a proxy adds, and requests that are no call."""
    refused: list[str] = []
    async with http() as client:
        ask = await browser(target, client)
        for name in NAMES:
            for origin in (None, f"https://{name}"):
                answer = await ask(name, origin)
                if answer.status_code != 200:
                    refused.append(f"Host: {name}, Origin: {origin} gets HTTP {answer.status_code}")
        for more in (
            {"x-forwarded-host": "evil.example"},
            {"referer": "https://evil.example/"},
            {"user-agent": "evil.example"},
        ):
            answer = await ask("localhost:{port}", "http://localhost:{port}", **more)
            if answer.status_code != 200:
                refused.append(f"{more} gets HTTP {answer.status_code}")
        listing = {"jsonrpc": "2.0", "id": 8, "method": "tools/list"}
        answer = await ask("127.0.0.1:{port}", None, listing)
        if answer.status_code != 200 or "read_note" not in answer.text:
            refused.append(f"a list gets HTTP {answer.status_code}")
    return refused
