"""The weather server, and what it makes of an upstream that is slow, flaky or down."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import mcp_types as types
import psutil
import pytest
from mcp import Client, MCPError, StdioServerParameters

from servers.upstreams import weather_data
from servers.upstreams.process import WeatherUpstream
from servers.upstreams.us_states import STATES, nearest
from servers.weather.client import WeatherApi, WeatherError

TIMEOUT = 0.3
"""Seconds that the server gives the upstream."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[WeatherUpstream]:
    with WeatherUpstream() as started:
        yield started


@pytest.fixture(autouse=True)
def well_again(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "upstream" in request.fixturenames:
        request.getfixturevalue("upstream").control("ok")


@pytest.fixture(scope="module")
async def weather(connect: Any, way: tuple[str, str], upstream: WeatherUpstream) -> AsyncIterator[Client]:
    env = {"WEATHER_API": upstream.url(), "WEATHER_TIMEOUT": str(TIMEOUT)}
    async with connect("weather", way, env) as client:
        yield client


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return result.content[0].text  # type: ignore[union-attr]


@pytest.mark.anyio
async def test_alerts_of_a_state(weather: Client) -> None:
    result = await weather.call_tool("get_alerts", {"state": "ca"})
    assert result.structured_content
    assert (result.structured_content["state"], result.structured_content["state_name"]) == ("CA", "California")
    assert all(alert["event"] and "California" in alert["areas"] for alert in result.structured_content["alerts"])


@pytest.mark.anyio
async def test_forecast_of_a_point(weather: Client) -> None:
    result = await weather.call_tool("get_forecast", {"latitude": 38.58, "longitude": -121.49, "periods": 3})
    assert result.structured_content
    assert result.structured_content["place"] == "Sacramento, CA"
    assert [period["name"] for period in result.structured_content["periods"]] == ["Today", "Tonight", "Sunday"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("get_alerts", {"state": "California"}, "did you mean CA?"),
        ("get_alerts", {"state": "XX"}, "use a two-letter code"),
        ("get_forecast", {"latitude": 51.5, "longitude": -0.12}, "covers the United States only"),
        ("get_forecast", {"latitude": 91, "longitude": 0}, "less than or equal to 90"),
    ],
)
async def test_wrong_places_are_explained(weather: Client, tool: str, arguments: dict[str, Any], reason: str) -> None:
    assert reason in await refusal(weather, tool, **arguments)


@pytest.mark.anyio
async def test_a_flaky_upstream_is_asked_again(weather: Client, upstream: WeatherUpstream) -> None:
    upstream.control("flaky", failures=2)
    assert not (await weather.call_tool("get_alerts", {"state": "MA"})).is_error
    assert httpx2.get(upstream.url() + "/_control").json()["requests"] == 3


@pytest.mark.anyio
async def test_an_upstream_that_is_down_is_reported(weather: Client, upstream: WeatherUpstream) -> None:
    upstream.control("down")
    assert "answered 503" in await refusal(weather, "get_alerts", state="MA")
    with pytest.raises(MCPError, match="answered 503"):
        await weather.read_resource("weather://alerts/MA")


@pytest.mark.anyio
async def test_a_slow_upstream_is_not_waited_for(weather: Client, upstream: WeatherUpstream) -> None:
    upstream.control("slow", delay=60)
    assert "did not answer within 0.3 s, 3 times" in await refusal(weather, "get_alerts", state="MA")


@pytest.mark.anyio
async def test_alerts_are_a_resource_too(weather: Client) -> None:
    contents = (await weather.read_resource("weather://alerts/NY")).contents[0]
    assert json.loads(contents.text)["state_name"] == "New York"  # type: ignore[union-attr]
    with pytest.raises(MCPError, match="not the code of a US state") as raised:
        await weather.read_resource("weather://alerts/XX")
    assert raised.value.code == -32602


@pytest.mark.anyio
async def test_the_prompt_links_the_alerts(weather: Client) -> None:
    messages = (await weather.get_prompt("plan_trip", {"state": "co"})).messages
    assert "hiking trip to Colorado" in messages[0].content.text  # type: ignore[union-attr]
    assert isinstance(messages[1].content, types.ResourceLink) and messages[1].content.uri == "weather://alerts/CO"


@pytest.mark.anyio
async def test_completion_knows_codes_and_names(weather: Client) -> None:
    ref = types.ResourceTemplateReference(uri="weather://alerts/{state}")
    assert (await weather.complete(ref, {"name": "state", "value": "new"})).completion.values == [
        "NH",
        "NJ",
        "NM",
        "NY",
    ]


@pytest.mark.anyio
async def test_the_source_is_no_secret(weather: Client, upstream: WeatherUpstream) -> None:
    result = await weather.call_tool("get_source", {})
    assert result.structured_content == {"url": upstream.url(), "local": False}


@pytest.mark.anyio
async def test_an_upstream_that_is_not_there_is_reported(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with WeatherUpstream() as gone:
        url = gone.url()
    async with connect("weather", ("memory", "modern"), {"WEATHER_API": url}) as client:
        assert f"cannot reach {url}" in await refusal(client, "get_alerts", state="MA")


@pytest.mark.anyio
async def test_alone_it_brings_its_own_upstream_and_takes_it_along(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEATHER_API", raising=False)
    before = set(psutil.Process().children(recursive=True))
    async with connect("weather", ("memory", "modern")) as client:
        source = (await client.call_tool("get_source", {})).structured_content
        assert source and source["local"] and httpx2.get(source["url"] + "/_control").status_code == 200
        started = set(psutil.Process().children(recursive=True)) - before
        assert len(started) == 1
    assert not any(process.is_running() for process in started)


def test_the_upstream_ends_with_a_server_that_was_killed(serve: Callable[..., StdioServerParameters]) -> None:
    parameters = serve("weather")
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    frames = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "get_source", "arguments": {}}},
    ]
    server = subprocess.Popen(
        [parameters.command, *parameters.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={k: v for k, v in os.environ.items() if k != "WEATHER_API"},
        encoding="utf-8",
    )
    assert server.stdin and server.stdout
    try:
        server.stdin.writelines(json.dumps(frame) + "\n" for frame in frames)
        server.stdin.flush()
        while json.loads(server.stdout.readline()).get("id") != 2:
            pass
        children = psutil.Process(server.pid).children()
        assert len(children) == 1
        server.kill()
        gone, alive = psutil.wait_procs(children, timeout=5)
        assert gone == children and not alive
    finally:
        server.kill()
        server.communicate()


@pytest.mark.anyio
async def test_an_answer_cannot_send_the_client_elsewhere() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200, json={"properties": {"forecast": "http://169.254.169.254/secrets"}})

    api = WeatherApi("http://weather.test", timeout=1)
    await api.close()
    api._http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    with pytest.raises(WeatherError, match="another place"):
        await api.forecast(1, 2)
    await api.close()
    assert asked == ["http://weather.test/points/1.0000,2.0000"]


def test_the_weather_is_the_same_every_time() -> None:
    for state in STATES.values():
        assert weather_data.alerts(1, state) == weather_data.alerts(1, state)
    sacramento = STATES["CA"]
    assert weather_data.periods(1, sacramento, 585, 1286) != weather_data.periods(2, sacramento, 585, 1286)


def test_every_state_is_nearest_to_itself() -> None:
    assert all(nearest(state.latitude, state.longitude) == state for state in STATES.values())
    assert nearest(51.5, -0.12) is None and nearest(-33.9, 151.2) is None
