"""What runs in a worker of a cluster: one job, told to stop from outside; and what the scheduler is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from labkit.cluster.jobs import Stop, describe, tidy
from labkit.cluster.likeness import Likeness, unlike

VALUE, ERROR, UNLIKE = "value", "error", "unlike"
_lock = threading.Lock()
_running: dict[str, set[Stop]] = {}
_stopped: dict[str, None] = {}
_REMEMBERED = 100
"""So many stopped runs are remembered, for jobs that arrive after the message."""


def do(argument: Any, *, function: Callable[[Any, Stop], Any], run: str, wanted: Likeness) -> tuple[str, Any]:
    """Do one job of the run `run`: ("value", result), ("error", sentence), or ("unlike", what differs here)."""
    differs = unlike(wanted)
    if differs:
        return UNLIKE, differs
    stop = Stop()
    with _lock:
        if run in _stopped:
            return ERROR, "stopped"
        _running.setdefault(run, set()).add(stop)
    try:
        return VALUE, function(argument, stop)
    except Exception as error:  # it may be of a class that the other side does not have
        return ERROR, describe(error)
    finally:
        with _lock:
            _running[run].discard(stop)
            if not _running[run]:
                del _running[run]
        if stop.event.is_set():
            tidy()


def stop_run(run: str) -> int:
    """Tell the jobs of a run in this process to stop, those to come included; how many had begun."""
    with _lock:
        _stopped[run] = None
        while len(_stopped) > _REMEMBERED:
            del _stopped[next(iter(_stopped))]
        stops = list(_running.get(run, ()))
    for stop in stops:
        stop.set()
    return len(stops)


def times_lost(name: str, dask_scheduler: Any = None) -> int:
    """In the scheduler: how many workers have died with this task, as far as it still knows the task."""
    task = dask_scheduler.tasks.get(name)
    return int(task.suspicious) if task is not None else 0


def allowed_failures(dask_scheduler: Any = None) -> int:
    """In the scheduler: how often a task is given out again after its worker died."""
    return int(dask_scheduler.allowed_failures)
