"""Run notebooks with papermill, several at a time, each in a fresh kernel and in its own folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit.catalog import LAB_ROOT
from labkit.cluster import JobPool, LocalPool, Stop
from labkit.course.kept import Kept, job_ids
from labkit.course.nursery import NURSERY, kernel_environment
from labkit.course.one import ANSI, Failure, Outcome, Task, run_task, short, task
from labkit.errors import NotebookError

__all__ = ["ANSI", "FAST", "Failure", "Report", "Result", "run_notebooks", "short"]

FAST: Mapping[str, Any] = {"fast": True}


@dataclass(frozen=True)
class Result:
    """One notebook's run."""

    notebook: Path
    seconds: float
    cells: int
    """Code cells that ran, the failing one included."""
    failure: Failure | None = None
    html: Path | None = None
    left_behind: tuple[str, ...] = ()
    """Command lines of processes that outlived the kernel; they have been ended."""
    nb: Any = field(default=None, repr=False, compare=False)
    """The executed notebook; None for one that is kept from an earlier run."""
    kept: bool = False
    """Whether it passed in an earlier run, and was not run again."""

    @property
    def ok(self) -> bool:
        return self.failure is None

    @property
    def name(self) -> str:
        return short(self.notebook)

    @property
    def error(self) -> NotebookError | None:
        """The failure as an exception, ready to raise."""
        copy = f"\nthe executed copy: {short(self.html)}" if self.html else ""
        return None if self.failure is None else NotebookError(f"{self.name} failed {self.failure}{copy}")


@dataclass(frozen=True)
class Report:
    """All results of one `run_notebooks`, in the order asked for."""

    results: list[Result]
    seconds: float
    out: Path

    @property
    def ok(self) -> bool:
        return all(result.ok for result in self.results)

    def check(self) -> None:
        """Raise the one NotebookError, or one that tells them all; nothing when every notebook passed."""
        errors = [result.error for result in self.results if result.error is not None]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            told = "\n\n".join(map(str, errors))
            raise NotebookError(f"{len(errors)} of {len(self.results)} notebooks failed\n\n{told}")


def kernels() -> int:
    """How many run at a time by default: one more than there are cores, because each waits a third of its time."""
    return (os.cpu_count() or 1) + 1


def run_notebooks(
    paths: Iterable[str | Path],
    *,
    jobs: int | None = None,
    parameters: Mapping[str, Any] = FAST,
    out: Path | None = None,
    timeout: float = 600.0,
    cell_timeout: float = 120.0,
    html: bool = True,
    on_start: Callable[[Path], None] | None = None,
    on_result: Callable[[Result], None] | None = None,
    pool: JobPool | None = None,
    resume: bool = False,
) -> Report:
    """Run notebooks and tell how each went; a failing notebook is in the report and does not raise.

    jobs: kernels at a time, `kernels()` unless given. parameters: values for the cell tagged `parameters`, for
    notebooks that have one. out: where executed copies go, `build/notebooks/` unless given. Both timeouts are in
    seconds. on_start and on_result are called as notebooks start (in the thread that runs it; not for a pool whose
    workers are elsewhere) and end (in this one). pool: where to run them, threads of this process unless given.
    resume: leave out what passed in an earlier run with the same `out` and has not changed since (kept.py).
    Ctrl-C ends every kernel and comes out as KeyboardInterrupt. Raises ClusterError when a cluster is lost.
    """
    notebooks = list(dict.fromkeys(Path(path).resolve() for path in paths))
    folder = (out or LAB_ROOT / "build" / "notebooks").resolve()
    began = time.monotonic()
    pool = pool or LocalPool(jobs or kernels())
    ids = job_ids(notebooks, parameters, html)
    kept = Kept(folder)
    results: dict[Path, Result] = {}

    def ended(result: Result) -> None:
        results[result.notebook] = result
        if on_result:
            on_result(result)

    tasks: dict[str, Task] = {}
    for id, path in ids.items():
        entry = kept.find(id) if resume else None
        if entry:
            ended(Result(path, entry["seconds"], entry["cells"], html=folder / entry["copy"], kept=True))
        else:
            tasks[id] = task(path, pool.elsewhere, parameters, timeout, cell_timeout, html)

    if not pool.elsewhere:
        NURSERY.expect(len(tasks), kernel_environment())

    def here(task: Task, stop: Stop) -> Outcome:
        if on_start and not stop.event.is_set():
            on_start(Path(task.name))
        return run_task(task, stop)

    with closing(pool.map(run_task if pool.elsewhere else here, tasks)) as all_done:
        for done in all_done:
            outcome = done.value or Outcome(0.0, 0, Failure(None, "", done.error, "", ""), ())
            result = _written(ids[done.key], outcome, folder)
            if result.ok and result.html:
                kept.add(done.key, result.seconds, result.cells, result.html.relative_to(folder).as_posix())
            ended(result)
    return Report([results[path] for path in notebooks], time.monotonic() - began, folder)


def _written(path: Path, outcome: Outcome, folder: Path) -> Result:
    """The result, its copies written: each whole or not at all."""
    copy = None
    for name, text in outcome.copies.items():
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        draft = copy.with_name(f".{copy.name}.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(copy)
    return Result(path, outcome.seconds, outcome.cells, outcome.failure, copy, outcome.left_behind, nb=outcome.nb)
