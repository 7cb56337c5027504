"""How long calls took, in little memory: log-linear buckets, as HdrHistogram has them.

Each power of two is divided into the same number of equal parts, so that a bucket is as wide as a fixed share of the
values in it: a percentile is right to 0.4 %, from a microsecond to hours, whatever the number of calls. Histograms can
be added, which percentiles cannot.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

PARTS = 8
"""Bits: 256 buckets to a power of two, so 1/256 is the greatest error."""
STEP = 1e-6
"""Seconds: what is shorter counts as one step, or none."""
SHOWN = (50.0, 90.0, 95.0, 99.0, 99.9)


class Histogram:
    """Times in seconds. `record` them, ask for a `percentile`, add other histograms."""

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._counts: Counter[int] = Counter()
        self.total = 0.0
        """Seconds of all values together, exactly."""
        self.maximum = 0.0
        """Seconds of the greatest, exactly."""
        for value in values:
            self.record(value)

    def record(self, seconds: float) -> None:
        """Count one value. Raises ValueError for what is no time."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"{seconds!r} is not a number of seconds")
        self._counts[bucket_of(round(seconds / STEP))] += 1
        self.total += seconds
        self.maximum = max(self.maximum, seconds)

    def add(self, other: Histogram) -> None:
        """Count all that the other has counted."""
        self._counts.update(other._counts)
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)

    def __len__(self) -> int:
        return self._counts.total()

    @property
    def mean(self) -> float:
        """Seconds, exactly; NaN without values."""
        return self.total / len(self) if self._counts else math.nan

    def percentile(self, percent: float) -> float:
        """Seconds: by nearest rank, the upper end of the bucket that holds the value; NaN without values."""
        if not 0 <= percent <= 100:
            raise ValueError(f"{percent!r} is not between 0 and 100")
        rank = max(1, math.ceil(len(self) * percent / 100 - 1e-9))  # 99.9 % of 1,000 is not 999.0000000000001
        for bucket in sorted(self._counts):
            rank -= self._counts[bucket]
            if rank <= 0:
                return min(highest_of(bucket) * STEP, self.maximum)
        return math.nan

    def percentiles(self, *percents: float) -> dict[str, float]:
        """`{"p50": seconds, ...}`."""
        return {f"p{percent:g}": self.percentile(percent) for percent in percents or SHOWN}

    def rows(self) -> list[tuple[float, int]]:
        """Buckets that hold something, shortest first: the upper end in seconds, and how many values."""
        return [(highest_of(bucket) * STEP, self._counts[bucket]) for bucket in sorted(self._counts)]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {1e3 * value:.3g} ms" for name, value in self.percentiles().items())
        return f"<{len(self):,} values: {shown}, max {1e3 * self.maximum:.3g} ms>" if self._counts else "<no values>"


def bucket_of(steps: int) -> int:
    """The number of the bucket for a whole number of steps. Buckets are numbered in the order of what they hold."""
    shift = max(0, steps.bit_length() - PARTS - 1)
    return (shift << PARTS) + (steps >> shift)


def highest_of(bucket: int) -> int:
    """The greatest number of steps that falls into the bucket."""
    shift = max(0, (bucket >> PARTS) - 1)
    return ((bucket - (shift << PARTS) + 1) << shift) - 1
