"""Fault drills with the real upstream: what notebook 28 claims about requests, errors and recovery is true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp.server.mcpserver import MCPServer

import labkit as lab
from labkit.patterns.breaker import CircuitBreaker
from labkit.patterns.calls import CallMiddleware
from labkit.patterns.clock import VirtualClock
from labkit.patterns.drill import Second, Summary, drill, summary
from labkit.patterns.failures import Unavailable
from labkit.patterns.fallback import Fallback, LastGood
from labkit.patterns.retry import Backoff, Budget, Retry
from servers.upstreams.process import WeatherUpstream

pytestmark = pytest.mark.anyio
OUTAGE = (10, 32)
BREAKER = {"failures": 5, "cooldown": 8, "probes": 2}


@pytest.fixture(scope="module")
def upstream() -> Iterator[WeatherUpstream]:
    with WeatherUpstream() as running:
        yield running


def station(url: str) -> tuple[MCPServer, httpx2.AsyncClient]:
    """A server with one tool, which asks the upstream once."""
    http = httpx2.AsyncClient(base_url=url, headers={"user-agent": "drill"})
    server = MCPServer("station", log_level="CRITICAL")

    @server.tool(annotations=types.ToolAnnotations(read_only_hint=True))
    async def alerts(state: str) -> int:
        """How many alerts there are."""
        answer = await http.get("/alerts/active", params={"area": state})
        if answer.status_code == 503:
            seconds = answer.headers.get("retry-after")
            raise Unavailable("The weather service is down.", retry_after=float(seconds) if seconds else None)
        return len(answer.json()["features"])

    return server, http


async def run(upstream: WeatherUpstream, kind: str) -> tuple[Summary, list[Second]]:
    clock = VirtualClock()
    server, http = station(upstream.url())
    breaker = CircuitBreaker(clock=clock, **BREAKER)
    # The budget of the naive ones never ends.
    budget = Budget(0.1, 10) if "budget" in kind or kind == "all" else Budget(1000, 1000)
    made: dict[str, Any] = {
        "fallback": Fallback(alerts=[LastGood(clock=clock)]),
        "retry": Retry(server, 3, backoff=Backoff(0), budget=budget, clock=clock),
        "breaker": breaker,
    }
    server.middleware.append(CallMiddleware())  # makes tool errors of what is unavailable
    server.middleware.extend(each for name, each in made.items() if name in kind or kind == "all")
    faults = {
        0: lambda: upstream.control("ok"),
        OUTAGE[0]: lambda: upstream.control("down"),
        OUTAGE[1]: lambda: upstream.control("ok"),
    }
    async with http, await lab.connect(server) as conn:
        log = await drill(
            lambda: conn.call("alerts", state="CA"),
            clock,
            requests=upstream.requests,
            faults=faults,
            seconds=40,
            each=2,
            state=lambda: breaker.state("alerts"),
        )
    return summary(log, OUTAGE), log


async def test_without_a_pattern_every_call_fails_and_every_call_is_a_request(upstream: WeatherUpstream) -> None:
    found, _ = await run(upstream, "nothing")
    assert found == Summary(calls=80, failed=44, degraded=0, requests_in_outage=44, recovery=0)


async def test_retries_treble_the_requests_of_an_outage_and_help_nobody(upstream: WeatherUpstream) -> None:
    found, _ = await run(upstream, "retry")
    assert found == Summary(calls=80, failed=44, degraded=0, requests_in_outage=132, recovery=0)


async def test_a_budget_keeps_retries_a_share(upstream: WeatherUpstream) -> None:
    found, _ = await run(upstream, "retry, budget")
    # 10 retries are in reserve, and 44 calls earn 4 more.
    assert found.failed == 44 and found.requests_in_outage == 44 + 14


async def test_a_breaker_asks_five_times_then_once_in_each_cooldown(upstream: WeatherUpstream) -> None:
    found, log = await run(upstream, "breaker")
    # Opens at 12 after five failures, asks at 20 and 28 and is refused; at 36 two probes find it well.
    assert found == Summary(calls=80, failed=52, degraded=0, requests_in_outage=7, recovery=4)
    assert [second.at for second in log if second.requests and 13 <= second.at < 36] == [20, 28]
    states = [second.state for second in log]
    assert states[:12] == ["closed"] * 12 and set(states[12:36]) == {"open"} and set(states[36:]) == {"closed"}


async def test_all_together_nobody_sees_an_error(upstream: WeatherUpstream) -> None:
    found, _ = await run(upstream, "all")
    # The retries find the fifth failure sooner: open at 10, asked at 18 and 26, closed at 34.
    assert found == Summary(calls=80, failed=0, degraded=48, requests_in_outage=7, recovery=2)


async def test_flaky_is_what_retries_are_for(upstream: WeatherUpstream) -> None:
    server, http = station(upstream.url())
    retry = Retry(server, 3, backoff=Backoff(0), budget=Budget(0.1, 100))
    server.middleware.append(retry)
    upstream.control("flaky", failures=2)
    async with http, await lab.connect(server) as conn:
        results = [await conn.call("alerts", state="CA") for _ in range(20)]
    assert not any(result.is_error for result in results)
    assert upstream.requests() == 60 and retry.stats.retries == 40


async def test_the_upstream_says_when_to_come_back_and_the_caller_hears_it(upstream: WeatherUpstream) -> None:
    server, http = station(upstream.url())
    server.middleware.append(Retry(server, 3, longest=5))
    upstream.control("down", retry_after=7)
    async with http, await lab.connect(server) as conn:
        result = await conn.call("alerts", state="CA")
    assert result.raw["_meta"]["labkit/retryAfter"] == 7 and upstream.requests() == 1
    upstream.control("ok")
