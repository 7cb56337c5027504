"""The pool of this process, and what is said when there is no other."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import closing

import pytest

from labkit.cluster import ClusterError, LocalPool, Stop, open_pool


def test_each_job_has_one_result_and_an_exception_is_its_own() -> None:
    def divide(number: int, stop: Stop) -> float:
        return 6 / number

    with open_pool(size=2) as pool:
        done = {each.key: each for each in pool.map(divide, {"a": 1, "b": 2, "c": 0})}
    assert (done["a"].value, done["b"].value) == (6.0, 3.0)
    assert done["c"].value is None and done["c"].error == "ZeroDivisionError: division by zero"


def test_closing_stops_what_runs_and_takes_back_what_has_not_begun() -> None:
    begun: list[int] = []
    told = threading.Event()

    def job(number: int, stop: Stop) -> int:
        begun.append(number)
        if number:
            with stop.calling(told.set):
                stop.event.wait(60)
        return number

    with closing(LocalPool(2).map(job, {str(n): n for n in range(9)})) as results:
        assert next(results).value == 0
    assert told.is_set()
    assert len(begun) < 9


def test_a_job_that_is_told_before_it_listens_is_told_at_once() -> None:
    stop, told = Stop(), threading.Event()
    stop.set()
    with stop.calling(told.set):
        assert told.is_set()


def test_a_missing_package_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"python start\.py setup --extras"), open_pool("local:2"):
        pass


@pytest.mark.parametrize("name", ["cluster", "local:0", "http://127.0.0.1:8786", "tcp://127.0.0.1"])
def test_what_is_no_cluster_is_told_with_what_can_be_one(name: str) -> None:
    with pytest.raises(ClusterError, match="tcp://HOST:PORT"), open_pool(name):
        pass


def test_dask_is_not_imported_without_a_cluster() -> None:
    code = (
        "import sys, labkit.course, labkit.grading.cohort, labkit.cli.notebooks\nfrom labkit.cluster import open_pool\n"
        "with open_pool() as pool: list(pool.map(lambda n, stop: n, {'a': 1}))\n"
        "print('dask' in sys.modules, 'distributed' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=60)
    assert out.stdout.strip() == "False False", out.stderr
