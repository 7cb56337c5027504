"""The testbench on an answer: `labkit certify` starts the learner's server itself, each time in the cage of an answer.

The checks of the testbench run in the judge. What they start is `subject.py --job FILE`: it takes on the limits, closes
the file system, and becomes the learner's program. Nothing warms up for it, so it suits servers in plain Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from labkit.errors import ConnectError
from labkit.grading.checks import Crashed
from labkit.grading.nursery import SUBJECT
from labkit.grading.sandbox import DELETION, Watcher, kill_tree
from labkit.grading.spec import Limits

if TYPE_CHECKING:
    from labkit.testbench.certificate import Certificate

SEED = 20_17
"""Of the random choices: the same answer gets the same certificate."""


class Crowd:
    """The processes of one answer that the testbench has started, for the watcher."""

    def __init__(self, job: Path, limits: Limits) -> None:
        self._job, self._limits = str(job), limits
        self.incident = ""

    def watch(self) -> None:
        """End those that use too much."""
        for process in self._living():
            with contextlib.suppress(psutil.Error):
                family = [process, *process.children(recursive=True)]
                if len(family) > self._limits.processes:
                    self._end(process, f"the code started {len(family) - 1} processes")
                elif sum(each.memory_info().rss for each in family) > (self._limits.memory + 128) << 20:
                    self._end(process, f"the code used more than {self._limits.memory} MB of memory")

    def stop(self, incident: str) -> None:
        """End all of them."""
        self.incident = self.incident or incident
        for process in self._living():
            kill_tree(process.pid)

    def _end(self, process: psutil.Process, what: str) -> None:
        self.incident = self.incident or f"Stopped: {what}."
        kill_tree(process.pid)

    def _living(self) -> list[psutil.Process]:
        found: list[psutil.Process] = []
        for process in psutil.Process().children():
            with contextlib.suppress(psutil.Error):
                if self._job in process.cmdline():
                    found.append(process)
        return found


def certify(
    name: str, source: str, limits: Limits, forbidden: Sequence[str], watcher: Watcher, only: Sequence[str], time: float
) -> Certificate:
    """Certify the server that this source runs, with the checks or sections `only`, in `time` seconds at most.

    All of them run, also those of the full profile, and tools are called whatever they say of themselves: the answer's
    process can do no harm. Raises Crashed when the server cannot be talked to, or uses more than it may.
    """
    from labkit.testbench.certifying import certify as certified

    folder = Path(tempfile.mkdtemp(prefix="labkit-"))
    try:
        file, job = folder / f"{name}.py", folder / "job.json"
        file.write_text(source, encoding="utf-8", newline="\n")
        own = {"cpu": limits.cpu, "memory": limits.memory}
        task = {"mode": "serve", "file": str(file), "folder": str(folder), "forbidden": [*forbidden], "limits": own}
        job.write_text(json.dumps(task), encoding="utf-8")
        command = [sys.executable, "-I", "-X", "utf8", str(SUBJECT), "--job", str(job)]
        crowd = Crowd(job, limits)
        watcher.add(crowd)
        try:
            certificate = asyncio.run(
                certified(
                    command,
                    only=only,
                    allow_destructive=True,
                    seed=SEED,
                    budget=time,
                    listener=_silent,
                )
            )
        except ConnectError as error:
            gone = "" if file.exists() else DELETION
            raise Crashed(crowd.incident or gone or f"The server cannot be certified: {error}") from None
        finally:
            watcher.remove(crowd)
            crowd.stop("")
        if crowd.incident or not file.exists():
            raise Crashed(crowd.incident or DELETION)
        return certificate
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _silent(*_: object) -> None:
    """Progress is not shown: the judge has nobody to show it to."""
