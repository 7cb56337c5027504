"""Checks of 29_percentiles. Latencies are made from the seed."""

import math
import random

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission

BOUNDS: list[float] = [0.1, 0.25, 0.5, 1.0, 2.5]


def some(rng: random.Random, count: int) -> list[float]:
    """Different latencies, in no order."""
    found = [number / 1000 for number in rng.sample(range(1, 20 * count + 1), count)]
    rng.shuffle(found)
    return found


def rank(values: list[float], percent: int) -> float:
    return sorted(values)[max(1, -(-percent * len(values) // 100)) - 1]


def histogram(rng: random.Random) -> list[list[object]]:
    total, found = 0, list[list[object]]()
    for bound in [*BOUNDS, "+Inf"]:
        total += rng.randint(3, 40)
        found.append([bound, total])
    return found


@check(
    "a percentile is one of the values, by nearest rank",
    points=3,
    reason="One place too far is one call in a hundred, and with a hundred calls that is the slowest.",
    about="percentile",
)
def test_percentile(submission: Submission, rng: random.Random) -> None:
    for count in (1, 2, 20, 100, rng.randint(30, 70)):
        values = some(rng, count)
        for percent in (1, 50, 95, 99, 100):
            wanted = rank(values, percent)
            expect(submission.call("percentile", values, percent), wanted, f"percentile({count} values, {percent})")
    expect(submission.call("percentile", [], 50), None, "percentile([], 50)")
    values = some(rng, 9)
    expect(submission.call("percentile", values, 0), min(values), "percentile(9 values, 0)")


@check(
    "servers are put together call by call",
    points=3,
    reason="A server with ten calls counts as much as one with ten thousand when their percentiles are averaged.",
    about="of_all",
)
def test_together(submission: Submission, rng: random.Random) -> None:
    busy, idle, slow = some(rng, 90), some(rng, 5), [second + rng.randint(3, 9) for second in some(rng, 5)]
    everything = busy + idle + slow
    for percent in (50, 90, 95, 99):
        got = submission.call("of_all", [busy, idle, slow], percent)
        expect(got, rank(everything, percent), f"of_all([90, 5 and 5 slow calls], {percent})")
    expect(submission.call("of_all", [[], busy], 50), rank(busy, 50), "of_all([no calls, 90 calls], 50)")
    expect(submission.call("of_all", [[], []], 50), None, "of_all([[], []], 50)")


@check(
    "slower counts calls, not averages",
    points=2,
    reason="The average of nine fast calls and one of ten seconds is a second, which nobody has waited.",
    about="slower",
)
def test_slower(submission: Submission, rng: random.Random) -> None:
    fast, slow = rng.randint(3, 20), rng.randint(1, 9)
    values = [0.5] * fast + [rng.randint(10, 99)] * slow
    rng.shuffle(values)
    expect(
        submission.call("slower", values, 1.0), slow / (fast + slow), f"slower({fast} fast and {slow} slow calls, 1.0)"
    )
    expect(
        submission.call("slower", values, 0.5), slow / (fast + slow), "slower(...) with calls that took just the limit"
    )
    expect(submission.call("slower", [], 1.0), 0.0, "slower([], 1.0)")


@check(
    "histograms are added bound by bound",
    points=2,
    reason="This is why servers report histograms: counts can be added, percentiles cannot.",
    about="add",
)
def test_add(submission: Submission, rng: random.Random) -> None:
    one, other = histogram(rng), histogram(rng)
    wanted = [[bound, count + more] for (bound, count), (_, more) in zip(one, other, strict=True)]  # type: ignore[operator]
    expect(submission.call("add", one, other), wanted, f"add({one}, {other})")


def near(submission: Submission, given: list[list[object]], percent: float, wanted: float) -> None:
    got = submission.call("estimate", given, percent)
    fine = isinstance(got, float | int) and math.isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-9)
    expect_true(fine, f"estimate({given}, {percent}): expected about {wanted:.6g}, got {got!r}")


@check(
    "an estimate goes as far into its bucket as the rank does",
    points=3,
    reason="The bounds alone would jump from one to the next, and a dashboard would show steps.",
    about="estimate",
)
def test_estimate(submission: Submission, rng: random.Random) -> None:
    first, second, third = rng.randint(10, 40), rng.randint(50, 90), rng.randint(100, 200)
    given: list[list[object]] = [[0.1, first], [0.5, second], [2.0, third], ["+Inf", third]]
    for at in (0.2, 0.5, 0.9, 1.0):
        into = [(0.0, 0.1, 0, first), (0.1, 0.5, first, second), (0.5, 2.0, second, third)]
        for lower, upper, below, count in into:
            percent = 100 * (below + at * (count - below)) / third
            near(submission, given, percent, lower + at * (upper - lower))


@check(
    "an estimate at the edges",
    points=1,
    reason="Beyond the last bound nothing is known but that it was slow, and without calls nothing at all.",
    about="estimate",
)
def test_edges(submission: Submission, rng: random.Random) -> None:
    calls = rng.randint(10, 50)
    near(submission, [[0.1, 1], [0.5, 2], ["+Inf", 2 + calls]], 99, 0.5)
    expect(submission.call("estimate", [[0.1, 0], ["+Inf", 0]], 50), None, "estimate of a histogram without calls")
