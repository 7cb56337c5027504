"""Checks of 27_token_bucket. Times are multiples of 1/16 and rates powers of two: floats hold them exactly."""

import random

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

RATES = (0.5, 1, 2, 4)


def play(submission: Submission, rate: float, burst: int, moments: list[float]) -> list[float]:
    waits = submission.call("play", rate, burst, moments)
    sound = all(isinstance(wait, int | float) and not isinstance(wait, bool) and wait >= 0 for wait in waits)
    expect_true(sound, f"take answers with numbers, 0 or more, not {waits!r}")
    return [float(wait) for wait in waits]


def begin(rng: random.Random) -> float:
    return rng.randint(800, 80_000) / 8


@check(
    "full at first, and then empty",
    points=2,
    reason="The burst is what a caller gets after a rest, and at the start everybody is rested.",
    about="Bucket",
)
def test_burst(submission: Submission, rng: random.Random) -> None:
    rate, burst, now = rng.choice(RATES), rng.randint(2, 9), begin(rng)
    waits = play(submission, rate, burst, [now] * (burst + 1))
    expect(waits[:burst], [0.0] * burst, f"{burst} calls at once, burst {burst}")
    expect_true(waits[burst] > 0, "one more at the same time was let through, too")


@check(
    "tokens come evenly, in parts",
    points=2,
    reason="Who rounds down at each call loses what was on its way: those who ask often would never be let through.",
    about="Bucket.take",
)
def test_even(submission: Submission, rng: random.Random) -> None:
    rate, burst, now = rng.choice(RATES), rng.randint(1, 5), begin(rng)
    moments = [now] * burst + [now + step / 8 for step in range(1, 161)]
    passed = [at - now for at, wait in zip(moments, play(submission, rate, burst, moments), strict=True) if wait == 0]
    wanted = [0.0] * burst + [number / rate for number in range(1, int(20 * rate) + 1)]
    expect(passed, wanted, f"a call every eighth of a second for 20 s at {rate} a second: when they were let through")


@check(
    "never more than fit",
    points=2,
    reason="Without an upper edge, a quiet night is paid back in one second.",
    about="Bucket.take",
)
def test_edge(submission: Submission, rng: random.Random) -> None:
    rate, burst, now = rng.choice(RATES), rng.randint(2, 6), begin(rng)
    for taken in (0, 1, burst):
        moments = [now] * taken + [now + 10_000] * (2 * burst)
        waits = play(submission, rate, burst, moments)
        wanted = taken + burst
        expect(waits.count(0.0), wanted, f"{taken} calls, a long rest, then {2 * burst} calls at once: let through")


@check(
    "the wait is exact",
    points=2,
    reason="Who is told too little comes in vain; who is told too much leaves tokens lying.",
    about="Bucket.take",
)
def test_wait(submission: Submission, rng: random.Random) -> None:
    rate, burst, now = rng.choice(RATES), rng.randint(1, 5), begin(rng)
    first = [now] * burst
    expect(play(submission, rate, burst, [*first, now])[-1], 1 / rate, "the wait at an empty bucket, in seconds")
    expect(play(submission, rate, burst, [*first, now + 0.125])[-1], 1 / rate - 0.125, "the wait an eighth later")
    before, at = play(submission, rate, burst, [*first, now, now + 1 / rate - 0.0625, now + 1 / rate])[-2:]
    expect_true(before == 0.0625 and at == 0, f"back just before, and then: {before} and {at}, not 0.0625 and 0")


@check(
    "a refused call takes nothing",
    points=2,
    reason="Else a caller who asks too often goes into debt, and waits longer with each question.",
    about="Bucket.take",
)
def test_refused(submission: Submission, rng: random.Random) -> None:
    rate, burst, now = rng.choice(RATES), rng.randint(1, 5), begin(rng)
    many = play(submission, rate, burst, [now] * (burst + 50) + [now + 1 / rate])
    expect(many[burst:-1], [1 / rate] * 50, "fifty refused calls at the same time: their waits")
    expect(many[-1], 0.0, "a call when the wait is over")
