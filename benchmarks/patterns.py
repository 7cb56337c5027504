"""What each middleware of labkit.patterns adds to a call in memory, all of them together, and those of fastmcp."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from statistics import median
from subprocess import SubprocessError

from benchmarks import peers
from benchmarks.rows import Row
from benchmarks.side import Pair, Side

STACK_BAR = 60.0
"""Microseconds that all of them together may add."""
CASES = {
    "nothing": "middleware that does nothing",
    "token bucket": "rate limit, token bucket",
    "sliding window": "rate limit, sliding window",
    "cache, miss": "cache, nothing kept",
    "cache, hit": "cache, answer kept",
    "deadline": "deadline",
    "breaker": "circuit breaker",
    "retry": "retry",
    "bulkhead": "bulkhead",
    "fallback": "fallback, last good answer",
    "metrics": "metrics",
    "tracing": "tracing, nobody records",
    "logs": "log lines, thrown away",
    "audit": "audit, to a file",
    "stack": "stack: limit, cache, breaker, metrics, tracing, log, audit",
    "stack, miss": "the same, of a tool that is cached: nothing kept",
    "stack, hit": "the same: answer kept",
}
COUNTERPARTS = {
    "nothing": "Middleware",
    "token bucket": "RateLimitingMiddleware",
    "sliding window": "SlidingWindowRateLimitingMiddleware",
    "cache, miss": "ResponseCachingMiddleware",
    "cache, hit": "ResponseCachingMiddleware",
    "retry": "RetryMiddleware",
    "metrics": "DetailedTimingMiddleware, which logs",
    "logs": "StructuredLoggingMiddleware",
    "audit": "LoggingMiddleware with payloads, to no file",
    "stack": "six of them",
}


def run(quick: bool = False) -> list[Row]:
    """One row for each, and one for all against those of fastmcp."""
    ours: dict[str, list[Pair]] = {}
    theirs: dict[str, list[Pair]] = {}
    python = None if quick else _peer()
    with ExitStack() as stack:
        shared = stack.enter_context(Side("patterns_ours.py")) if quick else None
        for case in CASES:
            ours[case], theirs[case] = _measured(case, shared, python)
    version = f"fastmcp {peers.version_of('fastmcp', python)}" if python else ""
    rows = [_row(case, ours[case], theirs[case], version) for case in CASES]
    return [*rows, _against("stack", ours["stack"], theirs["stack"], version)]


def _measured(case: str, shared: Side | None, python: str | None) -> tuple[list[Pair], list[Pair]]:
    """Both sides in turns. Each has a process for this case alone, unless one is shared for a quick look.

    A process that has run many kinds of servers is slower in everything, by half.
    """
    blocks, calls = (1, 4) if shared else (16, 100)
    with ExitStack() as stack:
        sides = [(shared or stack.enter_context(Side("patterns_ours.py")), list[Pair]())]
        if python and case in COUNTERPARTS:
            sides.append((stack.enter_context(Side("patterns_fastmcp.py", python)), list[Pair]()))
        for block in range(-2, blocks):
            for side, series in sides if block % 2 else reversed(sides):
                pair = side.compare("bare", case, calls)
                if block >= 0:  # before, it warms up
                    series.append(pair)
    return sides[0][1], sides[1][1] if len(sides) > 1 else []


def _peer() -> str | None:
    try:
        return peers.install("fastmcp")
    except (SubprocessError, OSError) as error:
        print(f"patterns: nothing to compare with, fastmcp cannot be installed ({error})", file=sys.stderr)
        return None


def _row(case: str, ours: list[Pair], theirs: list[Pair], version: str) -> Row:
    """What it adds; the bar is what the counterpart adds, for the stack a fixed one, for a kept answer nothing."""
    if case == "stack":
        return _us(CASES[case], ours, STACK_BAR)
    if case.endswith(", hit"):
        note = f"a call of {version} then takes {_median(theirs, 'second'):,.0f} us" if theirs else ""
        return _us(CASES[case], ours, None if case.startswith("stack") else 0.0, note)
    return _against(case, ours, theirs, version) if case in COUNTERPARTS else _us(CASES[case], ours, None)


def _against(case: str, ours: list[Pair], theirs: list[Pair], version: str) -> Row:
    named = f"{version}: {COUNTERPARTS[case]}" if theirs else "fastmcp was not asked"
    return _us(CASES[case], ours, _median(theirs, "added") if theirs else None, f"bar: {named}" if theirs else named)


def _us(case: str, ours: list[Pair], bar: float | None, note: str = "") -> Row:
    added = _median(ours, "added")
    return Row("patterns", case, _median(ours, "second"), _median(ours, "first"), added, "us", bar, note)


def _median(pairs: list[Pair], what: str) -> float:
    return median(getattr(pair, what) for pair in pairs) * 1e3
