"""Thirty connections one after the other (two hundred with LAB_WHOLE=1), and nothing is left: no task, thread, descriptor,
child, file or module.

The eras take turns. Over stdio each cycle starts and ends a real process: of a server that starts quickly, see
light_server.py, and a few times of one on the SDK. Over HTTP the connections go to one running server, whose own
descriptors and threads are counted too, and a few cycles start and stop the server.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

import labkit as lab
from labkit.session.link import Link
from labkit.wire import Tape

from .conftest import ERAS, PROBE, loaded

CYCLES = 200 if os.environ.get("LAB_WHOLE") else 30
LIGHT = [sys.executable, "-I", "-S", "-E", str(Path(__file__).with_name("light_server.py"))]
POOLS = ("asyncio_", "AnyIO worker", "ThreadPoolExecutor")
"""Threads of pools: they stay by design, as many as were ever needed at once."""

# Bounds for what cannot be counted exactly: `typing` and pydantic keep the last 128 or so of the classes made for tools and
# prompts (4,000 objects, then no more), and the allocator keeps what it was given.
OBJECTS = max(6_000, 40 * CYCLES)
MEMORY = 32 * 2**20

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.filterwarnings("error::ResourceWarning"),  # what the garbage collector had to close, we forgot
]


@dataclass(frozen=True)
class Left:
    """What there is in this process that a connection might leave behind."""

    tasks: frozenset[str]
    threads: tuple[str, ...]
    descriptors: int
    children: frozenset[int]
    files: frozenset[str]
    modules: int
    kept: int
    open: int


def descriptors_of(process: psutil.Process) -> int:
    return process.num_handles() if sys.platform == "win32" else process.num_fds()


def look(loop: asyncio.AbstractEventLoop | None = None) -> Left:
    """What there is now; `loop` is the one whose tasks to name, by default the running one."""
    gc.collect()  # of what is new in this test: see `only_what_is_new_is_looked_at`
    me = psutil.Process()
    threads = sorted(t.name for t in threading.enumerate() if not t.name.startswith(POOLS))
    return Left(
        tasks=frozenset(task.get_name() for task in asyncio.all_tasks(loop)),
        threads=tuple(threads),
        descriptors=descriptors_of(me),
        children=frozenset(child.pid for child in me.children(recursive=True)),
        files=frozenset(path.name for path in Path(tempfile.gettempdir()).iterdir()),
        modules=len(sys.modules),
        # Not MCPServer: typing's own caches keep up to 128 annotations, and with them the modules they came from.
        kept=sum(type(thing) in (Link, Tape) for thing in gc.get_objects()),
        open=len(lab.connections()),
    )


def difference(before: Left, after: Left) -> str:
    """What grew, in words; '' when nothing did."""
    was, now = asdict(before), asdict(after)
    return "; ".join(f"{name}: {was[name]} -> {now[name]}" for name in was if not _within(was[name], now[name]))


def _within(was: Any, now: Any) -> bool:
    return set(now) <= set(was) and len(now) <= len(was) if isinstance(was, frozenset | tuple) else now <= was


async def nothing_left(before: Left, seconds: float = 15.0) -> None:
    """Wait until nothing is there that was not there before: threads and processes may need a moment to be gone."""
    deadline = time.monotonic() + seconds
    while grown := difference(before, look()):
        assert time.monotonic() < deadline, f"still there after {seconds:g} s: {grown}"
        await asyncio.sleep(0.05)


@pytest.fixture(autouse=True)
def own_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture(autouse=True, scope="module")
def only_what_is_new_is_looked_at() -> None:
    # What all other tests of this run have made is half a million objects, and a look would go through them each time.
    gc.collect()
    gc.freeze()  # as tests/conftest.py does when the tests have been collected


async def cycle(target: Any, number: int, **options: Any) -> None:
    """Connect, call, close, in one era or the other."""
    connection = await lab.connect(target, era=ERAS[number % 2], **options)
    assert (await connection.call("add", a=number, b=1)).text == str(number + 1)
    await connection.close()


async def many(one: Callable[[int], Any], cycles: int = CYCLES) -> None:
    """Warm up, do it `cycles` times, and hold what is there against what was there."""
    for number in range(8):
        await one(number)
    await settled()
    before, objects, memory = look(), len(gc.get_objects()), psutil.Process().memory_info().rss
    for number in range(cycles):
        await one(number)
    await nothing_left(before)
    more_objects = len(gc.get_objects()) - objects
    more_memory = psutil.Process().memory_info().rss - memory
    assert more_objects < OBJECTS, f"{more_objects} objects more after {cycles} cycles"
    assert more_memory < MEMORY, f"{more_memory / 2**20:.0f} MiB more after {cycles} cycles"


async def settled() -> None:
    """Wait until the warm-up has settled: two looks find the same."""
    deadline = time.monotonic() + 15
    last = look()
    while True:
        await asyncio.sleep(0.05)
        now = look()
        if now == last:
            return
        assert time.monotonic() < deadline, f"the warm-up goes on: {difference(last, now)}"
        last = now


async def test_in_memory() -> None:
    before = loaded()
    await many(lambda number: cycle(PROBE, number, via="memory"))
    assert loaded() <= before


async def test_over_stdio() -> None:
    await many(lambda number: cycle(LIGHT, number))


async def test_over_http() -> None:
    async with await lab.serve(PROBE) as running:
        assert running.pid
        server = psutil.Process(running.pid)
        for number in range(8):
            await cycle(running.url, number)
        before = descriptors_of(server), server.num_threads()
        await many(lambda number: cycle(running.url, number))
        deadline = time.monotonic() + 15
        while (now := (descriptors_of(server), server.num_threads())) > before:
            assert time.monotonic() < deadline, f"the server's descriptors and threads: {before} -> {now}"
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("via", ["stdio", "http"])
async def test_starting_and_stopping_a_server_on_the_sdk(via: str) -> None:
    await cycle(PROBE, 0, via=via)
    await settled()
    before = look()
    for number in range(2):
        await cycle(PROBE, number, via=via)
    await nothing_left(before)


async def test_connections_that_are_dropped_without_being_closed() -> None:
    async with await lab.serve(PROBE) as running:
        targets: list[tuple[Any, dict[str, Any]]] = [(PROBE, {"via": "memory"}), (LIGHT, {}), (running.url, {})]

        async def drop(times: int) -> None:
            for number in range(times):
                for target, options in targets:
                    connection = await lab.connect(target, era=ERAS[number % 2], **options)
                    await connection.call("add", a=1, b=1)
                    del connection

        await drop(2)
        await settled()
        before = look()
        await drop(10)
        await nothing_left(before)


@pytest.mark.parametrize("via", ["memory", "stdio"])
async def test_connects_that_are_cancelled_at_any_moment(via: str) -> None:
    target, options = (PROBE, {"via": "memory"}) if via == "memory" else (LIGHT, {})
    await cycle(target, 0, **options)
    await cycle(target, 1, **options)
    await settled()
    before = look()
    cancelled = 0
    for turns in range(60):
        connecting = asyncio.ensure_future(lab.connect(target, era=ERAS[turns % 2], **options))
        for _ in range(turns):
            await asyncio.sleep(0)
        connecting.cancel()
        try:
            await (await connecting).close()
        except asyncio.CancelledError:
            cancelled += 1
        del connecting
    assert cancelled > 3, "most were to be cancelled before they had connected"
    await nothing_left(before)


async def test_a_connect_to_a_mute_server_that_is_cancelled() -> None:
    await cycle(LIGHT, 0)
    await settled()
    before = look()
    for era in ERAS * 3:
        connecting = asyncio.ensure_future(lab.connect([*LIGHT, "mute"], era=era))
        deadline = time.monotonic() + 10
        while not any(row["pid"] for row in lab.connections()):
            assert time.monotonic() < deadline, "the mute server did not start"
            await asyncio.sleep(0.005)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        del connecting
    await nothing_left(before)


async def test_a_connect_that_is_cancelled_while_its_http_server_starts() -> None:
    await cycle(PROBE, 0, via="http")
    await settled()
    before = look()
    for _ in range(3):
        connecting = asyncio.ensure_future(lab.connect(PROBE, via="http"))
        deadline = time.monotonic() + 10
        while {child.pid for child in psutil.Process().children()} <= before.children:
            assert time.monotonic() < deadline, "the server's process did not start"
            await asyncio.sleep(0.005)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        del connecting
    await nothing_left(before)


async def test_connects_that_fail() -> None:
    dead = [sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"]

    async def fail(times: int) -> None:
        for _ in range(times):
            for target in (dead, ["/no/such/program", "x"], "http://127.0.0.1:9/mcp"):
                with pytest.raises(lab.LabError):
                    await lab.connect(target)

    await fail(2)
    await settled()
    before = look()
    await fail(10)
    await nothing_left(before)


@pytest.mark.parametrize("via", ["memory", "stdio"])
def test_lab_sync(via: str) -> None:
    from labkit.session.sync import background_loop

    loop = background_loop()

    def one(number: int) -> None:
        target, options = (PROBE, {"via": "memory"}) if via == "memory" else (LIGHT, {})
        connection = lab.sync.connect(target, era=ERAS[number % 2], **options)
        assert connection.call("add", a=number, b=1).text == str(number + 1)
        connection.close()

    for number in range(8):
        one(number)
    before = quiet(loop, look(loop))
    for number in range(40 if via == "memory" else 15):
        one(number)
    after = quiet(loop, before)
    assert not difference(before, after), difference(before, after)


def quiet(loop: asyncio.AbstractEventLoop, before: Left) -> Left:
    """What there is once two looks find the same, and nothing that was not there before; at most 15 s later."""
    deadline = time.monotonic() + 15
    last = look(loop)
    while time.monotonic() < deadline:
        threading.Event().wait(0.05)  # between two looks: the thread of the connections works meanwhile
        now = look(loop)
        if now == last and not difference(before, now):
            break
        last = now
    return last
