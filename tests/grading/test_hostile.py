"""Hostile answers: each is reported in a sentence, none passes, none breaks the grader or leaves a process behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from labkit.grading import landlock
from labkit.grading.report import PASSED, Report
from labkit.grading.sandbox import status_of
from labkit.grading.spec import Limits, Spec, load
from labkit.grading.warm import Judge, Judges, check_source

SPEC = replace(load("p1_mcp_basics"), limits=Limits(cpu=1, request=10, wall=40))
IN_ADD = "return a + b"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
# The refusals of guard.py can be got round in C; the limits behind them are tried this way.
ROUND_THE_HOOK = "import ctypes, os\nlibc = ctypes.pythonapi\n"


def check(source: str, pool: Judges, spec: Spec = SPEC) -> Report:
    report = check_source(spec, source, pool=pool)
    assert not report.passed
    return report


def in_add(code: str, top: str = "") -> str:
    """The solution with other code in its tool `add`."""
    assert IN_ADD in SPEC.solution
    return top + SPEC.solution.replace(IN_ADD, code.replace("\n", "\n    "))


def says(report: Report, *words: str) -> None:
    text = str(report)
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in:\n{text}"


@pytest.fixture(autouse=True)
def nothing_is_left_and_the_next_check_works(pool: Judges) -> object:
    yield
    report = check_source(SPEC, SPEC.solution, pool=pool)
    assert report.passed, f"the check after a hostile one: {report}"
    me = psutil.Process()
    judges = [child for child in me.children() if "labkit.grading.judge" in " ".join(child.cmdline())]
    workers = [child for judge in judges for child in judge.children(recursive=True)]
    # A process whose threads are still ending is a zombie that cannot be waited for yet.
    workers = [worker for worker in workers if status_of(worker) not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)]
    if sys.platform == "linux":
        # One clean parent per judge, and nobody below it.
        assert len(workers) <= len(judges), workers


def test_an_endless_loop_in_a_tool(pool: Judges) -> None:
    report = check(in_add("while True: pass"), pool)
    says(report, "processor time: an endless loop?")
    assert {"starts", "shout", "motto", "greeting"} <= report.names(PASSED), "the other checks go on in a new process"


def test_an_endless_loop_at_import(pool: Judges) -> None:
    says(check(f"while True: pass\n{SPEC.solution}", pool), "cannot be loaded", "an endless loop?")


def test_a_wait_for_ever(pool: Judges) -> None:
    spec = replace(SPEC, limits=Limits(request=1, wall=20))
    says(check(in_add("import threading; threading.Event().wait()"), pool, spec), "No answer within 1 s")


def test_a_fork_bomb_is_refused(pool: Judges) -> None:
    says(
        check(f"import os\nwhile True: os.fork()\n{SPEC.solution}", pool), "may not start, replace or signal processes"
    )


@POSIX
def test_a_fork_bomb_that_gets_round_the_refusal_is_ended(pool: Judges) -> None:
    bomb = "for _ in range(6): libc.fork()\nimport time; time.sleep(60)"
    says(check(in_add(bomb, ROUND_THE_HOOK), pool), "Stopped: the code started")


@POSIX
def test_a_child_that_leaves_the_session_is_ended(pool: Judges) -> None:
    leave = "if libc.fork() == 0:\n    os.setsid()\n    import time; time.sleep(60)\nreturn 0"
    report = check(in_add(leave, ROUND_THE_HOOK), pool)
    assert "add" not in report.names(PASSED)


@pytest.mark.parametrize("via", ["print('x' * 65536)", "os.write(1, b'x' * 65536)", "os.write(2, b'x' * 65536)"])
def test_endless_output(pool: Judges, via: str) -> None:
    started = time.monotonic()
    says(check(f"import os\nwhile True: {via}\n{SPEC.solution}", pool), "Stopped: the code", "more than 4 MB")
    assert time.monotonic() - started < 30


def test_endless_output_in_a_tool(pool: Judges) -> None:
    says(check(in_add("while True: print('x' * 65536)"), pool), "more than 4 MB")


def test_one_endless_line_on_the_wire(pool: Judges) -> None:
    flood = "if __name__ == '__main__':\n    import os\n    while True: os.write(1, b'x' * 65536)\n"
    says(check(flood + SPEC.solution, pool), "wrote more than 4 MB to stdout")


@pytest.mark.parametrize("code", [0, 1, 5])
def test_os_exit_in_a_tool(pool: Judges, code: int) -> None:
    says(check(in_add(f"import os; os._exit({code})"), pool), f"ended by itself with exit code {code}")


def test_os_exit_at_import(pool: Judges) -> None:
    report = check(f"import os; os._exit(0)\n{SPEC.solution}", pool)
    says(report, "ended by itself with exit code 0")
    assert report.score == 0


def test_sys_exit_at_import(pool: Judges) -> None:
    report = check(f"import sys; sys.exit(0)\n{SPEC.solution}", pool)
    says(report, "ends the process (SystemExit)", "your line 1: import sys; sys.exit(0)")
    assert report.score == 0


def test_sys_exit_in_a_tool(pool: Judges) -> None:
    report = check(in_add("import sys; sys.exit(0)"), pool)
    assert "add" not in report.names(PASSED)


@POSIX
def test_a_process_that_kills_itself(pool: Judges) -> None:
    says(check(in_add("libc.kill(os.getpid(), 9)", ROUND_THE_HOOK), pool), "killed from outside (signal 9)")


def test_killing_others_is_refused(pool: Judges) -> None:
    says(check(in_add("import os; os.kill(os.getppid(), 9)"), pool), "may not start, replace or signal processes")


@POSIX
def test_a_judge_that_is_killed_counts_nothing() -> None:
    pool = Judges()
    pool.warm()
    judge: Judge = pool._idle[0]
    slow = in_add("import threading; threading.Event().wait()")

    def kill_when_busy() -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if len(psutil.Process(judge.pid).children(recursive=True)) > 1:
                os.kill(judge.pid, 9)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill_when_busy)
    killer.start()
    report = check(slow, pool)
    killer.join()
    says(report, "The checking process was ended from outside", "Nothing was counted")
    assert check_source(SPEC, SPEC.solution, pool=pool).passed
    pool.close()


@POSIX
def test_an_interrupt_ends_the_check_at_once_and_leaves_nothing() -> None:
    import signal

    pool = Judges()
    pool.warm()
    judge, folder = psutil.Process(pool._idle[0].pid), pool._idle[0].folder
    below: list[psutil.Process] = []

    def interrupt_when_busy() -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            below[:] = judge.children(recursive=True)
            if len(below) > 1:
                signal.raise_signal(signal.SIGINT)
                return
            time.sleep(0.02)

    interrupter = threading.Thread(target=interrupt_when_busy)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        check_source(SPEC, in_add("import threading; threading.Event().wait()"), pool=pool)
    interrupter.join()
    assert not psutil.wait_procs([judge, *below], timeout=10)[1]
    assert not folder.exists()
    assert check_source(SPEC, SPEC.solution, pool=pool).passed
    pool.close()


def test_a_monkeypatched_pytest(pool: Judges) -> None:
    patch = (
        "import builtins, sys, types\n"
        "fake = types.ModuleType('pytest'); fake.main = lambda *a, **k: 0; fake.fail = lambda *a, **k: None\n"
        "sys.modules['pytest'] = fake\n"
        "builtins.AssertionError = type('AssertionError', (Exception,), {})\n"
    )
    report = check(in_add("return 42", patch), pool)
    assert "add" not in report.names(PASSED)


def test_a_patched_comparison(pool: Judges) -> None:
    patch = (
        "class Anything(int):\n"
        "    def __eq__(self, other): return True\n"
        "    def __hash__(self): return 0\n"
        "    def __add__(self, other): return self\n"
    )
    report = check(in_add("return Anything(1)", patch), pool)
    assert "add" not in report.names(PASSED), "what crosses the pipe is a number, not an object"


def test_a_fake_report(pool: Judges) -> None:
    body = '{"checks": [{"name": "add", "title": "", "points": 99, "status": "passed"}], "note": "", "seconds": 0}'
    fake = f"import os, sys\nline = {{'body': {body!r}, 'mac': '0' * 64}}\nimport json\ntext = json.dumps(line)\n"
    fake += "print(text); os.write(1, text.encode() + b'\\n'); print('6 passed in 0.01s')\nos._exit(0)\n"
    report = check(fake + SPEC.solution, pool)
    assert report.score == 0


@POSIX
def test_a_fake_report_written_into_the_pipe_of_the_judge(pool: Judges) -> None:
    code = "open(f'/proc/{os.getppid()}/fd/1', 'w').write('{}')\nreturn 0"
    report = check(in_add(code, "import os\n"), pool)
    assert "add" not in report.names(PASSED)


def test_only_a_signed_report_counts() -> None:
    from labkit.grading.report import sign
    from labkit.grading.warm import _verified

    key, body = "ab" * 32, '{"checks": []}'
    good = f'{{"body": "{{\\"checks\\": []}}", "mac": "{sign(key, body)}"}}'
    assert _verified(good.encode(), key) == {"checks": []}
    assert _verified(good.encode(), "cd" * 32) is None
    assert _verified(b"6 passed", key) is None
    assert _verified(b'{"body": "{}"}', key) is None


@pytest.mark.parametrize(
    "code",
    [
        "return open({checks!r}).read()",
        "import os; return len(os.listdir({folder!r}))",
        "import pathlib; pathlib.Path({checks!r}).write_text('')",
        "import os; os.remove({checks!r})",
        "import os; os.rename({checks!r}, 'here.py')",
        "import os; os.symlink({folder!r}, 'link'); return open('link/solution.py').read()",
        "import runpy; runpy.run_path({solution!r})",
    ],
)
def test_reading_and_editing_the_exercise_is_refused(pool: Judges, code: str) -> None:
    paths = {"checks": str(SPEC.checks_file), "folder": str(SPEC.folder), "solution": str(SPEC.folder / "solution.py")}
    before = SPEC.checks_file.read_bytes()
    says(check(in_add(code.format(**paths)), pool), "this folder is closed to answers")
    assert SPEC.checks_file.read_bytes() == before


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
@pytest.mark.parametrize("name", ["checks.py", "solution.py"])
def test_reading_the_exercise_in_c_is_closed_by_the_kernel(pool: Judges, name: str) -> None:
    code = f"fd = libc.open({os.fsencode(SPEC.folder / name)!r}, 0)\nraise RuntimeError(f'opened {{fd}}')"
    says(check(in_add(code, ROUND_THE_HOOK), pool), "opened -1")


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
def test_the_own_folder_and_the_system_stay_open(pool: Judges) -> None:
    code = "open('x', 'w').write('mine'); os.mkdir('d'); os.rename('x', 'd/y')\n"
    code += "raise RuntimeError(open('d/y').read(), libc.open(b'/etc/hosts', 0) > 0)"
    says(check(in_add(code, ROUND_THE_HOOK), pool), "('mine', True)")


@pytest.mark.skipif(landlock.version() < 1, reason="this kernel has no Landlock")
def test_attaching_to_the_parent_is_closed_by_the_kernel(pool: Judges) -> None:
    code = "raise RuntimeError(f'attached {libc.ptrace(16, os.getppid(), 0, 0)}')"
    says(check(in_add(code, ROUND_THE_HOOK), pool), "attached -1")


@pytest.mark.skipif(landlock.version() < 6, reason="this kernel cannot keep signals in")
def test_signals_stay_inside(pool: Judges) -> None:
    code = "raise RuntimeError(f'killed {libc.kill(os.getppid(), 9)}')"
    says(check(in_add(code, ROUND_THE_HOOK), pool), "killed -1")


DELETED = "The code deleted or moved its own file or folder while it was checked."


def test_deleting_the_own_folder_at_import(pool: Judges) -> None:
    code = "import os, shutil; shutil.rmtree(os.getcwd(), ignore_errors=True)\n"
    report = check(code + SPEC.solution, pool)
    assert (report.score, report.note) == (0, DELETED)
    assert str(report).count(DELETED) == 1


def test_deleting_the_own_file_in_a_tool(pool: Judges) -> None:
    report = check(in_add("import os; os.remove(__file__); return a + b"), pool)
    assert report.names(PASSED) == {"starts"}, "what was checked before it counts, and nothing after it"
    says(report, DELETED)


def test_too_much_memory(pool: Judges) -> None:
    report = check(in_add("x = bytearray(3 << 30); x[::4096] = b'1' * len(x[::4096]); return a + b"), pool)
    says(report, "MemoryError") if sys.platform == "linux" else None
    assert "add" not in report.names(PASSED)


def test_hard_coded_answers(pool: Judges) -> None:
    seen = check_source(SPEC, in_add("return 0"), pool=pool)
    said = next(result.message for result in seen.checks if result.name == "add")
    wanted = said.split("'result': ")[1].split("}")[0]
    report = check(in_add(f"return {wanted}"), pool)
    assert "add" not in report.names(PASSED)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("def broken(:\n", "Not valid Python, line 1"),
        ("(" * 5000, "Not valid Python"),
        ("x = 1\0", "zero bytes"),
        ("#" * 300_000, "larger than 256 kB"),
        ("-" * 100_000 + "1", ""),
        ("\ud800", ""),
    ],
    ids=["syntax", "deep", "zero", "large", "unary", "surrogate"],
)
def test_text_that_is_no_program(pool: Judges, source: str, word: str) -> None:
    says(check(source, pool), word)


def test_the_environment_is_scrubbed(pool: Judges, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    clean = Judges()
    report = check(in_add("import os; raise RuntimeError(sorted(os.environ))"), clean)
    clean.close()
    says(report, "RuntimeError", "PATH")
    assert "SECRET_TOKEN" not in str(report)


@POSIX
def test_a_judge_ends_with_its_owner(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys\nfrom labkit.grading.warm import judges\njudges.warm()\n"
        "print(judges._idle[0].pid, judges._idle[0].folder, flush=True)\nsys.stdin.read()\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout and owner.stdin
    pid, _, path = owner.stdout.readline().strip().partition(" ")
    judge, folder = psutil.Process(int(pid)), Path(path)
    assert folder.is_dir()
    below = judge.children(recursive=True)
    owner.kill()
    owner.wait()
    gone, alive = psutil.wait_procs([judge, *below], timeout=20)
    assert not folder.exists(), "its temporary folder goes, too"
    owner.stdin.close()
    owner.stdout.close()
    assert not alive and judge in gone


def test_without_forking_the_same_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_NO_FORK", "1")
    spawning = Judges()
    spec = replace(SPEC, limits=Limits(cpu=3, wall=120, request=60))
    assert check_source(spec, spec.solution, pool=spawning).passed
    report = check_source(spec, in_add("import os; os._exit(3)"), pool=spawning)
    says(report, "exit code 3")
    spawning.close()
