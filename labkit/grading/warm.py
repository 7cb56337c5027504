"""Judges kept ready by the kernel or the terminal, so that a check does not wait for imports.

A judge never runs learner code, so one that behaved is used again; the processes that run learner code are used once
(sandbox.py). A judge ends when its owner does: its stdin ends.
"""

from __future__ import annotations

import atexit
import hmac
import json
import os
import queue
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labkit.grading.report import CRASHED, NOT_ATTEMPTED, CheckResult, Report, sign
from labkit.grading.spec import LAB_ROOT, RANGE, SOURCE_LIMIT, TEMPORARY, Spec

GRACE = 15.0
"""Seconds beyond a run's own wall limit after which the judge counts as lost."""
UNCOUNTED = "Nothing was counted; check again."
_CODE = "import sys; sys.path.insert(0, sys.argv[1]); from labkit.grading.judge import main; main()"


class JudgeLost(Exception):
    """The judge ended or went silent; the message says which."""


class Judge:
    """One judge process. `run` is for one thread at a time."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        # Everything below it, removed here, because a judge that is killed cannot.
        self.folder = Path(tempfile.mkdtemp(prefix=TEMPORARY))
        temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.folder))
        extra: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            extra = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", "-c", _CODE, str(LAB_ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=os.environ | temporary,
            **extra,
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do one job. Raises JudgeLost when no genuine report comes back."""
        assert self._process.stdin
        key = secrets.token_hex(32)
        end = time.monotonic() + job["limits"]["wall"] + GRACE
        try:
            self._process.stdin.write(json.dumps(job | {"key": key}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise JudgeLost("The checking process was gone before it got the answer.") from None
        while True:
            try:
                # In slices: a wait for a lock does not hear Ctrl-C on Windows, nor a signal sent to another thread.
                line = self._lines.get(timeout=0.1)
            except queue.Empty:
                if time.monotonic() < end:
                    continue
                raise JudgeLost("The checking process gave no report in time and was ended.") from None
            if not line:
                code = self._process.wait()
                raise JudgeLost(f"The checking process was ended from outside while it worked (exit code {code}).")
            body = _verified(line, key)
            if body is not None:
                return body

    def close(self, force: bool = False) -> None:
        """End the process and all below it."""
        from labkit.grading.sandbox import kill_tree

        if self._process.stdin:
            try:
                self._process.stdin.close()
            except OSError:
                force = True
        try:
            self._process.wait(0 if force else 3)
        except subprocess.TimeoutExpired:
            kill_tree(self.pid)
            self._process.wait()
        self._reader.join(5)
        if self._process.stdout:
            self._process.stdout.close()
        self._said.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")


class Judges:
    """Hands out idle judges and starts new ones. Safe to use from several threads."""

    def __init__(self) -> None:
        self._idle: list[Judge] = []
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Have one ready before it is needed."""
        with self._lock:
            if not any(judge.alive for judge in self._idle):
                self._idle.append(Judge())

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do one job on a judge; a judge that is lost, or a run that is interrupted, costs that judge."""
        judge = self._take()
        try:
            body = judge.run(job)
        except BaseException:
            judge.close(force=True)
            raise
        with self._lock:
            self._idle.append(judge)
        return body

    def close(self) -> None:
        """End all idle judges."""
        with self._lock:
            idle, self._idle = self._idle, []
        for judge in idle:
            judge.close()

    def _take(self) -> Judge:
        with self._lock:
            while self._idle:
                judge = self._idle.pop()
                if judge.alive:
                    return judge
                judge.close(force=True)
        return Judge()


judges = Judges()
"""The judges of this process."""
atexit.register(judges.close)


def check_source(
    spec: Spec,
    source: str,
    *,
    seed: int | None = None,
    stop_at_first: bool = False,
    forbidden: tuple[str, ...] = (),
    pool: Judges = judges,
) -> Report:
    """Check one answer to an exercise.

    `seed` repeats the values of an earlier run. `forbidden` are folders closed to the answer, besides the exercises.
    Never raises on account of the answer: whatever it does, the report says so.
    """
    seed = secrets.randbits(32) if seed is None else seed
    started = time.perf_counter()
    note = unfit(source)
    if note or source.strip() in ("", spec.starter.strip()):
        return _uniform(spec, CRASHED if note else NOT_ATTEMPTED, note, seed)
    job = {
        "exercise": spec.id,
        "checks": str(spec.checks_file),
        "starter": spec.starter,
        "source": source,
        "limits": asdict(spec.limits),
        "forbidden": [str(spec.folder.parent), str(RANGE), *forbidden],
        "seed": seed,
        "stop_at_first": stop_at_first,
    }
    try:
        body = pool.run(job)
    except JudgeLost as lost:
        return _uniform(spec, CRASHED, f"{lost} {UNCOUNTED}", seed)
    results = [CheckResult(**check) for check in body["checks"]]
    if not results:
        return _uniform(spec, CRASHED, body["note"] or "No check was run.", seed)
    report = Report(spec.id, spec.title, results, seed, time.perf_counter() - started, body["note"], spec.afterword)
    missing = [check for check in spec.checks if check.name not in report.names(*_ALL)]
    if missing and not stop_at_first:
        report.checks += [CheckResult(c.name, c.title, c.points, CRASHED, c.reason, "not run") for c in missing]
    return report


_ALL = ("passed", "failed", "crashed", "not attempted")


def unfit(source: str) -> str:
    """Why a text cannot be an answer, or nothing."""
    if len(source.encode("utf-8", "replace")) > SOURCE_LIMIT:
        return f"The file is larger than {SOURCE_LIMIT // 1024} kB; it was not read."
    if "\0" in source:
        return "The file holds zero bytes; it is not Python source."
    return ""


def _uniform(spec: Spec, status: str, note: str, seed: int) -> Report:
    checks = [CheckResult(c.name, c.title, c.points, status, message=note) for c in spec.checks]
    return Report(spec.id, spec.title, checks, seed, note=note, afterword=spec.afterword)


def _verified(line: bytes, key: str) -> dict[str, Any] | None:
    """The body of a report signed with `key`; None for anything else that was written into the pipe."""
    try:
        message = json.loads(line)
        genuine = hmac.compare_digest(message["mac"], sign(key, message["body"]))
        return json.loads(message["body"]) if genuine else None
    except (ValueError, KeyError, TypeError):
        return None
