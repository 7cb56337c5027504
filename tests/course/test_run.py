"""What the notebook runner promises: fresh kernels that run this Python, failures a person can read, nothing left."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from labkit.course import kernel, run_notebooks
from labkit.errors import NotebookError


@pytest.fixture
def run(tmp_path):
    def run(*paths, **options):
        return run_notebooks(paths, **{"out": tmp_path / "out", "html": False, **options})

    return run


def printed(result) -> str:
    return "".join(o.get("text", "") for c in result.nb.cells for o in c.get("outputs", []))


def alive(pid: int) -> bool:
    """A process that has ended may stay in the list until its parent, in a container perhaps nobody, asks for it."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_notebook_runs_in_this_python_in_its_own_folder_with_scripted_answers(notebook, run):
    path = notebook("sub/passes", "import os, sys\nprint(sys.executable, os.getcwd(), os.environ['LABKIT_SCRIPTED'])")
    report = run(path)
    report.check()
    assert printed(report.results[0]).split() == [sys.executable, str(path.parent), "1"]


def test_the_fast_parameter_reaches_the_cell_tagged_parameters(notebook, run):
    path = notebook("tuned", ("fast = False\nrounds = 3", ["parameters"]), "print(fast, rounds)")
    assert printed(run(path).results[0]) == "True 3\n"
    assert printed(run(path, parameters={"fast": False, "rounds": 9}).results[0]) == "False 9\n"


def test_a_notebook_without_a_parameters_cell_gets_no_new_cell(notebook, run):
    assert len(run(notebook("plain", "1")).results[0].nb.cells) == 1


def test_a_failure_tells_notebook_cell_source_error_and_last_output(notebook, run):
    path = notebook("raises", "x = 1", "print('as far as here')\n1 / 0", "print('never')")
    report = run(path)
    failure = report.results[0].failure
    assert failure is not None
    assert (failure.cell, failure.error) == (2, "ZeroDivisionError: division by zero")
    with pytest.raises(NotebookError) as error:
        report.check()
    for part in ("raises.ipynb", "in cell 2", "1 / 0", "ZeroDivisionError: division by zero", "as far as here"):
        assert part in str(error.value)
    assert "\x1b" not in str(error.value)
    assert "never" not in printed(report.results[0])


def test_an_error_in_a_cell_tagged_raises_exception_is_part_of_the_lesson(notebook, run):
    path = notebook("lesson", ("1 / 0", ["raises-exception"]), "print('goes on')")
    report = run(path)
    report.check()
    assert "goes on" in printed(report.results[0])


def test_a_later_error_still_fails_a_notebook_with_a_wanted_one(notebook, run):
    report = run(notebook("both", ("1 / 0", ["raises-exception"]), "int('x')"))
    assert report.results[0].failure is not None
    assert report.results[0].failure.cell == 2


def test_a_cell_that_takes_too_long_is_named(notebook, run):
    report = run(notebook("slow", "import threading", "threading.Event().wait()"), cell_timeout=1.0)
    failure = report.results[0].failure
    assert failure is not None
    assert (failure.cell, failure.error) == (2, "the cell took longer than 1 s and was stopped")


def test_a_notebook_that_takes_too_long_is_stopped_where_it_is(notebook, run):
    path = notebook("slow", "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)", "while True: pass")
    failure = run(path, timeout=4.0).results[0].failure
    assert failure is not None
    assert failure.error == "the notebook took longer than 4 s and was stopped"
    assert failure.cell == 2


def test_a_kernel_that_dies_is_told_with_its_last_words(notebook, run):
    report = run(notebook("dies", "import os\nos.write(2, b'last words')\nos._exit(7)"))
    failure = report.results[0].failure
    assert failure is not None
    assert failure.error.startswith("the kernel died")
    assert failure.cell == 1


def test_unicode_survives_in_sources_outputs_and_copies(notebook, run, tmp_path):
    report = run(notebook("größe", "print('naïve ☃ 語')"), html=True)
    report.check()
    page = report.results[0].html
    assert page is not None
    assert "naïve ☃ 語" in page.read_text(encoding="utf-8")


def test_a_missing_and_a_broken_file_are_failures_with_a_sentence_not_exceptions(run, tmp_path, notebook):
    broken = tmp_path / "broken.ipynb"
    broken.write_text("not json", encoding="utf-8")
    missing, bad, good = run(tmp_path / "missing.ipynb", broken, notebook("good", "1")).results
    assert missing.failure is not None and "there is no notebook missing.ipynb" in missing.failure.error
    assert bad.failure is not None and "not a notebook that can be read" in bad.failure.error
    assert good.ok


def test_notebooks_run_side_by_side_and_come_back_in_order(notebook, run, tmp_path):
    # Each waits for the other's file, so they can only pass together.
    meet = "from pathlib import Path\nPath('{0}').touch()\nwhile not Path('{1}').exists(): pass"
    a = notebook("a", meet.format("a", "b"))
    b = notebook("b", meet.format("b", "a"))
    report = run(b, a, jobs=2, cell_timeout=60)
    report.check()
    assert [result.notebook for result in report.results] == [b, a]


def test_every_notebook_gets_a_fresh_kernel(notebook, run):
    pid = "import os; print(os.getpid())"
    results = run(notebook("one", pid), notebook("two", pid), jobs=1).results
    pids = {printed(result) for result in results}
    assert len(pids) == 2
    assert not any(alive(int(text)) for text in pids)


def test_a_process_that_outlives_its_kernel_is_ended_and_named(notebook, run, monkeypatch):
    monkeypatch.setattr("labkit.course.kernel.GRACE", 0.2)
    source = (
        "import subprocess, sys\n"
        "endless = [sys.executable, '-c', 'import threading; threading.Event().wait()']\n"
        "print(subprocess.Popen(endless, start_new_session=True).pid)"
    )
    result = run(notebook("leaks", source)).results[0]
    assert "threading.Event().wait()" in result.left_behind[0]
    assert not alive(int(printed(result)))


def test_a_callback_hears_of_each_notebook(notebook, run):
    started: list[Path] = []
    ended: list[Path] = []
    paths = [notebook("one", "1"), notebook("two", "2")]
    run(*paths, on_start=started.append, on_result=lambda result: ended.append(result.notebook))
    assert set(started) == set(ended) == set(paths)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that stands for Ctrl-C in one process alone")
def test_ctrl_c_leaves_no_kernel(notebook, tmp_path):
    say_pid = "from pathlib import Path\nimport os\nPath('pid').write_text(str(os.getpid()))"
    path = notebook("endless", say_pid, "while True: pass")
    program = (
        "import sys\nfrom pathlib import Path\nfrom labkit.course import run_notebooks\n"
        "run_notebooks(sys.argv[1:2], html=False, out=Path(sys.argv[2]))"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(path), str(tmp_path)], stderr=subprocess.PIPE)
    note = path.parent / "pid"
    told = threading.Event()

    def watch() -> None:
        while child.poll() is None and not (note.exists() and note.read_text(encoding="utf-8")):
            told.wait(0.05)
        told.set()

    threading.Thread(target=watch, daemon=True).start()
    assert told.wait(60)
    kernel = psutil.Process(int(note.read_text(encoding="utf-8")))
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    psutil.wait_procs([kernel], timeout=5)
    assert not alive(kernel.pid)


@pytest.mark.anyio
async def test_a_reply_whose_arrival_woke_nobody_is_found_a_moment_later(monkeypatch):
    monkeypatch.setattr(kernel, "LOOK", 0.01)

    class Socket:
        polls = 0

        async def poll(self, milliseconds: int) -> bool:
            self.polls += 1
            assert milliseconds <= 10
            return self.polls == 3

    async def reply(_: object) -> dict[str, str]:
        return {"it": "is here"}

    monkeypatch.setattr(kernel.PatientChannel, "_recv", reply)
    channel = kernel.PatientChannel.__new__(kernel.PatientChannel)
    channel.socket = Socket()
    assert await channel.get_msg(timeout=120) == {"it": "is here"}
    with pytest.raises(queue.Empty):
        await channel.get_msg(timeout=0.02)
