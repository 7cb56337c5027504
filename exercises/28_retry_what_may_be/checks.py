"""Checks of 28_retry_what_may_be. Texts and numbers come from the seed; time is the rehearsal's."""

import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

READS = {"name": "look", "annotations": {"readOnlyHint": True}}
FAR = 10_000.0
Step = dict[str, Any]


def good(text: str) -> Step:
    return {"takes": 0, "result": {"content": [{"type": "text", "text": text}], "isError": False}}


def failed(text: str, takes: float = 0, **about: Any) -> Step:
    meta = {f"labkit/{name}": value for name, value in about.items()}
    result = {"content": [{"type": "text", "text": text}], "isError": True, **({"_meta": meta} if meta else {})}
    return {"takes": takes, "result": result}


def down(text: str = "down", takes: float = 0) -> Step:
    return failed(text, takes, reason="unavailable")


def rehearse(submission: Submission, script: list[Step], tool: dict[str, Any] = READS, deadline: float = FAR) -> Any:
    # More steps than anyone should need: who asks too often gets answers all the same.
    return submission.call("rehearse", [*script, *(good("asked too often") for _ in range(9))], tool, deadline)


@check(
    "a failure of the moment is tried again",
    points=3,
    reason="A hiccup that nobody repeats is an error that the model has to explain.",
    about="call",
)
def test_hiccup(submission: Submission, rng: random.Random) -> None:
    kinds = [
        {"reason": "unavailable"},
        {"reason": "timeout"},
        {"reason": "rate-limited", "retryAfter": rng.randint(1, 5)},
        {"retryAfter": 0},
    ]
    for about in kinds:
        for times in (0, 1, 2):
            wanted = good(f"answer {rng.randint(1, 999)}")
            found = rehearse(submission, [*(failed("no", **about) for _ in range(times)), wanted])
            what = f"after {times} failures with {about}"
            expect(found.get("result"), wanted["result"], f"the result {what}")
            expect(len(found["asked"]), times + 1, f"the attempts {what}")


@check(
    "three attempts, and the last result",
    points=2,
    reason="What fails three times will fail four times; and the newest error is the one that is true.",
    about="call",
)
def test_enough(submission: Submission, rng: random.Random) -> None:
    texts = [f"down {rng.randint(1, 999)} {number}" for number in range(5)]
    script = [down(text) for text in texts]
    found = rehearse(submission, script)
    expect(len(found["asked"]), 3, "the attempts of a call that never succeeds")
    expect(found.get("result"), script[2]["result"], "its result")


@check(
    "answers are not repeated",
    points=3,
    reason="A refusal, a policy, an open breaker say the same the next time, and asking costs. So does a kept answer.",
    about="call",
)
def test_refused(submission: Submission, rng: random.Random) -> None:
    kept = good(f"yesterday {rng.randint(1, 99)}")
    kept["result"]["_meta"] = {"labkit/source": "kept", "labkit/reason": "unavailable", "labkit/retryAfter": 1}
    for step in (
        failed(f"there is no state {rng.randint(1, 99)}"),
        failed("not allowed", reason="policy"),
        failed("not called", reason="circuit-open"),
        failed("", reason=""),
        kept,
    ):
        found = rehearse(submission, [step])
        expect(len(found["asked"]), 1, f"the attempts after {step['result']}")
        expect(found.get("result"), step["result"], "the result")


@check(
    "only what may be repeated is",
    points=3,
    reason="An error can mean that the answer was lost, not that nothing was done. Then a second call does it twice.",
    about="call",
)
def test_writes(submission: Submission, rng: random.Random) -> None:
    hints: list[tuple[dict[str, Any], int]] = [
        ({}, 1),
        ({"annotations": {}}, 1),
        ({"annotations": {"readOnlyHint": False, "idempotentHint": False}}, 1),
        ({"annotations": {"destructiveHint": False}}, 1),
        ({"annotations": {"openWorldHint": False, "title": "Read"}}, 1),
        ({"annotations": {"readOnlyHint": False, "idempotentHint": True, "destructiveHint": True}}, 2),
        ({"annotations": {"readOnlyHint": True, "idempotentHint": False}}, 2),
    ]
    rng.shuffle(hints)
    for given, attempts in hints:
        found = rehearse(submission, [down(), good("done")], {"name": "act", **given})
        expect(len(found["asked"]), attempts, f"the attempts of a tool with {given}")


@check(
    "waits are random, and may double",
    points=3,
    reason="Callers who failed together and wait alike come back together.",
    about="call",
)
def test_waits(submission: Submission, rng: random.Random) -> None:
    first: list[float] = []
    second: list[float] = []
    for _ in range(40):
        asked = rehearse(submission, [down(), down()])["asked"]
        expect(len(asked), 3, "the attempts")
        first.append(asked[1] - asked[0])
        second.append(asked[2] - asked[1])
    for name, waits, limit in (("first", first, 0.5), ("second", second, 1.0)):
        expect_true(min(waits) >= 0 and max(waits) <= limit, f"{name} waits: {min(waits):.2f} to {max(waits):.2f} s")
        low = sum(wait < limit / 2 for wait in waits)
        # For full jitter, 4 or fewer of 40 in one half happen once in ten million runs.
        expect_true(4 < low < 36, f"{name} waits: {low} of 40 are below {limit / 2} s; at random it would be half")


@check(
    "retryAfter is waited for, and a little more",
    points=1,
    reason="No guess is better than what the other side says; and everyone was told the same.",
    about="call",
)
def test_told(submission: Submission, rng: random.Random) -> None:
    seconds = rng.randint(2, 20)
    busy = [failed("busy", retryAfter=seconds, reason="unavailable")]
    # Half of the waits of a tenth more or less are within bounds: of eight all would be, once in 256 runs.
    waits = [rehearse(submission, busy)["asked"][1] for _ in range(30)]
    expect_true(
        all(seconds <= wait <= seconds + 0.5 for wait in waits),
        f"told {seconds} s, waited {min(waits)} to {max(waits)}",
    )
    expect_true(len(set(waits)) > 1, f"told {seconds} s, everyone waited {waits[0]} s")


@check(
    "no wait reaches the deadline",
    points=2,
    reason="Who waits beyond it answers nobody: the caller has left, or could have done something else.",
    about="call",
)
def test_deadline(submission: Submission, rng: random.Random) -> None:
    takes, seconds = rng.randint(1, 4), rng.randint(2, 9)
    slow = failed("busy", takes, reason="unavailable", retryAfter=seconds)
    for deadline, attempts in ((takes + seconds - 0.1, 1), (takes + seconds, 1), (takes + seconds + 0.6, 2)):
        found = rehearse(submission, [slow, good("late")], deadline=deadline)
        what = f"an attempt of {takes} s, retryAfter {seconds}, deadline {deadline}"
        expect(len(found["asked"]), attempts, f"the attempts: {what}")
        if attempts == 1:
            expect_true(found["ended"] == takes, f"{what}: it ended at {found['ended']}")
            expect(found.get("result"), slow["result"], f"the result: {what}")


@check(
    "cancellation and bugs pass",
    points=1,
    reason="A task that cannot be cancelled outlives its caller; a bug that is tried again is still one.",
    about="call",
)
def test_cancelled(submission: Submission, rng: random.Random) -> None:
    for kind, name in (("cancelled", "CancelledError"), ("bug", "KeyError")):
        before = [down() for _ in range(rng.randint(0, 1))]
        found = rehearse(submission, [*before, {"takes": 0, "raises": kind}])
        expect(found.get("raised"), name, "what leaves call")
        expect(len(found["asked"]), len(before) + 1, f"the attempts, when the last one ends in {name}")
