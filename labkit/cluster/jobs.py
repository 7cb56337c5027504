"""What a pool of jobs is, and the one of this process: threads, because the work is done by kernels and judges."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from labkit.errors import LabError

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class ClusterError(LabError):
    """A cluster that cannot be used, or that is lost; what it has done until then is kept."""


class Stop:
    """Tells a job that nobody wants its result any more. Safe to use from several threads."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._calls: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    def set(self) -> None:
        """Tell it: wakes who waits for `event` and calls what `calling` was given."""
        with self._lock:
            self.event.set()
            calls = list(self._calls)
        for call in calls:
            call()

    @contextmanager
    def calling(self, function: Callable[[], object]) -> Generator[None]:
        """Within the block, have `function` called when the job is told to stop; at once when it has been."""
        with self._lock:
            self._calls.append(function)
            told = self.event.is_set()
        try:
            if told:
                function()
            yield
        finally:
            with self._lock:
                self._calls.remove(function)


@dataclass(frozen=True)
class Done(Generic[Result]):
    """One job at its end: a value, or in `error` one sentence that says why there is none."""

    key: str
    value: Result | None = None
    error: str = ""


class JobPool(Protocol):
    """Does jobs side by side."""

    @property
    def elsewhere(self) -> bool:
        """Whether jobs run in other processes, perhaps of machines that do not have this one's files."""
        ...

    def map(
        self, function: Callable[[Argument, Stop], Result], jobs: Mapping[str, Argument]
    ) -> Generator[Done[Result]]:
        """Call `function(argument, stop)` for each job and yield the results as they come, one for each key.

        An exception of the function is that job's `error`. Closing the generator (use `contextlib.closing`) takes
        back what has not begun and tells what has to stop. A pool that is `elsewhere` pickles function, argument and
        result, and may begin a job again when its worker is lost, so that the function has to be safe to call twice.

        Raises ClusterError when the jobs cannot go on.
        """
        ...


class LocalPool:
    """The threads of this process."""

    elsewhere = False

    def __init__(self, size: int | None = None) -> None:
        self.size = size or os.cpu_count() or 1

    def map(
        self, function: Callable[[Argument, Stop], Result], jobs: Mapping[str, Argument]
    ) -> Generator[Done[Result]]:
        """See JobPool. Closing the generator waits for the jobs that have begun."""
        stop = Stop()
        threads = ThreadPoolExecutor(self.size, thread_name_prefix="job")
        try:
            keys: dict[Future[Result], str] = {
                threads.submit(function, argument, stop): key for key, argument in jobs.items()
            }
            waiting = set(keys)
            while waiting:
                # A bounded wait lets Ctrl-C through on Windows.
                done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    yield _told(keys[future], future)
        except BaseException:
            stop.set()
            raise
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _told(key: str, future: Future[Result]) -> Done[Result]:
    try:
        return Done(key, future.result())
    except Exception as error:  # whatever is wrong with one job must not end the others
        return Done(key, None, describe(error))


def describe(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {error or 'no message'}"


_at_end: dict[Callable[[], object], None] = {}


def at_end(function: Callable[[], object]) -> None:
    """In a worker of a cluster: call this when a run is over, to end what was kept warm. Registering twice is once."""
    _at_end[function] = None


def tidy() -> None:
    """End what jobs of this process have kept warm."""
    for function in list(_at_end):
        function()
