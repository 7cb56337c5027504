"""Load: what is measured is kept as figures; a percentile is one of the values."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit.catalog import SERVERS
from labkit.testbench import certify, load
from labkit.testbench.load import ENOUGH, IN_FLIGHT, WINDOW, WINDOWS, percentile


@pytest.mark.anyio
async def test_figures_are_kept_for_the_certificate(tmp_path: Path) -> None:
    light = SERVERS / "broken" / "leaks_memory.py"
    certificate = await certify([sys.executable, str(light)], only=["load"], allow_destructive=True)
    calls, memory = certificate.figures
    assert [row["in flight"] for row in calls.rows] == list(IN_FLIGHT)
    assert all(0 < row["p50 ms"] <= row["p95 ms"] <= row["p99 ms"] and row["calls a second"] > 0 for row in calls.rows)
    sizes = [row["MB"] for row in memory.rows]
    page = certificate.save(tmp_path / "page.html").read_text(encoding="utf-8")
    for shown in (page, certificate._repr_html_()):
        assert shown.count("<polyline") == 4 and "p99 ms" in shown  # p50, p95, p99, and the memory
    assert [f["rows"] for f in certificate.as_dict()["figures"]] == [calls.rows, memory.rows]
    assert "p99 ms" in str(certificate)
    assert sizes == sorted(sizes) and sizes[-1] - sizes[0] > 0.05 * (memory.rows[-1]["calls"] - memory.rows[0]["calls"])


GROWS = """
import sys; sys.path.insert(0, {folder!r})
import itertools
from _plain import *
past, number = [], itertools.count(1)
def keep(arguments):
    if next(number) <= {calls}: past.append(bytearray(50_000))
    return arguments['text']
Plain({{'keep': (TEXT, keep)}}).run()
"""


@pytest.mark.anyio
async def test_memory_that_stops_growing_is_no_leak_however_late(monkeypatch: pytest.MonkeyPatch) -> None:
    late = [sys.executable, "-c", GROWS.format(folder=str(SERVERS / "broken"), calls=7 * WINDOW)]
    certificate = await certify(late, only=["load.memory"], allow_destructive=True)
    assert certificate.findings == [], str(certificate)
    assert ENOUGH < len(certificate.figures[0].rows) < WINDOWS
    ever = [sys.executable, "-c", GROWS.format(folder=str(SERVERS / "broken"), calls=10**9)]
    ((result, finding),) = (await certify(ever, only=["load.memory"], allow_destructive=True)).findings
    assert (finding.severity or result.check.severity) == "warning" and "kB a call and more" in finding.message
    # A tool so slow that the time is over before it is seen whether it stops: advice, no verdict.
    ticks = itertools.count()
    passing = SimpleNamespace(monotonic=lambda: next(ticks) * load.LONG / (7 * WINDOW), perf_counter=time.perf_counter)
    monkeypatch.setattr(load, "time", passing)
    ((result, finding),) = (await certify(ever, only=["load.memory"], allow_destructive=True)).findings
    assert finding.severity == "info" and "no time to see whether it stops" in finding.message


@pytest.mark.anyio
async def test_tools_that_may_change_things_are_not_called_for_a_measurement() -> None:
    light = SERVERS / "broken" / "leaks_memory.py"
    certificate = await certify([sys.executable, str(light)], only=["load.in-flight"])
    assert certificate.figures[0].title.startswith("tools/list")


@pytest.mark.parametrize(("part", "value"), [(0.0, 1.0), (0.5, 3.0), (0.95, 5.0), (1.0, 5.0)])
def test_a_percentile_is_one_of_the_values(part: float, value: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], part) == value
