"""A simulation against the real thing: the p95 of real servers over HTTP under an open load, and of their model.

    found = await compare(CONFIGURATIONS[0], calls=2000)
    found.measured, found.simulated, found.ratio

What the simulation gets is measured before, one call at a time: how long a call takes, how much of that is protocol.
Then calls are sent at random times, as by clients that do not know of each other and do not wait; the simulation gets
the same times. Nothing is adjusted to what came out.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from labkit.scaling.arrivals import poisson
from labkit.scaling.generator import load
from labkit.scaling.pool import replicas
from labkit.scaling.simulate import simulate

SERVER = Path(__file__).with_name("simulate_server.py")
SEEDS = 9
"""Simulations of a configuration; the median of their p95 counts."""


@dataclass(frozen=True)
class Configuration:
    """What is served, and how."""

    name: str
    tool: str
    replicas: int = 1
    balance: str = "round_robin"
    places: int = 1
    """Calls that a replica works on at the same time."""
    share: float = 0.6
    """Of the capacity: how much is asked for, by the service time that was measured before."""


CONFIGURATIONS = (
    Configuration("1 process that computes, 1 at a time", "compute", share=0.5),
    Configuration("1 process that waits, any number at a time", "wait", places=1000, share=1.2 / 1000),
    Configuration("1 process that waits, 4 at a time", "wait", places=4),
    Configuration("3 replicas that wait, 1 at a time, round robin", "wait", 3),
    Configuration("3 replicas that wait, 1 at a time, least connections", "wait", 3, "least_connections"),
)


@dataclass(frozen=True)
class Compared:
    """Seconds, and calls a second."""

    name: str
    rate: float
    service: float
    """Mean time in a place, measured one call at a time."""
    measured: float
    simulated: float
    failed: int
    cores: float
    """What all programs of the machine used meanwhile: near what it has, calls take longer than they did alone."""

    @property
    def ratio(self) -> float:
        """Simulated / measured."""
        return self.simulated / self.measured


async def compare(configuration: Configuration, *, probes: int = 200, calls: int = 1000, seed: int = 0) -> Compared:
    """Measure the parts, then the whole; simulate the whole from the parts. Errors: those of `replicas` and `load`."""
    env = {"PLACES": str(configuration.places)}
    pool = await replicas(SERVER, n=configuration.replicas, balance=configuration.balance, env=env)
    async with pool:
        url = pool.url if configuration.replicas > 1 else pool.replicas[0].url
        await load(url, configuration.tool, clients=1, calls=4 * configuration.replicas)  # the first calls are slow
        protocol = (await load(url, "nothing", clients=1, calls=probes)).service_times()
        alone = (await load(url, configuration.tool, clients=1, calls=probes, seconds=60)).service_times()
        service = [max(0.0, each - median(protocol)) for each in alone]
        rate = configuration.share * configuration.replicas * configuration.places / fmean(service)
        arrivals = poisson(rate, 2 * calls / rate, seed=seed)[:calls]
        before, began = _processor_seconds(), time.perf_counter()
        report = await load(url, configuration.tool, arrivals=arrivals)
        cores = (_processor_seconds() - before) / (time.perf_counter() - began)
    simulated = median(
        simulate(
            arrivals,
            service,
            replicas=configuration.replicas,
            slots=configuration.places,
            balance=configuration.balance,
            overhead=protocol,
            seed=seed + number,
        ).p95
        for number in range(SEEDS)
    )
    measured = report.latency.percentile(95)
    failed = report.failed + report.unsent
    return Compared(configuration.name, rate, fmean(service), measured, simulated, failed, cores)


def _processor_seconds() -> float:
    """Of all cores and programs, since the machine was started."""
    import psutil

    times = psutil.cpu_times()
    return sum(getattr(times, name, 0.0) for name in ("user", "nice", "system"))
