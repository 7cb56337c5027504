"""Replicas of a server behind a load balancer, and a load generator to see what they bear.

    pool = await lab.replicas("leave_manager", n=3, behind="nginx")     # behind=None: a balancer of this process
    report = await lab.load(pool.url, "get_balance", {"employee_id": "E001"}, clients=8, seconds=5)
    pool.kill(1); await pool.restart(1); await pool.roll(); await pool.close()

`pool` starts and ends them (`pool_sync`: without await; `replica`: one of them), `proxy` and `nginx` are the two
balancers, `choosing` how the embedded one chooses; `generator` makes calls (`callers`: how), `histogram` counts how
long they took, `report` shows it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.scaling.generator import load as load
    from labkit.scaling.histogram import Histogram as Histogram
    from labkit.scaling.pool import Replicas as Replicas
    from labkit.scaling.pool import replicas as replicas
    from labkit.scaling.report import LoadReport as LoadReport

_WHERE = {
    "Histogram": "labkit.scaling.histogram",
    "LoadReport": "labkit.scaling.report",
    "Replicas": "labkit.scaling.pool",
    "load": "labkit.scaling.generator",
    "replicas": "labkit.scaling.pool",
}
__all__ = ["Histogram", "LoadReport", "Replicas", "load", "replicas"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"labkit.scaling has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_WHERE[name]), name)
