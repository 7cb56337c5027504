"""The drill of class 12: tokens that open a payroll server and should not, and a token that travels on.

The issuer's private key is known here and nowhere else: it is made from a number, and opens this range only.
"""

import asyncio
import base64
import contextlib
import hmac
import json
import time
from collections.abc import AsyncIterator

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from labkit.range import Target

ISSUER, RESOURCE = "https://login.range.example", "https://payroll.range.example/mcp"
ELSEWHERE = "https://calendar.range.example/mcp"
KEYS = {
    "issuer": ec.derive_private_key(20261130, ec.SECP256R1()),
    "stranger": ec.derive_private_key(19700101, ec.SECP256R1()),
}
PUBLIC = jwt.algorithms.ECAlgorithm.to_jwk(KEYS["issuer"].public_key())
SERVER_KEY = "key-of-the-payroll-server"

Change = tuple[str, dict, str]
"""What it is; the claims that differ (None: left out; seconds from now for times); who signs, or how."""

ATTACKS: tuple[Change, ...] = (
    ("a token for another server", {"aud": ELSEWHERE}, "issuer"),
    ("a token for two other servers", {"aud": [ELSEWHERE, "https://mail.range.example/mcp"]}, "issuer"),
    ("a token for a server whose name begins like this one's", {"aud": f"{RESOURCE}.evil.example"}, "issuer"),
    ("a token for no server in particular", {"aud": None}, "issuer"),
    ("a token that has expired", {"exp": -120}, "issuer"),
    ("a token that never expires", {"exp": None}, "issuer"),
    ("a token that is not valid yet", {"nbf": 3600}, "issuer"),
    ("a token of another issuer", {"iss": "https://login.evil.example"}, "stranger"),
    ("a token of another tenant of the issuer", {"iss": f"{ISSUER}/evil"}, "issuer"),
    ("a token that a stranger signed in the issuer's name", {}, "stranger"),
    ("a token that says alg: none", {}, "none"),
    ("a token without its signature", {}, "cut"),
    ("a token with another name put into it", {"sub": "root"}, "kept"),
    ("a token signed with the public key, as if it were a shared secret", {}, "confused"),
)
LEGITIMATE: tuple[Change, ...] = (
    ("a token for this server", {}, "issuer"),
    ("a token of somebody else", {"sub": "ben"}, "issuer"),
    ("a token for this server and another", {"aud": [ELSEWHERE, RESOURCE]}, "issuer"),
)
NEAR_MISSES: tuple[Change, ...] = (
    ("a token with a minute to live", {"exp": 60}, "issuer"),
    ("a token that is valid since a moment ago", {"nbf": -1, "iat": -1}, "issuer"),
    ("a token without scope and client_id", {"scope": None, "client_id": None}, "issuer"),
    ("a token of a person called none", {"sub": "none"}, "issuer"),
    ("a token of somebody with an apostrophe", {"sub": "o'neil@range.example"}, "issuer"),
    ("a token with a claim alg", {"alg": "none"}, "issuer"),
    ("a token that names its key", {}, "kid"),
    ("a token whose type is at+jwt", {}, "typed"),
)


def mint(changes: dict, how: str) -> str:
    """A token for this server, with these changes; `how` is the one who signs, or a way to forge."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": RESOURCE, "sub": "ada", "client_id": "lab", "scope": "pay:read", "exp": 600}
    wanted = {name: value for name, value in (claims | changes).items() if value is not None}
    wanted |= {name: now + wanted[name] for name in ("exp", "nbf", "iat") if name in wanted}
    if how == "none":
        return jwt.encode(wanted, None, algorithm="none")
    if how == "confused":
        # PyJWT refuses to take a public key for a secret, also when it signs: other libraries do not.
        signed = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(wanted)}"
        return f"{signed}.{encoded(hmac.digest(PUBLIC.encode(), signed.encode(), 'sha256'))}"
    headers = {"kid": {"kid": "2026-11"}, "typed": {"typ": "at+jwt"}}.get(how)
    token = jwt.encode(wanted, KEYS.get(how, KEYS["issuer"]), algorithm="ES256", headers=headers)
    head, _, signature = token.split(".")
    if how == "cut":
        return token.removesuffix(signature)
    if how == "kept":  # the signature is that of the token as it was before the change
        good = mint({}, "issuer").split(".")
        return ".".join([head, token.split(".")[1], good[2]])
    return token


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def part(value: dict) -> str:
    """A part of a token."""
    return encoded(json.dumps(value).encode())


def credentials(target: Target) -> dict[str, str]:
    """The headers of a request that the server has to answer."""
    return {"Authorization": f"Bearer {mint({}, 'issuer')}"}


class Payslips:
    """The service behind the server: it takes the server's own key or what looks like a token, and keeps all it saw."""

    def __init__(self, canary: str) -> None:
        self.canary, self.seen = canary, list[dict[str, str]]()
        self.url = ""

    async def __aenter__(self) -> "Payslips":
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        pairs = [line.partition(":") for line in head.splitlines()[1:] if line]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        self.seen.append(headers)
        key = headers.get("authorization", "").removeprefix("Bearer ")
        known = key == SERVER_KEY or key.count(".") == 2
        said = f"payslip of {headers.get('x-on-behalf-of', '?')}: {self.canary}" if known else "who are you?"
        status = "200 OK" if known else "401 Unauthorized"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(said)}\r\nConnection: close\r\n\r\n{said}".encode())
        with contextlib.suppress(ConnectionError):
            await writer.drain()
            writer.close()
            await writer.wait_closed()


async def ask(url: str, headers: dict[str, str]) -> tuple[int, str, str]:
    """Call `payslip`: the status, what the answer says, and the challenge of a refusal."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "drill", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    frame = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "payslip", "arguments": {}, "_meta": meta},
    }
    more = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28"}
    more |= {"Mcp-Method": "tools/call", "Mcp-Name": "payslip"}
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as http:
        answer = await http.post(url, json=frame, headers={**more, **headers})
    said = answer.text
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError):
        said = answer.json()["result"]["content"][0]["text"]
    return answer.status_code, said, answer.headers.get("www-authenticate", "")


def bearer(change: Change) -> dict[str, str]:
    """The header with that token."""
    return {"Authorization": f"Bearer {mint(*change[1:])}"}


@contextlib.asynccontextmanager
async def served(target: Target) -> AsyncIterator[tuple[Payslips, str]]:
    """The service with the payslips, and the URL of the server in front of it."""
    async with Payslips(target.canary) as behind:
        yield behind, await target.serve({"RANGE_UPSTREAM": behind.url, "RANGE_UPSTREAM_KEY": SERVER_KEY})


async def attack(target: Target) -> list[str]:
    got: list[str] = []
    async with served(target) as (behind, url):
        for change in ATTACKS:
            _, said, _ = await ask(url, bearer(change))
            if target.canary in said:
                got.append(f"{change[0]}: {said}")
        for what, headers in (("no token", {}), ("a word that is no token", {"Authorization": "Bearer x"})):
            _, said, _ = await ask(url, headers)
            if target.canary in said:
                got.append(f"{what}: {said}")
        behind.seen.clear()
        await ask(url, credentials(target))
        # Whoever runs the service behind takes what it was sent, and comes back with it.
        for name, value in [pair for headers in behind.seen for pair in headers.items()]:
            _, said, _ = await ask(url, {"Authorization": f"Bearer {value.removeprefix('Bearer ')}"})
            if target.canary in said:
                got.append(f"the token that the service behind was handed in {name!r}: {said}")
    return got


async def accepted(target: Target, changes: tuple[Change, ...]) -> list[str]:
    """What does not work of these tokens, a sentence each."""
    wrong: list[str] = []
    async with served(target) as (_, url):
        for change in changes:
            status, said, _ = await ask(url, bearer(change))
            subject = change[1].get("sub", "ada")
            if said != f"payslip of {subject}: {target.canary}":
                wrong.append(f"{change[0]} is answered with {status} {said[:80]!r}")
    return wrong


async def legitimate(target: Target) -> list[str]:
    wrong = await accepted(target, LEGITIMATE)
    async with served(target) as (_, url):
        status, _, challenge = await ask(url, {})
        if status != 401 or "resource_metadata=" not in challenge:
            wrong.append(f"a request without a token is answered with {status} and the challenge {challenge!r}")
    return wrong


async def near_misses(target: Target) -> list[str]:
    return await accepted(target, NEAR_MISSES)
