"""Who may ask, and who gets the answer: credentials that are really looked at, sessions that cannot be guessed, clients
that never get what is another's. Over HTTP only: over stdio each client has a process of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from typing import cast

from labkit.testbench.bench import Bench
from labkit.testbench.canary import word
from labkit.testbench.check import Finding, NotApplicable, check
from labkit.testbench.places import PATIENCE, places
from labkit.testbench.raw import CLIENT, HANDSHAKE, Json
from labkit.testbench.raw_http import RawHttp
from labkit.testbench.schemas import as_object

ROUNDS = 20
"""Pairs of requests at once."""
SHORTEST = 16
"""Characters of a session id, below which it can be tried out."""


@check(
    "security.credentials",
    "A wrong token is refused",
    severity="error",
    spec="basic/authorization#token-handling",
    fix="Verify the signature, the issuer, the audience and the expiry of every token, on every request.",
    transports=["http"],
)
async def credentials(bench: Bench) -> AsyncGenerator[Finding]:
    """The token that was given is left out, changed, and when it is a JWT also stripped of its signature, made out to
    another audience, and declared to need no signature. Who is let in then did not look at it.

    A token that the server's own issuer signed for another audience, or that has expired, cannot be made without that
    issuer: a server that verifies signatures and forgets `aud` or `exp` passes here. The changed audience finds the one
    that reads claims without verifying them, whatever else it looks at.
    """
    given = next((value for name, value in bench.options.headers.items() if name.lower() == "authorization"), "")
    if not given:
        raise NotApplicable("no Authorization header was given: certify with --header 'Authorization: Bearer ...'")
    kind, _, token = given.partition(" ")
    parts = token.split(".")
    tries = {"without a token": "", "with its last letters changed": f"{kind} {token[:-4]}AAAA"}
    if len(parts) == 3:
        tries["without its signature"] = f"{kind} {parts[0]}.{parts[1]}."
        if (claims := _decoded(parts[1])) and (head := _decoded(parts[0])):
            elsewhere = _encoded({**claims, "aud": "https://testbench-evil.example/mcp"})
            tries["with a token for another audience"] = f"{kind} {parts[0]}.{elsewhere}.{parts[2]}"
            tries["with a token that says alg: none"] = f"{kind} {_encoded({**head, 'alg': 'none'})}.{parts[1]}."
    for era in bench.eras:
        for what, value in tries.items():
            others = {n: v for n, v in bench.plan.headers.items() if n.lower() != "authorization"}
            wire = bench.http(era, {**others, **({"Authorization": value} if value else {})})
            try:
                answer = await wire.greet()
                if answer.came == "result":
                    message = f"a request {what} is answered as if nothing were wrong"
                    yield Finding(message, answer.sent, answer.received, era=era)
            finally:
                await wire.close()


def _decoded(part: str) -> Json:
    """A part of a JWT as an object; {} when it is none."""
    try:
        return as_object(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
    except ValueError:
        return {}


def _encoded(part: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).decode().rstrip("=")


@check(
    "security.sessions",
    "Session ids cannot be guessed",
    severity="error",
    spec="2025-11-25/basic/transports#session-management",
    fix="Make session ids of at least 128 random bits (secrets.token_urlsafe(16)).",
    transports=["http"],
)
async def sessions(bench: Bench) -> AsyncGenerator[Finding]:
    """Who guesses the id of a session talks in it."""
    if HANDSHAKE not in bench.eras:
        raise NotApplicable("the modern era has no sessions")
    found: list[str] = []
    for _ in range(4):
        wire = bench.http(HANDSHAKE)
        try:
            params = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": CLIENT}
            answer = await wire.request("initialize", params)
            if session := answer.headers.get("mcp-session-id"):
                found.append(session)
        finally:
            await wire.close()
    if not found:
        raise NotApplicable("it makes no sessions")
    alike = sum(len({session[at] for session in found}) == 1 for at in range(min(map(len, found))))
    free = min(map(len, found)) - alike
    if len(set(found)) < len(found):
        yield Finding(
            f"two clients were given the same session: {found[0]!r}", received=", ".join(found), era=HANDSHAKE
        )
    elif free < SHORTEST:
        yield Finding(
            f"of a session id only {free} characters change from one to the next: {', '.join(found[:3])}",
            received=", ".join(found),
            era=HANDSHAKE,
        )


@check(
    "security.cross-client",
    "Each client gets its own answer",
    severity="error",
    spec="server/tools#security-considerations",
    fix="Keep what belongs to a request in that request: no globals, and no cache without the caller in its key.",
    transports=["http"],
    profile="full",
)
async def cross_client(bench: Bench) -> AsyncGenerator[Finding]:
    """Two clients ask the same tool at the same moment under the same request id, each with a word of its own."""
    era = bench.eras[-1]
    spots = [place for place in await places(bench, era) if place.kind != "template"][:5]
    if not spots:
        raise NotApplicable("no prompt and no tool that may be called takes text")
    wires = [cast(RawHttp, await bench.open(era)) for _ in "ab"]
    try:
        for wire in wires:
            await wire.greet()
        for place in spots:
            for number in range(ROUNDS):
                words = [word(), word()]
                frames = [
                    wire.frame(*place.request(own), id=1_000 + number) for wire, own in zip(wires, words, strict=True)
                ]
                asked = (w.ask(f, timeout=PATIENCE) for w, f in zip(wires, frames, strict=True))
                answers = await asyncio.gather(*asked)
                if any(answer.came == "silence" for answer in answers):
                    break
                for answer, other in zip(answers, reversed(words), strict=True):
                    if other in answer.received:
                        message = f"one client was given the answer of another: {other}"
                        yield Finding(message, answer.sent, answer.received, place.owner, era)
                        return
    finally:
        for wire in wires:
            await wire.close()
