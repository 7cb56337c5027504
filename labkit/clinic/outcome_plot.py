"""The picture of a miniature."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from labkit.clinic.outcome import WINDOW, Outcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(outcome: Outcome) -> Figure:
    """Two plots side by side; the caller shows or saves the figure."""
    from matplotlib.figure import Figure  # without pyplot: nothing is shown twice, and no window opens

    families = outcome.families
    names = list(families)
    figure = Figure(figsize=(10, 1.2 + 0.42 * len(names)), layout="constrained")
    axes: Any = figure.subplots(1, 2, width_ratios=[3, 2])
    left, right = axes
    for row, each in enumerate(families.values()):
        for window, (calls, lost) in each.windows.items():
            share = lost / calls
            colour = (0.16 + 0.6 * share, 0.55 - 0.4 * share, 0.25 - 0.1 * share)
            left.barh(row, WINDOW, left=window * WINDOW, height=0.8, color=colour, linewidth=0)
    left.axvspan(outcome.killed_at, outcome.back_at, color="black", alpha=0.12, linewidth=0)
    left.set(xlabel="s; grey: a process is away; red: calls lost", yticks=range(len(names)), yticklabels=names)
    left.invert_yaxis()
    for row, (name, each) in enumerate(families.items()):
        p95, promise = each.latency.percentile(95), outcome.plan.promise(name)
        late = not p95 <= promise
        right.barh(row, 0 if math.isnan(p95) else 1000 * p95, height=0.5, color="tab:red" if late else "tab:blue")
        right.plot([1000 * promise] * 2, [row - 0.4, row + 0.4], color="black")
    right.set(xlabel="p95, ms; line: promised", yticks=range(len(names)), yticklabels=[""] * len(names))
    right.invert_yaxis()
    return figure
