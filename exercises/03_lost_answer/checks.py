"""Checks of 03_lost_answer. Tapes are made from the seed: methods, order, ids and what goes missing."""

import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

CLIENT = ["tools/list", "tools/call", "resources/read", "prompts/get", "resources/list", "prompts/list"]
SERVER = ["sampling/createMessage", "elicitation/create", "roots/list"]


class TapeMaker:
    """Writes a tape entry by entry, with a clock that only moves forward."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.clock, self.tape = rng, 0.0, list[dict[str, Any]]()

    def put(self, direction: str, after: float | None = None, **frame: Any) -> None:
        self.clock = round(self.clock + (self.rng.uniform(0.001, 0.01) if after is None else after), 6)
        self.tape.append({"at": self.clock, "direction": direction, "frame": {"jsonrpc": "2.0", **frame}})

    def handshake(self) -> None:
        self.put("sent", id=1, method="initialize", params={})
        self.put("received", id=1, result={})
        self.put("sent", method="notifications/initialized")


def ask_many(maker: TapeMaker, asker: str, methods: list[str], keep: int, first: int = 2) -> list[tuple[int, str]]:
    """Send requests one way, answer all but `keep` the other way in random order; the ones left, in order."""
    rng, back = maker.rng, "received" if asker == "sent" else "sent"
    asked = [(first + number, rng.choice(methods)) for number in range(6)]
    left = sorted(rng.sample(asked, keep))
    for id, method in asked:
        maker.put(asker, id=id, method=method, params={})
        maker.put("received", method="notifications/progress", params={"progressToken": id, "progress": 1})
    for number, (id, _) in enumerate(rng.sample([each for each in asked if each not in left], 6 - keep)):
        body = {"error": {"code": -32602, "message": "no"}} if number == 1 else {"result": {}}
        maker.put(back, id=id, **body)
    return left


@check(
    "lost finds the requests without an answer",
    points=3,
    reason="Answers come in any order, errors are answers too, and notifications are neither asked nor answered.",
    about="lost",
)
def test_lost(submission: Submission, rng: random.Random) -> None:
    for keep in (0, 1, 3):
        maker = TapeMaker(rng)
        maker.handshake()
        left = ask_many(maker, "sent", CLIENT, keep)
        expect(submission.call("lost", maker.tape), [id for id, _ in left], f"lost(tape) with {keep} missing")
    expect(submission.call("lost", []), [], "lost([])")


@check(
    "the two directions are kept apart",
    points=2,
    reason="Both sides number from 1: an id only means something together with who asked.",
    about="lost",
)
def test_directions(submission: Submission, rng: random.Random) -> None:
    maker = TapeMaker(rng)
    maker.handshake()
    mine, theirs = rng.randint(2, 9), rng.choice(SERVER)
    maker.put("sent", id=mine, method="tools/call", params={})
    maker.put("received", id=mine, method=theirs, params={})
    maker.put("sent", id=mine, result={})
    expect(submission.call("lost", maker.tape), [mine], f"lost(tape): both sides used the id {mine}")
    expect(submission.call("owed", maker.tape), [], f"owed(tape): the server's request {mine} was answered")
    maker.put("sent", id=str(mine), method="tools/list")
    maker.put("received", id=mine, result={})
    expect(submission.call("lost", maker.tape), [str(mine)], f"lost(tape): the ids {mine} and {str(mine)!r}")


@check(
    "cancelled requests are not lost",
    points=2,
    reason="After notifications/cancelled no answer is owed; whoever cancels must be the one who asked.",
    about="lost",
)
def test_cancelled(submission: Submission, rng: random.Random) -> None:
    maker = TapeMaker(rng)
    maker.handshake()
    theirs = rng.sample(SERVER, 2)
    for id, method in zip((2, 3), theirs, strict=True):
        maker.put("sent", id=id, method="tools/call", params={})
        maker.put("received", id=id, method=method, params={})
    maker.put("sent", method="notifications/cancelled", params={"requestId": 2, "reason": "enough"})
    maker.put("received", method="notifications/cancelled", params={"requestId": 3})
    maker.put("sent", method="notifications/cancelled", params={"requestId": 77})
    expect(submission.call("lost", maker.tape), [3], "lost(tape): the client cancelled 2, the server cancelled 3")
    expect(submission.call("owed", maker.tape), [theirs[0]], "owed(tape): the server cancelled its request 3")


@check(
    "owed finds what the client did not answer",
    points=1,
    reason="A server waiting for its client hangs just as well.",
    about="owed",
)
def test_owed(submission: Submission, rng: random.Random) -> None:
    for keep in (0, 1, 2):
        maker = TapeMaker(rng)
        maker.handshake()
        left = ask_many(maker, "received", SERVER, keep, first=1)
        expect(submission.call("owed", maker.tape), [method for _, method in left], f"owed(tape) with {keep} missing")


@check(
    "slowest measures from request to answer",
    points=2,
    reason="What took long is the distance between the two, not where on the tape the answer stands.",
    about="slowest",
)
def test_slowest(submission: Submission, rng: random.Random) -> None:
    slow, quick, late = rng.sample(CLIENT, 3)
    maker = TapeMaker(rng)
    maker.put("sent", id=1, method=slow)
    maker.put("received", id=1, method=rng.choice(SERVER))
    maker.put("received", after=0.5, id=1, result={})
    maker.put("sent", id=2, method=quick)
    maker.put("received", after=0.2, id=2, error={"code": -32602, "message": "no"})
    maker.put("sent", id=4, method=late)
    maker.put("sent", after=2.0, id=1, result={})
    expect(submission.call("slowest", maker.tape), slow, f"slowest(tape): {slow} took 0.5 s, {quick} 0.2 s")
    maker.put("received", after=0.0, id=4, error={"code": -32603, "message": "late"})
    expect(submission.call("slowest", maker.tape), late, f"slowest(tape): now {late} took 2 s, and failed")
    expect(submission.call("slowest", [maker.tape[0]]), None, "slowest of a tape without answers")
    instant = TapeMaker(rng)
    instant.put("sent", id=1, method=quick)
    instant.put("received", after=0.0, id=1, result={})
    expect(submission.call("slowest", instant.tape), quick, "slowest when the only answer took no time at all")
