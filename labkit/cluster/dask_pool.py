"""The pool whose workers are those of a Dask scheduler."""

# distributed carries no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import os
import queue
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from typing import Any

from distributed import KilledWorker

from labkit.cluster import at_worker
from labkit.cluster.jobs import Argument, ClusterError, Done, Result, Stop, describe, tidy
from labkit.cluster.likeness import Likeness, differences, own

LOOK = 0.25
"""Seconds between two looks at a cluster that says nothing."""
FETCH = 5.0
"""Seconds to wait for a result that is done: its worker may die before it is fetched, and then it is done again."""


class DaskPool:
    """See JobPool. `patience` is how long, in seconds, a cluster may have no worker before the run is given up.

    `wanted` is what workers have to be like; like this process unless given.
    """

    elsewhere = True

    def __init__(self, client: Any, *, patience: float = 60.0, wanted: Likeness | None = None) -> None:
        self._client, self._patience = client, patience
        self.wanted = wanted or own()
        self.failures = self._checked()

    @property
    def workers(self) -> list[str]:
        """Addresses of the workers that the scheduler has now."""
        return list(self._client.scheduler_info(n_workers=-1)["workers"])

    def pids(self) -> dict[str, int]:
        """The process of each worker, by address."""
        return dict(self._client.run(os.getpid))

    def _checked(self) -> int:
        """Ask the scheduler and each worker what it is like; how often the scheduler gives a lost task out again.

        Raises ClusterError when there is no worker, or one that is not like this process.
        """
        end = time.monotonic() + self._patience
        while not self.workers:
            if time.monotonic() > end:
                raise self._no_worker()
            time.sleep(LOOK)
        try:
            failures = self._client.run_on_scheduler(at_worker.allowed_failures)
        except Exception as error:
            raise ClusterError(f"The scheduler cannot be used: {_lacks_labkit(error)}.") from error
        try:
            found: dict[str, Any] = self._client.run(own, on_error="return")
        except Exception as error:
            raise ClusterError(f"The workers of {self._where} cannot be used: {_lacks_labkit(error)}.") from error
        refuse_unlike(self.wanted, found)
        return int(failures)

    @property
    def _where(self) -> str:
        return str(self._client.scheduler.address) if self._client.scheduler else "the scheduler"

    def _no_worker(self) -> ClusterError:
        return ClusterError(
            f"{self._where} has had no worker for {self._patience:g} s. What is done until now is kept. "
            f"Start one (dask worker {self._where} --nthreads 1) and give the same command again."
        )

    def map(
        self, function: Callable[[Argument, Stop], Result], jobs: Mapping[str, Argument]
    ) -> Generator[Done[Result]]:
        """See JobPool. Closing the generator does not wait for the jobs that have begun: they are told to stop."""
        run = _Run(self, self._client, function, jobs)
        try:
            yield from first_of_each(run.results(), jobs)
        finally:
            run.end()

    def give_up_at(self, quiet_since: float) -> None:
        """Raise ClusterError when there has been no worker for longer than `patience`, or the scheduler is gone."""
        if self._client.status != "running":
            raise ClusterError(f"{self._where} does not answer any more; what is done until now is kept.")
        if time.monotonic() - quiet_since > self._patience and not self.workers:
            raise self._no_worker()

    def close(self) -> None:
        """Have the workers end what they kept warm. Client and cluster belong to whoever made them."""
        if self._client.status == "running":
            try:
                self._client.run(tidy, on_error="ignore")
            except Exception:
                # The scheduler went in this moment; what the workers keep warm ends with them.
                return


class _Run:
    """One `map`: its futures by the name that Dask knows them by, and which job each is."""

    def __init__(
        self,
        pool: DaskPool,
        client: Any,
        function: Callable[[Any, Stop], Any],
        jobs: Mapping[str, Any],
    ) -> None:
        self._pool, self._client, self._jobs = pool, client, jobs
        self._id = uuid.uuid4().hex
        # Dask groups tasks by the name before the last dash; this is how the dashboard calls them.
        self._label = getattr(function, "__name__", "job")
        self._fixed = {"function": function, "run": self._id, "wanted": pool.wanted}
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._open: dict[str, tuple[str, Any]] = {}
        self._suspects: list[str] = []

    def results(self) -> Generator[Done[Any]]:
        """All jobs side by side, then those that were there when workers died, one after the other."""
        self._submit(self._jobs, "")
        quiet = time.monotonic()
        while self._open:
            try:
                future = self._ended.get(timeout=LOOK)
            except queue.Empty:
                self._pool.give_up_at(quiet)
                continue
            quiet = time.monotonic()
            done = self._take(future)
            if done is not None:
                yield done
        suspects, self._suspects = self._suspects, []
        for key in suspects:
            yield self._alone(key)

    def _submit(self, jobs: Mapping[str, Any], mark: str, workers: list[str] | None = None) -> list[str]:
        names = {f"{self._label}-{self._id[:12]}{mark}{number}": key for number, key in enumerate(jobs)}
        try:
            futures = self._client.map(
                at_worker.do, list(jobs.values()), key=list(names), pure=False, workers=workers, **self._fixed
            )
        except Exception as error:
            raise ClusterError(f"The jobs cannot be sent to the cluster: {describe(error)}.") from error
        for future in futures:
            self._open[future.key] = names[future.key], future
            future.add_done_callback(self._ended.put)
        return list(names)

    def _take(self, future: Any) -> Done[Any] | None:
        """The result of a future that has ended; None when there is none (yet)."""
        if future.key not in self._open:
            return None
        key, _ = self._open[future.key]
        try:
            kind, value = future.result(timeout=FETCH)
        except TimeoutError:
            future.add_done_callback(self._ended.put)
            return None
        except KilledWorker:
            self._suspects.append(key)
            self._forget(future)
            return None
        except Exception as error:
            if future.status in ("cancelled", "lost"):
                raise ClusterError(
                    "The scheduler has dropped the jobs, or is gone; what is done until now is kept: "
                    "the same command goes on from there."
                ) from error
            self._forget(future)
            return Done(key, None, _lacks_labkit(error))
        self._forget(future)
        if kind == at_worker.UNLIKE:
            raise ClusterError(f"A worker that joined later is not like this process: {value}. {SAME}")
        return Done(key, value) if kind == at_worker.VALUE else Done(key, None, value)

    def _forget(self, future: Any) -> None:
        del self._open[future.key]
        future.release()

    def _alone(self, key: str) -> Done[Any]:
        """Do a job once more with no other of this run beside it: if the worker dies now, it is this job.

        It is bound to one worker, or Dask would have given it to the next one before its death is seen here.
        """
        quiet = time.monotonic()
        while True:
            worker = next(iter(self._pool.workers), None)
            if worker is None:
                self._pool.give_up_at(quiet)
                time.sleep(LOOK)
                continue
            name = self._submit({key: self._jobs[key]}, f"-{uuid.uuid4().hex[:6]}-", workers=[worker])[0]
            done = self._watched(name, key, worker)
            if done is not None:
                return done

    def _watched(self, name: str, key: str, worker: str) -> Done[Any] | None:
        """The end of a job that is alone; None when its worker went before it began there."""
        future = self._open[name][1]
        while True:
            try:
                done = self._take(self._ended.get(timeout=LOOK))
                if done is None and name not in self._open:
                    return self._killer(key)
                if done is not None:
                    return done
            except queue.Empty:
                lost = self._client.run_on_scheduler(at_worker.times_lost, name)
                if not lost and (future.done() or worker in self._pool.workers):
                    continue
                future.cancel(force=True)
                self._forget(future)
                return self._killer(key) if lost else None

    def _killer(self, key: str) -> Done[Any]:
        times = self._pool.failures + 2
        return Done(key, None, f"its worker died each of the {times} times it was tried, the last time alone")

    def end(self) -> None:
        """Take back what has not ended, and have what has begun stopped."""
        if not self._open or self._client.status != "running":
            return
        futures = [future for _, future in self._open.values()]
        self._open.clear()
        try:
            self._client.cancel(futures, force=True)
            self._client.run(at_worker.stop_run, self._id, on_error="ignore")
        except Exception:
            # The scheduler is gone: it drops the tasks of a client that it does not hear from, and so do the workers.
            return


SAME = (
    "Bring it to the same commit (git rev-parse HEAD), `python start.py setup --extras`, and start scheduler and "
    "workers anew from there."
)


def first_of_each(results: Generator[Done[Any]], jobs: Mapping[str, Any]) -> Generator[Done[Any]]:
    """Drop what comes a second time, or was not asked for."""
    missing = set(jobs)
    for done in results:
        if done.key in missing:
            missing.remove(done.key)
            yield done


def refuse_unlike(wanted: Likeness, found: Mapping[str, Any]) -> None:
    """Raise ClusterError that names each worker that cannot be taken, and why. `found`: by address, as it answered."""
    told: list[str] = []
    for address, answer in sorted(found.items()):
        if isinstance(answer, Likeness):
            differs = differences(wanted, answer)
            if differs:
                told.append(f"{address} has {'; '.join(differs)}")
        else:
            told.append(f"{address}: {_lacks_labkit(answer)}")
    if told:
        raise ClusterError("\n  ".join(["Not every worker is like this process:", *told, SAME]))


def _lacks_labkit(error: Any) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"there is no {error.name or 'module'} where it runs; start it with the Python of the lab's .venv"
    return describe(error) if isinstance(error, BaseException) else f"it answered {error!r}"
