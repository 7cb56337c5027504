"""Throughput of 1, 2 and 3 replicas behind each balancer, against one server of the SDK under a bare uvicorn.

A call that computes shows what more processes bring, one that does nothing what the balancer costs. Load generator,
balancer and servers share the machine: with two cores, a third replica has none of its own.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from benchmarks.rows import Row, ratio_row
from benchmarks.side import SIDES, STOP_SECONDS
from labkit.catalog import LAB_ROOT
from labkit.scaling import Replicas, desk, load, replicas
from labkit.scaling.nginx import find_nginx

MODERN = "2026-07-28"
COUNTS = (1, 2, 3)
TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "a tool that computes for 4 ms": ("work", {"ms": 4}),
    "a tool that does nothing": ("which", {}),
}
CLIENTS = 16


def run(quick: bool = False) -> list[Row]:
    """Milliseconds a call (of all clients together) with each number of replicas, and by the bare server."""
    blocks, calls = (1, 60) if quick else (5, 400)
    tools = dict(list(TOOLS.items())[:1]) if quick else TOOLS
    fronts = ["embedded", *(["nginx"] if find_nginx() and not quick else [])]
    with _bare() as url:
        return [row for front in fronts for row in asyncio.run(_measured(front, url, tools, blocks, calls))]


async def _measured(
    front: Any, bare: str, tools: dict[str, tuple[str, dict[str, Any]]], blocks: int, calls: int
) -> list[Row]:
    rows: list[Row] = []
    async with await replicas(desk.__file__, n=max(COUNTS), behind=front) as pool:
        for case, (tool, arguments) in tools.items():
            for count in COUNTS:
                await pool.use(count)
                ours, theirs, failed = await _pairs(pool, bare, tool, arguments, blocks, calls)
                share = median(b / a for a, b in zip(ours, theirs, strict=True))
                note = f"{1e3 / median(ours):,.0f} of {1e3 / median(theirs):,.0f} calls a second; {share:.2f} of bare"
                note += f"; {failed} calls failed" if failed else ""
                of = f"{count} replica{'s' if count > 1 else ''} behind {front}, {case}, {CLIENTS} in flight"
                rows.append(ratio_row("replicas", of, ours, theirs, None, note=note))
    return rows


async def _pairs(
    pool: Replicas, bare: str, tool: str, arguments: dict[str, Any], blocks: int, calls: int
) -> tuple[list[float], list[float], int]:
    took: dict[str, list[float]] = {pool.url: [], bare: []}
    failed = 0
    for block in range(blocks):
        for url in (pool.url, bare) if block % 2 else (bare, pool.url):
            report = await load(url, tool, arguments, clients=CLIENTS, calls=calls, seconds=60, warm=2, era=MODERN)
            took[url].append(1e3 / report.throughput if report.throughput else float("inf"))
            failed += report.failed
    return took[pool.url], took[bare], failed


@contextmanager
def _bare() -> Iterator[str]:
    command = [sys.executable, str(SIDES / "replica_bare.py")]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", cwd=LAB_ROOT)
    try:
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise RuntimeError(f"replica_bare.py ended with exit code {child.wait()}; its stderr says why")
        yield json.loads(line)["url"]
    finally:
        try:
            child.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
