"""Checks of 03_negotiate."""

import random
import string

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]


def word(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=6))


@check(
    "hello proposes a version and introduces the client",
    points=3,
    reason="Version, capabilities and client info are all required, and `capabilities` is an object even when empty.",
    about="hello",
)
def test_hello(submission: Submission, rng: random.Random) -> None:
    version, name = rng.choice(REVISIONS), word(rng)
    frame = submission.call("hello", version, name)
    info = {"name": name, "version": "1.0"}
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": info}
    expect(
        frame, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}, f"hello({version!r}, {name!r})"
    )


@check(
    "choose echoes or offers its newest",
    points=3,
    reason="A known proposal is taken as it is, even if newer is to be had; for an unknown one the newest is offered.",
    about="choose",
)
def test_choose(submission: Submission, rng: random.Random) -> None:
    supported = rng.sample(REVISIONS, 3)
    for proposed in supported:
        expect(submission.call("choose", proposed, supported), proposed, f"choose({proposed!r}, {supported})")
    for proposed in ("2023-01-01", "2026-07-28", next(each for each in REVISIONS if each not in supported)):
        for order in (sorted(supported), sorted(supported, reverse=True)):
            expect(submission.call("choose", proposed, order), max(supported), f"choose({proposed!r}, {order})")


@check(
    "follow_up says yes or hangs up",
    points=2,
    reason="A client takes what it can speak, not only its proposal, and says so in a notification. An error is a no.",
    about="follow_up",
)
def test_follow_up(submission: Submission, rng: random.Random) -> None:
    acceptable = rng.sample(REVISIONS, 2)
    yes = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    for version in REVISIONS:
        info = {"name": word(rng), "version": "1"}
        result = {"protocolVersion": version, "capabilities": {}, "serverInfo": info}
        answer = {"jsonrpc": "2.0", "id": 1, "result": result}
        wanted = yes if version in acceptable else None
        got = submission.call("follow_up", answer, acceptable)
        if got == {**yes, "params": {}}:  # params without a member may be sent, too
            got = yes
        expect(got, wanted, f"follow_up(… {version} …, {acceptable})")
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": word(rng)}}
    expect(submission.call("follow_up", error, acceptable), None, "follow_up of an error")


@check(
    "allowed knows the order of things",
    points=2,
    reason="A ping is always answered, a handshake once, and everything else only after it.",
    about="allowed",
)
def test_allowed(submission: Submission, rng: random.Random) -> None:
    other = rng.choice(["tools/list", "tools/call", "resources/read", "prompts/get"])
    for method, done, wanted in (
        ("initialize", False, True),
        ("initialize", True, False),
        ("ping", False, True),
        ("ping", True, True),
        (other, False, False),
        (other, True, True),
    ):
        expect(submission.call("allowed", method, done), wanted, f"allowed({method!r}, done={done})")
