"""Weather: a server in front of an HTTP API that can be slow, flaky or down.

Run it by itself (it speaks MCP on stdin and stdout): python servers/weather/server.py

WEATHER_API      address of the API. Without it the server starts the one that the lab ships (../upstreams), and ends
                 it when it ends. The real one: WEATHER_API=https://api.weather.gov
WEATHER_TIMEOUT  seconds that one request may take, 2 by default. Each is tried three times.

Worth noticing:
- the HTTP client is made once, in the lifespan, and closed with the server;
- whatever goes wrong upstream becomes a sentence that the model can act on, never a stack trace;
- only reads are retried (client.py).
"""

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver import Context, UserMessage
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from pydantic import Field

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.upstreams.process import UpstreamError, WeatherUpstream
from servers.upstreams.us_states import STATES
from servers.weather.client import WeatherApi, WeatherError, measured
from servers.weather.models import Alert, Alerts, Current, Forecast, Period, Source


class Upstream:
    """Where the weather comes from. Connects on first use, so that the server itself starts at once."""

    def __init__(self, local: WeatherUpstream | None) -> None:
        self._local = local
        self._api: WeatherApi | None = None
        self._lock = anyio.Lock()

    async def api(self) -> WeatherApi:
        async with self._lock:
            if self._api is None:
                try:
                    # Waits for the child to be ready.
                    url = await anyio.to_thread.run_sync(self._local.url) if self._local else os.environ["WEATHER_API"]
                except UpstreamError as error:
                    raise WeatherError(str(error)) from error
                self._api = WeatherApi(url, timeout=float(os.environ.get("WEATHER_TIMEOUT", "2")))
            return self._api

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()
        if self._local is not None:
            await anyio.to_thread.run_sync(self._local.stop)


@asynccontextmanager
async def lifespan(server: MCPServer[Upstream]) -> AsyncGenerator[Upstream]:
    upstream = Upstream(None if os.environ.get("WEATHER_API") else WeatherUpstream())
    async with AsyncExitStack() as stack:
        stack.push_async_callback(upstream.close)
        yield upstream


server = MCPServer(
    "weather",
    title="Weather",
    version="1.0.0",
    instructions="Weather of the United States: alerts by state, forecasts and what was measured last by point.",
    log_level="WARNING",
    lifespan=lifespan,
)

READ = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=True)


Latitude = Annotated[float, Field(description="Degrees north.", ge=-90, le=90)]
Longitude = Annotated[float, Field(description="Degrees east; west is negative.", ge=-180, le=180)]
StateCode = Annotated[str, Field(description="Two-letter code of a US state, such as CA or NY.")]


@server.tool(title="Weather alerts", annotations=READ)
async def get_alerts(state: StateCode, ctx: Context) -> Alerts:
    """Get the active weather alerts for a US state."""
    try:
        return await alerts_of(state, ctx)
    except (UnknownState, WeatherError) as error:
        raise ToolError(str(error)) from error


@server.tool(title="Weather forecast", annotations=READ)
async def get_forecast(
    latitude: Latitude,
    longitude: Longitude,
    ctx: Context,
    periods: Annotated[int, Field(description="Days and nights to return.", ge=1, le=14)] = 5,
) -> Forecast:
    """Get the weather forecast for a point in the United States."""
    try:
        await ctx.report_progress(0, 2, "asking for the point")
        point, found = await (await api_of(ctx)).forecast(latitude, longitude)
        await ctx.report_progress(2, 2, "forecast received")
    except WeatherError as error:
        raise ToolError(str(error)) from error
    place = point["relativeLocation"]["properties"]
    return Forecast(
        place=f"{place['city']}, {place['state']}",
        time_zone=point["timeZone"],
        periods=[
            Period(
                name=period["name"],
                temperature=period["temperature"],
                unit=period["temperatureUnit"],
                precipitation_percent=period["probabilityOfPrecipitation"]["value"],
                wind=f"{period['windSpeed']} {period['windDirection']}",
                summary=period["detailedForecast"],
            )
            for period in found[:periods]
        ],
    )


@server.tool(title="Current weather", annotations=READ)
async def get_current(latitude: Latitude, longitude: Longitude, ctx: Context) -> Current:
    """Get what the weather station nearest to a point in the United States measured last."""
    try:
        station, seen = await (await api_of(ctx)).latest(latitude, longitude)
        return Current(
            station=station["name"],
            observed=seen["timestamp"],
            summary=seen["textDescription"] or None,
            temperature_celsius=measured(seen, "temperature", "wmoUnit:degC"),
            humidity_percent=measured(seen, "relativeHumidity", "wmoUnit:percent"),
            wind_kmh=measured(seen, "windSpeed", "wmoUnit:km_h-1"),
            wind_degrees=measured(seen, "windDirection", "wmoUnit:degree_(angle)"),
        )
    except WeatherError as error:
        raise ToolError(str(error)) from error


@server.tool(title="Weather source", annotations=READ)
async def get_source(ctx: Context) -> Source:
    """Tell where this server gets its weather from."""
    try:
        return Source(url=(await api_of(ctx)).base_url, local=not os.environ.get("WEATHER_API"))
    except WeatherError as error:
        raise ToolError(str(error)) from error


@server.resource("weather://alerts/{state}", name="alerts", title="Alerts of a state", mime_type="application/json")
async def alerts_resource(state: str, ctx: Context) -> str:
    """The active weather alerts of a US state, by two-letter code."""
    try:
        return (await alerts_of(state, ctx)).model_dump_json(indent=2)
    except UnknownState as error:
        raise ResourceNotFoundError(str(error)) from error
    except WeatherError as error:
        raise ResourceError(str(error)) from error


@server.prompt(title="Plan a trip")
def plan_trip(
    state: Annotated[str, Field(description="Two-letter code of the state to visit.")],
    activity: Annotated[str, Field(description="What to do there.")] = "hiking",
) -> list[UserMessage]:
    """Plan a trip around the weather, with the alerts of the state at hand."""
    code = state.upper()
    place = STATES[code].name if code in STATES else state
    link = types.ResourceLink(uri=f"weather://alerts/{code}", name=f"alerts-{code}", mime_type="application/json")
    return [
        UserMessage(
            f"Plan a three-day {activity} trip to {place}. Call get_forecast for the places you suggest, "
            "respect the alerts below, and say which day to keep free for bad weather."
        ),
        UserMessage(link),
    ]


@server.prompt(title="Weather report")
def weather_report(
    location: Annotated[str, Field(description="A place in the United States, such as Fresno, California.")],
) -> str:
    """Report the weather of a place: now, today, alerts, and what that means for being outdoors."""
    return (
        f"Write a weather report for {location}. Call get_current and get_forecast with its latitude and longitude, "
        "and get_alerts with its state. Say what was measured and when, what today will be like, each alert with what "
        "to do, and what that means for being outdoors. Where a call fails or a value is null, say that it is missing."
    )


@server.completion()
async def complete(
    ref: types.PromptReference | types.ResourceTemplateReference,
    argument: types.CompletionArgument,
    context: types.CompletionContext | None,
) -> types.Completion | None:
    """State codes, by the beginning of the code or of the name."""
    if argument.name != "state":
        return None
    typed = argument.value.casefold()
    codes = [
        s.code for s in STATES.values() if s.code.casefold().startswith(typed) or s.name.casefold().startswith(typed)
    ]
    return types.Completion(values=codes, total=len(codes), has_more=False)


class UnknownState(Exception):
    """Not a state; the message says what to write instead."""


async def alerts_of(state: str, ctx: Context) -> Alerts:
    code = state.strip().upper()
    if code not in STATES:
        named = [s.code for s in STATES.values() if s.name.casefold() == state.strip().casefold()]
        hint = f"did you mean {named[0]}?" if named else "use a two-letter code such as CA, NY or TX"
        raise UnknownState(f"{state!r} is not the code of a US state: {hint}")
    found = await (await api_of(ctx)).alerts(code)
    return Alerts(state=code, state_name=STATES[code].name, alerts=[alert(properties) for properties in found])


async def api_of(ctx: Context) -> WeatherApi:
    return await cast(Upstream, ctx.request_context.lifespan_context).api()


def alert(properties: dict[str, Any]) -> Alert:
    return Alert(
        event=properties["event"],
        severity=properties["severity"],
        urgency=properties["urgency"],
        areas=properties["areaDesc"],
        headline=properties.get("headline"),
        description=properties.get("description"),
        instruction=properties.get("instruction"),
        expires=properties["expires"],
    )


if __name__ == "__main__":
    server.run()
