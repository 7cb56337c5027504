"""Checks of 30_sticky_or_stateless. Sessions, names in odd case and the number of replicas come from the seed."""

import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"


def ask(
    session: str | None = None, method: str = "POST", version: str | None = None, name: str = "Mcp-Session-Id"
) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    if version is not None:
        headers["MCP-Protocol-Version"] = version
    if session is not None:
        headers[name] = session
    return {"request": method, "headers": headers}


def tell(number: int, session: str | None = None, status: int = 200, name: str = "Mcp-Session-Id") -> dict[str, Any]:
    headers = {"Content-Type": "application/json"} | ({} if session is None else {name: session})
    return {"answer": number, "status": status, "headers": headers}


def ids(rng: random.Random, count: int) -> list[str]:
    return [f"{rng.getrandbits(64):016x}" for _ in range(count)]


def odd(rng: random.Random, name: str) -> str:
    return "".join(rng.choice((letter.lower(), letter.upper())) for letter in name)


def wanted(
    submission: Submission, events: list[dict[str, Any]], replicas: int, numbers: list[int | None], what: str
) -> None:
    expect(submission.call("route", events, replicas), numbers, f"{what}: route({events}, {replicas})")


@check(
    "what belongs to no session goes in turn",
    points=2,
    reason="Replicas are there to share the work.",
    about="route",
)
def test_turns(submission: Submission, rng: random.Random) -> None:
    count = rng.randint(3, 5)
    wanted(submission, [ask()] * (2 * count + 1), count, [n % count for n in range(2 * count + 1)], "no sessions")
    wanted(submission, [], count, [], "nothing happens")
    wanted(submission, [ask(), ask()], 1, [0, 0], "one replica")


@check(
    "a session stays where it was born, and does not use up a turn",
    points=4,
    reason="initialize was answered by one replica, which alone knows the session.",
    about="route",
)
def test_sticky(submission: Submission, rng: random.Random) -> None:
    one, other = ids(rng, 2)
    calls = rng.randint(2, 4)
    events = [ask(), ask(), tell(1, other), tell(0, one), *[ask(one), ask(other)] * calls, ask()]
    wanted(submission, events, 3, [0, 1, *[0, 1] * calls, 2], "two sessions")
    events = [ask(), tell(0, one), ask(one, "GET"), ask(one), tell(2), ask(one), ask(), ask(one)]
    wanted(submission, events, 3, [0, 0, 0, 0, 1, 0], "answers without a session change nothing")


@check(
    "an answer that is no success opens no session, and neither does one within a session",
    points=1,
    reason="A refused initialize leaves nothing behind; and a session does not move because an answer repeats its id.",
    about="route",
)
def test_refused(submission: Submission, rng: random.Random) -> None:
    one, other = ids(rng, 2)
    for status in (rng.choice((400, 401, 503)), 201):
        wanted(submission, [ask(), tell(0, one, status), ask(one), ask()], 2, [0, None, 1], f"initialize got {status}")
    events = [ask(), tell(0, one), ask(one), tell(1, other), ask(other), ask(one)]
    wanted(submission, events, 2, [0, 0, None, 0], "an answer within a session carries another id")


@check(
    "a session that nobody knows is refused by the balancer",
    points=2,
    reason="None becomes a 404, and a 404 tells the client to begin anew. Any replica could only say the same.",
    about="route",
)
def test_unknown(submission: Submission, rng: random.Random) -> None:
    one, other = ids(rng, 2)
    wanted(submission, [ask(one), ask(), ask(other), ask()], 2, [None, 0, None, 1], "unknown sessions")


@check(
    "a request of the stateless era goes in turn, whatever headers it has",
    points=2,
    reason="It has no session, so any replica will do. Kept on one, it would give up what the era is for.",
    about="route",
)
def test_stateless(submission: Submission, rng: random.Random) -> None:
    (one,) = ids(rng, 1)
    modern = ask(one, version=MODERN)
    events = [ask(), tell(0, one), modern, modern, ask(one, version=HANDSHAKE), modern]
    wanted(submission, events, 3, [0, 1, 2, 0, 0], "the stateless era beside a session")
    events = [ask(version=MODERN), tell(0, one), ask(one)]
    wanted(submission, events, 2, [0, 0], "an answer with a session to a request without")


@check(
    "a replica that is down gets nothing, and its sessions are gone for good",
    points=3,
    reason="The new process has the number of the old one, and nothing of its memory.",
    about="route",
)
def test_down(submission: Submission, rng: random.Random) -> None:
    one, other = ids(rng, 2)
    events = [ask(), ask(), tell(0, one), tell(1, other), {"down": 0}, ask(one), ask(other), ask(), ask(), ask()]
    wanted(submission, events, 3, [0, 1, None, 1, 2, 1, 2], "replica 0 is down")
    events = [ask(), tell(0, one), {"down": 0}, {"up": 0}, ask(one), ask(), ask()]
    wanted(submission, events, 2, [0, None, 1, 0], "replica 0 was down")
    wanted(submission, [{"down": 0}, {"down": 1}, ask(), {"up": 0}, ask(), ask()], 2, [None, 0, 0], "none is up")
    late = [ask(), {"down": 0}, tell(0, one), ask(one), {"up": 0}, ask(one)]
    wanted(submission, late, 2, [0, None, None], "an answer that comes after its replica went down")
    later = [ask(), {"down": 0}, {"up": 0}, tell(0, one), ask(one)]
    wanted(submission, later, 2, [0, None], "an answer of the process that was there before")


@check(
    "a session ends with its DELETE, once that is answered well",
    points=1,
    reason="A table that only grows is a leak; one that forgets too early breaks a session that goes on.",
    about="route",
)
def test_deleted(submission: Submission, rng: random.Random) -> None:
    one, other = ids(rng, 2)
    born = [ask(), tell(0, one)]
    good = rng.choice((200, 202, 204))
    wanted(
        submission, [*born, ask(one, "DELETE"), tell(1, status=good), ask(one)], 2, [0, 0, None], f"DELETE got {good}"
    )
    for bad in (300, 405):
        wanted(
            submission, [*born, ask(one, "DELETE"), tell(1, status=bad), ask(one)], 2, [0, 0, 0], f"DELETE got {bad}"
        )
    wanted(submission, [*born, ask(one, "DELETE"), ask(one)], 2, [0, 0, 0], "DELETE is not answered yet")
    events = [*born, ask(other, "DELETE"), tell(1, status=404), ask(one), ask(one, "POST"), tell(3), ask(one)]
    wanted(submission, events, 2, [0, None, 0, 0, 0], "other requests end nothing")
    twice = [*born, ask(one, "DELETE"), ask(one, "DELETE"), tell(1), tell(2), ask(one), ask("", "DELETE"), ask()]
    wanted(submission, twice, 2, [0, 0, 0, None, None, 1], "DELETE twice")


@check(
    "names of headers are the same in any case",
    points=1,
    reason="HTTP/2 sends them in small letters, and clients as they like (RFC 9110, section 5.1).",
    about="route",
)
def test_case(submission: Submission, rng: random.Random) -> None:
    (one,) = ids(rng, 1)
    name = odd(rng, "Mcp-Session-Id")
    events = [ask(), tell(0, one, name=odd(rng, "Mcp-Session-Id")), ask(), ask(one, name=name)]
    wanted(submission, events, 3, [0, 1, 0], "odd case")
    modern = {"request": "POST", "headers": {odd(rng, "MCP-Protocol-Version"): MODERN, name: one}}
    wanted(submission, [ask(), tell(0, one), modern, modern], 3, [0, 1, 2], "odd case, stateless era")
