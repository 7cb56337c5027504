"""Checks have limits of time, run side by side, never pile up, and each probe means what it says."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import httpx2
import pytest
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette

import labkit as lab
from labkit.patterns.calls import META_REASON
from labkit.patterns.clock import VirtualClock, settle
from labkit.patterns.health import Degraded, Health, Status, Unhealthy
from labkit.patterns.memory_check import MB, memory, memory_limit

pytestmark = pytest.mark.anyio


def fine() -> str:
    return "12 connections"


def say_no() -> bool:
    return False


async def worn() -> None:
    raise Degraded("slow")


async def broken() -> None:
    raise ConnectionError("postgres://ada:pa55@db refused")


async def bad() -> None:
    raise Unhealthy("disk full")


async def test_what_checks_say_and_what_follows() -> None:
    health = Health()
    for check in (fine, worn):
        health.check(check.__name__)(check)
    assert (await health.report()).status is Status.DEGRADED
    health = Health()
    for check in (fine, say_no, worn, broken, bad):
        health.check(check.__name__)(check)
    report = await health.report()
    assert report.status is Status.UNHEALTHY
    said = {name: (each.status.value, each.message) for name, each in report.checks.items()}
    assert said == {
        "fine": ("healthy", "12 connections"),
        "say_no": ("unhealthy", "the check says no"),
        "worn": ("degraded", "slow"),
        "broken": ("unhealthy", "ConnectionError"),  # its text has a password
        "bad": ("unhealthy", "disk full"),
    }


async def test_a_function_that_makes_something_to_wait_for() -> None:
    health = Health()
    health.check("pool")(lambda: asyncio.sleep(0, "12 connections"))
    health.check("gone")(lambda: broken())
    checks = (await health.report()).checks
    assert checks["pool"].message == "12 connections" and checks["gone"].status is Status.UNHEALTHY


@pytest.mark.parametrize(("critical", "status"), [(True, Status.UNHEALTHY), (False, Status.DEGRADED)])
async def test_a_check_that_is_not_critical_degrades(critical: bool, status: Status) -> None:
    health = Health()
    health.check("bad", critical=critical)(bad)
    health.check("worn")(worn)
    assert (await health.report()).status is status
    assert await health.ready() is not critical


async def test_checks_run_side_by_side_and_end_in_time() -> None:
    clock = VirtualClock()
    health = Health(clock=clock, timeout=2.0)

    def waits(seconds: float) -> Any:
        async def check() -> None:
            await clock.sleep(seconds)

        return check

    for seconds in (0.5, 1.5, 100.0):
        health.check(f"{seconds} s")(waits(seconds))
    health.check("brief", timeout=1.0)(waits(1.5))
    asking = asyncio.create_task(health.report())
    await clock.advance(1.9)
    assert not asking.done()
    await clock.advance(0.2)
    checks = (await asking).checks
    assert [each.latency_ms for each in checks.values()] == [500, 1500, 2000, 1000]
    assert checks["100.0 s"].message == "no answer within 2 s" and checks["brief"].message == "no answer within 1 s"
    assert checks["1.5 s"].status is Status.HEALTHY


async def test_many_who_ask_share_one_run_and_it_is_kept_for_a_moment() -> None:
    clock, runs = VirtualClock(), list[float]()
    health = Health(clock=clock, fresh=5.0)

    @health.check("counted")
    async def counted() -> None:
        runs.append(clock.now())
        await clock.sleep(1)

    asking = [asyncio.create_task(health.report()) for _ in range(20)]
    await settle()
    asking[0].cancel()
    await clock.advance(1)
    assert len({id(report) for report in await asyncio.gather(*asking[1:])}) == 1 and runs == [0]
    await clock.advance(4.9)
    await health.report()
    assert runs == [0]
    await clock.advance(0.2)
    again = asyncio.create_task(health.report())
    await clock.advance(1)
    await again
    assert len(runs) == 2


@pytest.mark.parametrize("kind", ["thread", "deaf"])
async def test_a_check_that_hangs_is_not_started_again_beside_itself(kind: str) -> None:
    clock, runs = VirtualClock(), list[int]()
    release, heard = threading.Event(), asyncio.Event()
    health = Health(clock=clock, fresh=0.0, timeout=1.0)

    def hangs() -> None:
        runs.append(1)
        release.wait(20)

    async def deaf() -> None:
        runs.append(1)
        while not heard.is_set():
            try:
                await heard.wait()
            except asyncio.CancelledError:
                continue

    health.check("hangs")(hangs if kind == "thread" else deaf)
    for _ in range(5):
        asking = asyncio.create_task(health.report())
        await clock.advance(1.1)
        assert (await asking).status is Status.UNHEALTHY
    assert len(runs) == 1 and (await health.report()).checks["hangs"].message == "still busy with the check before"
    release.set()
    heard.set()
    deadline = asyncio.get_running_loop().time() + 20
    while (await health.report()).checks["hangs"].message and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.01)
    assert (await health.report()).status is Status.HEALTHY


async def test_memory() -> None:
    used = 100 * MB
    assert memory_limit() > used
    assert "of" in memory()()
    for limit, expected in ((10_000 * MB, None), (1, Unhealthy)):
        check = memory(limit)
        if expected is None:
            check()
        else:
            with pytest.raises(expected):
                check()
    with pytest.raises(Degraded):
        memory(10_000 * MB, degraded_at=0.0)()


def test_two_checks_of_one_name_are_refused() -> None:
    health = Health()
    health.check("a")(fine)
    with pytest.raises(lab.LabError, match="another name"):
        health.check("a")


async def asked(app: Starlette, path: str) -> tuple[int, dict[str, Any]]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as client:
        answer = await client.get(path)
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()


@pytest.mark.parametrize("own", [True, False])
async def test_probes_over_http(own: bool) -> None:
    health = Health(starting=True, fresh=0.0)
    working = True

    @health.check("upstream")
    async def upstream() -> str:
        if not working:
            raise Unhealthy("secret of the house")
        return "ok"

    if own:
        server = MCPServer("probed")
        health.install(server)
        app = server.streamable_http_app()
    else:
        app = Starlette(routes=health.routes(messages=True))
    assert [(await asked(app, path))[0] for path in ("/livez", "/startupz", "/readyz")] == [200, 503, 503]
    health.started()
    assert [(await asked(app, path))[0] for path in ("/livez", "/startupz", "/readyz")] == [200, 200, 200]
    working = False
    status, body = await asked(app, "/readyz")
    assert status == 503 and body["status"] == "unhealthy" and ("secret" in str(body)) == (not own)
    assert (await asked(app, "/livez"))[0] == 200, "a dependency that is down is no reason to be restarted"
    working = True
    health.drain()
    status, body = await asked(app, "/readyz")
    assert (status, body) == (503, {"ready": False, "why": "draining"})


async def test_calls_before_the_start_and_while_draining() -> None:
    health = Health(starting=True)
    server = MCPServer("probed")
    health.install(server)
    go = asyncio.Event()

    @server.tool()
    async def work() -> str:
        """Until told."""
        await go.wait()
        return "done"

    async with await lab.connect(server) as conn:
        early = await conn.call("work", check=False)
        assert early.is_error and early.raw["_meta"][META_REASON] == "not-ready" and "not started" in early.text
        assert json.loads((await conn.call("health_check")).text)["status"] == "healthy"
        health.started()
        at_work = asyncio.create_task(conn.call("work"))
        while await health.quiet(timeout=0.0):
            await asyncio.sleep(0.01)
        health.drain()
        late = await conn.call("work", check=False)
        assert late.is_error and "about to stop" in late.text
        quiet = asyncio.create_task(health.quiet())
        await asyncio.sleep(0)
        assert not quiet.done()
        go.set()
        assert await quiet and (await at_work).data == "done"
