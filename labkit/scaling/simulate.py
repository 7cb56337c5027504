"""A replicated service as a simulation of events: what latency, how many replicas, at what cost.

    run = simulate(poisson(80, 60), 0.02, replicas=2)                       # fixed replicas
    run = simulate(diurnal(5, 80, period=600, seconds=600), measured, scaler=Autoscaler("cpu", 0.6), cold_start=3)
    run.p95; run.cold_starts; run.cost; run.timeline(); run.plot()

The model: a request comes, a balancer gives it to a replica, it waits there (first come, first served) until one of
the replica's slots is free, keeps it for its service time, and is answered. Slots do not slow each other down: a slot
is a place for a call that waits for something else, or a core for one that computes. While no replica is ready,
requests wait in front of the balancer. Network, balancer and what a server does outside its slots is `overhead`.

The same seed gives each request the same work whatever the replicas are: two runs differ by their settings alone.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, get_args

from labkit.errors import did_you_mean
from labkit.scaling.arrivals import Service, SimulationError, work_of
from labkit.scaling.scaler import Autoscaler, Seen
from labkit.scaling.simulate_result import Moment, Simulated, nearest_rank

Way = Literal["round_robin", "least_connections", "random", "one_queue"]


def simulate(
    arrivals: Sequence[float],
    service: Service,
    *,
    replicas: int = 1,
    slots: int = 1,
    balance: str = "round_robin",
    scaler: Autoscaler | None = None,
    cold_start: float = 0.0,
    overhead: Service = 0.0,
    price: float = 0.0,
    memory: tuple[float, float] = (0.0, 0.0),
    metric: Callable[[Moment], float] | None = None,
    until: float = 0.0,
    seed: int = 0,
) -> Simulated:
    """Send requests at these times (sorted, seconds) through a replicated service, and count.

    `service` and `overhead` are seconds: a number, a measured sample, or a distribution (see `arrivals`). So many
    `replicas` are ready at the start; with a `scaler` they change, and one that is started is ready after `cold_start`
    seconds. `balance` is round_robin, least_connections (ties take turns, as in the lab's balancer), random, or
    one_queue: the balancer keeps requests until a slot is free anywhere. `price` is per replica and hour, from its
    start to its end.
    For a scaler that looks at it: `memory` is the share of its limit that a replica uses when it is idle, and for each
    request in it; `metric` says at each look how much there is of what the scaler shares out over the replicas.
    The simulation ends when the last request is answered, not before second `until`. Raises SimulationError.
    """
    if balance not in get_args(Way):
        hint = did_you_mean(balance, get_args(Way), has="There are")
        raise SimulationError(f"balance={balance!r} is no way to balance. {hint}")
    if slots < 1 or replicas < 0 or (replicas == 0 and scaler is None):
        raise SimulationError(f"replicas={replicas} with slots={slots}: nothing would ever be served.")
    if any(later < earlier for earlier, later in pairwise(arrivals)):
        raise SimulationError("The arrivals are not sorted: use sorted(...), or trace(...).")
    if (arrivals and arrivals[0] < 0) or cold_start < 0 or price < 0:
        raise SimulationError("Arrivals, cold_start and price are not negative.")
    if min(memory) < 0 or (scaler is not None and scaler.trigger == "memory" and not any(memory)):
        raise SimulationError(f"memory={memory}: say what a replica uses when it is idle and for each request in it.")
    if scaler is not None and scaler.trigger == "metric" and metric is None:
        raise SimulationError("The scaler looks at a metric, and there is none: give metric=, a function of a Moment.")
    run = _Run(arrivals, work_of(service, len(arrivals), random.Random(f"service {seed}")), slots, balance)
    run.rng = random.Random(f"balance {seed}")
    run.scaler, run.cold_start, run.until = scaler.fresh() if scaler else None, cold_start, until
    run.memory, run.metric = memory, metric
    run.all(replicas)
    outside = work_of(overhead, len(arrivals), random.Random(f"overhead {seed}"))
    latencies = [took + more for took, more in zip(run.took, outside, strict=True)]
    capacity = run.ready_area * slots
    return Simulated(
        list(arrivals),
        run.waits,
        latencies,
        run.moments,
        run.now,
        run.busy_area / capacity if capacity else 0.0,
        run.cold_starts,
        run.cold,
        run.area,
        run.area / 3600 * price,
    )


class _Replica:
    __slots__ = ("busy", "in_system", "queue", "state")

    def __init__(self, state: str) -> None:
        self.state = state  # starting, ready, draining, ended
        self.busy = self.in_system = 0
        self.queue: deque[int] = deque()


class _Run:
    """The state at one moment, and what happens next."""

    def __init__(self, arrivals: Sequence[float], work: list[float], slots: int, balance: str) -> None:
        self.arrivals, self.work, self.slots, self.balance = arrivals, work, slots, balance
        self.rng = random.Random()
        self.scaler: Autoscaler | None = None
        self.cold_start = self.until = 0.0
        self.memory = 0.0, 0.0
        self.metric: Callable[[Moment], float] | None = None
        self.now = self.busy_area = self.ready_area = self.area = self.system_area = 0.0
        self.waits, self.took = [0.0] * len(arrivals), [0.0] * len(arrivals)
        self.moments: list[Moment] = []
        self.cold_starts = self.cold = 0
        self.ready: list[_Replica] = []
        self.starting: list[_Replica] = []
        self.draining = self.busy = self.in_system = self.turn = 0
        self.common: deque[int] = deque()  # in front of the balancer
        self.ending: list[tuple[float, int, _Replica]] = []  # when, which request, where
        self.warm: deque[tuple[float, _Replica]] = deque()  # all cold starts are equally long: a queue is sorted
        self.ended: list[float] = []  # latencies since the last evaluation
        self.before = (0.0, 0.0, 0.0)
        self.last_request = 0.0

    def all(self, replicas: int) -> None:
        """Events in the order of time; at the same time: ends, starts, arrivals, the scaler."""
        self.ready = [_Replica("ready") for _ in range(replicas)]
        self.note()
        arrivals, ending, warm, count, at = self.arrivals, self.ending, self.warm, len(self.arrivals), 0
        never = float("inf")
        every = self.scaler.every if self.scaler else never
        looks = 1
        while at < count or self.in_system or self.now < self.until:
            come = arrivals[at] if at < count else never
            end = ending[0][0] if ending else never
            begun = warm[0][0] if warm else never
            look = looks * every
            soon = min(come, end, begun, look)
            if soon > self.until and at == count and not self.in_system:
                self.advance(self.until)
                break
            self.advance(soon)
            if end == soon:
                _, number, replica = heapq.heappop(ending)
                self.end(number, replica)
            elif begun == soon:
                self.begun(warm.popleft()[1])
            elif come == soon:
                self.come(at)
                at += 1
            else:
                looks += 1
                self.look()
        self.note()

    def advance(self, now: float) -> None:
        passed = now - self.now
        self.busy_area += self.busy * passed
        self.ready_area += (len(self.ready) + self.draining) * passed
        self.system_area += self.in_system * passed
        self.area += (len(self.ready) + len(self.starting) + self.draining) * passed
        self.now = now

    def come(self, number: int) -> None:
        self.in_system += 1
        self.last_request = self.now
        if not self.ready:
            self.cold += 1
            self.common.append(number)
            if not self.starting:
                self.scale(1)  # whoever waits at the door has it opened; no need to wait for the next evaluation
        elif self.balance == "one_queue":
            for replica in self.ready:
                if replica.busy < self.slots:
                    self.serve(number, replica)
                    return
            self.common.append(number)
        else:
            self.give(number)

    def give(self, number: int) -> None:
        """To the replica whose turn it is."""
        ready = self.ready
        turn, self.turn = self.turn, self.turn + 1
        if self.balance == "round_robin":
            replica = ready[turn % len(ready)]
        elif self.balance == "random":
            replica = ready[int(self.rng.random() * len(ready))]
        else:
            least = min([each.in_system for each in ready])
            left = [each for each in ready if each.in_system == least]
            replica = left[turn % len(left)]
        if replica.busy < self.slots:
            self.serve(number, replica)
        else:
            replica.in_system += 1
            replica.queue.append(number)

    def serve(self, number: int, replica: _Replica, moved: bool = False) -> None:
        if not moved:
            replica.in_system += 1
        replica.busy += 1
        self.busy += 1
        self.waits[number] = self.now - self.arrivals[number]
        heapq.heappush(self.ending, (self.now + self.work[number], number, replica))

    def end(self, number: int, replica: _Replica) -> None:
        replica.busy -= 1
        replica.in_system -= 1
        self.busy -= 1
        self.in_system -= 1
        took = self.took[number] = self.now - self.arrivals[number]
        if self.scaler is not None:
            self.ended.append(took)
        if not self.in_system:
            self.last_request = self.now
        if replica.queue:
            self.serve(replica.queue.popleft(), replica, moved=True)
        elif self.common and replica.state == "ready":
            self.serve(self.common.popleft(), replica)
        elif replica.state == "draining" and not replica.in_system:
            replica.state = "ended"
            self.draining -= 1
            self.note()

    def begun(self, replica: _Replica) -> None:
        """A cold start is over."""
        if replica.state != "starting":
            return
        replica.state = "ready"
        self.starting.remove(replica)
        self.ready.append(replica)
        self.note()
        if self.balance == "one_queue":
            while self.common and replica.busy < self.slots:
                self.serve(self.common.popleft(), replica)
        else:
            while self.common:
                self.give(self.common.popleft())

    def scale(self, wanted: int) -> None:
        """Start replicas, or let some go: those that are not ready first, then those with the least to do."""
        before = len(self.ready) + len(self.starting)
        for _ in range(wanted - before):
            replica = _Replica("starting")
            self.cold_starts += 1
            self.starting.append(replica)
            self.warm.append((self.now + self.cold_start, replica))
        for _ in range(before - wanted):
            if self.starting:
                self.starting.pop().state = "ended"
                continue
            replica = min(reversed(self.ready), key=lambda each: each.in_system)
            self.ready.remove(replica)
            replica.state = "draining" if replica.in_system else "ended"
            self.draining += replica.state == "draining"
        if wanted != before:
            self.note()

    def look(self) -> None:
        """The scaler's turn."""
        assert self.scaler is not None
        areas = self.busy_area, self.ready_area, self.system_area
        busy, ready, system = (now - then for now, then in zip(areas, self.before, strict=True))
        self.before = areas
        if self.ended:
            latency = nearest_rank(sorted(self.ended), 95)
        else:
            latency = self.now - self.oldest() if self.in_system else 0.0
        used = busy / (ready * self.slots) if ready else 0.0
        idle, each = self.memory
        seen = Seen(
            self.now,
            len(self.ready),
            len(self.starting),
            used,
            system / self.scaler.every,
            latency,
            0.0 if self.in_system else self.now - self.last_request,
            idle + each * system / ready if ready else 0.0,
            self.metric(self.moment(used)) if self.metric else 0.0,
        )
        self.ended.clear()
        self.scale(self.scaler.wanted(seen))
        self.note(used)

    def oldest(self) -> float:
        """When the request that has been here longest came."""
        here = [*self.common, *(number for _, number, _ in self.ending)]
        return self.arrivals[min(here)]

    def note(self, utilisation: float | None = None) -> None:
        self.moments.append(self.moment(utilisation))

    def moment(self, utilisation: float | None) -> Moment:
        return Moment(self.now, len(self.ready), len(self.starting), self.draining, self.in_system, utilisation)
