"""A careful HTTP client for the weather API: bounded in time, patient with hiccups, clear when it gives up.

Knows nothing of MCP. Only GET requests are made, and those are safe to repeat: a request that changes something must
not be retried like this, because an answer that was lost does not mean that nothing was done.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

USER_AGENT = "mcp-lab-weather/1.0 (https://modelcontextprotocol.io)"  # the public API refuses requests without one
ATTEMPTS = 3
TRANSIENT = {429, 500, 502, 503, 504}
"""Statuses that may be different next time."""


class WeatherError(Exception):
    """No weather; the message says what happened and what to do."""


class WeatherApi:
    """`base_url` is the local upstream or https://api.weather.gov; `timeout` is seconds per attempt."""

    def __init__(self, base_url: str, timeout: float, first_wait: float = 0.1) -> None:
        self.base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._first_wait = first_wait
        self._http = httpx2.AsyncClient(
            timeout=timeout, headers={"user-agent": USER_AGENT, "accept": "application/geo+json"}, follow_redirects=True
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def alerts(self, state: str) -> list[dict[str, Any]]:
        """The properties of each active alert of a state."""
        answer = await self._get(f"{self.base_url}/alerts/active", {"area": state})
        return [feature["properties"] for feature in answer["features"]]

    async def forecast(self, latitude: float, longitude: float) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """What is known about a point, and its forecast periods. Two requests: the first names the second."""
        point = await self._point(latitude, longitude)
        return point, (await self._get(self._ours(point["forecast"])))["properties"]["periods"]

    async def latest(self, latitude: float, longitude: float) -> tuple[dict[str, Any], dict[str, Any]]:
        """The nearest station to a point, and what it measured last. Three requests: each names the next."""
        point = await self._point(latitude, longitude)
        stations = (await self._get(self._ours(point["observationStations"])))["features"]
        if not stations:
            raise WeatherError(f"there is no weather station near {latitude},{longitude}: ask for the forecast")
        station = stations[0]["properties"]
        name = quote(station["stationIdentifier"], safe="")
        return station, (await self._get(f"{self.base_url}/stations/{name}/observations/latest"))["properties"]

    async def _point(self, latitude: float, longitude: float) -> dict[str, Any]:
        return (await self._get(f"{self.base_url}/points/{latitude:.4f},{longitude:.4f}"))["properties"]

    def _ours(self, url: str) -> str:
        # An address in an answer is input like any other: do not let it send us to another machine.
        if urlsplit(url)[:2] != urlsplit(self.base_url)[:2]:
            raise WeatherError(f"the weather service points to another place ({url}); not following it")
        return url

    async def _get(self, url: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=self._first_wait, max=1) + wait_random(0, self._first_wait),
            retry=retry_if_exception(_is_transient),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    response = await self._http.get(url, params=params)
                    response.raise_for_status()
                    return response.json()
        except httpx2.TimeoutException as error:
            raise WeatherError(
                f"{url} did not answer within {self._timeout:g} s, {ATTEMPTS} times: the weather service is slow; "
                "try again later"
            ) from error
        except httpx2.HTTPStatusError as error:
            raise WeatherError(_describe(url, error.response)) from error
        except httpx2.HTTPError as error:
            raise WeatherError(
                f"cannot reach {url}: {type(error).__name__} {error}, {ATTEMPTS} times; is WEATHER_API right?"
            ) from error
        except ValueError as error:
            raise WeatherError(f"{url} did not answer with JSON: {error}") from error
        raise AssertionError("tenacity either returns, raises or retries")


def measured(observation: dict[str, Any], name: str, unit: str) -> float | None:
    """One value of an observation in the unit that is expected, or None where the station has none."""
    value = observation[name]["value"]
    if value is not None and (found := observation[name]["unitCode"]) != unit:
        raise WeatherError(f"the station gives {name} in {found}, not in {unit}: not reporting a wrong number")
    return value


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, httpx2.HTTPStatusError):
        return error.response.status_code in TRANSIENT
    return isinstance(error, httpx2.TransportError)


def _describe(url: str, response: httpx2.Response) -> str:
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = response.reason_phrase
    text = f"{url} answered {response.status_code}: {detail}"
    if response.status_code in TRANSIENT:
        return f"{text}, {ATTEMPTS} times: the weather service is in trouble; try again later"
    if response.status_code == 404:
        return f"{text}: the service covers the United States only"
    return text
