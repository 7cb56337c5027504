"""The trusted process: runs pytest on an exercise's checks.py and says what came out. No learner code runs here.

    kernel or terminal --job--> judge --frames--> subject (the learner's code)
                       <-report-      <-frames--

Why it cannot be talked into a pass by the learner's process:

    patched assert or pytest, early exit 0, fake reports on stdout   pytest runs here, the learner's code does not
    edited checks                                                     checks.py is read here, from the exercise's folder
    expectations read from memory                                     they are in this process, and vary with the seed
    a report written into this process' pipe through /proc            every report is signed with the job's own key

What depends on the system: the learner's process has the same user. Linux 5.13 and later close the exercises, this
memory and these processes to it in the kernel (landlock.py); elsewhere it is only refused inside Python (guard.py), and
who gets round that in C can read solution.py from disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from labkit.grading.nursery import Subjects
from labkit.grading.plugin import CheckRun
from labkit.grading.report import CRASHED, CheckResult, sign
from labkit.grading.sandbox import Watcher
from labkit.grading.spec import TEMPORARY, Limits
from labkit.grading.submission import Submission

IDLE = 15 * 60
"""Seconds without a job after which a judge ends itself."""
_UNUSED = (
    *("cacheprovider", "debugging", "doctest", "faulthandler", "junitxml", "legacypath", "logging", "pastebin"),
    *("recwarn", "setuponly", "setupplan", "stepwise", "subtests", "terminal", "unittest", "warnings"),
    # These two collect garbage at the end of each run, for 20 ms; nothing of a learner's is here to be collected.
    *("unraisableexception", "threadexception"),
)
"""Parts of pytest that no check uses; setting one up for each run takes a millisecond."""


def main() -> None:
    """Serve jobs, one JSON line each, until stdin ends."""
    out = os.dup(1)
    os.dup2(2, 1)
    sys.dont_write_bytecode = True
    jobs: queue.Queue[bytes | None] = queue.Queue()
    subjects, watcher = Subjects(), Watcher()
    threading.Thread(target=_listen, args=(jobs, watcher), daemon=True).start()
    try:
        # OSError: the owner is gone, and nobody waits for the report.
        with contextlib.suppress(queue.Empty, OSError):
            while line := jobs.get(timeout=IDLE):
                job = json.loads(line)
                body = json.dumps(run_job(job, subjects, watcher))
                message = json.dumps({"body": body, "mac": sign(job["key"], body)}).encode() + b"\n"
                while message:
                    message = message[os.write(out, message) :]
    finally:
        watcher.close()
        subjects.close()
        folder = Path(tempfile.gettempdir())
        if folder.name.startswith(TEMPORARY):
            # The owner does it, too, unless it was killed.
            shutil.rmtree(folder, ignore_errors=True)


def run_job(job: dict[str, Any], subjects: Subjects, watcher: Watcher) -> dict[str, Any]:
    """Check one answer. The job has: exercise, checks, source, starter, limits, forbidden, seed, stop_at_first."""
    started = time.perf_counter()
    limits = Limits(**job["limits"])
    subjects.ready()
    submission = Submission(job["exercise"], job["source"], subjects, watcher, limits, job["forbidden"])
    run = CheckRun(submission, job["starter"], job["seed"])
    try:
        note = _pytest(job, run)
    finally:
        submission.close()
    elapsed = time.perf_counter() - started
    strays = subjects.sweep()
    if strays and not note:
        note = f"The code left {strays} process{'es' if strays > 1 else ''} behind; they were ended."
    subjects.refill()
    said = {result.message for result in run.results if result.status == CRASHED}
    if not note and len(said) == 1 and all(result.status == CRASHED for result in run.results):
        note = said.pop()
    return {"checks": [asdict(_own(result)) for result in run.results], "note": note, "seconds": elapsed}


def _pytest(job: dict[str, Any], run: CheckRun) -> str:
    checks = Path(job["checks"])
    # A judge lives long: every exercise has a checks.py, and an author's edit of one has to be seen.
    for name in [n for n, m in sys.modules.items() if _is_checks(n, m)]:
        del sys.modules[name]
    folder = str(checks.parent)
    # Without --confcutdir, pytest lists every folder on the way from the root of the file system to the checks.
    options = ["-c", os.devnull, "--rootdir", folder, "--confcutdir", folder, "--import-mode=importlib"]
    options += ["--assert=plain", "-s"]
    for plugin in _UNUSED:
        options += ["-p", f"no:{plugin}"]
    if job.get("stop_at_first"):
        options.append("-x")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    code = pytest.main([*options, str(checks)], plugins=[run])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return f"The checks themselves could not be run (pytest ended with {code!s}); this is not your doing."
    return ""


def _is_checks(name: str, module: object) -> bool:
    file = getattr(module, "__file__", None) or ""
    # A judge has two thousand modules: the name is looked at as text first.
    return file.endswith("checks.py") and Path(file).name == "checks.py" and not name.startswith("labkit.")


def _own(result: CheckResult) -> CheckResult:
    result.message = result.message[:2000]
    return result


def _listen(jobs: queue.Queue[bytes | None], watcher: Watcher) -> None:
    for line in sys.stdin.buffer:
        jobs.put(line)
    # The owner is gone and nobody waits for a report: end what runs, and with it this process.
    watcher.stop_all("The checks were called off.")
    jobs.put(None)
