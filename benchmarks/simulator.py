"""The simulator against the real thing: p95 of real servers over HTTP under an open load, and in simulation.

How they are compared is told in labkit/scaling/simulate_check.py.
"""

from __future__ import annotations

import asyncio

from benchmarks.rows import Row
from labkit.scaling.simulate_check import CONFIGURATIONS, Compared, compare

WITHIN = 0.25
"""Share of the measured p95 that the simulated one may be off."""


def run(quick: bool = False) -> list[Row]:
    """One row a configuration; in a quick run of two of them, with few calls."""
    chosen = CONFIGURATIONS[2:4] if quick else CONFIGURATIONS
    probes, calls = (20, 40) if quick else (300, 2000)
    return [_row(asyncio.run(compare(each, probes=probes, calls=calls)), WITHIN) for each in chosen]


def _row(found: Compared, within: float) -> Row:
    note = f"{found.rate:.0f} a second, {1e3 * found.service:.1f} ms each; simulated / measured {found.ratio:.2f}"
    note += f"; {found.cores:.1f} cores in use"
    note += f"; {found.failed} calls failed" if found.failed else ""
    off = 1 + abs(found.ratio - 1)  # a bar is met by what is at most as large: a ratio below 1 counts as one above
    case = f"p95 in simulation, against: {found.name}"
    return Row("simulator", case, found.simulated * 1e3, found.measured * 1e3, off, "x", 1 + within, note)
