"""Memory of rate limiters when a million ids call once each: ours, the library limits, and a dict of lists."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.rows import Row
from labkit.catalog import LAB_ROOT

# A process for each: memory that one frees would not be given back to the system for the next.
SCRIPT = """
import gc, json, sys, time
import psutil
{imports}
ids = {ids}
{make}
gc.collect()
before = psutil.Process().memory_info().rss
began = time.perf_counter()
for number in range(ids):
    take(f"user-{{number:07}}@example.org")
took = time.perf_counter() - began
gc.collect()
print(json.dumps([(psutil.Process().memory_info().rss - before) / 2**20, took / ids * 1e6, {records}]))
"""
OURS = """
from labkit.patterns.sliding_window import SlidingWindow
from labkit.patterns.token_bucket import TokenBucket
"""
LIBRARY_IMPORTS = """
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
"""
LIBRARY = """
storage = MemoryStorage()
limiter, rate = MovingWindowRateLimiter(storage), parse("100/minute")
def take(key):
    limiter.hit(rate, key)
"""
LISTS = """
calls = defaultdict(list)
def take(key):
    now = time.monotonic()
    calls[key] = [each for each in calls[key] if each > now - 60]
    if len(calls[key]) < 100:
        calls[key].append(now)
"""


def run(quick: bool = False) -> list[Row]:
    """Memory for all ids, and what stays when the number of records is bounded, as it is by default."""
    ids = 20_000 if quick else 1_000_000
    bucket, window = "TokenBucket(100, 60, burst=20", "SlidingWindow(100, 60"
    return [
        _ours(ids, ids, bucket, "token bucket", 180),
        _ours(ids, ids, window, "sliding window", 280),
        _ours(ids, ids // 10, bucket, "token bucket", 25),
        _ours(ids, ids // 10, window, "sliding window", 35),
        _row(ids, "a dict of lists", "from collections import defaultdict", LISTS, "len(calls)"),
        _row(ids, "the library limits, moving window", LIBRARY_IMPORTS, LIBRARY, "len(storage.events)"),
    ]


def _ours(ids: int, records: int, kind: str, case: str, bar: float) -> Row:
    make = f"limiter = {kind}, max_keys={records})\ntake = limiter.take"
    return _row(ids, f"{case}, max_keys={records:,}", OURS, make, "limiter.keys", bar)


def _row(ids: int, case: str, imports: str, make: str, records: str, bar: float | None = None) -> Row:
    """Run the script in a new process of this Python and read the figures that it prints."""
    script = SCRIPT.format(imports=imports, ids=ids, make=make, records=records)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=LAB_ROOT, check=True, capture_output=True, encoding="utf-8", timeout=300
    )
    size, each, kept = json.loads(done.stdout)
    note = f"{kept:,} records, {each:.1f} us a call"
    return Row("limiter_memory", f"{ids:,} ids: {case}", size, None, size, "MiB", bar, note)
