"""A weather service on loopback, shaped like api.weather.gov: the upstream of the weather server.

    python servers/upstreams/weather_api.py [--port 0] [--seed 2026] [--forever]

Prints its address as one line of JSON, {"url": "http://127.0.0.1:PORT"}, and serves until its standard input ends:
whoever started it can die in any way, and takes it along. `--forever` ignores standard input.

    GET  /alerts/active?area=CA
    GET  /points/38.58,-121.49               names the forecast of that point, and its stations
    GET  /gridpoints/STO/585,1286/forecast
    GET  /gridpoints/STO/585,1286/stations   nearest first
    GET  /stations/CA001/observations/latest what was measured there last
    POST /_control  {"mode": "ok" | "slow" | "flaky" | "down", "delay": 3.0, "failures": 2, "retry_after": 0}
    GET  /_control                           the mode, and how many requests there were

`slow` waits `delay` seconds before each answer; `flaky` fails `failures` requests, answers one, and starts again;
`down` fails them all. Failures are 503, with a Retry-After of so many seconds unless that is 0, and each change of mode
starts counting afresh.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

sys.path.append(str(Path(__file__).resolve().parents[2]))  # run as a script, only this folder is on the path

from servers.upstreams import weather_data
from servers.upstreams.us_states import STATES, nearest

DEFAULT_SEED = 2026
Mode = Literal["ok", "slow", "flaky", "down"]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass
class Behaviour:
    """How the service behaves, and what has happened since it was told so."""

    mode: Mode = "ok"
    delay: float = 3.0
    failures: int = 2
    retry_after: int = 0
    requests: int = 0
    failed: int = 0

    def fails_now(self) -> bool:
        """Count one request and decide."""
        turn = self.requests
        self.requests += 1
        failing = self.mode == "down" or (self.mode == "flaky" and turn % (self.failures + 1) < self.failures)
        self.failed += failing
        return failing


def problem(status: int, title: str, detail: str) -> JSONResponse:
    """An error in the form of RFC 9457, as the public service sends it."""
    kind = f"https://api.weather.gov/problems/{title.replace(' ', '')}"
    body = {"type": kind, "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")


def make_app(seed: int = DEFAULT_SEED) -> Starlette:
    behaviour = Behaviour()

    async def alerts(request: Request) -> Response:
        area = request.query_params.get("area", "").upper()
        if area not in STATES:
            return problem(400, "Bad Request", f"area: {area!r} is not a state or territory code")
        state = STATES[area]
        return geojson(
            {
                "type": "FeatureCollection",
                "features": weather_data.alerts(seed, state),
                "title": f"Current watches, warnings, and advisories for {state.name}",
                "updated": weather_data.CLOCK.isoformat(),
            }
        )

    async def point(request: Request) -> Response:
        try:
            latitude, longitude = (float(part) for part in request.path_params["point"].split(","))
        except ValueError:
            return problem(400, "Bad Request", "point: must be LATITUDE,LONGITUDE")
        state = nearest(latitude, longitude)
        if state is None:
            return problem(404, "Data Unavailable For Requested Point", f"No data for {latitude},{longitude}")
        x, y = weather_data.grid(latitude, longitude)
        here = str(request.base_url).rstrip("/")
        return geojson(
            {
                "id": f"{here}/points/{latitude},{longitude}",
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
                "properties": {
                    "gridId": state.office,
                    "gridX": x,
                    "gridY": y,
                    "forecast": f"{here}/gridpoints/{state.office}/{x},{y}/forecast",
                    "observationStations": f"{here}/gridpoints/{state.office}/{x},{y}/stations",
                    "relativeLocation": {"type": "Feature", "properties": {"city": state.city, "state": state.code}},
                    "timeZone": state.time_zone,
                },
            }
        )

    async def forecast(request: Request) -> Response:
        office, x, y = (request.path_params[key] for key in ("office", "x", "y"))
        state = next((state for state in STATES.values() if state.office == office), None)
        if state is None:
            return problem(404, "Not Found", f"There is no forecast office {office!r}")
        periods = weather_data.periods(seed, state, x, y)
        properties = {"units": "us", "generatedAt": weather_data.CLOCK.isoformat(), "periods": periods}
        return geojson({"type": "Feature", "geometry": None, "properties": properties})

    async def stations(request: Request) -> Response:
        x, y = request.path_params["x"], request.path_params["y"]
        state = nearest(y / 10 - 90, x / 10 - 180)
        if state is None:
            return problem(404, "Not Found", f"There is no station near the grid cell {x},{y}")
        feature = weather_data.station(state)
        address = f"{str(request.base_url).rstrip('/')}/stations/{feature['properties']['stationIdentifier']}"
        return geojson({"type": "FeatureCollection", "features": [{"id": address, **feature}]})

    async def observation(request: Request) -> Response:
        name = request.path_params["station"]
        state = STATES.get(name.removesuffix("001"))
        if state is None or name == state.code:
            return problem(404, "Not Found", f"There is no station {name!r}")
        properties = {"station": str(request.url).split("/observations")[0], **weather_data.observation(seed, state)}
        return geojson({"type": "Feature", "geometry": None, "properties": properties})

    async def control(request: Request) -> Response:
        if request.method == "POST":
            wanted: dict[str, Any] = await request.json()
            if wanted.get("mode") not in get_args(Mode):
                return problem(400, "Bad Request", f"mode: must be one of {', '.join(get_args(Mode))}")
            behaviour.mode = wanted["mode"]
            behaviour.delay = float(wanted.get("delay", Behaviour.delay))
            behaviour.failures = int(wanted.get("failures", Behaviour.failures))
            behaviour.retry_after = int(wanted.get("retry_after", Behaviour.retry_after))
            behaviour.requests = behaviour.failed = 0
        return JSONResponse(asdict(behaviour))

    def misbehaving(endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            if not request.headers.get("user-agent"):
                return problem(403, "Forbidden", "Requests must name their application in the User-Agent header")
            if behaviour.fails_now():
                failure = problem(503, "Service Unavailable", f"The service is {behaviour.mode}, as it was told")
                if behaviour.retry_after:
                    failure.headers["retry-after"] = str(behaviour.retry_after)
                return failure
            if behaviour.mode == "slow":
                await anyio.sleep(behaviour.delay)
            return await endpoint(request)

        return answer

    return Starlette(
        routes=[
            Route("/alerts/active", misbehaving(alerts)),
            Route("/points/{point}", misbehaving(point)),
            Route("/gridpoints/{office}/{x:int},{y:int}/forecast", misbehaving(forecast)),
            Route("/gridpoints/{office}/{x:int},{y:int}/stations", misbehaving(stations)),
            Route("/stations/{station}/observations/latest", misbehaving(observation)),
            Route("/_control", control, methods=["GET", "POST"]),
        ]
    )


def geojson(body: dict[str, Any]) -> JSONResponse:
    return JSONResponse(body, media_type="application/geo+json")


def main() -> None:
    parser = argparse.ArgumentParser(description="A weather service on loopback, shaped like api.weather.gov.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="another seed is another weather")
    parser.add_argument("--forever", action="store_true", help="do not stop when standard input ends")
    options = parser.parse_args()

    # Bound before it is announced: whoever reads the line can connect at once.
    # The protocol is named because asyncio turns off Nagle's delay (40 ms) only where it sees TCP by name.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name != "nt":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", options.port))
    listener.listen()
    if not options.forever:
        threading.Thread(target=exit_at_end_of_input, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
    app = traced(make_app(options.seed)) if os.environ.get("LAB_TRACES") else make_app(options.seed)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def traced(app: Starlette) -> Any:
    """The same, with a span for each request below that of whoever sent it: notebook 29."""
    from labkit.patterns.tracing import TracedApp, record

    record("weather api")
    return TracedApp(app)


def exit_at_end_of_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # nothing to save, and nobody left to wait for the slow answers


if __name__ == "__main__":
    main()
