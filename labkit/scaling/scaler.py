"""How many replicas there shall be: an autoscaler that looks now and then, as Kubernetes' HorizontalPodAutoscaler does.

    Autoscaler("cpu", target=0.6, least=1, most=10, down_window=300)
    Autoscaler("queue", target=0.7, least=0, idle=60)        # down to nothing after a minute without requests
    Autoscaler("memory", target=0.8)                          # simulate(..., memory=(idle, each))
    Autoscaler("metric", target=100)                          # simulate(..., metric=...): a number of one's own

Pure: it is told what is seen and answers with a number. The rule, the tolerance and the windows are those of
https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/ (algorithm details, stabilization
window). Scale to zero follows Knative and KEDA: nothing is kept after `idle` seconds, a request brings one back.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, get_args

from labkit.errors import did_you_mean
from labkit.scaling.arrivals import SimulationError

Trigger = Literal["cpu", "memory", "queue", "latency", "metric"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to see at an evaluation. Seconds, and numbers since the evaluation before."""

    now: float
    ready: int
    """Replicas that serve."""
    starting: int = 0
    """Replicas that are asked for and do not serve yet."""
    utilisation: float = 0.0
    """The share of the time of the slots of ready replicas that was used, 0 to 1. Queues do not show in it."""
    in_system: float = 0.0
    """Requests that waited or were served, on average over the time: what there is at one moment says little."""
    latency: float = 0.0
    """The p95 of the requests that ended; without any, the age of the oldest that waits."""
    idle: float = 0.0
    """Seconds since there was a request."""
    memory: float = 0.0
    """The share of its memory limit that a ready replica uses, on average; more than 1 where there is no limit."""
    metric: float = 0.0
    """A number of one's own, of all replicas together: documents that wait to be embedded, sessions that are open."""


@dataclass
class Autoscaler:
    """The settings, and what it remembers of its past. `fresh` gives one with the same settings and no past."""

    trigger: Trigger = "cpu"
    target: float = 0.6
    """cpu: utilisation, 0 to 1. memory: share of the limit; more than an idle replica uses, else replicas are added
    without end. queue: requests in a replica, waiting and served; less than its slots, else so many replicas are taken
    away that the rest cannot bear the load. latency: p95 in seconds. metric: what one replica shall have of it."""
    least: int = 1
    most: int = 10
    every: float = 15.0
    """Seconds between evaluations."""
    tolerance: float = 0.1
    """It does nothing while the measure is within this share of the target."""
    up_window: float = 0.0
    """Cool-down: it goes up only to what was wanted during all of so many seconds."""
    down_window: float = 300.0
    """Cool-down: it goes down only to what was enough during all of so many seconds."""
    idle: float = 0.0
    """With least=0: seconds without a request before the last replica goes; `down_window` has to pass as well."""
    _past: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]], repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.trigger not in get_args(Trigger):
            hint = did_you_mean(self.trigger, get_args(Trigger), has="There are")
            raise SimulationError(f"trigger={self.trigger!r} is nothing to scale by. {hint}")
        if not (0 <= self.least <= self.most and self.most >= 1):
            raise SimulationError(f"least={self.least}, most={self.most}: 0 <= least <= most, and most at least 1.")
        if self.target <= 0 or self.every <= 0:
            raise SimulationError(f"target={self.target:g} and every={self.every:g} have to be more than 0.")

    def fresh(self) -> Autoscaler:
        """The same settings, no past."""
        return Autoscaler(
            self.trigger,
            self.target,
            self.least,
            self.most,
            self.every,
            self.tolerance,
            self.up_window,
            self.down_window,
            self.idle,
        )

    def wanted(self, seen: Seen) -> int:
        """How many replicas there shall be from now on, starting ones included. Call it every `every` seconds."""
        current = seen.ready + seen.starting
        asked = min(max(self._asked(seen, current), self._floor(seen)), self.most)
        if not self._past:
            self._past.append((seen.now - self.every, current))  # what there was counts as wanted
        self._past.append((seen.now, asked))
        while self._past[0][0] < seen.now - max(self.up_window, self.down_window):
            self._past.popleft()
        if current == 0 and asked > 0:
            return asked  # nothing serves: no window is worth a request that waits for it
        lowest = min(number for at, number in self._past if at >= seen.now - self.up_window)
        highest = max(number for at, number in self._past if at >= seen.now - self.down_window)
        return min(max(current, lowest), highest)

    def _floor(self, seen: Seen) -> int:
        """One replica stays until there was nothing to do for long enough; else a ratio of 0 would end all."""
        return self.least or int(seen.in_system > 0 or (seen.ready + seen.starting > 0 and seen.idle < self.idle))

    def _asked(self, seen: Seen, current: int) -> int:
        """ceil(replicas x measure / target), without windows and limits."""
        if self.trigger in ("queue", "metric"):  # a total that is shared out: Kubernetes' AverageValue
            total = seen.in_system if self.trigger == "queue" else seen.metric
            near = current > 0 and abs(total / current / self.target - 1) <= self.tolerance + 1e-9
            return current if near else math.ceil(total / self.target - 1e-9)
        measure = {"cpu": seen.utilisation, "memory": seen.memory, "latency": seen.latency}[self.trigger]
        ratio = measure / self.target
        if current and abs(ratio - 1) <= self.tolerance + 1e-9:
            return current
        enough = math.ceil(seen.ready * ratio - 1e-9)
        if ratio > 1:
            return max(enough, current)  # what is starting was asked for already, and measures nothing yet
        return min(enough + seen.starting, current)  # and is taken as loaded to the target
