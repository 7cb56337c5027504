"""One side of a comparison, as a process of its own: it opens a server for each case, and measures two cases in turns.

It runs in the Python of the lab and in that of a peer, so it is made of the standard library. A side is a file in the
folder `sides` that ends with

    asyncio.run(serve(opened))       # opened(case) is an async context manager that gives a call to be measured

and the other end, in the process that compares, is `Side`.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self, cast

SIDES = Path(__file__).with_name("sides")
Call = Callable[[int], Awaitable[object]]
"""A call, given its number, so that no two need be the same."""
STOP_SECONDS = 10


async def serve(opened: Callable[[str], AbstractAsyncContextManager[Call]]) -> None:
    """Measure what the lines of standard input ask for, until it ends."""
    known: dict[str, Call] = {}
    number = 0
    async with AsyncExitStack() as stack:
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            for case in order["cases"]:
                if case not in known:
                    known[case] = await stack.enter_async_context(opened(case))
            a, b = (known[case] for case in order["cases"])
            took: tuple[list[float], list[float]] = [], []
            gc.collect()
            for turn in range(order["calls"]):
                # ABBA, call by call: other work on the machine comes and goes within tens of calls.
                pair = ((a, took[0]), (b, took[1]))
                for call, times in pair if turn % 2 else reversed(pair):
                    number += 1
                    began = time.perf_counter()
                    await call(number)
                    times.append((time.perf_counter() - began) * 1e3)
            added = median(y - x for x, y in zip(*took, strict=True))
            print(json.dumps([median(took[0]), median(took[1]), added]), flush=True)


@dataclass(frozen=True)
class Pair:
    """Milliseconds: the median call of one case, of another, and the median of what the other took beyond it."""

    first: float
    second: float
    added: float


class Side:
    """A process that measures: a file of `sides`. Use it as a context manager."""

    def __init__(self, script: str, python: str = sys.executable) -> None:
        command = [python, str(SIDES / script)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        self._script = script

    def __enter__(self) -> Self:
        self._answer()
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._child.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.communicate()

    def compare(self, first: str, second: str, calls: int) -> Pair:
        """Make so many calls of each case, one after the other, in turns."""
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"cases": [first, second], "calls": calls}) + "\n")
        self._child.stdin.flush()
        return Pair(*cast("list[float]", self._answer()))

    def _answer(self) -> object:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._script} ended with exit code {self._child.wait()}; its stderr says why")
        return json.loads(line)
