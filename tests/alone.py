"""`make alone`: can each test be the first of its worker?

    python -m tests.alone                      # 25 minutes on two cores; a folder, a file or -k as for pytest
    python -m tests.alone tests/session

Workers of the suite take tests from each other, so any of them may come first. Here each runs in a process in which
no other has run: a fork of one that has only collected them. Of a test with parameters the first set is taken.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

from tests import warm

BESIDE = 3
"""Tests at a time."""


class Alone:
    """The plugin. Needs a system that can fork."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = {item.nodeid.partition("[")[0]: item for item in reversed(items)}.values()
        items.reverse()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if session.testsfailed or session.config.option.collectonly:
            return None  # pytest's own loop knows what to do
        running: dict[int, pytest.Item] = {}
        with tempfile.TemporaryDirectory() as folder:
            for item in session.items:
                while len(running) >= BESIDE:
                    self._reap(running, Path(folder))
                sys.stdout.flush()
                sys.stderr.flush()
                pid = os.fork()
                if not pid:
                    self._run(item, Path(folder))
                running[pid] = item
            while running:
                self._reap(running, Path(folder))
        return True

    def _run(self, item: pytest.Item, folder: Path) -> None:
        """In the fork: run it, leave its reports, and end without what the first process has set up to be ended."""
        try:
            reports = runtestprotocol(item, log=False, nextitem=None)
            told = [item.config.hook.pytest_report_to_serializable(config=item.config, report=r) for r in reports]
            (folder / f"{os.getpid()}.json").write_text(json.dumps(told), encoding="utf-8")
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)

    def _reap(self, running: dict[int, pytest.Item], folder: Path) -> None:
        pid, status = os.wait()
        item = running.pop(pid)
        file = folder / f"{pid}.json"
        hook = item.ihook
        if not file.exists():
            why = f"its process ended early: {os.waitstatus_to_exitcode(status)}"
            hook.pytest_runtest_logreport(
                report=pytest.TestReport(item.nodeid, item.location, {}, "failed", why, "call")
            )
            return
        for told in json.loads(file.read_text(encoding="utf-8")):
            report = item.config.hook.pytest_report_from_serializable(config=item.config, data=told)
            hook.pytest_runtest_logreport(report=report)


def main(arguments: list[str]) -> int:
    """pytest's exit code."""
    warm.ENOUGH = sys.maxsize  # its template serves one process
    return int(pytest.main(["-p", "no:xdist", "-p", "no:cacheprovider", "-q", *arguments], plugins=[Alone()]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
