"""The load generator: what it counts, what it refuses, and that it does not omit what users would have waited."""

from __future__ import annotations

import asyncio
import csv
import json
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.server import MCPServer
from typer.testing import CliRunner

import labkit as lab
from labkit.cli import app
from labkit.errors import ConnectError
from labkit.scaling import Histogram, desk, load
from labkit.scaling.generator import LoadError
from labkit.scaling.histogram import bucket_of, highest_of

HANDSHAKE, MODERN = "2025-11-25", "2026-07-28"


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    st.lists(st.floats(0, 1e5, allow_nan=False), min_size=1, max_size=60), st.sampled_from([0, 1, 50, 90, 99.9, 100])
)
def test_a_percentile_is_the_exact_one_to_its_precision(values: list[float], percent: float) -> None:
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100 - 1e-9)) - 1]
    found = Histogram(values).percentile(percent)
    assert found == pytest.approx(exact, rel=1 / 256, abs=1e-6) and found <= max(values)


def test_buckets_follow_each_other_without_gap_or_overlap() -> None:
    steps = [*range(3_000), *(2**n + d for n in range(12, 40) for d in (-1, 0, 1))]
    for value in steps:
        assert bucket_of(value) <= bucket_of(value + 1) <= bucket_of(value) + 1
        assert bucket_of(highest_of(bucket_of(value))) == bucket_of(value)
        assert bucket_of(highest_of(bucket_of(value)) + 1) == bucket_of(value) + 1


def test_histograms_add_up() -> None:
    one, other = Histogram([0.001] * 99), Histogram([1.0])
    one.add(other)
    assert len(one) == 100 and one.maximum == 1.0 and one.mean == pytest.approx(0.01099)
    assert one.percentile(99) < 0.0011 and one.percentile(100) == 1.0
    assert math.isnan(Histogram().percentile(50)) and repr(Histogram()) == "<no values>"
    with pytest.raises(ValueError, match="not a number of seconds"):
        one.record(-1)


@pytest.fixture(scope="module")
async def url() -> AsyncIterator[str]:
    server: MCPServer[Any] = MCPServer("loaded", log_level="CRITICAL")
    calls = 0

    @server.tool()
    async def echo(text: str) -> str:
        """Give it back."""
        return text

    @server.tool()
    async def every_third() -> str:
        """Fail at every third call."""
        nonlocal calls
        calls += 1
        if calls % 3 == 0:
            raise RuntimeError("no")
        return "yes"

    @server.tool()
    async def stall_once() -> str:
        """Block the whole server for 0.4 s, at the tenth call."""
        nonlocal calls
        calls += 1
        if calls == 10:
            time.sleep(0.4)  # noqa: ASYNC251
        return "yes"

    @server.tool()
    async def never() -> str:
        """Wait until the test is over."""
        await asyncio.sleep(60)
        return "late"

    @server.tool()
    async def reset() -> str:
        """Count from 0."""
        nonlocal calls
        calls = 0
        return "reset"

    async with await lab.serve(server) as running:
        yield running.url


@pytest.mark.anyio
@pytest.mark.parametrize("era", [MODERN, HANDSHAKE])
async def test_a_closed_loop_counts_every_call(url: str, era: str, tmp_path: Path) -> None:
    report = await load(url, "echo", {"text": "x"}, clients=4, calls=60, era=era)
    assert (report.calls, report.failed, report.era, report.mode) == (60, 0, era, "closed")
    assert len(report.latency) == 60 == len(report.service_times()) and report.throughput > 0
    assert report.latency.maximum == report.service.maximum == max(report.service_times())
    with report.to_csv(tmp_path / "calls.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60 and set(rows[0]) == {"intended_s", "sent_s", "latency_ms", "service_ms", "ok"}
    assert sum(good + bad for _, good, bad, _ in report.over_time()) == 60
    assert json.loads(json.dumps(report.row()))["calls"] == 60 and "60 calls in" in repr(report)


@pytest.mark.anyio
async def test_an_era_is_found_by_asking(url: str) -> None:
    assert (await load(url, "echo", {"text": "x"}, calls=4)).era == MODERN


@pytest.mark.anyio
async def test_errors_are_counted_by_kind_though_they_come_with_200(url: str) -> None:
    await load(url, "reset", clients=1, calls=1)
    report = await load(url, "every_third", clients=1, calls=9)
    assert report.failed == 3 and len(report.latency) == 6
    assert report.errors == {"tool error: Error executing tool every_third": 3}
    late = await load(url, "never", clients=2, calls=2, timeout=0.05)
    assert late.errors == {"no answer within 0.05 s": 2} and "never at" in repr(late)
    unreachable = await load(url.replace("/mcp", "/nothing"), "echo", clients=1, calls=1, era=MODERN)
    assert list(unreachable.errors) == ["HTTP 404 Not Found"]


@pytest.mark.anyio
async def test_an_open_loop_counts_from_when_a_call_should_have_been_sent(url: str) -> None:
    await load(url, "reset", clients=1, calls=1)
    report = await load(url, "stall_once", clients=1, rate=100, calls=60, seconds=2)
    assert report.failed == 0 and report.calls == 60
    # One call met the stall; some thirty should have been sent meanwhile, and had to wait for it.
    stalled = 0.2
    assert sum(seconds > stalled for seconds in report.service_times()) == 1
    waited = [e - i for e, i in zip(report.ended, report.intended, strict=True)]
    assert sum(seconds > stalled for seconds in waited) >= 10
    assert report.latency.percentile(75) > stalled > report.service.percentile(75)
    report.plot()


@pytest.mark.anyio
async def test_what_a_server_cannot_keep_up_with_is_told(url: str) -> None:
    report = await load(url, "never", clients=1, rate=50, calls=20, seconds=1, timeout=0.2)
    assert report.unsent > 0 and report.unsent + report.calls == 20 and "never sent" in repr(report)


@pytest.mark.anyio
async def test_arrivals_may_be_given_or_drawn(url: str) -> None:
    listed = await load(url, "echo", {"text": "x"}, arrivals=[0.02, 0.0, 0.01])
    assert list(listed.intended) == [0.0, 0.01, 0.02] or sorted(listed.intended) == [0.0, 0.01, 0.02]
    one, same, other = [
        await load(url, "echo", {"text": "x"}, rate=200, arrivals="poisson", seconds=0.1, seed=seed)
        for seed in (1, 1, 2)
    ]
    assert sorted(one.intended) == sorted(same.intended) != sorted(other.intended)


@pytest.mark.anyio
@pytest.mark.parametrize("target", ["http://example.com/mcp", "https://10.0.0.1/mcp", "http://127.0.0.1.example.com/"])
async def test_servers_elsewhere_are_refused(target: str) -> None:
    with pytest.raises(LoadError, match="is not on this machine"):
        await load(target, "echo")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "options", [{"clients": 0}, {"seconds": 301}, {"calls": 10**7}, {"rate": 10**6}, {"clients": 1000}, {"timeout": 0}]
)
async def test_load_has_bounds(options: dict[str, Any]) -> None:
    with pytest.raises(LoadError, match=f"{next(iter(options))}=.* is out of bounds"):
        await load("http://127.0.0.1:9/mcp", "echo", **options)


@pytest.mark.anyio
async def test_a_server_that_is_not_there(url: str) -> None:
    with pytest.raises(ConnectError, match="no answer from 127.0.0.1:9:"):
        await load("http://127.0.0.1:9/mcp", "echo")


@pytest.mark.anyio
async def test_a_command_is_called_over_its_pipe() -> None:
    file = lab.servers()["calculator"].path
    report = await load(["python", str(file)], "add", {"a": 1, "b": 2}, clients=3, calls=30)
    assert report.calls == 30 and report.failed == 0 and report.era == MODERN


def test_without_await_it_is_the_same() -> None:
    with lab.sync.replicas(desk.make_server, n=2) as pool:
        assert lab.sync.load(pool.url, "which", clients=2, calls=10).failed == 0
        pool.stop(0)
        pool.restart(0)
        assert (
            [each.number for each in pool.roll()] == [0, 1] and len(pool.replicas) == 2 and "2 replicas" in repr(pool)
        )


def test_the_command(url: str, tmp_path: Path) -> None:
    run = CliRunner()
    common = ["load", url, "--tool", "echo", "-a", "text=x", "--calls", "20"]
    done = run.invoke(app, [*common, "--csv", str(tmp_path / "c.csv"), "--plot", str(tmp_path / "p.svg")])
    assert done.exit_code == 0 and "20 calls in" in done.output, done.output
    assert (tmp_path / "c.csv").exists() and (tmp_path / "p.svg").exists()
    figures = json.loads(run.invoke(app, [*common, "--rate", "400", "--poisson", "--json"]).output)
    assert figures["mode"] == "open" and figures["failed"] == 0 and "p99_ms" in figures
    assert run.invoke(app, ["load", url, "--tool", "nothing", "--calls", "2"]).exit_code == 1
    assert run.invoke(app, ["load", "http://example.com/mcp", "--tool", "x"]).exit_code == 2
    assert run.invoke(app, ["load", "http://127.0.0.1:9/mcp", "--tool", "x"]).exit_code == 3
    assert run.invoke(app, [*common, "--poisson"]).exit_code == 2
