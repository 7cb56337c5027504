"""Queues in closed form: what a simulation has to agree with, and what replaces it where events are too many.

    MMc(rate=80, service=0.02, servers=2).percentile(95)
    servers_for(rate=500_000, service=0.018, latency=0.08)     # some 9,000 replicas, in milliseconds

Rates are requests a second, times are seconds, percents are of 100. Arrivals are Poisson everywhere (the first M).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from labkit.scaling.arrivals import SimulationError


def erlang_b(servers: int, load: float) -> float:
    """The share of requests that find all servers taken when nobody waits. `load` is rate x service, in erlangs.

    By the recursion over the number of servers, which neither overflows nor cancels. A. K. Erlang, "Solution of some
    problems in the theory of probabilities of significance in automatic telephone exchanges" (1917), formula B.
    """
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """The share of requests that have to wait in M/M/c; 1.0 when the load is as much as the servers, or more.

    Erlang (1917), formula C; in terms of B as in Kleinrock, Queueing Systems I (1975), section 3.5.
    """
    if load >= servers:
        return 1.0
    blocked = erlang_b(servers, load)
    return blocked / (1 - load / servers * (1 - blocked))


@dataclass(frozen=True)
class MMc:
    """One queue for `servers` equal servers with exponential service times of mean `service`: M/M/c; M/M/1 with one.

    Kleinrock, Queueing Systems I (1975), sections 3.2 and 3.5. At full load or beyond nothing settles: times are inf.
    """

    rate: float
    service: float
    servers: int = 1

    def __post_init__(self) -> None:
        if not (self.rate >= 0 and self.service > 0 and self.servers >= 1):
            raise SimulationError(f"{self}: a rate of 0 or more, a service time above 0, at least one server.")

    @property
    def load(self) -> float:
        """Erlangs: servers that would be busy on average."""
        return self.rate * self.service

    @property
    def utilisation(self) -> float:
        """The share of time that a server is busy, rho."""
        return self.load / self.servers

    @cached_property
    def waiting(self) -> float:
        """The probability that a request has to wait."""
        return erlang_c(self.servers, self.load)

    @property
    def mean_wait(self) -> float:
        """Seconds in the queue, on average over all requests."""
        return self.waiting * self.service / (self.servers - self.load) if self.utilisation < 1 else math.inf

    @property
    def mean(self) -> float:
        """Seconds from arrival to answer, on average."""
        return self.mean_wait + self.service

    @property
    def in_system(self) -> float:
        """Requests that wait or are served, on average: Little's law, L = rate x mean (Little 1961)."""
        return self.rate * self.mean

    def slower(self, seconds: float) -> float:
        """The probability that a request takes longer than `seconds`: the sum of its wait and its service.

        A wait is 0, or exponential with the rate (c - load) / service; the service is exponential.
        """
        if self.utilisation >= 1:
            return 1.0
        mu = 1 / self.service
        free = (self.servers - self.load) * mu
        if abs(free - mu) < 1e-9 * mu:
            waited = (1 + mu * seconds) * math.exp(-mu * seconds)
        else:
            waited = (free * math.exp(-mu * seconds) - mu * math.exp(-free * seconds)) / (free - mu)
        return (1 - self.waiting) * math.exp(-mu * seconds) + self.waiting * waited

    def percentile(self, percent: float) -> float:
        """Seconds that `percent` percent of the requests do not exceed."""
        if self.utilisation >= 1:
            return math.inf
        left = 1 - percent / 100
        high = self.service
        while self.slower(high) > left:
            high *= 2
        low = 0.0
        while high - low > 1e-9 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if self.slower(middle) > left else (low, middle)
        return high


def mg1_wait(rate: float, service: float, variation: float) -> float:
    """Mean seconds in the queue of one server with any service times: Pollaczek-Khinchine.

    `variation` is the squared coefficient of variation, (deviation / mean)^2: 0 for equal times, 1 for exponential.
    F. Pollaczek (1930), A. Khinchine (1932); Kleinrock, Queueing Systems I (1975), section 5.6.
    """
    load = rate * service
    return load * service * (1 + variation) / (2 * (1 - load)) if load < 1 else math.inf


def mgc_wait(rate: float, service: float, servers: int, variation: float, arrivals: float = 1.0) -> float:
    """Mean seconds in the queue of c servers, about: the wait of M/M/c times half the sum of both variations.

    `arrivals` is the squared coefficient of variation between arrivals, 1 for Poisson. Exact for M/M/c and M/G/1, an
    approximation else: Allen, Probability, Statistics, and Queueing Theory (1978), after Cunneen.
    """
    return MMc(rate, service, servers).mean_wait * (arrivals + variation) / 2


def variation_of(sample: Sequence[float]) -> float:
    """The squared coefficient of variation of measured times."""
    mean = fmean(sample)
    return fmean((each - mean) ** 2 for each in sample) / mean**2


def servers_for(rate: float, service: float, latency: float, percent: float = 95) -> int:
    """The least number of servers behind one queue with which `percent` percent take at most `latency` seconds.

    Exponential service times. Raises SimulationError when the service alone takes longer than that.
    """
    alone = -service * math.log(1 - percent / 100)
    if alone >= latency:
        raise SimulationError(
            f"No number of servers is enough: without any wait {percent:g} % take up to {alone:.4g} s, and "
            f"{latency:g} s are allowed. Make the service faster, or allow more."
        )
    low = int(rate * service)  # too few
    spare = 1
    while MMc(rate, service, low + spare).percentile(percent) > latency:
        spare *= 2
    high = low + spare
    while high - low > 1:
        middle = (low + high) // 2
        if middle and MMc(rate, service, middle).percentile(percent) <= latency:
            high = middle
        else:
            low = middle
    return high


def square_root_staffing(load: float, waiting: float) -> int:
    """About the servers with which a share `waiting` of the requests waits: load + beta x sqrt(load).

    Beta solves waiting = 1 / (1 + beta Phi(beta) / phi(beta)). Halfin and Whitt, "Heavy-traffic limits for queues with
    many exponential servers", Operations Research 29 (1981). The spare servers grow with the root of the load only.
    """
    if not (0 < waiting < 1 and load > 0):
        raise SimulationError(f"waiting={waiting!r} is a share between 0 and 1, load={load!r} a positive number.")
    low, high = 0.0, 10.0
    for _ in range(60):
        beta = (low + high) / 2
        normal, density = math.erfc(-beta / math.sqrt(2)) / 2, math.exp(-beta * beta / 2) / math.sqrt(2 * math.pi)
        low, high = (beta, high) if 1 / (1 + beta * normal / density) > waiting else (low, beta)
    return math.ceil(load + high * math.sqrt(load))
