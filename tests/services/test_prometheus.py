"""Prometheus itself scrapes a server of ours. Skips where it is not installed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from mcp.server.mcpserver import MCPServer

import labkit as lab
from labkit.catalog import LAB_ROOT
from labkit.patterns.metrics import Metrics
from labkit.services import programs
from labkit.services.prometheus import Prometheus
from labkit.services.service import ServiceError, ServiceMissingError

pytestmark = pytest.mark.anyio


@pytest.fixture
def program() -> Path:
    try:
        return programs.prometheus_program()
    except ServiceMissingError as error:
        pytest.skip(str(error))


async def test_it_scrapes_a_server(program: Path) -> None:
    metrics = Metrics()
    server = MCPServer("counted")
    metrics.install(server)

    @server.tool()
    async def hello() -> str:
        """Hello."""
        return "hello"

    async with await lab.connect(server, via="http") as conn:
        for _ in range(7):
            await conn.call("hello")
        url = conn.url.removesuffix("/mcp") + "/metrics"
        with await asyncio.to_thread(Prometheus, {"counted": url}, every=0.2) as prometheus:
            folder, children = prometheus.folder, psutil.Process(prometheus.pid).children()
            found = await asyncio.to_thread(prometheus.wait, 'mcp_tool_calls_total{job="counted"} == 7')
            assert found[0][0]["tool"] == "hello" and found[0][0]["outcome"] == "ok"
            (series,) = await asyncio.to_thread(prometheus.query_range, "up", seconds=5)
            assert series[1][-1][1] == 1
            with pytest.raises(ServiceError, match="parse error"):
                prometheus.query("up{")
    assert not any(child.is_running() for child in children) and children and not folder.exists()


def test_it_ends_with_whoever_started_it_even_when_killed(program: Path) -> None:
    script = (
        "from labkit.services.prometheus import Prometheus; import sys\n"
        "p = Prometheus({'nothing': 'http://127.0.0.1:9/metrics'}); print(p.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=LAB_ROOT, text=True
    ) as other:
        assert other.stdout
        supervisor = psutil.Process(int(other.stdout.readline()))
        started = [supervisor, *supervisor.children()]
        assert len(started) == 2
        other.kill()
    _, alive = psutil.wait_procs(started, timeout=20)
    assert alive == []


def test_where_it_is_missing_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceMissingError, match="Prometheus is not on this machine.*Get it"):
        Prometheus({})
