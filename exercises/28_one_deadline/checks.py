"""Checks of 28_one_deadline. Names and times come from the seed; time is the rehearsal's."""

import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

Parts = list[dict[str, Any]]


def word(rng: random.Random) -> str:
    return "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=6))


def part(name: str, needed: bool = False) -> dict[str, Any]:
    return {"name": name, "needed": needed}


def fine(answer: Any, takes: float = 0.25) -> dict[str, Any]:
    return {"takes": takes, "answer": answer}


def asked(found: dict[str, Any]) -> list[str]:
    return [name for name, _, _ in found["asked"]]


@check(
    "all parts are there when all is well",
    points=2,
    reason="Empty answers are answers: 0 and nothing are not missing.",
    about="briefing",
)
def test_whole(submission: Submission, rng: random.Random) -> None:
    names = [word(rng) for _ in range(4)]
    values = [rng.randint(1, 99), "", 0, {"sky": word(rng)}]
    script = {name: fine(value) for name, value in zip(names, values, strict=True)}
    found = submission.call("rehearse", script, [part(name, rng.random() < 0.5) for name in names], 60)
    expect(found.get("answer"), {"answers": dict(zip(names, values, strict=True)), "missing": {}}, "the briefing")
    expect(asked(found), names, "the parts that were asked, in order")
    empty = submission.call("rehearse", {}, [], 1)
    expect(empty.get("answer"), {"answers": {}, "missing": {}}, "a briefing without parts")


@check(
    "each part gets what is left",
    points=3,
    reason="A time-out for each step is no deadline for the whole: five of 2 s are 10 s.",
    about="briefing",
)
def test_left(submission: Submission, rng: random.Random) -> None:
    names = [word(rng) for _ in range(5)]
    takes = [1.5, 1.75, 0.5, 1.0, 0.25]
    script = {name: fine(1, seconds) for name, seconds in zip(names, takes, strict=True)}
    found = submission.call("rehearse", script, [part(name) for name in names], 5.0)
    timeouts = {name: timeout for name, timeout, _ in found["asked"]}
    wanted = dict(zip(names, [2.0, 2.0, 1.75, 1.25, 0.25], strict=True))
    expect(timeouts, wanted, f"the time-outs, parts take {takes}")
    expect(found.get("answer"), {"answers": dict.fromkeys(names, 1), "missing": {}}, "the briefing, all in time")


@check(
    "without time nobody is asked",
    points=2,
    reason="A request that nobody waits for is work for nothing, at a server that may be slow for just that reason.",
    about="briefing",
)
def test_over(submission: Submission, rng: random.Random) -> None:
    first, second, third, fourth = (word(rng) for _ in range(4))
    script = {first: fine(1, 1.5), second: fine(2, 9), third: fine(3), fourth: fine(4)}
    found = submission.call("rehearse", script, [part(name) for name in (first, second, third, fourth)], 3.0)
    expect(asked(found), [first, second], "the parts asked in 3 s; the first two take 1.5 and 9")
    late = dict.fromkeys((second, third, fourth), "out of time")
    expect(found.get("answer"), {"answers": {first: 1}, "missing": late}, "the briefing")
    expect(found["ended"], 3.0, "the time at its end")
    for seconds in (0, -1):
        spent = submission.call("rehearse", script, [part(first)], seconds)
        expect(asked(spent), [], f"the parts that were asked with {seconds} s")
        needed = submission.call("rehearse", script, [part(first, True)], seconds)
        expect(needed.get("says"), f"{first}: out of time", f"what is raised for a needed part with {seconds} s")


@check(
    "the deadline travels",
    points=1,
    reason="The next server has steps of its own, and can only plan with what the caller has left.",
    about="briefing",
)
def test_travels(submission: Submission, rng: random.Random) -> None:
    first, second = word(rng), word(rng)
    seconds = rng.randint(5, 50)
    script = {first: fine(1, 0.5), second: fine(2)}
    found = submission.call("rehearse", script, [part(first), part(second)], seconds)
    metas = [meta for _, _, meta in found["asked"]]
    for meta, left in zip(metas, [seconds, seconds - 0.5], strict=False):
        expect_true(set(meta) == {"labkit/timeout"}, f"the meta of a part is {meta}")
        expect_true(meta["labkit/timeout"] == left, f"{left} s are left, and meta says {meta}")
    expect(len(metas), 2, "the parts that were asked")


@check(
    "what is optional is left out, and named",
    points=2,
    reason="An empty part that is not named is read as: there is nothing.",
    about="briefing",
)
def test_optional(submission: Submission, rng: random.Random) -> None:
    first, slow, broken, last = (word(rng) for _ in range(4))
    says = f"{word(rng)} is down"
    script = {first: fine(1), slow: fine(2, 3), broken: {"takes": 0.25, "raises": says}, last: fine(4)}
    parts = [part(first, True), part(slow), part(broken), part(last, True)]
    found = submission.call("rehearse", script, parts, 30)
    wanted = {"answers": {first: 1, last: 4}, "missing": {slow: "out of time", broken: says}}
    expect(found.get("answer"), wanted, "the briefing")


@check(
    "what is needed ends it",
    points=2,
    reason="Half an answer that looks whole is worse than none; and the rest need not be asked.",
    about="briefing",
)
def test_needed(submission: Submission, rng: random.Random) -> None:
    first, bad, last = (word(rng) for _ in range(3))
    says = f"{word(rng)} is down"
    for step, reason in ((fine(2, 3), "out of time"), ({"takes": 0.25, "raises": says}, says)):
        script = {first: fine(1), bad: step, last: fine(3)}
        found = submission.call("rehearse", script, [part(first), part(bad, True), part(last)], 30)
        expect([found.get("raised"), found.get("says")], ["NoBriefing", f"{bad}: {reason}"], "what is raised")
        expect(asked(found), [first, bad], "the parts that were asked")


@check(
    "a cancellation passes, and the end is always the same",
    points=2,
    reason="Who swallows a cancellation works on for nobody; who forgets to release, runs out of connections.",
    about="briefing",
)
def test_cancelled(submission: Submission, rng: random.Random) -> None:
    first, second, third = (word(rng) for _ in range(3))
    parts = [part(first), part(second, rng.random() < 0.5), part(third)]
    good = {first: fine(1), second: fine(2), third: fine(3)}
    found = submission.call("rehearse", {**good, second: {"takes": 0.25, "raises": "cancelled"}}, parts, 30)
    expect(found.get("raised"), "CancelledError", "what leaves a briefing that is cancelled")
    expect(asked(found), [first, second], "the parts that were asked")
    broken = {**good, second: {"takes": 0.25, "raises": "no"}}
    ends = {
        "it was cancelled": found,
        "all was well": submission.call("rehearse", good, parts, 30),
        "a needed part failed": submission.call("rehearse", broken, [part(first), part(second, True)], 30),
        "an optional part failed": submission.call("rehearse", broken, [part(first), part(second)], 30),
        "there was no time": submission.call("rehearse", good, parts, 0),
    }
    for what, each in ends.items():
        expect(each["released"], 1, f"how often it was released when {what}")
