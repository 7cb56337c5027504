"""Checks of 33_cancelled. Names, results and orders come from the seed; deadlines are a moment, or a minute."""

import random
import string
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

MINUTE, MOMENT = 60, 0.02
CANCELLED = "notifications/cancelled"
Event = list[Any]


def words(rng: random.Random, number: int) -> list[str]:
    return ["".join(rng.choices(string.ascii_lowercase, k=6)) + str(place) for place in range(number)]


def call(name: str, seconds: float = MINUTE, method: str = "tools/call") -> Event:
    return ["call", name, method, seconds]


def answer(name: str, **members: Any) -> Event:
    return ["answer", name, members or {"result": {"for": name}}]


def fine(name: str) -> Any:
    return {"result": {"for": name}}


class Rehearsal:
    """What came of these events: how calls ended, what was sent, and what is left."""

    def __init__(self, submission: Submission, *events: Event) -> None:
        found = submission.call("rehearse", events)
        self.log, self.sent = found["log"], found["sent"]
        self.left = {"pending": found["pending"], "tasks": found["tasks"]}
        self.what = f"after {list(events)}"

    def ended(self, *wanted: Any) -> None:
        expect(self.log, list(wanted), f"how the calls ended, {self.what}")

    def told(self, *names: str) -> None:
        """The server was told about these calls, once each and in this order, and about no others."""
        ids = {each["params"]["name"]: each.get("id") for each in self.sent if each.get("method") != CANCELLED}
        frames = [each for each in self.sent if each.get("method") == CANCELLED]
        for frame in frames:
            reason = frame["params"].get("reason")
            expect_true(isinstance(reason, str) and reason, f"the reason is a text, not {reason!r}")
        bare = [{**frame, "params": {**frame["params"], "reason": "..."}} for frame in frames]
        about = [{"requestId": ids[name], "reason": "..."} for name in names]
        wanted = [{"jsonrpc": "2.0", "method": CANCELLED, "params": each} for each in about]
        expect(bare, wanted, f"what the server was told, {self.what}")


@check(
    "answers find their calls",
    points=2,
    reason="They come in any order, and some before the sending is over. The id is all that binds them.",
    about="Caller",
)
def test_answered(submission: Submission, rng: random.Random) -> None:
    names = words(rng, 4)
    order, method = rng.sample(names, 4), rng.choice(["tools/call", "prompts/get"])
    while order == names:
        order = rng.sample(names, 4)
    calls = [call(name, method=method) for name in names]
    seen = Rehearsal(submission, *calls, *(answer(name) for name in order), *(["end", name] for name in names))
    seen.ended(*map(fine, names))
    ids = [frame.get("id") for frame in seen.sent]
    expect_true(len(set(ids)) == 4 and all(type(id) in (int, str) for id in ids), f"four calls have the ids {ids}")
    wanted = [{"jsonrpc": "2.0", "id": id, "method": method} for id in ids]
    expect(
        seen.sent, [each | {"params": {"name": name}} for each, name in zip(wanted, names, strict=True)], "the requests"
    )
    seen = Rehearsal(submission, call(names[0], 1, "instant"), ["end", names[0]])
    seen.ended({"result": {}})


@check(
    "an error is raised",
    points=1,
    reason="Code and message are what the caller can go by. The other calls have nothing to do with it.",
    about="Caller",
)
def test_error(submission: Submission, rng: random.Random) -> None:
    (a, b), code = words(rng, 2), rng.randint(-32603, -32600)
    error = {"error": {"code": code, "message": f"of {a}"}}
    seen = Rehearsal(submission, call(a), call(b), answer(a, **error), ["end", a], answer(b), ["end", b])
    seen.ended(["RpcError", code, f"of {a}"], fine(b))
    seen.told()


@check(
    "the deadline",
    points=2,
    reason="A server that is not told goes on working for nobody.",
    about="call",
)
def test_deadline(submission: Submission, rng: random.Random) -> None:
    a, b, c = words(rng, 3)
    seen = Rehearsal(
        submission, call(a), call(b, MOMENT), ["end", b], answer(a), call(c, MOMENT), ["end", c], ["end", a]
    )
    seen.ended(["TimeoutError"], ["TimeoutError"], fine(a))
    seen.told(b, c)


@check(
    "the caller leaves",
    points=2,
    reason="A cancellation that is kept, or turned into something else, makes a program that cannot be stopped.",
    about="call",
)
def test_cancelled(submission: Submission, rng: random.Random) -> None:
    a, b, c = words(rng, 3)
    calls = [call(a), call(b), call(c)]
    seen = Rehearsal(submission, *calls, ["cancel", c], ["end", c], ["cancel", a], ["end", a], answer(b), ["end", b])
    seen.ended(["CancelledError"], ["CancelledError"], fine(b))
    seen.told(c, a)


@check(
    "what answers nothing is dropped",
    points=2,
    reason="One frame too many must not end the loop that reads for everybody.",
    about="receive",
)
def test_dropped(submission: Submission, rng: random.Random) -> None:
    a, b, c = words(rng, 3)
    late = [answer(a), answer(a, error={"code": -32603, "message": "late"}), answer(a)]
    seen = Rehearsal(submission, call(a, MOMENT), ["end", a], *late, call(b), *late, answer(b), ["end", b])
    seen.ended(["TimeoutError"], fine(b))
    others = [
        answer(a, method="ping"),
        answer(a, method="elicitation/create", params={}),
        answer(a, id=10**6, result={}),
        answer(a, id="x", result={}),
        answer(a, id=None, method="notifications/progress", params={}),
        answer(a, id=None, error={"code": -32700, "message": "what?"}),
    ]
    rng.shuffle(others)
    seen = Rehearsal(submission, call(a), call(c), *others, answer(c), answer(a), answer(a), ["end", a], ["end", c])
    seen.ended(fine(a), fine(c))
    seen.told()
    twice = [answer(a), answer(b), answer(a, result={"second": a}), answer(b, result={"second": b})]
    Rehearsal(submission, call(a), call(b), *twice, ["end", a], ["end", b]).ended(fine(a), fine(b))


@check(
    "nothing is left",
    points=3,
    reason="What is left of each call that went wrong is a leak, and shows when there have been a million.",
    about="Caller",
)
def test_left(submission: Submission, rng: random.Random) -> None:
    a, b, c, d, e = words(rng, 5)
    for events, ended in (
        ([call(a), answer(a)], fine(a)),
        ([call(b), answer(b, error={"code": 1, "message": "no"})], ["RpcError", 1, "no"]),
        ([call(c, MOMENT)], ["TimeoutError"]),
        ([call(d), ["cancel", d]], ["CancelledError"]),
        ([call(e, method="lost")], ["ConnectionError", "nobody is there"]),
    ):
        seen = Rehearsal(submission, *events, ["end", events[0][1]])
        seen.ended(ended)
        expect(seen.left, {"pending": 0, "tasks": 0}, f"what is left {seen.what}")
    seen.told()  # the last request was never sent
