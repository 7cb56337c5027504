"""Checks of 31_autoscaler. Settings and loads come from the seed; percents are whole, nothing is rounded by chance."""

import random
from typing import Any

from labkit.grading.checks import check, expect
from labkit.grading.submission import Submission

EVERY = 15
"""Seconds between looks."""


def settings(rng: random.Random, **other: Any) -> dict[str, Any]:
    found = {"target": rng.randint(40, 80), "tolerance": 10, "least": 1, "most": 1000, "cooldown": 0, "idle": 60}
    return found | other


def look(now: int, ready: int, busy: int, starting: int = 0, waiting: int = 0, idle: int = 0) -> dict[str, int]:
    return {"now": now, "ready": ready, "starting": starting, "busy": busy, "waiting": waiting, "idle": idle}


def up(number: int, by: int) -> int:
    """Divided, rounded up."""
    return -(-number // by)


def compare(submission: Submission, given: dict[str, Any], looks: list[dict[str, int]], wanted: list[int]) -> None:
    """Run all looks, and fail at the first that went differently."""
    got = submission.call("rehearse", given, looks)
    expect(len(got), len(looks), "the number of answers")
    for number, (answer, right) in enumerate(zip(got, wanted, strict=True)):
        before = [
            (each["now"], each["ready"], each["starting"], each["busy"]) for each in looks[max(0, number - 4) : number]
        ]
        expect(answer, right, f"{given}: {looks[number]} after (now, ready, starting, busy) {before}")


@check(
    "as many as the ratio says, rounded up",
    points=2,
    reason="Rounded to the nearest, half of the time there is one too few, and the target is never reached.",
    about="Autoscaler.wanted",
)
def test_ratio(submission: Submission, rng: random.Random) -> None:
    given = settings(rng)
    for _ in range(8):
        ready = rng.randint(2, 60)
        high, low = rng.randint(given["target"] + 11, 100), rng.randint(1, given["target"] - 11)
        for busy in (high, low, 100, 1):
            compare(submission, given, [look(0, ready, busy)], [up(ready * busy, given["target"])])


@check(
    "near the target nothing changes",
    points=2,
    reason="No load is quite even. Without a dead zone, every look starts or ends something.",
    about="Autoscaler.wanted",
)
def test_tolerance(submission: Submission, rng: random.Random) -> None:
    tolerance, ready = rng.choice([10, 20]), 50 * rng.randint(1, 4)
    given = settings(rng, target=50, tolerance=tolerance)
    edge = tolerance // 2
    for busy in (50 - edge, 50, 50 + edge, 51, 49):
        compare(submission, given, [look(0, ready, busy)], [ready])
        compare(submission, given, [look(0, ready, busy, starting=3)], [ready + 3])
    for busy in (50 - edge - 1, 50 + edge + 1):
        compare(submission, given, [look(0, ready, busy)], [up(ready * busy, 50)])


@check(
    "what is starting is not asked for again",
    points=3,
    reason="A cold start lasts longer than a look. Who doubles at each look meanwhile has eight times too many.",
    about="Autoscaler.wanted",
)
def test_starting(submission: Submission, rng: random.Random) -> None:
    ready = rng.randint(3, 30)
    asked = 2 * ready
    given = settings(rng, target=50)
    looks = [look(0, ready, 100), *(look(EVERY * turn, ready, 100, starting=asked - ready) for turn in (1, 2, 3))]
    looks.append(look(EVERY * 4, asked, 100))
    compare(submission, given, looks, [asked, asked, asked, asked, 2 * asked])
    compare(submission, given, [look(0, ready, 59, starting=ready)], [2 * ready])
    compare(submission, given, [look(0, ready, 3, starting=1)], [ready + 1])
    compare(submission, given, [look(0, ready, 100, starting=1)], [asked])


@check(
    "the limits hold",
    points=2,
    reason="The upper one is what a bill can bear, the lower one what a spike finds ready.",
    about="Autoscaler.wanted",
)
def test_limits(submission: Submission, rng: random.Random) -> None:
    least, most = rng.randint(2, 5), rng.randint(10, 20)
    given = settings(rng, target=50, least=least, most=most)
    compare(submission, given, [look(0, most, 100), look(15, most, 1)], [most, least])
    compare(submission, given, [look(0, most - 1, 100, starting=1), look(15, 0, 0)], [most, least])
    compare(submission, given, [look(0, most + 5, 50), look(15, least, 0, idle=9999)], [most, least])


@check(
    "down only to what was enough all the time",
    points=3,
    reason="A load that swings each minute would otherwise pay a cold start each minute.",
    about="Autoscaler.wanted",
)
def test_cooldown(submission: Submission, rng: random.Random) -> None:
    turns = rng.randint(3, 8)
    given = settings(rng, target=50, cooldown=EVERY * turns)
    ready, now = 5 * rng.randint(4, 8), rng.randint(0, 1000)
    looks, wanted = [look(now, ready, 100)], [2 * ready]
    for turn in range(1, turns + 1):
        looks.append(look(now + EVERY * turn, 2 * ready, 20 if turn == 1 else 10))
        wanted.append(2 * ready)
    first, rest = up(2 * ready * 20, 50), up(2 * ready * 10, 50)
    looks += [look(now + EVERY * (turns + 1), 2 * ready, 10), look(now + EVERY * (turns + 2), first, 1)]
    wanted += [first, max(rest, up(first, 50))]
    compare(submission, given, looks, wanted)


@check(
    "up at once, whatever was before",
    points=1,
    reason="Those who wait now are not helped by a rule that spares replicas.",
    about="Autoscaler.wanted",
)
def test_up(submission: Submission, rng: random.Random) -> None:
    given = settings(rng, target=50, cooldown=600)
    ready = rng.randint(4, 20)
    looks = [look(0, ready, 50), look(15, ready, 100), look(30, 2 * ready, 100), look(45, 4 * ready, 10)]
    compare(submission, given, looks, [ready, 2 * ready, 4 * ready, 4 * ready])


@check(
    "the last one goes when nobody has come for long enough",
    points=2,
    reason="Between two requests of a conversation, nothing is busy either.",
    about="Autoscaler.wanted",
)
def test_zero(submission: Submission, rng: random.Random) -> None:
    idle = rng.randint(30, 300)
    given = settings(rng, least=0, idle=idle)
    looks = [look(0, 3, 0, idle=0), look(15, 1, 0, idle=idle - 1), look(30, 1, 0, waiting=1, idle=idle)]
    looks += [look(45, 1, 0, idle=idle), look(60, 0, 0, idle=idle + 15), look(75, 1, 0, idle=idle + 30)]
    compare(submission, given, looks, [1, 1, 1, 0, 0, 0])
    compare(submission, given, [look(0, 0, 0, idle=1)], [0])


@check(
    "it comes back from zero",
    points=2,
    reason="This is where an autoscaler that only multiplies stays for ever, with all its users outside.",
    about="Autoscaler.wanted",
)
def test_back(submission: Submission, rng: random.Random) -> None:
    for cooldown in (0, 600):
        given = settings(rng, target=50, least=0, cooldown=cooldown)
        looks = [look(0, 0, 0, idle=900), look(15, 0, 0, waiting=rng.randint(1, 9))]
        looks += [look(30, 0, 0, starting=1, waiting=5), look(45, 1, 100), look(60, 2, 5), look(75, 2, 100)]
        compare(submission, given, looks, [0, 1, 1, 2, 2 if cooldown else 1, 4])
