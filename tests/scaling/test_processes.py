"""Two processes under 64 clients: one is killed, then each is replaced by a new one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from labkit.catalog import LAB_ROOT
from labkit.scaling import Replicas, desk, load, replicas
from labkit.scaling.nginx import find_nginx

pytestmark = pytest.mark.anyio
DESK = Path(desk.__file__)
CLIENTS = 64


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def under_load(pool: Replicas, act: Callable[[], Any]) -> tuple[Any, Any]:
    """What `act` gives, and the report of the calls that were made before, meanwhile and after."""
    stop = asyncio.Event()
    before = sum(each.calls for each in pool.replicas)
    nap = {"seconds": 0.2}
    running = asyncio.create_task(load(pool.url, "nap", nap, clients=CLIENTS, seconds=120, until=stop))
    await until(lambda: sum(each.calls for each in pool.replicas) > before + CLIENTS)
    done = act()
    done = await done if asyncio.iscoroutine(done) else done
    after = sum(each.calls for each in pool.replicas)
    await until(lambda: sum(each.calls for each in pool.replicas) > after + CLIENTS)
    stop.set()
    return done, await running


async def test_a_kill_costs_the_calls_in_flight_and_a_rolling_restart_costs_none() -> None:
    behind = "nginx" if find_nginx() else "embedded"
    async with await replicas(DESK, n=2, behind=behind) as pool:
        first = [each.pid for each in pool.replicas]
        assert len(set(first)) == 2
        _, report = await under_load(pool, lambda: pool.kill(1))
        failed = report.failed
        assert 1 <= failed <= CLIENTS, "what was in flight on the one that died, and nothing else"
        assert set(report.errors) == {"HTTP 502 Bad Gateway"}
        assert pool.replicas[1].state == "died" and pool.replicas[1].failed >= failed
        assert (await load(pool.url, "which", clients=4, calls=40)).failed == 0, "the other goes on"

        old = [each.pid for each in pool.replicas]
        steps, report = await under_load(pool, pool.roll)
        assert report.failed == 0 and report.calls > CLIENTS, report
        assert [each.old_pid for each in steps] == old and [each.left for each in steps] == [0, 0]
        assert not set(old) & {each.pid for each in pool.replicas}
        assert not any(psutil.pid_exists(pid) and psutil.Process(pid).is_running() for pid in old if pid)
        assert {each.state for each in pool.replicas} == {"running"}
        last = [each.pid for each in pool.replicas]
    await until(lambda: not any(psutil.pid_exists(pid) for pid in last if pid))


OWNER = """
import asyncio, sys
from labkit.scaling import desk, replicas
async def main():
    pool = await replicas(desk.__file__, n=1, behind=sys.argv[1])
    print(pool.url, pool.replicas[0].url, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_nothing_outlives_an_owner_that_is_killed() -> None:
    behind = "nginx" if find_nginx() else "embedded"
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, behind, stdout=asyncio.subprocess.PIPE, cwd=LAB_ROOT
    )
    assert owner.stdout is not None
    try:
        async with asyncio.timeout(60):
            urls = (await owner.stdout.readline()).decode().split()
        left = psutil.Process(owner.pid).children(recursive=True)
        assert len(urls) == 2 and len(left) >= 1
    finally:
        owner.kill()
        await owner.wait()
    await until(lambda: not any(alive(each) for each in left))
    for url in urls:
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2].partition("/")[0]))


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
