"""Workers may die, be wrong or be absent: every job has one result, and a second run does what is missing."""

from __future__ import annotations

import dataclasses
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from typer.testing import CliRunner

pytest.importorskip("distributed", reason="needs the package distributed: python start.py setup --extras")

from labkit.cli import app
from labkit.cluster import ClusterError, Done, open_pool, opening
from labkit.cluster.dask_pool import DaskPool, first_of_each
from labkit.course import run_notebooks
from labkit.course.kept import Kept, job_ids
from labkit.grading.cohort import grade
from labkit.grading.spec import load

sys.path.insert(0, str(Path(__file__).parent))  # before the cluster: its workers get the path of this process
import jobs_of_tests as job

ID = "03_negotiate"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    # A job whose worker dies once is done again alone: this takes fewer workers than the default.
    with opening.local_cluster(2, failures=0) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def pool(address: str) -> Iterator[Any]:
    said: list[str] = []
    with open_pool(address, say=said.append) as pool:
        # A worker that an earlier test has killed comes back by itself.
        wait_until(lambda: len(pool.workers) == 2)
        yield pool
    assert "dashboard: http://127.0.0.1:" in said[0]


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def test_a_worker_killed_half_way_costs_no_result_and_gives_none_twice(pool: Any, tmp_path: Path) -> None:
    held = tmp_path / "held"
    jobs = {f"job{n:02}": ("go", str(tmp_path / f"{n}")) for n in range(20)} | {"held": ("hold", str(held))}
    done: list[Done[str]] = []
    with closing(pool.map(job.note, dict(sorted(jobs.items())))) as results:
        for each in results:
            done.append(each)
            if len(done) == 10:
                wait_until(lambda: bool(lines(held)))
                psutil.Process(int(lines(held)[0])).kill()
    assert sorted(each.key for each in done) == sorted(jobs)
    assert {each.key: each.value for each in done} == {key: what for key, (what, _) in jobs.items()}
    first, second = lines(held)
    assert first != second, "it was begun again by another process"


def test_a_job_that_kills_its_worker_is_given_up_and_the_others_are_done(pool: Any, tmp_path: Path) -> None:
    jobs = {f"{n}": ("go", str(tmp_path / f"{n}")) for n in range(6)}
    poison = tmp_path / "poison"
    done = list(pool.map(job.note, {"poison": ("die", str(poison))} | jobs))
    assert sorted(each.key for each in done) == sorted([*jobs, "poison"])
    failed = [each for each in done if each.error]
    assert [(each.key, each.error) for each in failed] == [
        ("poison", "its worker died each of the 2 times it was tried, the last time alone")
    ]
    assert len(lines(poison)) == 2


def test_an_exception_is_the_result_of_its_job(pool: Any) -> None:
    done = {each.key: each for each in pool.map(job.divide, {"a": 1, "b": 0})}
    assert done["a"].value == 1.0 and done["b"].error == "ZeroDivisionError: division by zero"


def test_closing_stops_what_has_begun_and_the_cluster_goes_on(pool: Any, tmp_path: Path) -> None:
    held = tmp_path / "held"
    rest = {f"{n}": ("hold", str(tmp_path / f"{n}")) for n in range(5)}
    with closing(
        pool.map(job.note, {"first": ("go", str(tmp_path / "first")), "held": ("hold", str(held))} | rest)
    ) as r:
        assert next(r).key == "first"
        wait_until(lambda: bool(lines(held)))
    wait_until(held.with_suffix(".stopped").exists)
    assert not list(tmp_path.glob("4*")), "what had not begun never does"
    assert [each.value for each in pool.map(job.double, {"a": 4})] == [8]


def test_a_late_result_of_the_same_job_is_dropped() -> None:
    def results() -> Iterator[Done[int]]:
        yield from (Done("a", 1), Done("b", 2), Done("a", 3), Done("c", 4))

    assert [(d.key, d.value) for d in first_of_each(results(), {"a": 0, "b": 0})] == [("a", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("fact", "value", "told"),
    [
        ("python", "3.9", r"has Python \d\.\d+, not 3\.9"),
        ("packages", (("labkit", "0.0.9"),), r"labkit \S+, not 0\.0\.9"),
        ("code", "0", "other code in labkit/"),
        ("course", "0", "other files in servers/, notebooks/ or exercises/"),
    ],
)
def test_workers_unlike_this_process_are_refused(pool: Any, fact: str, value: Any, told: str) -> None:
    wanted = dataclasses.replace(pool.wanted, **{fact: value})
    with pytest.raises(ClusterError, match=f"tcp://127.*{told}") as error:
        DaskPool(pool._client, wanted=wanted)
    assert "same commit" in str(error.value)


def test_a_worker_that_joins_later_is_checked_too(pool: Any) -> None:
    pool.wanted = dataclasses.replace(pool.wanted, code="0")
    with pytest.raises(ClusterError, match="joined later is not like this process: other code"):
        list(pool.map(job.double, {"a": 1}))


def test_a_cluster_without_workers_is_given_up() -> None:
    with opening.local_cluster(0) as cluster:
        with pytest.raises(ClusterError, match=r"has had no worker for 0\.1 s.*dask worker tcp://"):
            with open_pool(cluster.scheduler_address, patience=0.1):
                pass


def test_the_command_says_that_no_scheduler_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(opening, "ANSWER_WITHIN", 0.3)
    (tmp_path / "ada").mkdir()
    with socket.socket() as taken:  # bound, and does not listen
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        for command in (["run", "00"], ["grade", str(tmp_path)]):
            result = CliRunner().invoke(app, [*command, "--cluster", address])
            assert result.exit_code == 3
            assert f"No Dask scheduler answers at {address}" in result.stderr
            assert CliRunner().invoke(app, [*command, "--cluster", address, "--jobs", "2"]).exit_code == 2


def test_a_class_is_graded_as_on_this_machine_and_a_second_run_does_what_changed(pool: Any, tmp_path: Path) -> None:
    spec = load(ID)
    wrong = (spec.folder / "wrong" / "no_ping.py").read_text(encoding="utf-8")
    answers = {"ada": spec.solution, "bob": wrong, "fay": ""}
    for name, source in answers.items():
        (tmp_path / "class" / name).mkdir(parents=True)
        (tmp_path / "class" / name / f"{ID}.py").write_text(source, encoding="utf-8")
    said: list[str] = []
    out = tmp_path / "grades.csv"
    assert grade(tmp_path / "class", out, workers=pool, say=said.append).graded == 3
    assert len(said) == 3
    rows = out.read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["ada", "10"], ["bob", "8"], ["fay", "0"]]
    (tmp_path / "class" / "bob" / f"{ID}.py").write_text(spec.solution, encoding="utf-8")
    assert grade(tmp_path / "class", out, workers=pool).graded == 1
    pool.close()
    wait_until(lambda: not judges(pool))


def judges(pool: Any) -> list[psutil.Process]:
    below = [child for pid in pool.pids().values() for child in psutil.Process(pid).children(recursive=True)]
    return [process for process in below if "labkit.grading" in " ".join(process.cmdline())]


def test_an_answer_whose_worker_dies_is_told_and_checked_again_next_time(tmp_path: Path) -> None:
    class Dying:
        elsewhere = True

        def map(self, function: Any, jobs: Any) -> Iterator[Done[Any]]:
            yield from (Done(key, None, "its worker died") for key in jobs)

    (tmp_path / "class" / "ada").mkdir(parents=True)
    (tmp_path / "class" / "ada" / f"{ID}.py").write_text(load(ID).solution, encoding="utf-8")
    for _ in range(2):
        said: list[str] = []
        assert grade(tmp_path / "class", tmp_path / "g.csv", workers=Dying(), say=said.append).graded == 0
        assert said == ["[1/1] ada: 0/10"]
    report = (tmp_path / "g-reports" / "ada.json").read_text(encoding="utf-8")
    assert "Could not be graded: its worker died." in report


def test_notebooks_from_outside_travel_and_only_what_failed_runs_again(pool: Any, tmp_path: Path) -> None:
    paths: list[Path] = []
    for name, source in (("works", "print(6 * 7)"), ("fails", "import os\nprint(os.listdir())\n1 / 0")):
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        paths.append(tmp_path / "mine" / f"{name}.ipynb")
        paths[-1].parent.mkdir(exist_ok=True)
        nbformat.write(nb, paths[-1])
    options: dict[str, Any] = {"pool": pool, "out": tmp_path / "out", "html": False, "resume": True}
    works, fails = run_notebooks(paths, **options).results
    assert works.ok and not works.kept and fails.failure is not None
    assert fails.failure.error == "ZeroDivisionError: division by zero"
    assert fails.failure.last_output == "['fails.ipynb']"
    assert "42" in (tmp_path / "out" / "works.ipynb").read_text(encoding="utf-8")
    again = run_notebooks(paths[:1], **options).results[0]
    assert again.kept and again.ok and again.html == tmp_path / "out" / "works.ipynb"
    kept = Kept(tmp_path / "out")
    assert [kept.find(id) is not None for id in job_ids(paths, {"fast": True}, False)] == [True, False]
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(6 * 8)")]), paths[0])
    assert [kept.find(id) for id in job_ids(paths, {"fast": True}, False)] == [None, None]
