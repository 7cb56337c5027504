"""The weather server, in Python and in TypeScript, and what it makes of an upstream that is slow, flaky or down.

One contract, two servers: every test that takes `weather` runs against both, over each transport, in both eras.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import mcp_types as types
import psutil
import pytest
from mcp import Client, MCPError, StdioServerParameters

import labkit as lab
from labkit.catalog import SERVERS
from labkit.session import node
from labkit.testbench import certify, snapshot
from labkit.testbench.spelling import plain
from servers.upstreams import weather_data
from servers.upstreams.process import WeatherUpstream
from servers.upstreams.us_states import STATES, nearest
from servers.upstreams.weather_api import DEFAULT_SEED
from servers.weather.client import WeatherApi, WeatherError, measured

TIMEOUT = 0.3
"""Seconds that the server gives the upstream."""
SCRIPT = SERVERS / "weather_typescript" / "server.ts"
PYTHON = [("python", via, era) for via in ("memory", "stdio", "http") for era in ("modern", "handshake")]
TYPESCRIPT = [("typescript", via, era) for via in ("stdio", "http") for era in ("modern", "handshake")]


@pytest.fixture(scope="module")
def upstream() -> Iterator[WeatherUpstream]:
    with WeatherUpstream() as started:
        yield started


@pytest.fixture(autouse=True)
def well_again(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "upstream" in request.fixturenames:
        request.getfixturevalue("upstream").control("ok")


def typescript(*arguments: str) -> list[str]:
    """The command of the server in TypeScript. Skips where Node or its packages cannot be had."""
    try:
        return node.command(SCRIPT, *arguments)
    except node.NodeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=PYTHON + TYPESCRIPT, ids="-".join)
async def weather(request: pytest.FixtureRequest, connect: Any, upstream: WeatherUpstream) -> AsyncIterator[Client]:
    language, via, era = request.param
    env = {"WEATHER_API": upstream.url(), "WEATHER_TIMEOUT": str(TIMEOUT)}
    async with AsyncExitStack() as stack:
        if language == "python":
            yield await stack.enter_async_context(connect("weather", (via, era), env))
            return
        command, *arguments = typescript()
        if via == "stdio":
            server: Any = StdioServerParameters(command=command, args=arguments, env=env)
        else:
            server = (await stack.enter_async_context(await lab.serve("weather_typescript", env=env))).url
        mode = {"modern": "auto", "handshake": "legacy"}[era]
        yield await stack.enter_async_context(Client(server, mode=mode, read_timeout_seconds=30))  # pyright: ignore[reportArgumentType]


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """What a tool says that refuses. The Python SDK puts the name of the tool before it; the contract does not."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error and result.structured_content is None
    return result.content[0].text.removeprefix(f"Error executing tool {tool}: ")  # type: ignore[union-attr]


@pytest.mark.anyio
async def test_alerts_of_a_state(weather: Client) -> None:
    result = await weather.call_tool("get_alerts", {"state": "ca"})
    assert result.structured_content
    assert (result.structured_content["state"], result.structured_content["state_name"]) == ("CA", "California")
    assert all(alert["event"] and "California" in alert["areas"] for alert in result.structured_content["alerts"])
    assert json.loads(result.content[0].text) == result.structured_content  # type: ignore[union-attr]


@pytest.mark.anyio
async def test_forecast_of_a_point(weather: Client) -> None:
    result = await weather.call_tool("get_forecast", {"latitude": 38.58, "longitude": -121.49, "periods": 3})
    assert result.structured_content
    assert result.structured_content["place"] == "Sacramento, CA"
    assert [period["name"] for period in result.structured_content["periods"]] == ["Today", "Tonight", "Sunday"]


@pytest.mark.anyio
async def test_what_was_measured_last(weather: Client) -> None:
    result = await weather.call_tool("get_current", {"latitude": 38.6, "longitude": -121.5})
    seen = weather_data.observation(DEFAULT_SEED, STATES["CA"])
    assert result.structured_content == {
        "station": "Sacramento, California",
        "observed": seen["timestamp"],
        "summary": seen["textDescription"],
        "temperature_celsius": seen["temperature"]["value"],
        "humidity_percent": seen["relativeHumidity"]["value"],
        "wind_kmh": seen["windSpeed"]["value"],
        "wind_degrees": seen["windDirection"]["value"],
    }


@pytest.mark.anyio
async def test_what_a_station_has_not_measured_is_null(weather: Client) -> None:
    state = next(s for s in STATES.values() if weather_data.observation(DEFAULT_SEED, s)["windSpeed"]["value"] is None)
    where = {"latitude": state.latitude, "longitude": state.longitude}
    result = await weather.call_tool("get_current", where)
    assert result.structured_content and result.structured_content["wind_kmh"] is None
    assert result.structured_content["temperature_celsius"] is not None


@pytest.mark.anyio
async def test_progress_is_reported_to_whoever_asks_for_it(weather: Client) -> None:
    seen: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    where = {"latitude": 38.58, "longitude": -121.49}
    result = await weather.call_tool("get_forecast", where, progress_callback=hear)
    assert result.structured_content and len(result.structured_content["periods"]) == 5
    assert seen == [(0, 2, "asking for the point"), (2, 2, "forecast received")]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("get_alerts", {"state": "California"}, "'California' is not the code of a US state: did you mean CA?"),
        (
            "get_alerts",
            {"state": "X'X"},
            '"X\'X" is not the code of a US state: use a two-letter code such as CA, NY or TX',
        ),
        (
            "get_forecast",
            {"latitude": 51.5, "longitude": -0.12},
            "URL/points/51.5000,-0.1200 answered 404: No data for 51.5,-0.12: the service covers the United States only",
        ),
        (
            "get_current",
            {"latitude": 51.5, "longitude": -0.12},
            "URL/points/51.5000,-0.1200 answered 404: No data for 51.5,-0.12: the service covers the United States only",
        ),
    ],
)
async def test_wrong_places_are_explained(
    weather: Client, upstream: WeatherUpstream, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    assert await refusal(weather, tool, **arguments) == reason.replace("URL", upstream.url())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tool", "arguments", "names"),
    [
        ("get_forecast", {"latitude": 91, "longitude": 0}, ("latitude", "90")),
        ("get_forecast", {"latitude": 40, "longitude": -100, "periods": 15}, ("periods", "14")),
        ("get_alerts", {}, ("state",)),
        ("get_current", {"latitude": 40, "longitude": -181}, ("longitude", "180")),
    ],
)
async def test_arguments_that_do_not_fit_are_refused(
    weather: Client, tool: str, arguments: dict[str, Any], names: tuple[str, ...]
) -> None:
    # The words are the SDK's. What is wrong has to be in them.
    said = await refusal(weather, tool, **arguments)
    assert all(name in said for name in names)


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
    assert await refusal(weather, "get_alerts", state="MA") == (
        f"{upstream.url()}/alerts/active did not answer within 0.3 s, 3 times: the weather service is slow; try again later"
    )


@pytest.mark.anyio
async def test_alerts_are_a_resource_too(weather: Client) -> None:
    contents = (await weather.read_resource("weather://alerts/NY")).contents[0]
    assert json.loads(contents.text)["state_name"] == "New York"  # type: ignore[union-attr]
    with pytest.raises(MCPError, match="not the code of a US state") as raised:
        await weather.read_resource("weather://alerts/XX")
    assert raised.value.code == -32602 and raised.value.error.data == {"uri": "weather://alerts/XX"}


@pytest.mark.anyio
async def test_the_prompt_links_the_alerts(weather: Client) -> None:
    messages = (await weather.get_prompt("plan_trip", {"state": "co"})).messages
    assert "hiking trip to Colorado" in messages[0].content.text  # type: ignore[union-attr]
    assert isinstance(messages[1].content, types.ResourceLink) and messages[1].content.uri == "weather://alerts/CO"


@pytest.mark.anyio
async def test_the_report_names_the_tools_that_it_needs(weather: Client) -> None:
    said = await weather.get_prompt("weather_report", {"location": "Fresno, California"})
    assert [message.role for message in said.messages] == ["user"]
    text = said.messages[0].content.text  # type: ignore[union-attr]
    assert text == (
        "Write a weather report for Fresno, California. Call get_current and get_forecast with its latitude and "
        "longitude, and get_alerts with its state. Say what was measured and when, what today will be like, each alert "
        "with what to do, and what that means for being outdoors. Where a call fails or a value is null, say that it is "
        "missing."
    )
    tools = {tool.name for tool in (await weather.list_tools()).tools}
    assert {"get_current", "get_forecast", "get_alerts"} <= tools


@pytest.mark.anyio
@pytest.mark.parametrize(
    "ref", [types.ResourceTemplateReference(uri="weather://alerts/{state}"), types.PromptReference(name="plan_trip")]
)
async def test_completion_knows_codes_and_names(weather: Client, ref: Any) -> None:
    found = (await weather.complete(ref, {"name": "state", "value": "new"})).completion
    assert (found.values, found.total, bool(found.has_more)) == (["NH", "NJ", "NM", "NY"], 4, False)
    assert (await weather.complete(ref, {"name": "state", "value": ""})).completion.values == list(STATES)
    assert (await weather.complete(ref, {"name": "activity", "value": "h"})).completion.values == []


@pytest.mark.anyio
async def test_the_source_is_no_secret(weather: Client, upstream: WeatherUpstream) -> None:
    result = await weather.call_tool("get_source", {})
    assert result.structured_content == {"url": upstream.url(), "local": False}


@pytest.mark.anyio
async def test_the_lists_of_both_are_one_contract() -> None:
    typescript()
    async with await lab.connect("weather") as python, await lab.connect("weather_typescript") as other:
        ours, theirs = plain(await snapshot.take(python)), plain(await snapshot.take(other))
    # zod closes its objects. That promises callers more than the contract does, and breaks nothing.
    closed = [change for change in snapshot.diff(ours, theirs) if change.path.endswith(".additionalProperties")]
    assert [change for change in snapshot.diff(ours, theirs) if change not in closed] == []
    assert {(change.kind, change.path.partition(".")[0]) for change in closed} == {("additive", "outputSchema")}


@pytest.mark.anyio
async def test_in_typescript_each_request_is_of_a_version_that_is_served() -> None:
    typescript()
    certificate = await certify("weather_typescript", only=["doctor.version-unknown"])
    assert certificate.ran == 1 and certificate.findings == [], str(certificate)


@pytest.mark.anyio
async def test_alone_the_one_in_typescript_brings_the_lab_s_upstream_and_takes_it_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typescript()
    monkeypatch.delenv("WEATHER_API", raising=False)
    async with await lab.connect("weather_typescript") as conn:
        source = (await conn.call("get_source")).data
        assert source["local"] and httpx2.get(source["url"] + "/_control").status_code == 200
        processes = [psutil.Process(conn.pid), *psutil.Process(conn.pid).children(recursive=True)]
        assert len(processes) == 2
    gone, alive = psutil.wait_procs(processes, timeout=5)
    assert gone and not alive


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


@asynccontextmanager
async def answering(answers: dict[str, Any]) -> AsyncIterator[tuple[WeatherApi, list[str]]]:
    """A client whose requests are answered from here, by the end of their path; and what it asked for."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200, json=next(body for end, body in answers.items() if request.url.path.endswith(end)))

    api = WeatherApi("http://weather.test", timeout=1)
    await api.close()
    api._http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    yield api, asked
    await api.close()


@pytest.mark.anyio
@pytest.mark.parametrize(("key", "ask"), [("forecast", "forecast"), ("observationStations", "latest")])
async def test_an_answer_cannot_send_the_client_elsewhere(key: str, ask: str) -> None:
    async with answering({"": {"properties": {key: "http://169.254.169.254/secrets"}}}) as (api, asked):
        with pytest.raises(WeatherError, match="another place"):
            await getattr(api, ask)(1, 2)
    assert asked == ["http://weather.test/points/1.0000,2.0000"]


@pytest.mark.anyio
async def test_the_name_of_a_station_cannot_change_what_is_asked_for() -> None:
    point = {"properties": {"observationStations": "http://weather.test/here/stations"}}
    station = {"stationIdentifier": "../_control?mode=down#", "name": "Nowhere"}
    answers = {"/stations": {"features": [{"properties": station}]}, "/latest": {"properties": {"seen": 1}}, "": point}
    async with answering(answers) as (api, asked):
        assert await api.latest(1, 2) == (station, {"seen": 1})
    assert asked[-1] == "http://weather.test/stations/..%2F_control%3Fmode%3Ddown%23/observations/latest"
    async with answering({**answers, "/stations": {"features": []}}) as (api, _):
        with pytest.raises(WeatherError, match="no weather station near 1,2: ask for the forecast"):
            await api.latest(1, 2)


def test_a_value_in_another_unit_is_no_value() -> None:
    fahrenheit = {"temperature": {"unitCode": "wmoUnit:degF", "value": 51.0}}
    with pytest.raises(WeatherError, match="gives temperature in wmoUnit:degF, not in wmoUnit:degC"):
        measured(fahrenheit, "temperature", "wmoUnit:degC")
    assert measured({"temperature": {"unitCode": "wmoUnit:degF", "value": None}}, "temperature", "wmoUnit:degC") is None


def test_the_weather_is_the_same_every_time() -> None:
    for state in STATES.values():
        assert weather_data.alerts(1, state) == weather_data.alerts(1, state)
    sacramento = STATES["CA"]
    assert weather_data.periods(1, sacramento, 585, 1286) != weather_data.periods(2, sacramento, 585, 1286)


def test_every_state_is_nearest_to_itself() -> None:
    assert all(nearest(state.latitude, state.longitude) == state for state in STATES.values())
    assert nearest(51.5, -0.12) is None and nearest(-33.9, 151.2) is None
