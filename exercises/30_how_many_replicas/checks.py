"""Checks of 30_how_many_replicas. What is right is computed by labkit.scaling.queueing, which has a p95 of its own."""

import random
from typing import Any

from labkit.grading.checks import check, expect, expect_true
from labkit.grading.submission import Submission
from labkit.scaling.queueing import MMc, servers_for

ALONE = 2.995732273553991
"""ln 20: what 95 % of exponential times of mean 1 do not exceed."""


def case(rng: random.Random, rate: int) -> tuple[int, float, float]:
    """A rate, a service time, and a promise that has room for some waiting."""
    service = rng.randint(5, 60) / 1000
    return rate, service, round(service * rng.uniform(3.2, 8), 4)


@check(
    "the least number that keeps the promise",
    points=4,
    reason="Enough to serve them all is not enough to serve them soon: at full load the queue has no end.",
    about="replicas_for",
)
def test_replicas(submission: Submission, rng: random.Random) -> None:
    for rate in (rng.randint(1, 9), rng.randint(20, 90), rng.randint(100, 900), rng.randint(2000, 9000)):
        rate, service, promise = case(rng, rate)
        got = submission.call("replicas_for", rate, service, promise)
        expect(got, servers_for(rate, service, promise), f"replicas_for({rate}, {service}, {promise})")
    rate, service = rng.randint(50, 200), rng.randint(20, 60) / 1000
    promise = service * ALONE * 1.002  # next to no room
    got = submission.call("replicas_for", rate, service, promise)
    expect(got, servers_for(rate, service, promise), f"replicas_for({rate}, {service}, {promise})")
    expect(submission.call("replicas_for", 0, 0.02, 0.1), 1, "replicas_for(0, 0.02, 0.1): one is the least")


@check(
    "where no number is enough",
    points=2,
    reason="Replicas shorten the wait. What the call itself takes, they cannot.",
    about="replicas_for",
)
def test_none(submission: Submission, rng: random.Random) -> None:
    rate, service, _ = case(rng, rng.randint(10, 500))
    for share in (1.0, 2.0, 2.9, ALONE * (1 - 1e-6)):  # at ALONE itself the last bit of a float decides
        promise = service * share
        expect(
            submission.call("replicas_for", rate, service, promise), None, f"replicas_for({rate}, {service}, {promise})"
        )
        got = submission.call("replicas_to_spare", rate, service, promise, 2)
        expect(got, None, f"replicas_to_spare({rate}, {service}, {promise}, 2)")


@check(
    "half a million a second",
    points=2,
    reason="On paper this is as easy as ten a second. And look how few of them are spare.",
    about="replicas_for",
)
def test_large(submission: Submission, rng: random.Random) -> None:
    rate, service = rng.randint(400, 500) * 1000, rng.randint(15, 20) / 1000
    promise = round(service * 3.2, 4)
    got = submission.call("replicas_for", rate, service, promise)
    expect(got, servers_for(rate, service, promise), f"replicas_for({rate}, {service}, {promise})")


@check(
    "the capacity within the promise",
    points=3,
    reason="This is what an alarm has to be set by; the rate at which all break down comes too late.",
    about="capacity",
)
def test_capacity(submission: Submission, rng: random.Random) -> None:
    for replicas in (1, rng.randint(2, 5), rng.randint(20, 80)):
        _, service, promise = case(rng, 1)
        got = submission.call("capacity", replicas, service, promise)
        what = f"capacity({replicas}, {service}, {promise})"
        expect_true(isinstance(got, int) and not isinstance(got, bool), f"{what} is a whole number, not {got!r}")
        held = MMc(got, service, replicas).percentile(95) <= promise if got >= 0 else False
        expect_true(held, f"{what}: with {got} requests a second the p95 is more than promised")
        more = MMc(got + 1, service, replicas).percentile(95)
        expect_true(more > promise, f"{what}: {got} a second, but {got + 1} are still within the promise")
    service = rng.randint(5, 60) / 1000
    expect(submission.call("capacity", 9, service, 2 * service), 0, f"capacity(9, {service}, {2 * service})")
    # One replica, a call of a second: one request a second would be too many.
    expect(submission.call("capacity", 1, 1.0, 3.1), 0, "capacity(1, 1.0, 3.1)")


@check(
    "some to spare",
    points=2,
    reason="A promise that ends with the first machine that is restarted is none.",
    about="replicas_to_spare",
)
def test_spare(submission: Submission, rng: random.Random) -> None:
    for down in (0, 1, rng.randint(2, 5)):
        rate, service, promise = case(rng, rng.randint(300, 500))
        got = submission.call("replicas_to_spare", rate, service, promise, down)
        wanted = servers_for(rate, service, promise) + down
        expect(got, wanted, f"replicas_to_spare({rate}, {service}, {promise}, {down})")


def kind(name: str, service: float, price: float) -> dict[str, Any]:
    return {"name": name, "service": service, "price": price}


@check(
    "the kind that costs least",
    points=3,
    reason="The price of one machine says nothing before it is known how many there have to be.",
    about="cheapest",
)
def test_cheapest(submission: Submission, rng: random.Random) -> None:
    rate, promise = rng.randint(100, 900), 0.2
    slow, middle, fast = (rng.randint(a, b) / 1000 for a, b in ((45, 55), (15, 25), (4, 6)))
    numbers = [servers_for(rate, service, promise) for service in (slow, middle, fast)]
    names = ["small", "medium", "large"]
    for winner in range(3):
        # Prices so that all cost 100 an hour together, but the winner 80.
        prices = [(80 if at == winner else 100) / number for at, number in enumerate(numbers)]
        kinds = [kind(*each) for each in zip(names, (slow, middle, fast), prices, strict=True)]
        kinds.append(kind("tiny", 0.1, 0.0001))  # takes too long by itself
        rng.shuffle(kinds)
        expect(
            submission.call("cheapest", kinds, rate, promise),
            [names[winner], numbers[winner]],
            f"cheapest({kinds}, {rate}, {promise})",
        )
    same = [kind("many", slow, 1 * numbers[2]), kind("few", fast, 1 * numbers[0])]
    for kinds in (same, same[::-1]):
        expect(
            submission.call("cheapest", kinds, rate, promise),
            ["few", numbers[2]],
            f"cheapest({kinds}, {rate}, {promise})",
        )


@check(
    "when no kind can do it",
    points=1,
    reason="Then something else has to be made faster: the call.",
    about="cheapest",
)
def test_no_kind(submission: Submission, rng: random.Random) -> None:
    kinds = [kind("slow", 0.1, 1.0), kind("slower", 0.1 * ALONE, 0.5)]
    expect(submission.call("cheapest", kinds, rng.randint(5, 50), 0.25), None, f"cheapest({kinds}, ..., 0.25)")
    expect(submission.call("cheapest", [], 10, 1.0), None, "cheapest([], 10, 1.0)")
