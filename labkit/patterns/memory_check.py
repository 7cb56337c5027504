"""A health check of the memory that this process holds.

health.check("memory", critical=False)(memory(limit=512 * MB))
"""

from __future__ import annotations

from pathlib import Path

from labkit.patterns.health import Degraded, Probe, Unhealthy

MB = 1024 * 1024


def memory(limit: int | None = None, *, degraded_at: float = 0.8, unhealthy_at: float = 0.95) -> Probe:
    """A check of this process's memory against `limit` bytes; by default what the container or the machine has."""
    import psutil

    process, most = psutil.Process(), memory_limit() if limit is None else limit

    def check() -> str:
        used = process.memory_info().rss
        remark = f"{used / MB:.0f} of {most / MB:.0f} MiB"
        if used >= unhealthy_at * most:
            raise Unhealthy(remark)
        if used >= degraded_at * most:
            raise Degraded(remark)
        return remark

    return check


def memory_limit() -> int:
    """Bytes that this process may use: the limit of its container if it has one, else what the machine has."""
    import psutil

    total = psutil.virtual_memory().total
    for file in ("memory.max", "memory/memory.limit_in_bytes"):  # control groups, version 2 and 1
        try:
            return min(total, int((Path("/sys/fs/cgroup") / file).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return total
