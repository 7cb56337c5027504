"""What a simulation found: percentiles, replicas over time, cost; as tables and as a picture."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def nearest_rank(values: Sequence[float], percent: float) -> float:
    """The percentile of sorted values; NaN without any."""
    return values[max(1, math.ceil(len(values) * percent / 100 - 1e-9)) - 1] if values else math.nan


class Moment(NamedTuple):
    """How it stood at a second: noted at each change of replicas and at each look of the scaler."""

    second: float
    ready: int
    starting: int
    draining: int
    in_system: int
    """Requests that waited or were served."""
    utilisation: float | None
    """Of the time since the scaler's look before; None when this is no look."""


@dataclass(frozen=True)
class Simulated:
    """The result of `simulate`. Lists have one value for each request, in the order of arrival; times are seconds."""

    arrivals: list[float] = field(repr=False)
    waits: list[float] = field(repr=False)
    """From arrival until a slot was its own."""
    latencies: list[float] = field(repr=False)
    """From arrival to answer, with overhead."""
    moments: list[Moment] = field(repr=False)
    seconds: float
    """How long it took, in the service's time."""
    utilisation: float
    """The share of the time of all slots that was used, over replicas that served."""
    cold_starts: int
    """Replicas that were started later than at second 0."""
    cold: int
    """Requests that found no replica ready."""
    replica_seconds: float
    """From the start of each replica to its end, with its cold start."""
    cost: float

    @cached_property
    def _sorted(self) -> list[float]:
        return sorted(self.latencies)

    def percentile(self, percent: float) -> float:
        """Seconds that `percent` percent of the requests took at most, by nearest rank; NaN without requests."""
        return nearest_rank(self._sorted, percent)

    p50 = property(lambda self: self.percentile(50))
    p95 = property(lambda self: self.percentile(95))
    p99 = property(lambda self: self.percentile(99))

    @property
    def mean(self) -> float:
        """Seconds, on average; NaN without requests."""
        return fmean(self.latencies) if self.latencies else math.nan

    @property
    def mean_replicas(self) -> float:
        """Replicas that existed, on average over time."""
        return self.replica_seconds / self.seconds if self.seconds else math.nan

    def summary(self) -> dict[str, float]:
        """The figures, by name, for a row of a table."""
        return {
            "requests": len(self.latencies),
            "p50": self.p50,
            "p95": self.p95,
            "p99": self.p99,
            "utilisation": self.utilisation,
            "replicas": self.mean_replicas,
            "cold starts": self.cold_starts,
            "waited cold": self.cold,
            "cost": self.cost,
        }

    def table(self) -> pd.DataFrame:
        """A row for each request: arrival, wait, latency."""
        import pandas as pd

        return pd.DataFrame({"arrival": self.arrivals, "wait": self.waits, "latency": self.latencies})

    def timeline(self) -> pd.DataFrame:
        """A row for each moment that was noted: ready, starting, draining, in_system, utilisation."""
        import pandas as pd

        return pd.DataFrame(self.moments, columns=list(Moment._fields))

    def over_time(self, step: float) -> pd.DataFrame:
        """For each `step` seconds: requests that came, a second; their p50 and p95 in seconds; replicas ready."""
        import pandas as pd

        count = max(1, math.ceil(self.seconds / step))
        parts: list[list[float]] = [[] for _ in range(count)]
        for at, latency in zip(self.arrivals, self.latencies, strict=True):
            parts[min(count - 1, int(at / step))].append(latency)
        times = [moment.second for moment in self.moments]
        rows: list[list[float]] = []
        for number, part in enumerate(parts):
            part.sort()
            ready = self.moments[max(0, bisect_right(times, number * step) - 1)].ready
            rows.append([number * step, len(part) / step, nearest_rank(part, 50), nearest_rank(part, 95), ready])
        return pd.DataFrame(rows, columns=["second", "rate", "p50", "p95", "ready"])

    def plot(self, step: float = 0.0, limit: float | None = None) -> Figure:
        """Requests a second, replicas, and p95, one below the other. `limit` draws the latency that is promised."""
        from matplotlib.figure import Figure

        shown = self.over_time(step or max(self.seconds / 100, 1e-9))
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        rate, replicas, latency = figure.subplots(3, 1, sharex=True)
        rate.step(shown["second"], shown["rate"], where="post", color="0.3")
        rate.set_ylabel("requests/s")
        times, ready = [each.second for each in self.moments], [each.ready for each in self.moments]
        there = [each.ready + each.starting for each in self.moments]
        replicas.fill_between(times, there, step="post", color="tab:orange", alpha=0.5, label="starting")
        replicas.fill_between(times, ready, step="post", color="tab:blue", label="ready")
        replicas.set_ylabel("replicas")
        replicas.legend(loc="upper right", fontsize="small")
        latency.plot(shown["second"], shown["p95"] * 1e3, ".-", color="tab:red", linewidth=0.8, markersize=3)
        latency.set_yscale("log")
        latency.set_ylabel("p95, ms")
        latency.set_xlabel("second")
        if limit is not None:
            latency.axhline(limit * 1e3, color="0.5", linestyle="--", linewidth=0.8)
        return figure

    def __repr__(self) -> str:
        took = ", ".join(f"{name} {1e3 * self.percentile(percent):.3g} ms" for name, percent in _SHOWN.items())
        return (
            f"<{len(self.latencies):,} requests in {self.seconds:.4g} s: {took}; {self.mean_replicas:.3g} replicas, "
            f"{100 * self.utilisation:.0f} % used, {self.cold_starts} cold starts, cost {self.cost:.4g}>"
        )


_SHOWN = {"p50": 50, "p95": 95, "p99": 99}
