"""Made-up weather, in the shape of the public api.weather.gov: GeoJSON, the same keys, plausible values.

Everything follows from the seed and from one fixed moment, so two runs give the same bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from servers.upstreams.us_states import State

CLOCK = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
"""What time it always is."""

# event, severity, urgency, certainty, what to expect, what to do, latitudes where it may happen
_EVENTS = [
    ("Winter Storm Warning", "Severe", "Expected", "Likely", "Heavy snow of 6 to 12 inches and gusts to 45 mph.",
     "Travel only in an emergency. Keep a flashlight, food and water in your vehicle.", (38, 90)),
    ("Wind Chill Advisory", "Moderate", "Expected", "Likely", "Wind chills as low as 20 below zero.",
     "Cover exposed skin and limit time outdoors.", (43, 90)),
    ("Freeze Warning", "Moderate", "Expected", "Likely", "Temperatures as low as 27 degrees.",
     "Protect tender plants and outdoor water pipes.", (30, 40)),
    ("Wind Advisory", "Moderate", "Expected", "Likely", "West winds 20 to 30 mph with gusts to 50 mph.",
     "Secure loose objects. Use extra care when driving.", (0, 90)),
    ("Flood Watch", "Severe", "Future", "Possible", "Flooding caused by 2 to 4 inches of rain is possible.",
     "Be prepared to move to higher ground.", (0, 90)),
    ("Dense Fog Advisory", "Minor", "Immediate", "Observed", "Visibility of one quarter mile or less.",
     "Slow down, use low beams and leave plenty of distance.", (0, 90)),
    ("Red Flag Warning", "Severe", "Expected", "Likely", "Gusts to 40 mph with humidity below 15 percent.",
     "Avoid anything that could start a fire.", (28, 42)),
    ("Tornado Watch", "Extreme", "Future", "Possible", "Conditions are favorable for tornadoes.",
     "Know where to take shelter and be ready to act.", (25, 40)),
    ("High Surf Advisory", "Minor", "Expected", "Likely", "Breaking waves of 10 to 15 feet.",
     "Stay well back from the water's edge.", (0, 27)),
]  # fmt: skip

_REGIONS = ["Northern", "Southern", "Eastern", "Western", "Central"]
_SKIES = ["Sunny", "Mostly Sunny", "Partly Cloudy", "Mostly Cloudy", "Chance Rain Showers", "Rain Likely"]
_NIGHTS = ["Clear", "Mostly Clear", "Partly Cloudy", "Mostly Cloudy", "Chance Rain Showers", "Rain Likely"]
_WINDS = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"]


def alerts(seed: int, state: State) -> list[dict[str, Any]]:
    """None to four alerts for one state, as GeoJSON features."""
    random = Random(f"{seed}:alerts:{state.code}")
    possible = [event for event in _EVENTS if event[6][0] <= state.latitude <= event[6][1]]
    chosen = random.sample(possible, k=min(len(possible), random.choice([0, 1, 1, 2, 2, 3, 4])))
    return [_alert(random, state, number, event) for number, event in enumerate(chosen, start=1)]


def _alert(random: Random, state: State, number: int, event: tuple[Any, ...]) -> dict[str, Any]:
    name, severity, urgency, certainty, what, instruction, _ = event
    sent = CLOCK - timedelta(minutes=random.randrange(10, 600))
    expires = CLOCK + timedelta(hours=random.randrange(2, 48))
    regions = random.sample(_REGIONS, k=random.randrange(1, 4))
    identifier = f"urn:oid:2.49.0.1.840.0.{random.getrandbits(64):016x}.{number:03d}.1"
    office = f"NWS {state.city} {state.code}"
    return {
        "id": f"https://api.weather.gov/alerts/{identifier}",
        "type": "Feature",
        "geometry": None,
        "properties": {
            "id": identifier,
            "areaDesc": "; ".join(f"{region} {state.name}" for region in sorted(regions)),
            "sent": sent.isoformat(),
            "effective": sent.isoformat(),
            "onset": CLOCK.isoformat(),
            "expires": expires.isoformat(),
            "status": "Actual",
            "messageType": "Alert",
            "category": "Met",
            "severity": severity,
            "certainty": certainty,
            "urgency": urgency,
            "event": name,
            "senderName": office,
            "headline": f"{name} issued {sent:%B %d at %H:%M} UTC until {expires:%B %d at %H:%M} UTC by {office}",
            "description": f"* WHAT...{what}\n\n* WHERE...{state.name}.\n\n* WHEN...Until {expires:%A %H:%M} UTC.",
            "instruction": instruction,
        },
    }


def grid(latitude: float, longitude: float) -> tuple[int, int]:
    """The cell of a point: a tenth of a degree wide."""
    return round((longitude + 180) * 10), round((latitude + 90) * 10)


def periods(seed: int, state: State, x: int, y: int) -> list[dict[str, Any]]:
    """Seven days and nights for one cell."""
    random = Random(f"{seed}:forecast:{state.office}:{x},{y}")
    # A cool November: 78 F at the southern tip, about one degree colder per degree of latitude.
    usual = 78 - 1.05 * (y / 10 - 90 - 25)
    drift, sky = 0.0, 0
    result: list[dict[str, Any]] = []
    for number in range(1, 15):
        start = CLOCK.replace(hour=6) + timedelta(hours=12 * (number - 1))
        day = number % 2 == 1
        if day:
            drift = 0.6 * drift + random.uniform(-6, 6)
            sky = random.randrange(len(_SKIES))
        temperature = round(usual + drift - (0 if day else random.uniform(12, 20)))
        rain = [0, 0, 5, 15, 45, 75][sky]
        slow = random.randrange(0, 15, 5)
        wind, direction = f"{slow} to {slow + 5} mph", random.choice(_WINDS)
        short = (_SKIES if day else _NIGHTS)[sky]
        extreme = f"{'high' if day else 'low'} near {temperature}"
        result.append(
            {
                "number": number,
                "name": "Today"
                if number == 1
                else "Tonight"
                if number == 2
                else f"{start:%A}{'' if day else ' Night'}",
                "startTime": start.isoformat(),
                "endTime": (start + timedelta(hours=12)).isoformat(),
                "isDaytime": day,
                "temperature": temperature,
                "temperatureUnit": "F",
                "temperatureTrend": None,
                "probabilityOfPrecipitation": {"unitCode": "wmoUnit:percent", "value": rain},
                "windSpeed": wind,
                "windDirection": direction,
                "shortForecast": short,
                "detailedForecast": f"{short}, with a {extreme}. {direction} wind {wind}."
                + (f" Chance of precipitation is {rain}%." if rain else ""),
            }
        )
    return result


def station(state: State) -> dict[str, Any]:
    """The one station of a state, as a GeoJSON feature without its address."""
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [state.longitude, state.latitude]},
        "properties": {
            "stationIdentifier": f"{state.code}001",
            "name": f"{state.city}, {state.name}",
            "timeZone": state.time_zone,
        },
    }


def observation(seed: int, state: State) -> dict[str, Any]:
    """What the station of a state measured last: in metric units, and null for what it did not measure."""
    random = Random(f"{seed}:observation:{state.code}")
    today = periods(seed, state, *grid(state.latitude, state.longitude))[0]
    celsius = round((today["temperature"] - random.uniform(2, 9) - 32) / 1.8, 1)
    wind, direction = round(random.uniform(0, 30), 1), random.randrange(0, 360, 10)
    # Stations have gaps, and a reader who takes null for 0 reports a calm or a frost that there is not.
    return {
        "timestamp": (CLOCK - timedelta(minutes=random.randrange(5, 55))).isoformat(),
        "textDescription": random.choice(_SKIES[:4]),
        "temperature": {"unitCode": "wmoUnit:degC", "value": celsius},
        "relativeHumidity": {"unitCode": "wmoUnit:percent", "value": round(random.uniform(25, 98), 1)},
        "windSpeed": {"unitCode": "wmoUnit:km_h-1", "value": None if random.random() < 0.1 else wind},
        "windDirection": {"unitCode": "wmoUnit:degree_(angle)", "value": direction},
    }
