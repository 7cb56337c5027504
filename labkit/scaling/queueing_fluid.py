"""A service of any size as a fluid: requests flow in and out, and only their amounts are kept.

A day of 10,000 replicas is a thousand million requests: no simulation of events, but 5,760 steps of 15 seconds here.
What a fluid cannot show is chance: below full load it has no queue at all. For that use `queueing.MMc`. It is right
where the load is large against its root: 10,000 requests at once, plus or minus 100.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from labkit.scaling.arrivals import SimulationError
from labkit.scaling.scaler import Autoscaler, Seen

if TYPE_CHECKING:
    import pandas as pd


class Step(NamedTuple):
    """One step; `rate` is requests a second, `backlog` requests at its end, `wait` seconds for one that comes then."""

    second: float
    rate: float
    ready: int
    starting: int
    utilisation: float
    backlog: float
    wait: float


@dataclass(frozen=True)
class Fluid:
    """What `fluid` found."""

    steps: list[Step] = field(repr=False)
    requests: float
    late: float
    """Requests that came while there was a backlog."""
    replica_seconds: float
    cost: float

    def timeline(self) -> pd.DataFrame:
        """A row for each step."""
        import pandas as pd

        return pd.DataFrame(self.steps, columns=list(Step._fields))


def fluid(
    rate: Callable[[float], float],
    service: float,
    seconds: float,
    *,
    replicas: int = 1,
    slots: int = 1,
    scaler: Autoscaler | None = None,
    cold_start: float = 0.0,
    price: float = 0.0,
    step: float = 1.0,
) -> Fluid:
    """Let `rate(second)` requests a second flow through replicas that take `service` seconds each; see `simulate`.

    The step is `scaler.every` where there is a scaler and that is shorter. Raises SimulationError.
    """
    if not (service > 0 and step > 0 and seconds > 0 and slots >= 1):
        raise SimulationError(f"service={service:g}, seconds={seconds:g}, step={step:g} have to be more than 0.")
    scaler = scaler.fresh() if scaler else None
    step = min(step, scaler.every) if scaler else step
    ready, warm = replicas, deque[float]()
    now = backlog = came_all = late = area = idle = 0.0
    used = offered = system = 0.0  # since the scaler's last look
    look = scaler.every if scaler else math.inf
    steps: list[Step] = []
    while now < seconds - 1e-9:
        while warm and warm[0] <= now + 1e-9:
            warm.popleft()
            ready += 1
        came, able = rate(now) * step, ready * slots * step / service
        served = min(backlog + came, able)
        late += came if backlog + came > able else 0.0
        backlog += came - served
        wait = backlog * service / (ready * slots) if ready else math.inf if backlog else 0.0
        came_all, area, now = came_all + came, area + (ready + len(warm)) * step, now + step
        used, offered = used + served, offered + able
        system += (backlog + served * service / step) * step
        idle = 0.0 if backlog or came else idle + step
        steps.append(Step(now - step, came / step, ready, len(warm), served / able if able else 0.0, backlog, wait))
        if scaler is not None and now >= look - 1e-9:
            share = used / offered if offered else 0.0
            oldest = wait + service if ready else scaler.every
            there = Seen(now, ready, len(warm), share, system / scaler.every, oldest if came else 0.0, idle)
            wanted, before = scaler.wanted(there), ready + len(warm)
            warm.extend([now + cold_start] * (wanted - before))
            for _ in range(min(before - wanted, len(warm))):
                warm.pop()
            ready = min(ready, wanted)
            used = offered = system = 0.0
            look += scaler.every
    return Fluid(steps, came_all, late, area, area / 3600 * price)
