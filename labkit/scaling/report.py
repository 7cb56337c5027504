"""What a load run found: throughput, percentiles, errors by kind, and every call for CSV and plots."""

from __future__ import annotations

import csv
import html
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.scaling.histogram import Histogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("intended_s", "sent_s", "latency_ms", "service_ms", "ok")


@dataclass
class LoadReport:
    """Times are seconds, from the start of the run.

    In a closed loop a call is sent when the one before it has been answered, and `latency` is `service`. In an open
    loop calls have a time at which they should be sent: `latency` counts from there, `service` from when it was sent.
    """

    target: str
    tool: str
    era: str
    mode: str
    """closed or open."""
    clients: int
    rate: float | None
    """Calls a second that an open loop wants."""
    seconds: float = 0.0
    """How long it took, the last answer included."""
    errors: Counter[str] = field(default_factory=Counter[str])
    """Kinds of errors, and how often each came."""
    unsent: int = 0
    """Calls of an open loop that were never sent: those before them had not been answered in time."""
    resent: int = 0
    """Requests that went out a second time, since a kept connection closed unanswered."""
    latency: Histogram = field(default_factory=Histogram)
    """Of the calls that were answered well."""
    service: Histogram = field(default_factory=Histogram)
    intended: array[float] = field(default_factory=lambda: array("d"))
    sent: array[float] = field(default_factory=lambda: array("d"))
    ended: array[float] = field(default_factory=lambda: array("d"))
    good: bytearray = field(default_factory=bytearray)

    def record(self, intended: float, sent: float, ended: float, error: str) -> None:
        """Count one call."""
        self.intended.append(intended)
        self.sent.append(sent)
        self.ended.append(ended)
        self.good.append(not error)
        if error:
            self.errors[error] += 1
        else:
            self.latency.record(ended - intended)
            self.service.record(ended - sent)

    @property
    def calls(self) -> int:
        """Calls that were made, failed ones included."""
        return len(self.good)

    @property
    def failed(self) -> int:
        """Calls that were answered by an error, or not at all."""
        return self.errors.total()

    @property
    def throughput(self) -> float:
        """Good answers a second."""
        return len(self.latency) / self.seconds if self.seconds else 0.0

    def service_times(self) -> list[float]:
        """Seconds that each good call took from when it was sent: what a simulation draws from."""
        return [e - s for s, e, ok in zip(self.sent, self.ended, self.good, strict=True) if ok]

    def row(self) -> dict[str, Any]:
        """The figures in one flat row: for a table, or JSON."""
        times = {f"{name}_ms": round(1e3 * value, 3) for name, value in self.latency.percentiles().items()}
        return {
            "mode": self.mode,
            "era": self.era,
            "clients": self.clients,
            "rate": self.rate,
            "calls": self.calls,
            "failed": self.failed,
            "unsent": self.unsent,
            "resent": self.resent,
            "seconds": round(self.seconds, 3),
            "calls_per_second": round(self.throughput, 1),
            **({} if not len(self.latency) else times),
            "max_ms": round(1e3 * self.latency.maximum, 3),
        }

    def over_time(self, width: float = 0.25) -> list[tuple[float, int, int, float]]:
        """Windows of `width` seconds: start, good answers, failures, greatest latency of those that ended in it."""
        found: dict[int, list[float]] = {}
        for intended, ended, ok in zip(self.intended, self.ended, self.good, strict=True):
            window = found.setdefault(int(ended / width), [0, 0, 0.0])
            window[0 if ok else 1] += 1
            window[2] = max(window[2], ended - intended if ok else 0.0)
        last = max(found, default=-1)
        return [(n * width, int(a), int(b), c) for n in range(last + 1) for a, b, c in [found.get(n, [0, 0, 0.0])]]

    def to_csv(self, path: str | Path) -> Path:
        """Write every call, one a line; the columns are COLUMNS. Returns the path."""
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for intended, sent, ended, ok in zip(self.intended, self.sent, self.ended, self.good, strict=True):
                times = (
                    f"{intended:.6f}",
                    f"{sent:.6f}",
                    f"{1e3 * (ended - intended):.3f}",
                    f"{1e3 * (ended - sent):.3f}",
                )
                writer.writerow([*times, ok])
        return Path(path)

    def plot(self, axes: Axes | None = None, *, label: str | None = None) -> Axes:
        """Latency by percentile, the tail stretched, as HdrHistogram draws it. Returns the axes."""
        from matplotlib import pyplot

        drawn = axes or pyplot.subplots(figsize=(6, 3))[1]
        canvas: Any = drawn  # its stubs are not complete
        kinds = {"latency": self.latency, "from when it was sent": self.service}
        for name, histogram in kinds.items() if self.mode == "open" else [("latency", self.latency)]:
            total, below = len(histogram), 0
            xs, ys = [1.0], [0.0]
            for upper, count in histogram.rows():
                below += count
                xs.append(total / max(total - below, 0.5))
                ys.append(1e3 * upper)
            canvas.plot(xs, ys, drawstyle="steps-pre", label=f"{label}: {name}" if label else name)
        ticks = [p for p in (0, 50, 90, 99, 99.9, 99.99) if 100 / (100 - p) <= 4 * max(1, len(self.latency))]
        canvas.set_xscale("log")
        canvas.set_xticks([100 / (100 - p) for p in ticks], [f"{p:g}%" for p in ticks])
        canvas.minorticks_off()
        canvas.set_xlabel("percentile")
        canvas.set_ylabel("latency, ms")
        canvas.legend()
        return drawn

    def __repr__(self) -> str:
        rate = f", {self.rate:g} a second wanted" if self.rate else ""
        lines = [
            f"{self.tool} at {self.target} ({self.era}): {self.mode} loop, {self.clients} clients{rate}",
            f"{self.calls:,} calls in {self.seconds:.2f} s, {self.throughput:,.0f} good answers a second, "
            f"{self.failed:,} failed" + (f", {self.unsent:,} never sent" if self.unsent else ""),
        ]
        if len(self.latency):
            lines.append(f"latency  {_times(self.latency)}")
            lines += [f"service  {_times(self.service)}"] if self.mode == "open" else []
        lines += [f"{count:>6,} x {kind}" for kind, count in self.errors.most_common(10)]
        if self.resent:
            lines.append(f"{self.resent:,} requests went out twice: their connection had closed without an answer")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def _times(histogram: Histogram) -> str:
    shown = {**histogram.percentiles(), "max": histogram.maximum}
    return "  ".join(f"{name} {1e3 * value:,.2f} ms" for name, value in shown.items())
