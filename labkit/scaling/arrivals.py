"""What a simulated service gets: when requests come, and how long each keeps a slot.

    poisson(50, 60)                       # 50 a second for a minute, independent of each other
    diurnal(5, 80, period=86_400, seconds=86_400)
    spike(10, 100, at=60, lasting=30, seconds=300)
    trace("requests.csv", column="time")  # as it was

Arrivals are sorted lists of seconds since the start. All randomness comes from the seed.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from labkit.errors import LabError, did_you_mean

Draw = Callable[[random.Random], float]
Service = float | Sequence[float] | Draw
"""Seconds that a request keeps a slot: always the same, a sample to draw from with replacement, or a distribution."""
MOST = 10_000_000
"""Requests at most: a list of them is 80 MB."""


class SimulationError(LabError):
    """What is to be simulated makes no sense."""


def constant(rate: float, seconds: float) -> list[float]:
    """`rate` requests a second, evenly: the first after 1/rate seconds."""
    _check(rate, seconds)
    return [number / rate for number in range(1, int(rate * seconds + 1e-9) + 1)]


def poisson(rate: float, seconds: float, *, seed: int = 0) -> list[float]:
    """`rate` requests a second on average, from very many clients that do not know of each other."""
    _check(rate, seconds)
    rng, now, found = random.Random(seed), 0.0, list[float]()
    while (now := now + rng.expovariate(rate)) < seconds:
        found.append(now)
    return found


def varying(rate: Callable[[float], float], highest: float, seconds: float, *, seed: int = 0) -> list[float]:
    """A Poisson process whose rate is `rate(second)`, nowhere more than `highest`.

    By thinning: requests come at the highest rate, and each is kept with the probability rate / highest. Lewis and
    Shedler, "Simulation of nonhomogeneous Poisson processes by thinning", Naval Research Logistics 26 (1979).
    """
    rng = random.Random(f"thinning {seed}")
    found: list[float] = []
    for at in poisson(highest, seconds, seed=seed):
        wanted = rate(at)
        if not 0 <= wanted <= highest * (1 + 1e-9):
            raise SimulationError(f"The rate at second {at:.3f} is {wanted:g}, not between 0 and {highest:g}.")
        if rng.random() * highest < wanted:
            found.append(at)
    return found


def day(low: float, high: float, period: float) -> Callable[[float], float]:
    """The rate of a day as a function of the second: `low` at its start, `high` in its middle, a cosine between."""
    return lambda at: low + (high - low) * (1 - math.cos(2 * math.pi * at / period)) / 2


def diurnal(low: float, high: float, *, period: float, seconds: float, seed: int = 0) -> list[float]:
    """Days: from `low` requests a second at the start of each period to `high` in its middle."""
    if not 0 <= low <= high:
        raise SimulationError(f"low={low:g} and high={high:g}: the lower rate comes first.")
    return varying(day(low, high, period), high, seconds, seed=seed)


def spike(rate: float, peak: float, *, at: float, lasting: float, seconds: float, seed: int = 0) -> list[float]:
    """`rate` requests a second, but `peak` from second `at` on for `lasting` seconds."""
    return varying(lambda now: peak if at <= now < at + lasting else rate, max(rate, peak), seconds, seed=seed)


def trace(source: str | Path | Iterable[float], *, column: str = "time") -> list[float]:
    """Arrivals as they were recorded: numbers, or a CSV file with a column of seconds, in any order.

    The first becomes second 0, so that times since 1970 serve as well.
    """
    if isinstance(source, str | Path):
        with Path(source).open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or []
            if column not in names:
                raise SimulationError(f"{source} has no column {column!r}. {did_you_mean(column, names)}")
            try:
                times = [float(row[column]) for row in reader]
            except (TypeError, ValueError) as error:
                raise SimulationError(f"{source}, line {reader.line_num}, column {column!r}: {error}.") from None
    else:
        times = [float(each) for each in source]
    times.sort()
    if not all(map(math.isfinite, times)):
        raise SimulationError("A recorded time is not a finite number of seconds.")
    return [each - times[0] for each in times]


def exponential(mean: float) -> Draw:
    """Service times without memory, the M of M/M/1: `mean` seconds, and as much standard deviation."""
    return lambda rng: rng.expovariate(1 / mean)


def lognormal(mean: float, deviation: float) -> Draw:
    """Service times with a long tail, as most real ones: mean and standard deviation in seconds."""
    spread = math.log1p((deviation / mean) ** 2)
    return lambda rng: rng.lognormvariate(math.log(mean) - spread / 2, math.sqrt(spread))


def work_of(service: Service, count: int, rng: random.Random) -> list[float]:
    """Seconds of work for `count` requests, drawn in the order in which they come. Raises SimulationError."""
    if callable(service):
        drawn = [service(rng) for _ in range(count)]
    elif isinstance(service, int | float):
        drawn = [float(service)] * count
    elif len(service):
        drawn = rng.choices(service, k=count)
    else:
        raise SimulationError("The sample of service times is empty: measure some calls first.")
    if any(not 0 <= each < math.inf for each in drawn):
        raise SimulationError("A service time is negative or not finite: they are seconds.")
    return drawn


def _check(rate: float, seconds: float) -> None:
    if not (0 < rate < math.inf and 0 <= seconds < math.inf):
        raise SimulationError(f"rate={rate!r} requests a second for seconds={seconds!r}: both are positive numbers.")
    if rate * seconds > MOST:
        raise SimulationError(
            f"{rate * seconds:,.0f} requests are more than the {MOST:,} that are simulated one by one: "
            "use the formulas of labkit.scaling.queueing, or `fluid`."
        )
