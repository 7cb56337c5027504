"""Certifying the calculator, quick and full: how long it takes beyond one start of the server."""

from __future__ import annotations

import asyncio
import time

import labkit as lab
from benchmarks.rows import Row, beyond_row
from labkit.testbench import Certificate, certify
from labkit.testbench.check import Profile

SERVER = "calculator"
BARS: dict[Profile, float] = {"quick": 3_000.0, "full": 60_000.0}
"""Milliseconds beyond the start."""


def run(quick: bool = False) -> list[Row]:
    """One row a profile; in a quick run the full profile has one second, which shows that all works."""
    return asyncio.run(_compare(1 if quick else 3, 1.0 if quick else 120.0))


async def _compare(rounds: int, budget: float) -> list[Row]:
    rows: list[Row] = []
    for profile, bar in BARS.items():
        starts: list[float] = []
        made: list[Certificate] = []
        for _ in range(rounds):
            starts.append(await _start())
            made.append(await certify(SERVER, profile=profile, budget=120.0 if profile == "quick" else budget))
        took = [certificate.seconds * 1e3 for certificate in made]
        note = f"{made[-1].ran} checks, {made[-1].verdict}"
        rows.append(beyond_row("certify", f"{SERVER}, profile {profile}", took, starts, bar, note=note))
    return rows


async def _start() -> float:
    """Milliseconds from the start of the server to its first answer."""
    began = time.perf_counter()
    async with await lab.connect(SERVER, via="stdio"):
        return (time.perf_counter() - began) * 1e3
