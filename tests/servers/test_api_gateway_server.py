"""The api_gateway server against the upstreams of the lab: what it reads and sends, what it refuses, what it never shows."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psutil
import pytest
from mcp import Client

from labkit.patterns.calls import META_REASON, META_RETRY_AFTER
from servers.upstreams.process import BankUpstream, WeatherUpstream

from .conftest import call, refusal

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

KEY = "demo-token-of-ada"
CALIFORNIA = {"endpoint": "weather", "path": "/alerts/active", "params": {"area": "CA"}}


@pytest.fixture(params=["modern", "handshake"])
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """In memory: a process for each test would take a minute. Over a pipe there is one test, of everything."""
    return "memory", request.param


@pytest.fixture(scope="module")
def weather() -> Iterator[WeatherUpstream]:
    with WeatherUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def env(weather: WeatherUpstream) -> Iterator[dict[str, str]]:
    with BankUpstream() as bank:
        places = {"API_GATEWAY_WEATHER_URL": weather.url(), "API_GATEWAY_BANK_URL": bank.url()}
        yield {**places, "API_GATEWAY_BANK_KEY": KEY}


@pytest.fixture(autouse=True)
def well(weather: WeatherUpstream) -> None:
    weather.control("ok")


@pytest.fixture
async def gateway(connect: Any, way: tuple[str, str], env: dict[str, str]) -> AsyncIterator[Client]:
    async with connect("api_gateway", way, env) as client:
        yield client


def requests(weather: WeatherUpstream) -> int:
    """How many reached the weather service since it was last told how to behave."""
    return httpx2.get(weather.url() + "/_control").json()["requests"]


async def stats_of(client: Client, name: str) -> dict[str, Any]:
    return {each["name"]: each for each in (await call(client, "gateway_stats"))["endpoints"]}[name]


async def test_the_list_tells_what_can_be_asked_and_not_where(gateway: Client, env: dict[str, str]) -> None:
    listed = await call(gateway, "list_endpoints")
    assert [(each["name"], each["key"], each["post"]) for each in listed["endpoints"]] == [
        ("weather", "none", []),
        ("bank", "set", ["/transfers"]),
    ]
    contents = (await gateway.read_resource("gateway://endpoints")).contents[0]
    assert json.loads(contents.text) == listed  # type: ignore[union-attr]
    assert env["API_GATEWAY_BANK_URL"] not in str(listed) and KEY not in str(listed)


async def test_reading_twice_asks_once(gateway: Client, weather: WeatherUpstream) -> None:
    first, second = [await call(gateway, "api_get", **CALIFORNIA) for _ in range(2)]
    assert (first["status"], first["source"], first["age_seconds"]) == (200, "endpoint", 0)
    assert (second["data"], second["source"]) == (first["data"], "kept") and second["age_seconds"] > 0
    assert first["data"]["title"].endswith("for California") and requests(weather) == 1
    assert (await call(gateway, "api_get", **CALIFORNIA, fresh=True))["source"] == "endpoint" and requests(weather) == 2


async def test_a_transfer_is_made_once_and_seen_at_once(gateway: Client) -> None:
    async def cents() -> list[int]:
        accounts = (await call(gateway, "api_get", endpoint="bank", path="/accounts"))["data"]["accounts"]
        return [account["cents"] for account in accounts]

    before = await cents()
    deed = {"endpoint": "bank", "path": "/transfers", "body": {"from": "A-100", "to": "A-101", "cents": 7}}
    once = uuid4().hex
    done = [await call(gateway, "api_post", **deed, idempotency_key=once) for _ in range(2)]
    assert done[0]["status"] == 201 and done[0]["data"] == done[1]["data"]
    assert await cents() == [before[0] - 7, before[1] + 7]
    await call(gateway, "api_post", **deed)
    assert await cents() == [before[0] - 14, before[1] + 14]
    assert "409: A-100 has no more than" in await refusal(
        gateway, "api_post", endpoint="bank", path="/transfers", body={"from": "A-100", "to": "A-101", "cents": 10**9}
    )


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A service of this machine that nobody has registered."""

    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


async def test_what_is_not_registered_is_not_asked(gateway: Client, weather: WeatherUpstream, elsewhere: int) -> None:
    here = f"127.0.0.1:{elsewhere}"
    names = [
        "",
        "Weather",
        "weather ",
        "weather/../bank",
        f"http://{here}",
        "local:weather",
        "../weather",
        "169.254.169.254",
    ]
    paths = [
        "/_control", "/alerts/../_control", "/alerts/active/../../_control", "/points/%2e%2e%2f_control", "/points/..", "//_control",
        f"//{here}/", f"http://{here}/alerts/active", f"@{here}/alerts/active", f":80@{here}/alerts/active", f"/\\{here}/", "/points/1;/_control",
        "/alerts/active?area=CA", "/alerts/active#x", "/alerts/active\r\nX-Injected: 1", "/alerts/active ", "/ALERTS/active", "alerts/active", "",
    ]  # fmt: skip
    for name in names:
        said = await refusal(gateway, "api_get", endpoint=name, path="/alerts/active")
        assert said == f"{name!r} is not registered: use weather or bank"
    for path in paths:
        assert "is no path of weather for GET" in await refusal(gateway, "api_get", endpoint="weather", path=path)
    assert "takes no POST" in await refusal(
        gateway, "api_post", endpoint="weather", path="/_control", body={"mode": "down"}
    )
    outcomes = (await call(gateway, "batch_get", requests=[{"endpoint": "weather", "path": path} for path in paths]))[
        "outcomes"
    ]
    assert {each["reason"] for each in outcomes} == {"not-registered"}
    assert requests(weather) == 0 and Elsewhere.asked == []
    assert httpx2.get(weather.url() + "/_control").json()["mode"] == "ok"


async def test_what_stands_in_params_stays_there(gateway: Client) -> None:
    said = await refusal(
        gateway, "api_get", endpoint="weather", path="/alerts/active", params={"area": "CA&area=NY#/../x"}
    )
    assert said == "weather /alerts/active answered 400: area: 'CA&AREA=NY#/../X' is not a state or territory code"


async def test_a_batch_has_an_outcome_for_each(gateway: Client, weather: WeatherUpstream) -> None:
    wanted = [
        CALIFORNIA,
        {"endpoint": "bank", "path": "/accounts/A-100"},
        {"endpoint": "weather", "path": "/points/51.5,-0.12"},
        {"endpoint": "nothing", "path": "/"},
        CALIFORNIA,
    ]
    seen: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen.append(done)

    result = await gateway.call_tool("batch_get", {"requests": wanted}, progress_callback=progress)
    batch = result.structured_content
    assert batch and (batch["ok"], batch["failed"]) == (3, 2)
    outcomes = batch["outcomes"]
    assert [(each["endpoint"], each["path"]) for each in outcomes] == [(w["endpoint"], w["path"]) for w in wanted]
    assert [each["ok"] for each in outcomes] == [True, True, False, False, True]
    assert [each["reason"] for each in outcomes] == [None, None, "http-404", "not-registered", None]
    assert (
        outcomes[0]["answer"]["data"] == outcomes[4]["answer"]["data"]
        and outcomes[1]["answer"]["data"]["id"] == "A-100"
    )
    assert requests(weather) == 2  # the same request twice goes out once
    assert sorted(seen) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("count", [0, 21])
async def test_a_batch_is_bounded(gateway: Client, count: int) -> None:
    assert "validation error" in await refusal(gateway, "batch_get", requests=[CALIFORNIA] * count)


async def test_an_endpoint_that_is_flaky_is_asked_again(gateway: Client, weather: WeatherUpstream) -> None:
    weather.control("flaky", failures=2)
    assert (await call(gateway, "api_get", **CALIFORNIA))["status"] == 200
    assert requests(weather) == 3 and (await stats_of(gateway, "weather"))["retries"] == 2


async def test_an_endpoint_that_is_down_is_left_alone(gateway: Client, weather: WeatherUpstream) -> None:
    weather.control("down")
    for _ in range(3):
        result = await gateway.call_tool("api_get", {**CALIFORNIA, "fresh": True})
        assert result.is_error and result.meta
    assert result.meta[META_REASON] == "circuit-open" and 0 < result.meta[META_RETRY_AFTER] <= 5
    assert requests(weather) == 5
    stats = await stats_of(gateway, "weather")
    assert (stats["breaker"], stats["opened"], stats["sent"]) == ("open", 1, 5) and stats["refused"] >= 1
    assert (await call(gateway, "api_get", endpoint="bank", path="/accounts"))["status"] == 200


async def test_a_limit_is_shared_by_all_tools_and_told(
    connect: Any, way: tuple[str, str], env: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "few.toml"
    listed = '[weather]\nurl = "local:weather"\nget = ["/alerts/active"]\nkeep = 60\nlimit = "3/hour"\n'
    file.write_text(listed, encoding="utf-8")
    async with connect("api_gateway", way, {**env, "API_GATEWAY_ENDPOINTS": str(file)}) as client:
        states = [{**CALIFORNIA, "params": {"area": area}} for area in ("CA", "NY", "CA", "MA", "TX")]
        batch = await call(client, "batch_get", requests=states)
        assert (batch["ok"], batch["failed"]) == (4, 1)
        (refused,) = [each for each in batch["outcomes"] if not each["ok"]]
        assert refused["reason"] == "rate-limited" and 3500 < refused["retry_after"] <= 3600
        result = await client.call_tool("api_get", {**CALIFORNIA, "fresh": True})
        assert result.is_error and result.meta and result.meta[META_REASON] == "rate-limited"
        assert result.meta[META_RETRY_AFTER] > 3500
        stats = await call(client, "gateway_stats")
        assert [(each["left"], each["sent"], each["over_limit"]) for each in stats["endpoints"]] == [(0, 3, 2)]
        assert stats["cache"] == {"kept": 0, "joined": 1, "fetched": 3, "bypassed": 1, "hit_rate": 0.2}


async def test_one_caller_has_a_limit_of_their_own(gateway: Client) -> None:
    nothing = {"endpoint": "nothing", "path": "/", "body": {}}
    said = [await gateway.call_tool("api_post", nothing) for _ in range(61)]
    assert all("is not registered" in each.content[0].text for each in said[:60])  # type: ignore[union-attr]
    assert said[60].meta and said[60].meta[META_REASON] == "rate-limited" and said[60].meta[META_RETRY_AFTER] <= 60
    assert (await stats_of(gateway, "bank"))["over_limit"] == 0


async def test_the_key_is_in_nothing_that_comes_back(gateway: Client, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[Any] = [
        await gateway.list_tools(),
        await gateway.list_resources(),
        await gateway.read_resource("gateway://endpoints"),
    ]
    for tool, arguments in [
        ("list_endpoints", {}),
        ("gateway_stats", {}),
        ("api_get", {"endpoint": "bank", "path": "/accounts"}),
        ("api_get", {"endpoint": "bank", "path": "/accounts/B-200"}),
        ("api_get", {"endpoint": "bank", "path": "/nothing"}),
        ("api_post", {"endpoint": "bank", "path": "/transfers", "body": {"from": KEY}}),
        ("batch_get", {"requests": [{"endpoint": "bank", "path": "/accounts"}, {"endpoint": "bank", "path": "/x"}]}),
    ]:
        seen.append(await gateway.call_tool(tool, arguments))
    assert KEY not in repr(seen)
    assert KEY not in "".join(capfd.readouterr())


@pytest.mark.parametrize("over", [("stdio", "modern"), ("stdio", "handshake"), ("http", "modern")], ids="-".join)
async def test_another_way(connect: Any, over: tuple[str, str], env: dict[str, str], contract: Any) -> None:
    async with connect("api_gateway", over, env) as client:
        await contract(client, "api_gateway")
        first, second = [await call(client, "api_get", endpoint="bank", path="/accounts") for _ in range(2)]
        assert (first["source"], second["source"]) == ("endpoint", "kept")
        assert "is no path of weather" in await refusal(client, "api_get", endpoint="weather", path="/_control")
        batch = await call(client, "batch_get", requests=[CALIFORNIA, {"endpoint": "nothing", "path": "/"}])
        assert [each["ok"] for each in batch["outcomes"]] == [True, False]
        assert (await stats_of(client, "weather"))["sent"] == 1


async def test_without_a_key_the_others_work(connect: Any, way: tuple[str, str], env: dict[str, str]) -> None:
    async with connect("api_gateway", way, {**env, "API_GATEWAY_BANK_KEY": ""}) as client:
        keys = {each["name"]: each["key"] for each in (await call(client, "list_endpoints"))["endpoints"]}
        assert keys == {"weather": "none", "bank": "missing"}
        said = await refusal(client, "api_get", endpoint="bank", path="/accounts")
        assert said == "the endpoint needs a key: whoever runs the gateway has to set API_GATEWAY_BANK_KEY"
        assert (await call(client, "api_get", **CALIFORNIA))["status"] == 200
        assert (await stats_of(client, "bank"))["sent"] == 0


async def test_alone_it_brings_its_own_upstreams_and_takes_them_along(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_GATEWAY_WEATHER_URL", "API_GATEWAY_BANK_URL", "API_GATEWAY_ENDPOINTS"):
        monkeypatch.delenv(name, raising=False)
    before = set(psutil.Process().children(recursive=True))
    async with connect("api_gateway", ("memory", "modern"), {"API_GATEWAY_BANK_KEY": KEY}) as client:
        assert set(psutil.Process().children(recursive=True)) == before
        batch = await call(client, "batch_get", requests=[CALIFORNIA, {"endpoint": "bank", "path": "/accounts"}])
        assert batch["ok"] == 2
        started = set(psutil.Process().children(recursive=True)) - before
        assert len(started) == 2
    assert not any(process.is_running() for process in started)
